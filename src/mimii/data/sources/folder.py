"""Recordings that are there already, in any of the layouts in which MIMII is found.

`<root>/6dB/fan/id_00/{normal,abnormal}/*.wav`, or the official archives side by side, unpacked under their own names
(`<root>/6_dB_fan/fan/id_00/...`) or not (`<root>/6_dB_fan.zip`). A clip has the same path in all of them:
`6dB/fan/id_00/normal/00000000.wav`.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimii.common.errors import UserError
from mimii.common.problems import ProblemsError
from mimii.data import published as official
from mimii.data.archive import list_archive
from mimii.data.folders import entries, labelled_folders, refuse_alike, status_of, subfolders
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import LABELS, Recording
from mimii.data.sections import NAME, Section
from mimii.data.selection import FILTERS, select_sections, selects_name

LAYOUT = "<SNR>/<machine type>/<machine ID>/{normal,abnormal}/*.wav, or archives such as 6_dB_fan.zip"


@dataclass(frozen=True)
class Place:
    """Where a section lies. path: its folder, or the archive that holds it."""

    names: tuple[str, str, str]
    path: str
    archived: bool


class Source(RecordedSource):
    """Reads the names under the root; nothing has to be made first."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._archives: dict[str, dict[str, list[Recording]]] = {}

    def sections(self) -> list[Section]:
        """Sections that pass the filters. Raises UserError where there are none, or one is there twice."""
        if not Path(self.root).is_dir():
            raise ProblemsError.of(
                "dataset.root", f"there is no folder {self.root!r}; set it to the folder that holds {LAYOUT}"
            )
        places: dict[Section, Place] = {}
        for place in self._places():
            selected = all(selects_name(self.config, key, name) for key, name in zip(FILTERS, place.names, strict=True))
            if not selected and not all(re.fullmatch(NAME, name) for name in place.names):
                continue
            section = Section(*place.names)
            if section in places and selected:
                raise twice(section, [places[section], place])
            places[section] = place
        if not places:
            raise ProblemsError.of("dataset.root", f"no recordings in {self.root!r}; expected {LAYOUT} in it")
        sections = select_sections(places, self.config, repr(self.root))
        refuse_alike(section.path for section in sections)
        return sections

    def list_section(self, section: Section) -> list[Recording]:
        places = [place for place in self._places(section) if place.names == (section.snr, section.machine, section.id)]
        if len(places) > 1:
            raise twice(section, places)
        if not places:
            raise UserError(f"section {section}: nothing of it is in {self.root!r}; expected {LAYOUT}")
        if places[0].archived:
            return self._in_archive(places[0].path, section.snr, section.machine)[section.id]
        return labelled_folders(Path(places[0].path), section.path)

    def published_counts(self, section: Section) -> dict[str, int] | None:
        return official.clip_counts(section)

    def published(self) -> list[Section]:
        """MIMII's, where any of them is there."""
        mimii = official.sections()
        return mimii if set(mimii) & set(self.sections()) else []

    def _places(self, section: Section | None = None) -> Iterator[Place]:
        """Places of all sections; with `section`, only where that one may be, so that no other archive is opened."""
        for entry in sorted(entries(Path(self.root)), key=lambda entry: entry.name):
            is_folder = stat.S_ISDIR(status_of(entry).st_mode)
            published = official.snr_and_machine(entry.name)
            if published is None:
                if is_folder and (section is None or section.snr == entry.name):
                    yield from self._plain(entry.name)
                continue
            if section is not None and published != (section.snr, section.machine):
                continue
            if entry.name.endswith(".zip") and not is_folder:
                # What the filters leave out is not opened; it is named in messages as if it held what was published.
                opened = all(selects_name(self.config, *pair) for pair in zip(FILTERS, published, strict=False))
                for id in self._in_archive(entry.path, *published) if opened else official.ids(published[1]):
                    yield Place((*published, id), entry.path, True)
            elif is_folder:
                yield from unpacked(Path(entry.path), *published)

    def _plain(self, snr: str) -> Iterator[Place]:
        for machine in subfolders(Path(self.root, snr)):
            yield from id_folders(Path(self.root, snr, machine), snr, machine)

    def _in_archive(self, path: str, snr: str, machine: str) -> dict[str, list[Recording]]:
        if path not in self._archives:
            self._archives[path] = list_archive(path, snr, machine)
        return self._archives[path]


def id_folders(folder: Path, snr: str, machine: str) -> Iterator[Place]:
    """Every section of a machine type's folder.

    Where one of its folders holds `normal` or `abnormal`, all of them are sections, so that an empty one is reported
    and not overlooked; other folders, such as documentation, are passed over.
    """
    ids = subfolders(folder)
    if any(name.casefold() in LABELS for id in ids for name in subfolders(folder / id)):
        for id in ids:
            yield Place((snr, machine, id), str(folder / id), False)


def unpacked(folder: Path, snr: str, machine: str) -> Iterator[Place]:
    """Sections of an archive that was unpacked under its own name: `6_dB_fan/fan/id_00`."""
    for name in subfolders(folder):
        for place in id_folders(folder / name, snr, name):
            if name != machine:
                raise UserError(
                    f"folder {str(folder / name)!r}: a folder {folder.name!r} holds {machine!r} alone: move it"
                )
            yield place


def twice(section: Section, places: Iterable[Place]) -> UserError:
    where = " and in ".join(repr(place.path) for place in places)
    return UserError(
        f"section {section} is there twice, in {where}: remove one of them, or move it out of dataset.root"
    )
