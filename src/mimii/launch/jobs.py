"""Jobs of the workflow as a person sees them: what each is for, and how long its like has taken so far."""

import csv
import glob
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

VERBS = {
    "make_demo_dataset": "make recordings of",
    "extract_features": "extract features of",
    "extract_embeddings": "extract embeddings of",
    "train_model": "train",
    "train_classical_model": "train",
    "score_clips": "score",
    "compute_metrics": "measure",
    "compute_external_metrics": "measure",
    "compute_ensemble_metrics": "measure",
    "import_scores": "import scores of",
    "combine_scores": "combine scores of",
    "draw_clips": "draw clips of",
    "gather_clips": "gather clips of",
    "merge_model": "merge results of",
    "merge_study": "merge study",
    "make_study_table": "make table of study",
}
EXTRACTION = ("extract_features", "extract_embeddings")
# Wildcards that name a run together.
RUNS = (("model", "variant", "seed", "section"), ("external", "section"), ("ensemble", "seed", "section"))
# Benchmark files that are read for one mean: a mean of so many is known well enough.
ENOUGH = 50


@dataclass(frozen=True)
class Job:
    """One job.

    log, benchmark: paths from the workflow's folder, or None. reason: why it is due, as Snakemake says. shared: what
    the names of all variants hold, such as n_mels=128, and is not said of each job.
    """

    rule: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    log: str | None = None
    benchmark: str | None = None
    outputs: Sequence[str] = ()
    reason: str = ""
    shared: Collection[str] = ()

    @property
    def run(self) -> tuple[str, ...] | None:
        """What names the run that the job belongs to; None where it belongs to none or to several."""
        for names in RUNS:
            if all(name in self.wildcards for name in names):
                return tuple(self.wildcards[name] for name in names)
        return None

    @property
    def kind(self) -> tuple[str, str]:
        """Rule and model: jobs of a kind take about as long as each other."""
        return self.rule, self.wildcards.get("model", "")

    def __str__(self) -> str:
        """`train vae (learning_rate=0.01), 6dB/fan/id_00, seed 42`"""
        named = self.wildcards
        settings = own_settings(named.get("variant", named.get("features", "default")), self.shared)
        name = next((named[kind] for kind in ("model", "external", "ensemble") if kind in named), "")
        subject = name + (f" ({settings})" if settings else "")
        seed = f"seed {named['seed']}" if "seed" in named else ""
        parts = [subject.strip(), named.get("section", named.get("scope")), named.get("study"), seed]
        verb = VERBS.get(self.rule, self.rule.replace("_", " "))
        return f"{verb} {', '.join(part for part in parts if part)}".strip()


def own_settings(variant: str, shared: Collection[str]) -> str:
    """What a variant's name says beside what all share: `learning_rate=0.01`; nothing for `default`."""
    return ",".join(part for part in variant.split(",") if part != "default" and part not in shared)


class Durations:
    """Mean seconds of each kind of job, from benchmark files of earlier runs and from what is added."""

    def __init__(self, root: Path) -> None:
        """root: the workflow's folder."""
        self.root = root
        self._sums: dict[tuple[str, str], tuple[float, int]] = {}
        self._looked: set[tuple[str, str]] = set()

    def add(self, job: Job, seconds: float) -> None:
        """A job has taken so long."""
        total, count = self._sums.get(job.kind, (0.0, 0))
        self._sums[job.kind] = total + seconds, count + 1

    def of(self, job: Job) -> float | None:
        """Expected seconds; None where no job of its kind is known."""
        if job.kind not in self._looked:
            self._looked.add(job.kind)
            for seconds in itertools.islice(_earlier_seconds(self.root, job), ENOUGH):
                self.add(job, seconds)
        total, count = self._sums.get(job.kind, (0.0, 0))
        return total / count if count else None

    def total(self, jobs: Iterable[Job]) -> tuple[float, set[tuple[str, str]]]:
        """Seconds of the jobs that are known, and the kinds that are not."""
        known = [(job.kind, self.of(job)) for job in jobs]
        return sum(seconds for _, seconds in known if seconds), {kind for kind, seconds in known if seconds is None}


def _earlier_seconds(root: Path, job: Job) -> Iterable[float]:
    """Seconds in the benchmark files of jobs that differ in seed, section and features; then of other variants too."""
    if not job.benchmark:
        return
    seen: set[str] = set()
    for free in (("seed", "section", "scope", "features"), ("seed", "section", "scope", "features", "variant")):
        pattern = f"/{glob.escape(job.benchmark)}"
        for name, value in job.wildcards.items():
            if name in free:
                anything = "/".join("*" for _ in value.split("/"))
                for before, after in (("/", "/"), ("/seed=", "/"), ("/", ".")):
                    spelt = f"{before}{glob.escape(value)}{after}"
                    pattern = pattern.replace(spelt, f"{before}{anything}{after}")
        for path in glob.iglob(pattern[1:], root_dir=root):  # noqa: PTH207  it may be absolute
            if path not in seen:
                seen.add(path)
                yield from _seconds(root / path)
        if seen:
            return


def _seconds(path: Path) -> Iterable[float]:
    try:
        with path.open(newline="") as file:
            yield from (float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))
    except (OSError, KeyError, TypeError, ValueError):
        return  # a file that a killed job left half written says nothing


def in_words(seconds: float) -> str:
    """`8 s`, `3 min`, `2 h 5 min`, `3 days 4 h`"""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"
