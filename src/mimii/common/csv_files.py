"""How every CSV is written, and known again."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mimii.common.files import written_whole


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV whole: floats with the shortest digits that read back as the same, None as an empty cell."""
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def row_fault(row: Mapping[Any, Any], columns: Iterable[str]) -> str | None:
    """Why a row of `csv.DictReader` cannot be read as its header says, such as one with a decimal comma; or None.

    columns: that are needed. A longer row is whole where all that it has beyond the header is empty.
    """
    if any(cell.strip() for cell in row.get(None) or ()):
        return "has more values than the header has columns; put a value that holds a separator into quotes"
    if missing := [name for name in columns if name in row and row[name] is None]:
        return f"ends before its column {missing[0]!r}; write the separators of empty values, too"
    return None


def has_columns(*columns: str) -> Callable[[bytes], bool]:
    """Says of the beginning of a file whether it is a CSV with these columns among others."""
    return lambda start: {name.encode() for name in columns} <= set(start.partition(b"\n")[0].rstrip().split(b","))
