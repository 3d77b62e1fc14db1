"""How far the workflow is: a few lines that stay in place on a terminal, one line for each job elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimii.launch.jobs import Durations, Job, in_words

LAST_LINES = 10
SHOWN_JOBS = 8


@dataclass
class Failure:
    """A job that failed, and the end of its log.

    cluster_log: what the cluster says, where the job ran on one. numbers: of the jobs that were submitted together.
    """

    job: Job
    lines: list[str]
    cluster_log: str | None = None
    numbers: frozenset[int] = frozenset()

    @property
    def where(self) -> str:
        """Where the job's logs are."""
        own = self.job.log or "no log"
        return f"{own}, and the cluster's {self.cluster_log}" if self.cluster_log else own

    def __str__(self) -> str:
        text = "".join(f"\n    | {line}" for line in self.lines)
        return f"FAILED: {self.job}\n    log: {self.where}{text}"


class Progress:
    """Counts jobs and runs, and prints plain lines; `TerminalProgress` shows the same on a terminal."""

    def __init__(self, planned: Iterable[Job], durations: Durations, *, runs: int, workers: int | None) -> None:
        """planned: jobs to do. runs: how many the configuration names. workers: jobs at a time; None: unknown."""
        planned = list(planned)
        self.durations = durations
        self.workers = workers
        self.total = len(planned)
        self.runs = runs
        self.done = 0
        self.failures: list[Failure] = []
        self.started: dict[int, tuple[Job, float]] = {}
        self._seen: set[int] = set()
        self._waiting = Counter(job.kind for job in planned)
        self._example = {job.kind: job for job in planned}
        self._open = Counter(job.run for job in planned if job.run)
        self.most_at_once = 1
        self.begin = time.monotonic()

    @property
    def runs_done(self) -> int:
        """Runs of which no job is left to do."""
        return self.runs - sum(left > 0 for left in self._open.values())

    def seconds_left(self) -> float | None:
        """Estimated; None where nothing of some kind of job has been seen yet."""
        waiting = +self._waiting
        seconds = 0.0
        for kind, count in waiting.items():
            each = self.durations.of(self._example[kind])
            if each is None:
                return None
            seconds += count * each
        now = time.monotonic()
        for job, since in self.started.values():
            seconds += max(0.0, (self.durations.of(job) or 0.0) - (now - since))
        return seconds / min(self.workers or self.most_at_once, max(1, waiting.total() + len(self.started)))

    def start(self, number: int, job: Job) -> None:
        """A job starts."""
        self.started[number] = job, time.monotonic()
        if number not in self._seen:
            self._seen.add(number)
            self._waiting[job.kind] -= 1
        # A job that failed may start again.
        self.failures = [failure for failure in self.failures if number not in failure.numbers]
        self.most_at_once = max(self.most_at_once, len(self.started))
        self.refresh()

    def finish(self, number: int) -> None:
        """A job has ended well."""
        if number not in self.started:
            return
        job, since = self.started.pop(number)
        seconds = time.monotonic() - since
        self.durations.add(job, seconds)
        self.done += 1
        if job.run:
            self._open[job.run] -= 1
        self.ended(job, seconds)
        self.refresh()

    def fail(self, number: int, job: Job, root: Path, cluster_log: str | None = None) -> None:
        """A job has failed."""
        if any(number in failure.numbers for failure in self.failures):
            return  # it was submitted together with others, and that has been said
        job = self.started.pop(number, (job, 0.0))[0]
        self._add_failure(job, [number], root, cluster_log)

    def fail_together(self, numbers: Sequence[int], root: Path, cluster_log: str | None = None) -> None:
        """Jobs that were submitted together have failed: those that say so in their logs, or else all of them."""
        jobs = [self.started.pop(number)[0] for number in numbers if number in self.started]
        for job in [job for job in jobs if job.log and last_lines(root / job.log)] or jobs:
            self._add_failure(job, numbers, root, cluster_log)

    def _add_failure(self, job: Job, numbers: Sequence[int], root: Path, cluster_log: str | None) -> None:
        lines = [line for log in (job.log, cluster_log) if log for line in last_lines(root / log)][:LAST_LINES]
        failure = Failure(job, lines, cluster_log, frozenset(numbers))
        self.failures.append(failure)
        self.say(str(failure))
        self.refresh()

    def ended(self, job: Job, seconds: float) -> None:
        """Say that a job has ended well."""
        left = self.seconds_left()
        about = f"   about {in_words(left)} left" if left is not None and self.done < self.total else ""
        self.say(f"[{self.done:>{len(str(self.total))}}/{self.total}] {job} ({seconds:.1f} s){about}")

    def say(self, text: str) -> None:
        """Print a message."""
        print(text, flush=True)

    def refresh(self) -> None:
        """Bring what stays in place up to date."""

    def close(self) -> None:
        """No more is shown."""


class TerminalProgress(Progress):
    """A bar of jobs, runs, time left, and what is running now, at the bottom of the terminal."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.bar = terminal_bar(self.running)
        self._task = self.bar.add_task("", total=max(1, self.total), **self._fields())
        self.bar.start()

    def refresh(self) -> None:
        """Bring the bar up to date."""
        self.bar.update(self._task, completed=self.done, **self._fields())

    def ended(self, job: Job, seconds: float) -> None:
        """The bar says it."""

    def say(self, text: str) -> None:
        """Print a message above the bar."""
        self.bar.console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bar away."""
        self.bar.stop()

    def running(self) -> list[str]:
        """A line for each running job, the longest running first; where they are many, how many more."""
        now = time.monotonic()
        jobs = sorted(self.started.values(), key=lambda started: started[1])
        lines = [f"  {job}  {in_words(now - since)}" for job, since in jobs[:SHOWN_JOBS]]
        return lines + ([f"  and {len(jobs) - SHOWN_JOBS} more"] if len(jobs) > SHOWN_JOBS else [])

    def _fields(self) -> dict[str, str]:
        left = self.seconds_left()
        return {
            "runs": f"{self.runs_done}/{self.runs}",
            "left": "" if left is None else f"about {in_words(left)} left",
            "failed": f"{len(self.failures)} failed" if self.failures else "",
        }


def terminal_bar(running: Callable[[], list[str]]) -> Any:
    """rich's own bar, with the lines of `running` below it. Imported where there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class BarAndJobs(Bar):
        def get_renderables(self) -> Iterator[Any]:
            yield self.make_tasks_table(self.tasks)
            for line in running():
                yield Text(line, style="dim", no_wrap=True, overflow="ellipsis")

    return BarAndJobs(
        TextColumn("[bold]runs {task.fields[runs]}"),
        BarColumn(bar_width=30),
        TextColumn("jobs {task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("[red]{task.fields[failed]}"),
        console=Console(highlight=False),
        refresh_per_second=4,
        transient=True,
    )


def progress_for_output(*arguments: Any, **named: Any) -> Progress:
    """The kind that suits standard output."""
    return (TerminalProgress if sys.stdout.isatty() else Progress)(*arguments, **named)


def last_lines(path: Path, count: int = LAST_LINES) -> list[str]:
    """The last lines of a log, the headline of its error always among them; none where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    except OSError:
        return []
    headlines = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if headlines and headlines[-1] < len(lines) - count:
        return [lines[headlines[-1]], "...", *lines[2 - count :]]
    return lines[-count:]
