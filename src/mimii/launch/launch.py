"""Starting Snakemake for a person: what is to do and how long it takes, progress, failures with their logs, Ctrl-C.

Snakemake runs as a subprocess with the workflow's folder as its working directory, so all that it does is what plain
`snakemake` with the same configuration does.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

import psutil

from mimii.common.errors import UserError
from mimii.common.provenance import REPOSITORY
from mimii.launch.jobs import Durations, Job, in_words
from mimii.launch.lock import held_alone
from mimii.launch.progress import Progress, progress_for_output
from mimii.planning.config_file import read_yaml
from mimii.planning.plan import Plan

MOST_LISTED = 200
# What stops everything, and after how many seconds. A terminal's Ctrl-C reaches every process by itself, so the first
# signal waits a moment: a second one would interrupt Snakemake's tidying up.
STOPPING = ((1.5, signal.SIGINT), (3.0, signal.SIGTERM), (3.0, signal.SIGKILL))


@dataclass(frozen=True)
class Request:
    """What to run.

    configfile: a configuration that replaces config/config.yaml, or None. cores: a number or "all"; None: all, or what
    the profile says. profile: a folder of profiles/ or a path. retrain: train every configured run again. log_file:
    where Snakemake's full log is appended, beside its own.
    """

    configfile: Path | None = None
    cores: str | None = None
    profile: str | None = None
    retrain: bool = False
    dry_run: bool = False
    log_file: Path | None = None

    def arguments(self) -> list[str]:
        """Of Snakemake."""
        found = ["--forcerun", "train_model", "train_classical_model"] if self.retrain else []
        if self.configfile:
            found += ["--configfile", str(self.configfile), "--replace-workflow-config"]
        says_how_many: set[str] = set()
        if self.profile:
            folder = profile_folder(self.profile)
            found += ["--profile", str(folder)]
            says_how_many = {"cores", "jobs"} & set(read_yaml(profile_file(folder)))
        if self.cores or not says_how_many:
            found += ["--cores", self.cores or "all"]
        return found


class StoppedError(Exception):
    """A signal has ended the work."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def profile_file(folder: Path) -> Path:
    """The file of a profile, in a folder that may hold one."""
    named = folder / "profile.yaml"
    return named if named.is_file() else folder / "config.yaml"  # its name before Snakemake 9.19


def profile_folder(name: str) -> Path:
    """`profiles/<name>`, or `name` as a path. Raises UserError where neither holds a profile."""
    for folder in (REPOSITORY / "profiles" / name, Path(name).absolute()):
        if profile_file(folder).is_file():
            return folder
    known = ", ".join(sorted(path.name for path in (REPOSITORY / "profiles").iterdir() if path.is_dir()))
    raise UserError(f"--profile: there is no profile {name!r} in profiles/ (there: {known}), nor a folder of that name")


def launch(request: Request, plan: Plan, *, prepare: Callable[[], object] = lambda: None) -> int:
    """Run the workflow, and return the exit code: 128 + signal where one stopped it.

    plan: of the configuration that is run, made in the workflow's folder. prepare: what has to be done before, once
    nobody else runs.
    Raises UserError where it cannot start; what fails later is printed.
    """
    request.arguments()  # a profile that is not there is said before anything is written
    with stop_signals() as stop:
        try:
            if request.dry_run:
                prepare()
                describe(request, plan, planned_jobs(request, stop), Durations(REPOSITORY), list_jobs=True)
                return 0
            with held_alone(REPOSITORY):
                prepare()
                take_stale_lock_away(request)
                cancel_left_over_jobs(request)
                planned = planned_jobs(request, stop)
                durations = Durations(REPOSITORY)
                describe(request, plan, planned, durations)
                if not planned:
                    return 0
                workers = None if request.profile else worker_count(request.cores)
                progress = progress_for_output(planned, durations, runs=run_count(plan), workers=workers)
                try:
                    code = execute(request, progress, stop)
                finally:
                    progress.close()
        except StoppedError as stopped:
            print(f"\nStopped. {again(request)}", flush=True)
            return 128 + stopped.number
    report(request, progress, code)
    return code


def run_count(plan: Plan) -> int:
    """Runs that the configuration names."""
    return sum(1 for _ in plan.runs())


def worker_count(cores: str | None) -> int:
    """Jobs at a time on this machine."""
    return len(os.sched_getaffinity(0)) if cores in (None, "all") else int(cores)


def describe(
    request: Request, plan: Plan, planned: Sequence[Job], durations: Durations, *, list_jobs: bool = False
) -> None:
    """Print what is there, what is to do, and about how long it takes."""
    total = run_count(plan)
    to_do = len({job.run for job in planned if job.run})
    variant = "variant" if plan.config["studies"] else "model"
    parts = {variant: len(plan.variants), "seed": len(plan.seeds), "section": len(plan.sections)}
    size = " x ".join(counted(number, name) for name, number in parts.items())
    print(f"{counted(total, 'run')} ({size}): {total - to_do} there, {to_do} to do.", flush=True)
    if not planned:
        print("Nothing to do: everything is up to date.", flush=True)
        return
    if list_jobs:
        print("\n".join(f"  {line}" for line in listed(planned)))
    known, unknown = durations.total(planned)
    print(f"{counted(len(planned), 'job')}{expected(request, planned, known, unknown)}.", flush=True)


def listed(planned: Sequence[Job]) -> list[str]:
    """A line for each job; where they are many, for each rule and model."""
    if len(planned) <= MOST_LISTED:
        return [str(job) for job in planned]
    counts = Counter(job.kind for job in planned)
    return [f"{count} x {' '.join(part for part in kind if part)}" for kind, count in counts.items()]


def expected(request: Request, planned: Sequence[Job], known: float, unknown: set[tuple[str, str]]) -> str:
    """`, about 3 min with 2 at a time (as long as such jobs took before)`, or what is not known."""
    if not known:
        return "; how long they take is not known yet: none of their kind has run"
    workers = None if request.profile else min(worker_count(request.cores), len(planned))
    time_needed = in_words(known / (workers or 1))
    how = "one after another" if workers in (None, 1) else f"{workers} at a time"
    if not unknown:
        return f", about {time_needed} {how} (by earlier jobs of their kind)"
    kinds = sum(job.kind in unknown for job in planned)
    return f", more than {time_needed} {how} (by earlier jobs; none like {kinds} of them has run yet)"


def counted(number: int, noun: str) -> str:
    """`1 run`, `2 runs`"""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def again(request: Request) -> str:
    """How to go on."""
    if request.retrain:
        return "The same command without --retrain goes on from here (with it, training starts over)."
    return "The same command goes on from here."


def report(request: Request, progress: Progress, code: int) -> None:
    """Print how it ended."""
    took = in_words(time.monotonic() - progress.begin)
    if code == 0:
        print(f"Done: {counted(progress.done, 'job')} in {took}.", flush=True)
        return
    log = f" Full log: {request.log_file}." if request.log_file else ""
    if not progress.failures:
        print(f"Snakemake ended with exit code {code}; see above.{log}", flush=True)
        return
    print(f"\n{counted(len(progress.failures), 'job')} failed, {progress.done} of {progress.total} done in {took}:")
    for failure in progress.failures:
        print(f"  {failure.job}: {failure.where}")
    print(f"{progress.runs_done} of {counted(progress.runs, 'run')} are complete. {again(request)}{log}", flush=True)


def cancel_left_over_jobs(request: Request) -> None:
    """Cancel what a killed Snakemake left on Slurm, while the folder is held: it would be at work beside its successor.

    Such jobs have the name that the profile gives them, and this folder. Raises UserError where Slurm does not answer.
    """
    if not request.profile:
        return
    profile = read_yaml(profile_file(profile_folder(request.profile)))
    if profile.get("executor") != "slurm" or not (prefix := profile.get("slurm-jobname-prefix")):
        return
    try:
        listed = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%i|%j|%Z"], capture_output=True, text=True, check=True
        )
        rows = [line.split("|", 2) for line in listed.stdout.splitlines()]
        numbers = [n for n, name, folder in rows if name.startswith(f"{prefix}_") and Path(folder) == REPOSITORY]
        if numbers:
            print(f"An earlier run left {counted(len(numbers), 'job')} on the cluster: cancelling.", flush=True)
            subprocess.run(["scancel", *numbers], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not here; start this where jobs are submitted to Slurm") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"{error.cmd[0]} failed: {error.stderr.strip()}") from None


def take_stale_lock_away(request: Request) -> None:
    """Remove what a killed Snakemake left, while the folder is held. Raises UserError where that fails."""
    if any((REPOSITORY / ".snakemake" / "locks").glob("*")):
        print("An earlier run was killed: taking its lock away.", flush=True)
        unlocked = subprocess.run(
            [*snakemake(), "--unlock", *request.arguments()],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
        if unlocked.returncode:
            raise UserError(f"snakemake --unlock failed: {unlocked.stderr.strip()}")


# Snakemake as a subprocess.


def snakemake() -> list[str]:
    """The command, with the Python that runs this."""
    return [sys.executable, "-m", "snakemake"]


def planned_jobs(request: Request, stop: "StopRequest") -> list[Job]:
    """The jobs that a start would run now. Raises UserError with Snakemake's message where it cannot plan."""
    found: list[Job] = []

    def read(line: dict[str, Any]) -> None:
        if line["event"] == "job_info" and line["rule_name"] != "all":
            found.append(job_of(line))

    code, errors = run_snakemake([*request.arguments(), "--dry-run"], read, stop)
    if code:
        raise UserError("\n".join(errors).removeprefix("error: ") or f"snakemake --dry-run ended with exit code {code}")
    return found


def execute(request: Request, progress: Progress, stop: "StopRequest") -> int:
    """Run the workflow to its end, and return Snakemake's exit code. Raises StoppedError."""
    log: IO[str] | None = None
    if request.log_file:
        request.log_file.parent.mkdir(parents=True, exist_ok=True)
        log = request.log_file.open("a")

    def read(line: dict[str, Any]) -> None:
        if log:
            log.write(line["text"] + "\n")
            log.flush()
        event = line["event"]
        if event == "job_info" and line["rule_name"] != "all":
            progress.start(line["jobid"], job_of(line))
        elif event == "job_finished":
            progress.finish(line["job_id"])
        elif event == "group_error":
            progress.fail_together(line["jobs"], REPOSITORY, next(iter(line["aux_logs"] or []), None))
        elif event == "job_error":
            logs = line.get("log") or []
            progress.fail(line["jobid"], job_of(line), REPOSITORY, *logs[1:2])

    try:
        code, errors = run_snakemake([*request.arguments(), "--keep-going"], read, stop)
    finally:
        if log:
            log.close()
    if code and not progress.failures:
        progress.say("\n".join(errors))
    return code


def job_of(line: dict[str, Any]) -> Job:
    """The job that a line of the log is about."""
    log = line.get("log") or [None]
    return Job(line["rule_name"], dict(line.get("wildcards") or {}), log[0], line.get("benchmark"))


def run_snakemake(
    arguments: Sequence[str], read: Callable[[dict[str, Any]], None], stop: "StopRequest"
) -> tuple[int, list[str]]:
    """Run Snakemake; `read` gets each line of its log (see snakemake_logger_plugin_mimii).

    Returns its exit code, and what it printed as an error. Raises StoppedError where a signal came, when all has ended.
    """
    process = subprocess.Popen(
        [*snakemake(), "--logger", "mimii", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        close_fds=False,  # the lock's file stays open in it
    )
    lines: queue.Queue[tuple[str, str | None]] = queue.Queue()
    for name, stream in (("log", process.stdout), ("error", process.stderr)):
        threading.Thread(target=_forward, args=(name, stream, lines), daemon=True).start()
    errors: list[str] = []
    try:
        for name, text in _until_both_end(lines, stop):
            line = _parsed(text) if name == "log" else {"event": None, "level": "STDERR", "text": text.rstrip("\n")}
            if line["level"] in ("ERROR", "CRITICAL") or (name == "error" and not text.startswith("Using workflow")):
                errors.append(str(line["text"]))
            read(line)
    except BaseException:  # whatever ends this must not leave Snakemake behind
        _stop_all(process)
        raise
    return process.wait(), errors


def _until_both_end(lines: "queue.Queue[tuple[str, str | None]]", stop: "StopRequest") -> Iterator[tuple[str, str]]:
    open_streams = 2
    while open_streams:
        if stop.number is not None:
            raise StoppedError(stop.number)
        try:
            name, text = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if text is None:
            open_streams -= 1
        else:
            yield name, text


def _forward(name: str, stream: Any, lines: "queue.Queue[tuple[str, str | None]]") -> None:
    for text in stream:
        lines.put((name, text))
    lines.put((name, None))


def _parsed(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    # A job may print to standard output too.
    return (
        line
        if isinstance(line, dict) and "event" in line
        else {"event": None, "level": "INFO", "text": text.rstrip("\n")}
    )


# Stopping.


@contextmanager
def quiet_ending() -> Iterator[None]:
    """End the program without a traceback where its user has interrupted it or has stopped reading its output."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@dataclass
class StopRequest:
    """number: of the signal that came, or None."""

    number: int | None = None


@contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Within the context SIGINT, SIGTERM and SIGHUP are noted instead of ending this process at once."""
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        request.number = number

    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    # One that is ignored (as nohup does) stays ignored.
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] != signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield request
    finally:
        for number in numbers:
            signal.signal(number, before[number])


def _stop_all(process: subprocess.Popen[str]) -> None:
    """End Snakemake and its jobs: by interrupt, which lets them tidy up, then less and less politely."""
    try:
        family = [psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    for wait, number in STOPPING:
        family = _family(family)
        _, family = psutil.wait_procs(family, timeout=wait)
        for member in _family(family):
            try:
                member.send_signal(number)
            except psutil.NoSuchProcess:
                continue
    psutil.wait_procs(family, timeout=STOPPING[-1][0])
    process.wait()


def _family(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """The processes and all that they have started, each once; those that have ended left out."""
    found = {}
    for process in processes:
        try:
            found.update({member.pid: member for member in [process, *process.children(recursive=True)]})
        except psutil.NoSuchProcess:
            continue
    return list(found.values())
