"""Why jobs are due, for a person: Snakemake's reason of each job, followed back to what was changed.

Snakemake gives a job's reason as a sentence. Where parameters differ, it holds both, which are the JSON of
`planning.job_parameters`: their keys say whether code, settings or recordings changed. A job that is due because
another one makes its input anew has that one's cause.
"""

import ast
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimii.launch.jobs import Job, own_settings

# What a job's code does, by its rule.
CODE = {
    "make_demo_dataset": "the made-up recordings",
    "extract_features": "the features",
    "extract_embeddings": "the embeddings",
    "train_model": "training {model}",
    "train_classical_model": "training {model}",
    "score_clips": "scoring with {model}",
    "compute_metrics": "the metrics",
    "import_scores": "reading external scores",
    "combine_scores": "combining scores",
}
# Keys of a job's parameters that are no setting of what it makes.
RECORDINGS = {"listed", "recordings"}
CONTENTS = {"variants", "external", "ensembles", "seeds", "sections", "models"}
# Parameters of a job are compared as the reprs of texts.
LITERALS = re.compile(r"""(?P<now> now: )|(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
MISSING = "Missing output files: "
FOLLOWS = "Input files updated by another job: "
MOST_NAMED = 4


@dataclass(frozen=True, order=True)
class Cause:
    """Why a job is due. rank: of several causes the lowest is said. text: `code of training vae changed`.

    by_section: whether it is about sections, not models.
    """

    rank: int
    text: str
    by_section: bool = False


NEW = Cause(9, "new")
CUT_OFF = Cause(2, "an earlier start was cut off")


def cause_of(job: Job) -> Cause | None:
    """What the job's own reason says; None where it follows from other jobs."""
    reason = job.reason
    if reason.startswith("Forced execution"):
        return Cause(1, "forced (--retrain, --forcerun)")
    if "Incomplete output files: " in reason:
        return CUT_OFF
    if "Params have changed since last execution: " in reason:
        return _changed_parameters(job)
    if "Updated input files: " in reason and MISSING not in reason:
        return Cause(5, "an input file is newer", by_section=True)
    if "Set of input files has changed" in reason:
        return Cause(5, "other input files")
    if "Code has changed" in reason or "Software environment definition has changed" in reason:
        return Cause(3, f"rule {job.rule} changed")
    return NEW if MISSING in reason else None


def _changed_parameters(job: Job) -> Cause:
    before, now = _parameters(job.reason)
    changed = {key for key in {*before, *now} if before.get(key) != now.get(key)}
    if "code" in changed:
        what = CODE.get(job.rule, job.rule).format(**{"model": "", **job.wildcards})
        return Cause(3, f"code of {what} changed")
    if changed & RECORDINGS and "sections" not in changed:  # with other sections, others' recordings are listed
        return Cause(2, "recordings changed", by_section=True)
    keys = changed - CONTENTS - RECORDINGS
    settings = sorted(name for key in keys for name in _settings(key, before.get(key), now.get(key)))
    if settings:
        return Cause(4, f"settings changed ({', '.join(settings)})")
    return Cause(6, f"another choice of {', '.join(sorted(changed - RECORDINGS))}" if changed else "parameters changed")


def _parameters(reason: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the job's JSON held before, and holds now."""
    sides: tuple[dict[str, Any], dict[str, Any]] = {}, {}
    side = 0
    for match in LITERALS.finditer(reason.partition("Params have changed since last execution: ")[2]):
        if match["now"]:
            side = 1
            continue
        try:
            value = json.loads(ast.literal_eval(match["text"]))
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, dict):
            sides[side].update(value)
    return sides


def _settings(key: str, before: Any, now: Any) -> Iterable[str]:
    """`scoring.top_k` for what differs in a part of the configuration, or the key itself."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [f"{key}.{name}" for name in {*before, *now} if before.get(name) != now.get(name)]
    return [key]


class Causes:
    """The causes of planned jobs, each followed back through the jobs that make its inputs."""

    def __init__(self, planned: Sequence[Job]) -> None:
        self.planned = planned
        self._maker = {output: job for job in planned for output in job.outputs}
        self._known: dict[int, Cause | None] = {}

    def of(self, job: Job) -> Cause | None:
        """What made this job due."""
        if id(job) not in self._known:
            self._known[id(job)] = None  # it is asked for no second time on the way
            self._known[id(job)] = cause_of(job) or min(filter(None, map(self.of, self._makers(job))), default=None)
        return self._known[id(job)]

    def _makers(self, job: Job) -> Iterable[Job]:
        files = job.reason.partition(FOLLOWS)[2].partition("; ")[0].split(", ")
        return [self._maker[file] for file in files if file in self._maker]

    def by_run(self) -> dict[tuple[str, ...], Cause]:
        """The cause of each run that has a job to do."""
        causes: dict[tuple[str, ...], Cause] = {}
        for job in self.planned:
            if job.run and (cause := self.of(job)):
                causes[job.run] = min(cause, causes.get(job.run, cause))
        return causes

    def of_others(self) -> dict[str, Cause]:
        """The cause of each rule that is of no run and follows from no other job."""
        causes: dict[str, Cause] = {}
        for job in self.planned:
            if not job.run and (cause := cause_of(job)):
                causes[job.rule] = min(cause, causes.get(job.rule, cause))
        return causes


def describe_causes(planned: Sequence[Job], runs_root: Path, shared: Collection[str] = ()) -> list[str]:
    """A line for each group of runs that is due for one cause: `  8 because recordings changed: 6dB/fan/id_00`.

    shared: as of a `Job`.
    """
    causes = Causes(planned)
    groups: dict[Cause, list[tuple[str, ...]]] = {}
    for run, cause in causes.by_run().items():
        if cause == NEW and _has_other_settings(run, runs_root):
            cause = Cause(8, "settings that have not run yet")
        groups.setdefault(cause, []).append(run)
    lines = [
        f"  {len(runs)} {_because(cause)}: {_subjects(runs, cause, shared)}" for cause, runs in sorted(groups.items())
    ]
    if not groups:
        others = causes.of_others().items()
        lines += [f"  {rule}: {'not there' if cause == NEW else cause.text}" for rule, cause in others]
    return lines


def _because(cause: Cause) -> str:
    return {8: f"with {cause.text}", 9: cause.text}.get(cause.rank, f"because {cause.text}")


def _subjects(runs: Sequence[tuple[str, ...]], cause: Cause, shared: Collection[str]) -> str:
    """Which sections, or which models with their settings."""
    if cause.by_section:
        names, kind = sorted({run[-1] for run in runs}), "sections"
    else:
        names, kind = sorted({_variant(run, shared) for run in runs}), "variants"
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} {kind}"


def _variant(run: tuple[str, ...], shared: Collection[str]) -> str:
    if len(run) < 4:  # external scores, ensembles
        return run[0]
    model, variant = run[:2]
    settings = own_settings(variant, shared)
    return f"{model} ({settings})" if settings else model


def _has_other_settings(run: tuple[str, ...], runs_root: Path) -> bool:
    """Whether the model has run on this section with this seed and other settings."""
    if len(run) < 4:
        return False
    model, variant, seed, section = run
    others = (path for path in (runs_root / model).glob("*") if path.name != variant)
    return any((path / f"seed={seed}" / section / "metrics.json").is_file() for path in others)
