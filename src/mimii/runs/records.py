"""Reading what an earlier job wrote: a file that is damaged is said to be, with the way to make it again."""

import json
from pathlib import Path
from typing import Any

from mimii.common.errors import UserError


def damaged(path: str | Path, error: object) -> UserError:
    """What to raise for a file of a run that cannot be read."""
    return UserError(
        f"{path}: damaged ({error}); to make it again, add this to your snakemake command: --forcerun {path}"
    )


def read_record(path: str | Path) -> dict[str, Any]:
    """A record of a run, from JSON. Raises UserError where it is missing, damaged, or holds a number that is none."""

    def refuse(constant: str) -> None:
        raise UserError(f"{path}: holds {constant}, so the run failed; delete its folder and run it again")

    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=refuse)
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(record, dict):
        raise damaged(path, "no record")
    return record
