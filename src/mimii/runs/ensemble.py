"""An ensemble: the mean of what several runs say of each clip, from their clip scores alone; nothing is trained.

Scores of different models have different units. They are made comparable member by member before the mean is taken, and
no label of a test clip is looked at:

standardised: how many deviations a score lies above the mean of the member's held-out normal clips.
rank: the share of the section's test clips, normal and abnormal, with a lower score of the member; of equal ones half.
It needs no held-out clips, but what a clip gets depends on which others are tested.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.common.records import sha256_of
from mimii.runs.clip_scores import ABOUT, PRIMARY, RunScores, read_scores, write_scores
from mimii.runs.records import ScoringRecord, TrainingRecord
from mimii.runs.run import ensemble_variant_name

LEAST_HELD_OUT = 2


def combine_scores(
    runs_root: Path, job: Mapping[str, Any], *, scores_file: Path, training_file: Path, scoring_file: Path
) -> None:
    """Write the scores.parquet and the two records of an ensemble's run on one section.

    runs_root: folder of the runs. job: `name`, `seed` and `section` of the ensemble's run, its `settings` (`how`, and
    `members`, models with their variants), paths of the members' `runs`, and the `code`.
    Raises UserError where a member's files are damaged, or members did not score the same clips.
    """
    scorings = {run: ScoringRecord.read(runs_root / run / "scoring.json") for run in job["runs"]}
    members = {
        run: read_scores(runs_root / run / "scores.parquet", scoring.scores_sha256) for run, scoring in scorings.items()
    }
    check_same_clips(scorings, members)
    scores = [comparable_scores(member, job["settings"]["how"], run) for run, member in members.items()]
    rows = members[job["runs"][0]].table.select(ABOUT).to_pylist()
    # Members may hold out different clips: those that all of them held out set the ensemble's threshold.
    rows = [row for row in rows if all(row["path"] in own for own in scores)]
    about = {name: [row[name] for row in rows] for name in ABOUT}
    write_scores(
        scores_file, about, {PRIMARY: [float(np.mean([own[path] for own in scores])) for path in about["path"]]}
    )

    first = scorings[job["runs"][0]]
    trainings = [
        TrainingRecord.read(scoring.training_folder(runs_root / run) / "training.json")
        for run, scoring in scorings.items()
    ]
    skipped = {clip.path: clip for training in trainings for clip in training.skipped_clips}
    TrainingRecord(
        model=job["name"],
        variant=ensemble_variant_name(job["settings"]),
        seed=job["seed"],
        scope=job["section"],
        settings=job["settings"],
        features={},
        recordings={job["section"]: first.recordings},
        skipped_clips=list(skipped.values()),
    ).write(training_file)
    ScoringRecord(
        section=job["section"],
        scope=job["section"],
        recordings=first.recordings,
        test_normal_clips=first.test_normal_clips,
        test_abnormal_clips=first.test_abnormal_clips,
        code=job["code"],
        scores_sha256=sha256_of(scores_file),
        members={run: scoring.scores_sha256 for run, scoring in scorings.items()},
    ).write(scoring_file)


def check_same_clips(scorings: Mapping[str, ScoringRecord], members: Mapping[str, RunScores]) -> None:
    """Raise UserError where members are of other recordings than the first of them, or scored other test clips."""
    (first, *others) = members
    tested = list(members[first].clips().paths)
    for other in others:
        if scorings[other].recordings != scorings[first].recordings or list(members[other].clips().paths) != tested:
            raise UserError(
                f"{other} and {first} scored other recordings, or skipped other clips, so no mean can be taken; "
                f"run both again: --forcerun, with their training.json"
            )


def comparable_scores(member: RunScores, how: str, run: str) -> dict[str, float]:
    """A member's scores of test and held-out clips by their paths, without its unit. run: for messages.

    Raises UserError where there are too few held-out clips for that, or their scores are all equal.
    """
    tested, held_out = member.clips(), member.clips(split="validation")
    reference = tested.scores if how == "rank" else held_out.scores
    if how == "standardised" and (len(reference) < LEAST_HELD_OUT or not reference.std() > 0):
        raise UserError(
            f"{run}: {len(reference)} held-out clips with {len(set(reference))} different scores are too few to "
            "standardise by; raise the member's val_split, or set how: rank"
        )
    comparable = ranks_among if how == "rank" else deviations_above
    paths = [*tested.paths, *held_out.paths]
    values = comparable(np.concatenate([tested.scores, held_out.scores]), reference)
    return dict(zip(paths, values.tolist(), strict=True))


def ranks_among(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the reference (clips,) below each score, of equal ones half: in 0 to 1."""
    ordered = np.sort(reference)
    below, up_to = (np.searchsorted(ordered, scores, side=side) for side in ("left", "right"))
    return np.asarray((below + up_to) / (2 * len(ordered)), dtype=np.float64)


def deviations_above(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each score in standard deviations of the reference (clips,) above its mean."""
    return np.asarray((scores - reference.mean()) / reference.std(), dtype=np.float64)
