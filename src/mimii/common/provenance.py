"""Where and with what a result was made, and what it cost."""

import os
import platform
import resource
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def versions(*packages: str) -> dict[str, str]:
    """Version of Python and of each package, by distribution name."""
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def git_revision() -> str | None:
    """The commit of this code, `-dirty` where tracked files differ from it; None outside a git checkout."""
    try:
        described = subprocess.run(
            ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def blas() -> str | None:
    """The library of matrix products in this process and its kernel, such as `openblas 0.3.30 SkylakeX`.

    The kernel, which is chosen by the processor or by OPENBLAS_CORETYPE, decides the last bits of a result. None where
    no such library is known.
    """
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    named = {" ".join(filter(None, map(pool.get, ("internal_api", "version", "architecture")))) for pool in pools}
    return ", ".join(sorted(named)) or None


def host() -> str:
    """Name of this machine."""
    return platform.node()


class Stopwatch:
    """Seconds since it was made: by the clock, and of processor time that this process used, all threads together."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def wall_s(self) -> float:
        """Longer on a machine that has other work, too."""
        return time.perf_counter() - self._wall

    @property
    def cpu_s(self) -> float:
        """Hardly longer on a machine that has other work; without what a GPU does."""
        return time.process_time() - self._cpu


def machine_load() -> float:
    """How many processes of this machine wanted a core in the last minute, for each core that it has.

    Up to about 1 each has one to itself.
    """
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def peak_host_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes).

    Read from /proc where there is one: getrusage also counts what a parent held when it forked this process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    in_bytes = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * in_bytes / 1e6
