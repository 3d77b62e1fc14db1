"""Recordings in folders, by name: sizes and times are looked at, no clip is opened."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from mimii.common.errors import UserError
from mimii.data.recordings import LABELS, Recording
from mimii.data.sections import NO_LEVEL

# Of what libsndfile reads, the formats in which machines are recorded.
ENDINGS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")


def labelled_folders(folder: Path, name: str) -> list[Recording]:
    """The recordings in `folder`'s subfolders `normal` and `abnormal`.

    name: what the folder is called in the paths of its recordings, such as 6dB/fan/id_00.
    A label without a folder has none. Raises UserError on names that are not usable.
    """
    names = subfolders(folder)
    for own in names:
        if own.casefold() in LABELS and own not in LABELS:
            raise UserError(f"folder {str(folder / own)!r}: rename it to {own.casefold()!r}")
    return [
        Recording(f"{name}/{label}/{file.name}", label, file.path, size, mtime)
        for label in LABELS
        if label in names
        for file, size, mtime in audio_files(folder / label)
    ]


def audio_files(folder: Path) -> Iterator[tuple[os.DirEntry[str], int, int]]:
    """The recordings directly in `folder` with size and mtime in ns, known by their ENDINGS; hidden ones left out."""
    for entry in entries(folder):
        if not entry.name.lower().endswith(ENDINGS):
            continue
        status = status_of(entry)
        if not stat.S_ISREG(status.st_mode):
            ending = Path(entry.name).suffix
            raise UserError(
                f"{entry.path!r} is not a file: remove it, or rename it so that it does not end in {ending}"
            )
        check_name(entry)
        yield entry, status.st_size, status.st_mtime_ns


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
            visible = [entry for entry in listing if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be read ({error.strerror}): check that it is there and readable"
        ) from None
    if reserved := [entry.path for entry in visible if entry.name == NO_LEVEL]:
        raise UserError(f"{reserved[0]!r}: {NO_LEVEL!r} stands for a level that is not there: rename it")
    return visible


def status_of(entry: os.DirEntry[str]) -> os.stat_result:
    """Size, time and type of a folder's entry, links followed."""
    try:
        return entry.stat()
    except OSError as error:
        kind = "symbolic link" if entry.is_symlink() else "file"
        raise UserError(
            f"{kind} {entry.path!r} leads nowhere or cannot be read ({error.strerror}): repair or remove it"
        ) from None


def check_name(entry: os.DirEntry[str]) -> None:
    """Raise UserError where a name is no text."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise UserError(f"{entry.path!r}: the name is not valid UTF-8; rename the file") from None


def refuse_alike(paths: Iterable[str]) -> None:
    """Raise UserError where two names differ in upper and lower case alone: some file systems keep only one."""
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise UserError(f"sections {other} and {path} differ in upper and lower case alone: rename one folder")
