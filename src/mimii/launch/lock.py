"""Who runs the workflow in a folder, by a lock of the operating system's: it ends with the processes that hold it.

Whoever starts Snakemake for a person (`launch`) holds the lock alone; a plain `snakemake` shares it, to be seen.
Owning it alone therefore proves that a lock of Snakemake's own, if there is one, is a killed process's.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from mimii.common.errors import UserError

FILE = Path(".snakemake", "mimii.lock")
# Planning, listing and linting share the lock too, and end soon.
PATIENCE = 5.0


@contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """Be the only one who runs the workflow in `folder`. Subprocesses that inherit files hold the lock as well.

    Raises UserError where somebody else runs it, or the folder cannot be written.
    """
    path = folder / FILE
    try:
        path.parent.mkdir(exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); Snakemake needs this folder") from None
    with file:
        _wait_for(file, folder)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        os.set_inheritable(file.fileno(), True)
        yield


def _wait_for(file: IO[str], folder: Path) -> None:
    started = time.monotonic()
    while not _locked(file, fcntl.LOCK_EX):
        patient = time.monotonic() - started < PATIENCE
        if _locked(file, fcntl.LOCK_SH):
            fcntl.flock(file, fcntl.LOCK_UN)
            if not patient:
                raise UserError(f"snakemake is at work in {folder}; wait for it, or stop it")
        else:
            file.seek(0)
            number = file.read().strip()
            # Where the holder was killed, the Snakemake that it started may take a moment to end.
            if not patient or (number and psutil.pid_exists(int(number))):
                process = f" (process {number})" if number else ""
                raise UserError(f"another run is at work in {folder}{process}; wait for it, or stop it")
        time.sleep(0.1)


def living_snakemake(folder: Path) -> int | None:
    """The number of a process of Snakemake's that runs in `folder`; None where there is none."""
    for process in psutil.process_iter():
        try:
            is_snakemake = any(Path(part).name == "snakemake" for part in process.cmdline())
            if is_snakemake and Path(process.cwd()).samefile(folder):
                return int(process.pid)
        except (psutil.Error, OSError):
            continue  # it has ended, or it is somebody else's
    return None


def share(folder: Path) -> IO[str] | None:
    """Show that a plain Snakemake is at work in `folder`, for as long as the file that is returned stays open.

    None where a launcher holds the lock, who has then started this Snakemake, or where Snakemake's own lock decides.
    """
    try:
        (folder / FILE).parent.mkdir(exist_ok=True)
        file = (folder / FILE).open("a")
    except OSError:
        return None  # Snakemake says itself that it cannot write here
    if _locked(file, fcntl.LOCK_SH):
        return file
    file.close()
    return None


def _locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
