"""Recordings that were copied or unpacked afresh: which listings are known to hold the same.

Planning knows recordings by names, sizes and times alone. Where only the times differ, `check_dataset --content` reads
them once, and notes beside the features that the new listing stands for the old one.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from mimii.common.files import written_whole

NAME = "same_recordings.json"


def read_same_recordings(features_root: str | Path) -> Mapping[str, str]:
    """`Recordings.listed` of a new listing -> of the one that results were made of."""
    try:
        values = json.loads(Path(features_root, NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(new): str(old) for new, old in values.items()} if isinstance(values, dict) else {}


def note_same_recordings(features_root: str | Path, new: str, old: str) -> None:
    """Note that the recordings of two listings are the same. Raises UserError where that cannot be written."""
    notes = {**read_same_recordings(features_root), new: old}
    with written_whole(Path(features_root, NAME)) as temporary:
        temporary.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n", encoding="utf-8")
