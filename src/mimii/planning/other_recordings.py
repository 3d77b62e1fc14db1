"""Runs that are there and were made of other recordings: of another dataset with equal section names, or changed since.

They have the paths of this configuration's runs, and are replaced when these run.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mimii.planning.plan import Plan
from mimii.runs.run import Run

TRAINING = "training.json"
MOST_NAMES = 3


@dataclass(frozen=True)
class EarlierRun:
    """A run that is there, of other recordings than the present ones. host: None where it is not known."""

    run: Run
    trained: date
    host: str | None


def runs_of_other_recordings(plan: Plan) -> Iterator[EarlierRun]:
    """By the record of each configured run's training; where there is none, or none that can be read, nothing is known.

    Read as plain JSON: a study has thousands of records, and whoever uses one checks it.
    """
    for run in plan.runs():
        file = f"{plan.runs_root}/{run.training_path}/{TRAINING}"
        try:
            with open(file, "rb") as record:  # noqa: PTH123  a Path takes longer than reading
                values = json.load(record)
            listed, host = values["recordings"][run.section.path]["listed"], values.get("host")
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if listed != plan.listed(run.section):
            trained = date.fromtimestamp(Path(file).stat().st_mtime)
            yield EarlierRun(run, trained, host if isinstance(host, str) else None)


def describe_other_recordings(plan: Plan) -> str | None:
    """Whose the runs are that would be replaced, and how to keep both; None where there are none."""
    earlier = list(runs_of_other_recordings(plan))
    if not earlier:
        return None
    first = earlier[0]
    sections = list(dict.fromkeys(each.run.section.path for each in earlier))
    more = f" and {len(sections) - MOST_NAMES} more sections" if len(sections) > MOST_NAMES else ""
    host = f" on {first.host}" if first.host else ""
    return (
        f"{len(earlier)} of the runs in {plan.runs_root} are of other recordings of "
        f"{', '.join(sections[:MOST_NAMES])}{more} than those in {plan.config['dataset']['root']} "
        f"(such as {first.run.path}, trained on {first.trained}{host}). They are replaced as they run again, from the "
        "features on (where nothing is planned, add --forcerun extract_features to your snakemake command). To keep "
        "both, set paths.features and paths.runs to folders of this configuration's own. Where the recordings were "
        "only copied or unpacked afresh: python -m mimii check_dataset --content"
    )
