"""Ending: by a signal, by Ctrl-C, by a reader who has gone; and ending Snakemake with all that it has started."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

# What stops everything, and after how many seconds. A terminal's Ctrl-C reaches every process by itself, so the first
# signal waits a moment: a second one would interrupt Snakemake's tidying up.
STOPPING = ((1.5, signal.SIGINT), (3.0, signal.SIGTERM), (3.0, signal.SIGKILL))


class StoppedError(Exception):
    """A signal has ended the work."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def quiet_ending() -> Iterator[None]:
    """End the program without a traceback where its user has interrupted it or has stopped reading its output.

    Letters that the terminal's encoding has not are printed as escapes.
    """
    if sys.stdout is None:  # closed before this program started
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  to the end of the program
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
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


def stop_all(process: subprocess.Popen[str]) -> None:
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
    members = {}
    for process in processes:
        try:
            members.update({member.pid: member for member in [process, *process.children(recursive=True)]})
        except psutil.NoSuchProcess:
            continue
    return list(members.values())
