"""Running the workflow for a person: who else runs, what is to do, the work, how it ended."""

import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import chdir
from typing import IO, Any

from mimii.common.errors import UserError
from mimii.common.provenance import REPOSITORY
from mimii.launch.costs import Estimate, Estimator
from mimii.launch.jobs import Durations, Job
from mimii.launch.lock import held_alone, living_snakemake
from mimii.launch.messages import (
    describe_continuation,
    describe_costs,
    describe_costs_unmeasured,
    describe_end,
    describe_plan,
    run_count,
    shared_settings,
)
from mimii.launch.process import run_snakemake, snakemake
from mimii.launch.progress import Progress, progress_for_output
from mimii.launch.request import Request, worker_count
from mimii.launch.slurm import cancel_left_over_jobs
from mimii.launch.speed import measured_speed
from mimii.launch.stop import StoppedError, StopRequest, stop_signals
from mimii.planning.plan import Plan


def launch(request: Request, plan: Plan, *, prepare: Callable[[], object] = lambda: None) -> int:
    """Run the workflow, and return the exit code: 128 + signal where one stopped it.

    plan: of the configuration that is run, made in the workflow's folder. prepare: what has to be done before, once
    nobody else runs.
    Raises UserError where it cannot start; what fails later is printed.
    """
    shared = shared_settings(plan)
    request.arguments()  # a profile that is not there is said before anything is written
    with stop_signals() as stop:
        try:
            if request.dry_run:
                prepare()
                planned = plan_jobs(request, stop, shared)
                describe_plan(request, plan, planned, Durations(REPOSITORY), list_jobs=True)
                if planned:
                    estimate = estimate_costs(plan, planned, measured_speed())
                    print("\n".join(describe_costs(request, plan, planned, estimate)), flush=True)
                return 0
            with held_alone(REPOSITORY):
                prepare()
                take_stale_lock_away(request)
                cancel_left_over_jobs(request)
                planned = plan_jobs(request, stop, shared)
                durations = Durations(REPOSITORY)
                describe_plan(request, plan, planned, durations)
                if not planned:
                    return 0
                if durations.total(planned)[1] and (note := describe_costs_unmeasured(estimate_costs(plan, planned))):
                    print(note, flush=True)
                workers = None if request.profile else worker_count(request.cores)
                progress = progress_for_output(planned, durations, runs=run_count(plan), workers=workers)
                try:
                    code = execute(request, progress, stop, shared)
                finally:
                    progress.close()
        except StoppedError as stopped:
            print(f"\nStopped. {describe_continuation(request)}", flush=True)
            return 128 + stopped.number
    describe_end(request, progress, code)
    return code


def take_stale_lock_away(request: Request) -> None:
    """Remove what a killed Snakemake left, while the folder is held.

    Raises UserError where that fails, or where a living Snakemake may have made it: one that was started by hand while
    an earlier launcher held the folder.
    """
    if any((REPOSITORY / ".snakemake" / "locks").glob("*")):
        if (number := living_snakemake(REPOSITORY)) is not None:
            raise UserError(f"snakemake is at work in {REPOSITORY} (process {number}); wait for it, or stop it")
        print("An earlier run was killed: taking its lock away.", flush=True)
        unlocked = subprocess.run(
            [*snakemake(), "--unlock", *request.arguments()],
            cwd=REPOSITORY,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if unlocked.returncode:
            raise UserError(f"snakemake --unlock failed: {unlocked.stderr.strip()}")


def plan_jobs(request: Request, stop: StopRequest, shared: Collection[str] = ()) -> list[Job]:
    """The jobs that a start would run now; shared: as of a `Job`.

    Raises UserError where it cannot plan, with what it said printed before.
    """
    jobs: list[Job] = []

    def read(line: dict[str, Any]) -> None:
        if line["event"] == "job_info" and line["rule_name"] != "all":
            jobs.append(job_of(line, shared))

    code, errors = run_snakemake([*request.arguments(), "--dry-run"], read, stop)
    if code:
        print("\n".join(errors), file=sys.stderr, flush=True)
        raise UserError(f"snakemake cannot plan this (exit code {code}); what it said stands above")
    return jobs


def estimate_costs(plan: Plan, planned: Sequence[Job], speed: Mapping[str, float] | None = None) -> Estimate:
    """What planned jobs cost; speed: as `Estimator`."""
    with chdir(REPOSITORY):  # the recordings' folder is given from here
        return Estimator(plan, speed).estimate(planned)


def execute(request: Request, progress: Progress, stop: StopRequest, shared: Collection[str]) -> int:
    """Run the workflow to its end, and return Snakemake's exit code; shared: as of a `Job`. Raises StoppedError."""
    log: IO[str] | None = None
    if request.log_file:
        request.log_file.parent.mkdir(parents=True, exist_ok=True)
        log = request.log_file.open("a", encoding="utf-8")

    def read(line: dict[str, Any]) -> None:
        if log:
            log.write(line["text"] + "\n")
            log.flush()
        event = line["event"]
        if event == "job_info" and line["rule_name"] != "all":
            progress.start(line["jobid"], job_of(line, shared))
        elif event == "job_finished":
            progress.finish(line["job_id"])
        elif event == "group_error":
            progress.fail_together(line["jobs"], REPOSITORY, next(iter(line["aux_logs"] or []), None))
        elif event == "job_error":
            logs = line.get("log") or []
            progress.fail(line["jobid"], job_of(line, shared), REPOSITORY, *logs[1:2])

    try:
        code, errors = run_snakemake([*request.arguments(), "--keep-going"], read, stop)
    finally:
        if log:
            log.close()
    if code and not progress.failures:
        progress.say("\n".join(errors))
    return code


def job_of(line: dict[str, Any], shared: Collection[str]) -> Job:
    """The job that a line of the log is about."""
    log = line.get("log") or [None]
    wildcards, outputs = dict(line.get("wildcards") or {}), line.get("output") or ()
    return Job(line["rule_name"], wildcards, log[0], line.get("benchmark"), outputs, line.get("reason") or "", shared)
