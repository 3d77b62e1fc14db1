"""Snakemake as a subprocess whose log is read line by line.

It runs with the workflow's folder as its working directory, so all that it does is what plain `snakemake` with the same
configuration does.
"""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mimii.common.provenance import REPOSITORY
from mimii.launch.stop import StoppedError, StopRequest, stop_all

# Seconds in which what a stopped Snakemake has printed is read to its end, should somebody still hold the stream.
LAST_WORDS = 2.0


def snakemake() -> list[str]:
    """The command, with the Python that runs this."""
    return [sys.executable, "-m", "snakemake"]


def run_snakemake(
    arguments: Sequence[str], read: Callable[[dict[str, Any]], None], stop: StopRequest
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
        encoding="utf-8",
        errors="replace",
        close_fds=False,  # the lock's file stays open in it
    )
    lines: queue.Queue[tuple[str, str | None]] = queue.Queue()
    readers = [
        threading.Thread(target=_forward, args=(name, stream, lines), daemon=True)
        for name, stream in (("log", process.stdout), ("error", process.stderr))
    ]
    for reader in readers:
        reader.start()
    errors: list[str] = []
    try:
        for name, text in _until_both_end(lines, stop):
            line = _parsed(text) if name == "log" else {"event": None, "level": "STDERR", "text": text.rstrip("\n")}
            if line["level"] in ("ERROR", "CRITICAL") or (name == "error" and not text.startswith("Using workflow")):
                errors.append(str(line["text"]))
            read(line)
    except BaseException:  # whatever ends this must not leave Snakemake behind
        stop_all(process)
        for reader in readers:
            reader.join(timeout=LAST_WORDS)
        _read_finished_jobs(lines, read)
        raise
    return process.wait(), errors


def _until_both_end(lines: "queue.Queue[tuple[str, str | None]]", stop: StopRequest) -> Iterator[tuple[str, str]]:
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


def _read_finished_jobs(lines: "queue.Queue[tuple[str, str | None]]", read: Callable[[dict[str, Any]], None]) -> None:
    """Read what is left after the end: which jobs had ended well before they were stopped."""
    while not lines.empty():
        name, text = lines.get()
        if name == "log" and text is not None and (line := _parsed(text))["event"] == "job_finished":
            read(line)


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
