"""What planning must know of made-up recordings, and how their folder is known from one that nobody can make again."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mimii.common.errors import UserError
from mimii.common.records import sha256_of

# Written first and last: a folder with the mark alone is one that was being made.
MARK = ".made_up"
RECORD = "made_up.json"
SAMPLE_RATE = 16_000  # Hz


def refuse_recordings(folder: str | Path) -> None:
    """Raise UserError where a section's folder holds something that was not made up."""
    folder = Path(folder)
    if (folder / MARK).exists() or not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"dataset.root: {folder} is not a folder; choose another root")
    if any(folder.iterdir()):
        raise UserError(
            f"dataset.root: {folder} holds something that was not made up, and would be replaced; choose another "
            "root for made-up recordings, or set dataset.source: folder to use those that are there"
        )


def recorded_files(folder: Path, names: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """SHA-256 of each recording, by `normal/00000000.wav`. names: of the recordings of each label."""
    return {f"{label}/{name}": sha256_of(folder / label / name) for label, some in names.items() for name in some}


def refuse_changes(folder: Path, files: Mapping[str, str], there: Iterable[str]) -> None:
    """Raise UserError where a section's recordings are not those that were made.

    files: of the section's record. there: the recordings in the folder. The record is written last, so only the
    contents of what is younger, as after a copy, are compared.
    """
    names = set(there)
    changed = names.symmetric_difference(files)
    made = (folder / RECORD).stat().st_mtime_ns
    for name in names.intersection(files):
        if (folder / name).stat().st_mtime_ns > made and sha256_of(folder / name) != files[name]:
            changed.add(name)
    if changed:
        raise UserError(
            f"{folder}: {len(changed)} made-up recording(s) were changed, added or removed, the first: {min(changed)}; "
            f"remove {folder / RECORD}, so that they are made again, or set dataset.source: folder to use those that "
            "are there"
        )
