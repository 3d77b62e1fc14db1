"""Your own recordings, with a table that says what each of them is.

`<root>/labels.csv` names the recordings beside it in a column `path` and says in `label` whether they are normal or
abnormal; where it has them, `machine`, `section` (the machine's ID), `snr`, `domain`, `attributes` and `split` say
more.
What the columns are called is a setting. `+` stands for a level that the table does not have.
"""

import csv
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from mimii.common.csv_files import row_fault
from mimii.common.errors import UserError
from mimii.common.problems import ProblemsError
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import Domain, Label, Recording, Split
from mimii.data.sections import NO_LEVEL, Section, section_name
from mimii.data.selection import select_sections

REQUIRED = ("path", "label")
SEPARATORS = ",;\t"
MOST_FAULTS = 20


class Source(RecordedSource):
    """One section for each SNR, machine type and ID that the table names; without a split, the benchmark's own."""

    def sections(self) -> list[Section]:
        """Raises one UserError that lists what is wrong with the table, up to MOST_FAULTS lines of it."""
        return select_sections(self._by_section, self.config, repr(str(self.table)))

    def list_section(self, section: Section) -> list[Recording]:
        if section not in self._by_section:
            raise UserError(f"section {section}: nothing of it is in {str(self.table)!r}")
        return self._by_section[section]

    def has_domains(self, section: Section) -> bool:
        return any(recording.domain for recording in self.recordings(section))

    @property
    def table(self) -> Path:
        """The table's file."""
        if not stays_below(self.settings["file"]):
            raise ProblemsError.of(
                "dataset.table.file", f"{self.settings['file']!r} leads out of dataset.root; put it there"
            )
        return Path(self.root, self.settings["file"])

    @cached_property
    def _by_section(self) -> dict[Section, list[Recording]]:
        by_section: dict[Section, list[Recording]] = {}
        lines: dict[str, int] = {}
        names: dict[tuple[str, str], str] = {}
        faults: list[str] = []
        for line, row in self._rows():
            try:
                section, recording = self._recording(row, names)
            except UserError as error:
                faults.append(f"line {line}: {error}")
                continue
            if (first := lines.setdefault(recording.path, line)) != line:
                faults.append(f"line {line}: {recording.path!r} stands in line {first} already")
            by_section.setdefault(section, []).append(recording)
        for section, recordings in by_section.items():
            if len({recording.split is None for recording in recordings}) > 1:
                faults.append(f"section {section}: some recordings have a split and others none; give all or none")
        if faults:
            more = f"\n  and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
            shown = "".join(f"\n  {fault}" for fault in faults[:MOST_FAULTS])
            raise UserError(f"{self.table}: {len(faults)} line(s) cannot be used:{shown}{more}")
        if not by_section:
            raise UserError(f"{self.table}: names no recording; write a line for each")
        return by_section

    def _rows(self) -> Iterator[tuple[int, Mapping[Any, Any]]]:
        """(line, cells by the header) of each row. Raises UserError where the file is no such table."""
        columns = self.settings["columns"]
        try:
            with self.table.open(encoding="utf-8-sig", newline="") as file:
                header = file.readline()
                file.seek(0)
                reader = csv.DictReader(file, delimiter=max(SEPARATORS, key=header.count), strict=True)
                names = reader.fieldnames or []
                # A column is optional by its usual name alone: one that was named is there.
                needed = [key for key, name in columns.items() if key in REQUIRED or name != key]
                for key in needed:
                    if columns[key] not in names:
                        there = ", ".join(map(repr, names)) or "none"
                        raise UserError(
                            f"{self.table}: has no column {columns[key]!r}, but {there}; set "
                            f"dataset.table.columns.{key} to one of them"
                        )
                if twice := [name for name in columns.values() if names.count(name) > 1]:
                    raise UserError(f"{self.table}: has the column {twice[0]!r} twice; rename or remove one")
                for row in reader:
                    yield reader.line_num, row
        except FileNotFoundError:
            raise ProblemsError.of(
                "dataset.root", f"{str(self.table)!r} is missing; put the table there, or set dataset.table.file"
            ) from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{self.table}: cannot be read as a table in UTF-8 ({error})") from None

    def _recording(self, cells: Mapping[Any, Any], names: dict[tuple[str, str], str]) -> tuple[Section, Recording]:
        """cells: of one row. names: what the table calls whatever has a name in a section's path, by level and name."""
        if fault := row_fault(cells, self.settings["columns"].values()):
            raise UserError(fault)
        row = {key: (cells.get(name) or "").strip() for key, name in self.settings["columns"].items()}
        path = row["path"]
        if not path:
            raise UserError("names no recording; write its path, or remove the line")
        if not stays_below(path):
            raise UserError(f"path {path!r} leads out of dataset.root; write it relative to there")
        path = PurePosixPath(path).as_posix()
        file = Path(self.root, path)
        try:
            status = file.stat()
        except (OSError, ValueError) as error:
            raise UserError(f"{path!r} cannot be read ({getattr(error, 'strerror', error)})") from None
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path!r} is not a file")
        split: Split | None = one_of("split", row["split"], get_args(Split))
        label = self._label(row["label"])
        if split == "train" and label == "abnormal":
            raise UserError(f"{path!r} is abnormal and in train; models are trained on normal recordings, write test")
        section = Section(*(level_name(key, row[key], names) for key in ("snr", "machine", "section")))
        domain: Domain | None = one_of("domain", row["domain"], get_args(Domain))
        recording = Recording(
            path,
            label,
            str(file),
            status.st_size,
            status.st_mtime_ns,
            split,
            domain=domain,
            attributes=row["attributes"],
        )
        return section, recording

    def _label(self, word: str) -> Label:
        for label in get_args(Label):
            if word.casefold() in [own.casefold() for own in self.settings[label]]:
                known: Label = label
                return known
        words = [*self.settings["normal"], *self.settings["abnormal"]]
        raise UserError(
            f"label {word!r} is none of {', '.join(words)}; if yours are other words, set dataset.table.normal and "
            "dataset.table.abnormal"
        )


def level_name(level: str, text: str, names: dict[tuple[str, str], str]) -> str:
    """The name of a machine, an ID or an SNR in a section's path. Raises UserError where another one has it already.

    names: of those before, by level and name; this one is added.
    """
    if not text:
        return NO_LEVEL
    name = section_name(text)
    other = names.setdefault((level, name), text)
    if other != text:
        raise UserError(f"{level} {text!r} and {other!r} would both be called {name!r} in paths; rename one")
    return name


def one_of(column: str, word: str, words: tuple[Any, ...]) -> Any:
    """`word` in lower case, None where it is empty. Raises UserError where it is not among `words`."""
    if not word:
        return None
    if word.casefold() not in words:
        raise UserError(f"{column} {word!r} is none of {', '.join(words)}")
    return word.casefold()


def stays_below(path: str) -> bool:
    """Whether a relative path leads out of no folder by itself."""
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and "\\" not in path and "\0" not in path
