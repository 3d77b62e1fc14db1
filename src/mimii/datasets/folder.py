"""Recordings in folders: `<root>/<SNR>/<machine type>/<machine ID>/{normal,abnormal}/*.wav`."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimii.dataset import FILTERS, Clip, DatasetSource, digest, ordered_clips, passes, select_sections
from mimii.errors import UserError
from mimii.sections import NAME, Section
from mimii.split import check_counts

LABELS = ("normal", "abnormal")
LAYOUT = "<SNR>/<machine type>/<machine ID>/{normal,abnormal}/*.wav"


@dataclass(frozen=True, order=True)
class Recording:
    """A clip as the folder lists it. path: relative to the root."""

    path: str
    size: int
    mtime_ns: int


class Source(DatasetSource):
    """Reads the names under the root; nothing has to be made first."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.root = str(config["root"])
        self._listed: dict[Section, dict[str, list[Recording]]] = {}

    def sections(self) -> list[Section]:
        """Folders of the layout that pass the filters. Raises UserError where there are none, or names are unusable."""
        if not Path(self.root).is_dir():
            raise UserError(f"dataset.root: there is no folder {self.root!r}; set it to the folder that holds {LAYOUT}")
        found: list[Section] = []
        for names in section_folders(self.root):
            if all(passes(self.config, key, name) for key, name in zip(FILTERS, names, strict=True)) or all(
                re.fullmatch(NAME, name) for name in names
            ):
                found.append(Section(*names))
        if not found:
            raise UserError(f"dataset.root: no recordings in {self.root!r}; expected {LAYOUT} in it")
        selected = select_sections(found, self.config, repr(self.root))
        refuse_alike(section.path for section in selected)
        return selected

    def inputs(self, section: Section) -> list[str]:
        """None: the recordings are there already."""
        return []

    def fingerprint(self, section: Section) -> str:
        """Hash over relative name, size and modification time of the section's clips."""
        return digest((r.path, r.size, r.mtime_ns) for label in LABELS for r in self._recordings(section)[label])

    def check(self, section: Section) -> None:
        """Raise UserError where the section has too few clips."""
        normal, abnormal = (len(self._recordings(section)[label]) for label in LABELS)
        check_counts(
            f"{section} (in {self.root!r})",
            max(normal - abnormal, 0),
            min(normal, abnormal),
            abnormal,
            "Add recordings (*.wav), or leave the section out by dataset.snrs, dataset.machines or dataset.ids",
        )

    def clips(self, section: Section) -> list[Clip]:
        """The section's clips, from names alone."""
        normal, abnormal = ([r.path for r in self._recordings(section)[label]] for label in LABELS)
        return ordered_clips(normal, abnormal)

    def open(self, clip: Clip) -> str:
        """The clip's path."""
        return str(Path(self.root, clip.path))

    def _recordings(self, section: Section) -> dict[str, list[Recording]]:
        """The section's recordings by label, listed once."""
        if section not in self._listed:
            self._listed[section] = list_section(self.root, section.path)
        return self._listed[section]


def section_folders(root: str) -> Iterator[tuple[str, str, str]]:
    """Names of SNR, machine type and ID of every section folder under `root`.

    Where one folder of a machine type holds `normal` or `abnormal`, all of its folders are sections, so that an empty
    one is reported and not overlooked; other folders, such as documentation, are passed over.
    """
    for snr in subfolders(Path(root)):
        for machine in subfolders(Path(root, snr)):
            folder = Path(root, snr, machine)
            ids = subfolders(folder)
            if any(name.casefold() in LABELS for id in ids for name in subfolders(folder / id)):
                for id in ids:
                    yield snr, machine, id


def list_section(root: str, path: str) -> dict[str, list[Recording]]:
    """The recordings of one section by label, sorted by name; a label without a folder has none."""
    names = subfolders(Path(root, path))
    for name in names:
        if name.casefold() in LABELS and name not in LABELS:
            raise UserError(f"folder {str(Path(root, path, name))!r}: rename it to {name.casefold()!r}")
    return {label: sorted(recordings(root, f"{path}/{label}")) if label in names else [] for label in LABELS}


def recordings(root: str, folder: str) -> Iterator[Recording]:
    """The wav files directly in `folder`; hidden files and files of other types are passed over."""
    for entry in entries(Path(root, folder)):
        if not entry.name.lower().endswith(".wav"):
            continue
        status = status_of(entry)
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{entry.path!r} is not a file: remove it, or rename it so that it does not end in .wav")
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise UserError(f"{entry.path!r}: the name is not valid UTF-8; rename the file") from None
        yield Recording(f"{folder}/{entry.name}", status.st_size, status.st_mtime_ns)


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in `folder`, sorted, hidden ones left out; symbolic links are followed, loops refused."""
    names = []
    for entry in entries(folder):
        if stat.S_ISDIR(status_of(entry).st_mode):
            if entry.is_symlink() and folder.resolve().is_relative_to(Path(entry.path).resolve()):
                raise UserError(f"symbolic link {entry.path!r} leads back to a folder that it lies in: remove it")
            names.append(entry.name)
    return sorted(names)


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in `folder`, hidden names left out."""
    try:
        with os.scandir(folder) as listing:
            return [entry for entry in listing if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be read ({error.strerror}): check that it is there and readable"
        ) from None


def status_of(entry: os.DirEntry[str]) -> os.stat_result:
    """Size, time and type of a folder's entry, links followed."""
    try:
        return entry.stat()
    except OSError as error:
        kind = "symbolic link" if entry.is_symlink() else "file"
        raise UserError(
            f"{kind} {entry.path!r} leads nowhere or cannot be read ({error.strerror}): repair or remove it"
        ) from None


def refuse_alike(paths: Iterable[str]) -> None:
    """Raise UserError where two names differ in upper and lower case alone: some file systems keep only one."""
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise UserError(f"sections {other} and {path} differ in upper and lower case alone: rename one folder")
