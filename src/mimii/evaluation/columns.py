"""The columns of results.csv, as columns.yaml declares them: read, checked, documented."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mimii.common.declarations import read_declarations
from mimii.common.errors import UserError
from mimii.runs.run import EXTERNAL, has_model

MOST_FAULTS = 20
TYPES = ("string", "integer", "number", "json")


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    meaning: str
    unit: str | None = None
    nullable: bool | Literal["external"] = False
    minimum: float | None = None
    maximum: float | None = None

    def fault(self, value: Any, *, external: bool = False) -> str | None:
        """What is wrong with `value` in this column, or None. external: of a row without a model."""
        if value is None:
            return None if self.nullable is True or (external and self.nullable) else "is empty"
        if self.type == "integer" and (not isinstance(value, int) or isinstance(value, bool)):
            return f"is {value!r}, not an integer"
        if self.type == "number":
            if not isinstance(value, int | float) or isinstance(value, bool):
                return f"is {value!r}, not a number"
            if not math.isfinite(value):
                return f"is {value!r}, not a finite number"
        if self.type in ("string", "json") and not isinstance(value, str):
            return f"is {value!r}, not a text"
        if value == "":
            return "is an empty text"
        if self.type == "json":
            try:
                json.loads(value)
            except ValueError:
                return f"is {value!r}, not JSON"
        if self.minimum is not None and value < self.minimum:
            return f"is {value!r}, below {self.minimum}"
        if self.maximum is not None and value > self.maximum:
            return f"is {value!r}, above {self.maximum}"
        return None


@cache
def read_columns() -> list[Column]:
    """All columns, in the order of the CSV."""
    declared = read_declarations(Path(__file__).with_name("columns.yaml"))
    columns = [Column(name, **keys) for name, keys in declared.items()]
    for column in columns:
        if column.type not in TYPES:
            raise ValueError(f"columns.yaml: {column.name} has the type {column.type!r}")
    return columns


def row_faults(row: Mapping[str, Any], columns: Iterable[Column]) -> list[str]:
    """What is wrong with a row; empty if nothing is."""
    columns = list(columns)
    external = not has_model(str(row.get("variant")))
    names = [column.name for column in columns]
    faults = [f"column {name} is missing" for name in names if name not in row]
    faults += [f"column {name} is unknown" for name in row if name not in names]
    for column in columns:
        if column.name in row and (fault := column.fault(row[column.name], external=external)):
            faults.append(f"{column.name} {fault}")
    return faults


def check_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Raise one UserError that lists faults in names, types, ranges and empty cells."""
    columns = read_columns()
    faults = [
        f"{row.get('run_path', f'row {number}')}: {fault}"
        for number, row in enumerate(rows)
        for fault in row_faults(row, columns)
    ]
    if faults:
        more = f"\n  and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        raise UserError("rows that do not fit columns.yaml:\n  " + "\n  ".join(faults[:MOST_FAULTS]) + more)


def columns_as_markdown() -> str:
    """docs/columns.md."""
    lines = [
        "# Columns of results.csv",
        "",
        "One row per run: a model with its settings and seed, on one section. A sample is a window. An empty cell",
        "means that there is no such value. The first 24 columns are those of the original framework, in its order.",
        "",
        "| column | type | unit | may be empty | meaning |",
        "|---|---|---|---|---|",
    ]
    for column in read_columns():
        nullable = {True: "yes", False: "", EXTERNAL: "external scores, ensembles"}[column.nullable]
        lines.append(f"| `{column.name}` | {column.type} | {column.unit or ''} | {nullable} | {column.meaning} |")
    return "\n".join(lines) + "\n"
