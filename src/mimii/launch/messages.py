"""What a person reads before the work starts, and when it has ended."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mimii.common.provenance import REPOSITORY
from mimii.launch.costs import CLIP_SECONDS, RESULTS, Estimate
from mimii.launch.jobs import EXTRACTION, Durations, Job, in_words
from mimii.launch.progress import Progress
from mimii.launch.reasons import describe_causes
from mimii.launch.request import Request, worker_count
from mimii.planning.notes import notes_before_a_start
from mimii.planning.plan import Plan
from mimii.planning.resources import reference_costs
from mimii.planning.variants import seeds_of

MOST_LISTED = 200
MOST_PARTS = 5
WORTH_SAYING = 600  # CPU seconds, before a start that measures nothing
GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def run_count(plan: Plan) -> int:
    """Runs that the configuration names."""
    return sum(1 for _ in plan.runs())


def shared_settings(plan: Plan) -> frozenset[str]:
    """What the names of all variants hold, such as n_mels=128."""
    parts = [set(variant.name.split(",")) for variant in plan.variants]
    return frozenset(set.intersection(*parts) - {"default"})


def describe_plan(
    request: Request, plan: Plan, planned: Sequence[Job], durations: Durations, *, list_jobs: bool = False
) -> None:
    """Print what is there, what is to do and why, and about how long it takes."""
    total = run_count(plan)
    to_do = len({job.run for job in planned if job.run})
    variant = "variant" if plan.config["studies"] else "model"
    parts = {variant: len(plan.variants), "seed": len(plan.seeds), "section": len(plan.sections)}
    size = " x ".join(quantity(number, name) for name, number in parts.items())
    size += first_seed_alone(plan) + runs_of_others(plan)
    print(f"{quantity(total, 'run')} ({size}): {total - to_do} there, {to_do} to do.", flush=True)
    shared = describe_shared_models(plan, planned)
    for note in (*notes_before_a_start(plan), *([shared] if shared else [])):
        print(note, flush=True)
    if not planned:
        print("Nothing to do: everything is up to date.", flush=True)
        return
    common = shared_settings(plan)
    if common:
        print(f"All with {', '.join(sorted(common))}.")
    for line in describe_causes(planned, REPOSITORY / plan.runs_root, common):
        print(line)
    if list_jobs:
        print("\n".join(f"  {line}" for line in job_lines(planned)))
    known, unknown = durations.total(planned)
    print(f"{quantity(len(planned), 'job')}{describe_time(request, planned, known, unknown)}.", flush=True)


def describe_shared_models(plan: Plan, planned: Sequence[Job]) -> str | None:
    """How many sections that are not configured models are trained on; None where there are none."""
    others = {section.path for section in plan.trained_on(plan.variants)}.difference(map(str, plan.sections))
    if not others:
        return None
    due = {job.wildcards["section"] for job in planned if job.rule in EXTRACTION} & others
    return (
        f"Models that several sections share (train_per) are trained on {quantity(len(others), 'section')} that "
        f"the configuration leaves out, too; {len(due) or 'none'} of them must be extracted first."
    )


def first_seed_alone(plan: Plan) -> str:
    """Which of the models run with the first of several seeds alone."""
    models = dict.fromkeys(variant.model for variant in plan.variants)
    alone = [model for model in models if len(seeds_of(model, plan.seeds)) < len(plan.seeds)]
    return f"; {', '.join(alone)} with the first seed alone" if alone else ""


def runs_of_others(plan: Plan) -> str:
    """How many of the runs are of no model."""
    runs = Counter(run.variant.model for run in plan.runs())
    kinds = {"external scores": list(plan.external), "ensembles": list(plan.ensembles)}
    counts = {kind: sum(runs[name] for name in names) for kind, names in kinds.items()}
    return "".join(f"; {count} of {kind}" for kind, count in counts.items() if count)


def job_lines(planned: Sequence[Job]) -> list[str]:
    """A line for each job; where they are many, for each rule and model."""
    if len(planned) <= MOST_LISTED:
        return [str(job) for job in planned]
    counts = Counter(job.kind for job in planned)
    return [f"{count} x {' '.join(part for part in kind if part)}" for kind, count in counts.items()]


def describe_time(request: Request, planned: Sequence[Job], known: float, unknown: set[tuple[str, str]]) -> str:
    """`, about 3 min with 2 at a time (as long as such jobs took before)`, or what is not known."""
    if not known:
        return "; none of their kind has run here yet"
    workers = None if request.profile else min(worker_count(request.cores), len(planned))
    time_needed = in_words(known / (workers or 1))
    how = "one after another" if workers in (None, 1) else f"{workers} at a time"
    if not unknown:
        return f", about {time_needed} {how} (by earlier jobs of their kind)"
    kinds = sum(job.kind in unknown for job in planned)
    return f", more than {time_needed} {how} (by earlier jobs; none like {kinds} of them has run yet)"


def describe_costs(request: Request, plan: Plan, planned: Sequence[Job], estimate: Estimate) -> list[str]:
    """What planned jobs cost on this machine, what most of it is, and what is assumed; nothing where nothing is due."""
    if not planned:
        return []
    if not estimate.total:
        if estimate.uncounted == [RESULTS]:
            return []  # what follows every run, and takes seconds
        return [f"What it costs is not estimated: {', '.join(estimate.uncounted)}."]
    workers = 1 if request.profile else min(worker_count(request.cores), len(planned))
    wall = max(estimate.total / min(workers, worker_count("all")), estimate.longest)
    at_once = f", about {in_words(wall)} with {workers} at a time" if workers > 1 else ""
    disk = f"; {in_bytes(estimate.features_mb)} of features" if estimate.features_mb else ""
    lines = [f"Estimated for this machine: {in_words(estimate.total)} of CPU time{at_once}{disk}."]
    if len(estimate.seconds) > 1:
        largest = sorted(estimate.seconds.items(), key=lambda part: -part[1])
        parts = [f"{part} {in_words(seconds)}" for part, seconds in largest[:MOST_PARTS]]
        lines.append(f"  most of it: {', '.join(parts)}")
    if assumptions := _assumptions(plan, planned, estimate):
        lines.append(f"  {'; '.join(assumptions)}")
    return lines


def _assumptions(plan: Plan, planned: Sequence[Job], estimate: Estimate) -> list[str]:
    networks = any(job.rule == "train_model" for job in planned)
    patient = any(variant.settings.get("early_stopping_patience") for variant in plan.variants)
    on_gpu = networks and plan.config["compute"]["device"] != "cpu" and any(Path(gpu).exists() for gpu in GPUS)
    uncounted = [*estimate.uncounted, *(["what a GPU saves"] if on_gpu else [])]
    return [
        *([f"not in it: {', '.join(uncounted)}"] if uncounted else []),
        *([f"clips are taken to have {CLIP_SECONDS} s"] if estimate.assumed else []),
        *(["networks that stop early take less"] if networks and patient else []),
    ]


def describe_costs_unmeasured(estimate: Estimate) -> str | None:
    """One line for a start that measures nothing; None where the work is short."""
    if estimate.total < WORTH_SAYING:
        return None
    machine = reference_costs()["machine"]["processor"]
    return f"About {in_words(estimate.total)} of CPU time on another machine ({machine}); for this one: --dry-run."


def in_bytes(megabytes: float) -> str:
    """`12 MB`, `4.3 GB`"""
    return f"{max(1, round(megabytes))} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def quantity(number: int, noun: str) -> str:
    """`1 run`, `2 runs`"""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe_continuation(request: Request) -> str:
    """How to go on."""
    if request.retrain:
        return "The same command without --retrain goes on from here (with it, training starts over)."
    return "The same command goes on from here."


def describe_end(request: Request, progress: Progress, code: int) -> None:
    """Print how it ended."""
    took = in_words(time.monotonic() - progress.begin)
    if code == 0:
        print(f"Done: {quantity(progress.done, 'job')} in {took}.", flush=True)
        return
    log = f" Full log: {request.log_file}." if request.log_file else ""
    if not progress.failures:
        print(f"Snakemake ended with exit code {code}; see above.{log}", flush=True)
        return
    print(f"\n{quantity(len(progress.failures), 'job')} failed, {progress.done} of {progress.total} done in {took}:")
    for failure in progress.failures:
        print(f"  {failure.job}: {failure.where}")
    complete = f"{progress.runs_done} of {quantity(progress.runs, 'run')} are complete."
    print(f"{complete} {describe_continuation(request)}{log}", flush=True)
