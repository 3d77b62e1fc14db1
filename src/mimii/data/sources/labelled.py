"""Your own recordings: wav files in folders of normal and of abnormal ones, anywhere below the root.

The folders above say which machine it is: `<root>/plant 1/press/unit 7/normal/...` is machine type press, ID unit_7,
and what is above that, plant_1, stands in the place of the SNR. `+` stands for what is not there. Folders below normal/
are attributes of the recordings in them, or their domain where `labelled.source` or `labelled.target` names them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from mimii.common.errors import UserError
from mimii.common.problems import ProblemsError
from mimii.data.folders import audio_files, subfolders
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import LABELS, Domain, Label, Recording
from mimii.data.sections import NO_LEVEL, Section, section_name
from mimii.data.selection import select_sections

MOST_NAMED = 10


class Source(RecordedSource):
    """One section for each folder that has a folder of recordings in it; the split is the benchmark's own."""

    def sections(self) -> list[Section]:
        """Raises UserError where there are none, or where two folders would have the same name."""
        if not Path(self.root).is_dir():
            raise ProblemsError.of(
                "dataset.root", f"there is no folder {self.root!r}; set it to the folder of your recordings"
            )
        if not self._machines:
            names = " or ".join(name for label in LABELS for name in self._names(label))
            there = ", ".join(sorted(subfolders(Path(self.root)))[:MOST_NAMED]) or "no folder"
            raise ProblemsError.of(
                "dataset.root",
                f"no folder in {self.root!r} is named {names} (there: {there}); if yours have other names, say so in "
                "dataset.labelled",
            )
        return select_sections(self._machines, self.config, repr(self.root))

    def list_section(self, section: Section) -> list[Recording]:
        if section not in self._machines:
            raise UserError(f"section {section}: nothing of it is in {self.root!r}")
        folder = self._machines[section]
        return [
            self._recording(folder / name, label, path, size, mtime)
            for name in subfolders(folder)
            if (label := self._label(name)) is not None
            for path, size, mtime in self._below(folder / name)
        ]

    def has_domains(self, section: Section) -> bool:
        named = any(self._names(domain) for domain in get_args(Domain))
        return named and any(recording.domain for recording in self.recordings(section))

    def _recording(self, folder: Path, label: Label, path: str, size: int, mtime: int) -> Recording:
        """folder: the one of the label; those below it are the domain, where one is named so, and attributes."""
        below = Path(path).relative_to(folder).parts[:-1]
        domains = {part: domain for part in below for domain in get_args(Domain) if part in self._names(domain)}
        if len(domains) > 1:
            raise UserError(f"{path!r}: lies in folders of both domains; move it")
        return Recording(
            Path(path).relative_to(self.root).as_posix(),
            label,
            path,
            size,
            mtime,
            domain=next(iter(domains.values()), None),
            attributes="/".join(part for part in below if part not in domains),
        )

    @property
    def _machines(self) -> dict[Section, Path]:
        """The folder of each section."""
        folders: dict[Section, Path] = {}
        for folder in self._folders(Path(self.root)):
            section = section_of(folder.relative_to(self.root).parts)
            if section in folders:
                raise UserError(
                    f"folders {str(folders[section])!r} and {str(folder)!r} would both be section {section}: rename one"
                )
            folders[section] = folder
        return folders

    def _folders(self, folder: Path) -> Iterator[Path]:
        """Folders that hold one of recordings."""
        names = subfolders(folder)
        if any(self._label(name) for name in names):
            yield folder
        for name in names:
            if self._label(name) is None:
                yield from self._folders(folder / name)

    def _below(self, folder: Path) -> Iterator[tuple[str, int, int]]:
        """Path, size and mtime of the recordings in `folder`, at any depth."""
        for file, size, mtime in audio_files(folder):
            yield file.path, size, mtime
        for name in subfolders(folder):
            if self._label(name) is not None:
                raise UserError(f"folder {str(folder / name)!r}: lies in a folder of recordings itself; move it out")
            yield from self._below(folder / name)

    def _names(self, kind: Label | Domain) -> list[str]:
        names: list[str] = self.settings[kind]
        return names

    def _label(self, name: str) -> Label | None:
        """What recordings in folders of this name are; upper and lower case are the same."""
        for label in LABELS:
            if name.casefold() in [own.casefold() for own in self._names(label)]:
                return label
        return None


def section_of(parts: tuple[str, ...]) -> Section:
    """The section whose folder has this path below the root, in names that can stand in the path of a result."""
    names = [section_name(part) for part in parts]
    outer = "_".join(names[:-2]) or NO_LEVEL
    machine = (names[-2:-1] or names[-1:] or [NO_LEVEL])[0]
    return Section(outer, machine, names[-1] if len(names) > 1 else NO_LEVEL)
