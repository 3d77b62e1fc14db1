"""What planning must know of made-up recordings, and how their folder is known from one that nobody can make again."""

from pathlib import Path

from mimii.common.errors import UserError

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
