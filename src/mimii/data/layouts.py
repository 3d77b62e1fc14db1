"""Which layout a folder of recordings has: the part of a configuration that reads it, and what was guessed.

Names alone are looked at; no recording is opened, and nothing is written.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mimii.common.errors import UserError
from mimii.data import published
from mimii.data.dcase_years import years
from mimii.data.folders import ENDINGS, audio_files, entries, subfolders
from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.data.sources.table import SEPARATORS, stays_below

NORMAL = {"normal", "normals", "ok", "good", "healthy", "intact", "nominal", "pass", "passed", "no_fault", "undamaged"}
ABNORMAL = {"abnormal", "abnormals", "anomaly", "anomalies", "anomalous", "faulty", "fault", "faults", "defect", "nok"}
ABNORMAL |= {"defective", "damaged", "broken", "bad", "not_ok", "ng", "fail", "failed", "failure", "unhealthy"}
NO, YES = {"0", "no", "false", "n"}, {"1", "yes", "true", "y"}
LABEL_COLUMNS = {"label", "labels", "class", "classes", "condition", "state", "status", "target", "y", "category"}
COLUMNS = {
    "machine": ("machine", "machine_type"),
    "section": ("section", "machine_id", "unit"),
    "snr": ("snr",),
    "domain": ("domain",),
    "attributes": ("attributes", "attribute"),
    "split": ("split",),
}
WORDS_OF = {"domain": {"source", "target", ""}, "split": {"train", "test", ""}}
MOST_CLASSES = 50
MOST_ROWS = 200_000
ALL = {"snrs": "all", "machines": "all", "ids": "all"}


@dataclass(frozen=True)
class Layout:
    """What a folder is taken for.

    dataset: keys of the configuration's `dataset` but `root`. guesses: what may be otherwise, a sentence each.
    """

    described: str
    dataset: Mapping[str, Any]
    guesses: list[str] = field(default_factory=list)


def find_layout(folder: Path, normal: Sequence[str] = ()) -> Layout:
    """The layout of `folder`. normal: folders or words that stand for normal recordings, where they are known.

    Raises UserError where there are no recordings, or nothing says which of them are normal.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}; give the folder of your recordings")
    known = None if normal else _mimii(folder) or _dcase(folder)
    if known:
        return known
    names = dict(_folder_names(folder, ()))
    count = sum(number for parts, number in names.items())
    classes, tables = _class_folders(names, normal), _tables(folder, normal, count)
    if classes and not classes.guesses:
        return classes
    if layout := next((table for table in tables.values() if isinstance(table, Layout)), classes):
        return layout
    if not count:
        raise UserError(
            f"{str(folder)!r} holds no recordings, at any depth; known are files that end in {', '.join(ENDINGS)}"
        )
    raise UserError(
        f"{str(folder)!r} holds {count} recordings, and nothing says which of them are normal{_shown(names)}. Name the "
        "folders or the words of the table: --normal NAME. Or put the recordings into folders normal and abnormal, or "
        "write a table labels.csv beside them:\n  path,label\n  first.wav,normal\n  second.wav,abnormal"
        + "".join(f"\nNot used: {name}: {why}" for name, why in tables.items())
    )


def word(text: str) -> str:
    """A label in one spelling: `No-Fault` and `no fault` are `no_fault`."""
    return text.strip().casefold().replace("-", "_").replace(" ", "_")


def _mimii(folder: Path) -> Layout | None:
    dataset = {"source": "folder"}
    sections = _sections(dataset, folder)
    if not set(sections) & set(published.sections()):
        return None
    return Layout("MIMII's layout", dataset)


def _dcase(folder: Path) -> Layout | None:
    """The year and part with the most sections; the least data and the latest year of those that have as many."""
    fits: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    for data in ("development", "evaluation", "all"):
        for year in reversed(years()):
            sections = _sections({"source": "dcase", "dcase": {"year": year, "data": data, "download": False}}, folder)
            fits[len(sections)].append((data, year))
    most = max(fits)
    if not most:
        return None
    data, year = fits[most][0]
    others = sorted({other for part, other in fits[most] if part == data} - {year})
    guesses = []
    if others:
        also = ", ".join(map(str, others))
        guesses.append(f"the year: these names are those of {year}, and of {also}; correct dataset.dcase.year")
    return Layout(
        f"DCASE {year} task 2, {data} data", {"source": "dcase", "dcase": {"year": year, "data": data}}, guesses
    )


def _sections(dataset: Mapping[str, Any], folder: Path) -> list[Section]:
    """What a source finds in the folder; nothing where it does not fit it."""
    try:
        return open_source({**ALL, **dataset, "root": str(folder)}).sections()
    except UserError:
        return []


def _folder_names(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each folder with recordings directly in it: its path in parts, and how many there are."""
    if count := sum(1 for _ in audio_files(folder)):
        yield parts, count
    for name in subfolders(folder):
        yield from _folder_names(folder / name, (*parts, name))


def _class_folders(names: Mapping[tuple[str, ...], int], normal: Sequence[str]) -> Layout | None:
    """Folders of normal recordings and, beside them, of others."""
    own = {word(name) for name in normal}
    normals, others = set[str](), set[str]()
    for parts in names:
        for depth, name in enumerate(parts):
            if word(name) in (own or NORMAL):
                normals.add(name)
                beside = {path[depth] for path in names if path[:depth] == parts[:depth] and len(path) > depth}
                others |= {other for other in beside if word(other) not in (own or NORMAL)}
            elif word(name) in ABNORMAL and not own:
                others.add(name)
    if not normals or not others:
        return None
    guesses = []
    if unknown := sorted(name for name in others if word(name) not in ABNORMAL):
        guesses.append(f"what is abnormal: the folders {', '.join(unknown)}, since they lie beside a normal one")
    labelled = {"normal": _each_once(normals), "abnormal": _each_once(others)}
    described = f"Folders of normal ({', '.join(labelled['normal'])}) and abnormal recordings"
    return Layout(
        f"{described} ({', '.join(labelled['abnormal'])})", {"source": "labelled", "labelled": labelled}, guesses
    )


def _each_once(names: set[str]) -> list[str]:
    """Sorted; of names that differ in upper and lower case alone, one, since they mean the same to the source."""
    return sorted({name.casefold(): name for name in sorted(names)}.values())


def _tables(folder: Path, normal: Sequence[str], count: int) -> dict[str, Layout | str]:
    """What each table in the folder is taken for, or why it cannot be used. count: recordings in the folder."""
    return {
        entry.name: _table(folder, entry.name, normal, count)
        for entry in sorted(entries(folder), key=lambda entry: entry.name)
        if entry.is_file() and entry.name.lower().endswith((".csv", ".tsv"))
    }


def _table(folder: Path, name: str, normal: Sequence[str], count: int) -> Layout | str:
    """A table that names recordings and says which of them are normal; else why it does not."""
    try:
        columns = _read_columns(Path(folder, name))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return f"cannot be read as a table in UTF-8 ({error})"
    if any(_names_recording(folder, column) for column in columns):
        return "its first line names a recording; write a line with the columns' names above it, such as path,label"
    path = _path_column(folder, columns)
    if path is None:
        return "no column names recordings of this folder: relative to it, with /, and with their endings, as a/1.wav"
    label = _label_column({column: words for column, words in columns.items() if column != path}, normal)
    if label is None:
        words = "; ".join(f"{column}: {_some_words(own)}" for column, own in columns.items() if column != path)
        return f"no column says in a word that is known which recordings are normal ({words or 'none is left'})"
    layout = _described_table(name, columns, path, label)
    if (unnamed := count - sum(_names_recording(folder, own) for own in set(columns[path]))) > 0:
        layout.guesses.append(f"{unnamed} recording(s) that {name} does not name; they are not used")
    return layout


@dataclass(frozen=True)
class LabelColumn:
    """The column of a table that says what is normal, with its words."""

    name: str
    normal: list[str]
    abnormal: list[str]
    guessed: str


def _some_words(values: Sequence[str]) -> str:
    words = sorted(set(values))
    return ", ".join(words[:5]) + (", ..." if len(words) > 5 else "")


def _described_table(file: str, columns: Mapping[str, list[str]], path: str, label: LabelColumn) -> Layout:
    chosen = {"path": path, "label": label.name}
    for key, names in COLUMNS.items():
        for name in columns:
            fits = {own.casefold() for own in columns[name]} <= WORDS_OF[key] if key in WORDS_OF else True
            if name not in chosen.values() and word(name) in names and fits:
                chosen.setdefault(key, name)
    table: dict[str, Any] = {"file": file, "normal": label.normal, "abnormal": label.abnormal}
    table["columns"] = {key: name for key, name in chosen.items() if key != name}
    guesses = [label.guessed] if label.guessed else []
    if unused := [name for name in columns if name not in chosen.values()]:
        guesses.append(f"columns of {file} that are not used: {', '.join(unused)}; dataset.table.columns names others")
    return Layout(f"A table {file} beside the recordings", {"source": "table", "table": table}, guesses)


def _read_columns(file: Path) -> dict[str, list[str]]:
    """The values of each column. Raises OSError, UnicodeDecodeError or csv.Error where the file is no table."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        header = opened.readline()
        opened.seek(0)
        reader = csv.DictReader(opened, delimiter=max(SEPARATORS, key=header.count), strict=True)
        rows = [row for row, _ in zip(reader, range(MOST_ROWS), strict=False)]
    return {name: [(row.get(name) or "").strip() for row in rows] for name in reader.fieldnames or [] if name}


def _path_column(folder: Path, columns: Mapping[str, list[str]]) -> str | None:
    """The column whose values name recordings in the folder, most of them."""
    shares = {}
    for name, values in columns.items():
        there = sum(_names_recording(folder, value) for value in values)
        shares[name] = there / len(values) if values else 0.0
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] > 0.5 else None


def _names_recording(folder: Path, path: str) -> bool:
    return path.lower().endswith(ENDINGS) and stays_below(path) and Path(folder, path).is_file()


def _label_column(columns: Mapping[str, list[str]], normal: Sequence[str]) -> LabelColumn | None:
    """The column whose words say what is normal: those that were named, known ones, or yes and no."""
    classes = {name: sorted(set(values) - {""}) for name, values in columns.items()}
    classes = {name: words for name, words in classes.items() if 2 <= len(words) <= MOST_CLASSES}
    for name, words in sorted(classes.items(), key=lambda item: word(item[0]) not in LABEL_COLUMNS):
        wanted = {word(own) for own in normal} or NORMAL
        normals = [own for own in words if word(own) in wanted]
        if normals and len(normals) < len(words):
            others = [own for own in words if own not in normals]
            unknown = [own for own in others if word(own) not in ABNORMAL]
            guessed = f"what is abnormal: {', '.join(unknown)} in the column {name}, since it is not {normals[0]}"
            return LabelColumn(name, normals, others, guessed if unknown else "")
    for name, words in classes.items() if not normal else ():
        if len(words) == 2 and {word(own) for own in words} <= NO | YES:
            no, yes = sorted(words, key=lambda own: word(own) in YES)
            if word(name).removeprefix("is_") in NORMAL:
                return LabelColumn(name, [yes], [no], f"what is normal: {yes} in the column {name}")
            if word(name).removeprefix("is_") in ABNORMAL | LABEL_COLUMNS:
                return LabelColumn(name, [no], [yes], f"what is normal: {no} in the column {name}")
    return None


def _shown(names: Mapping[tuple[str, ...], int]) -> str:
    some = ["/".join(parts) for parts in list(names)[:10] if parts]
    return f" (folders: {', '.join(some)}{', ...' if len(names) > len(some) + 1 else ''})" if some else ""
