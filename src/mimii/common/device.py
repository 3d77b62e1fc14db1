"""Choosing the device of a network, when its job runs: while planning on a login node there may be no GPU to see."""

import fcntl
import getpass
import itertools
import re
import tempfile
from pathlib import Path
from typing import IO

from mimii.common.errors import UserError

_held: list[IO[str]] = []


def pick_device(wanted: str) -> str:
    """`cpu`, `cuda` or `cuda:1` as asked for; `auto` is the least used GPU, or cpu where there is none.

    Raises UserError where it is missing.
    """
    import torch

    if wanted == "auto":
        if not torch.cuda.is_available():
            return "cpu"
        return "cuda" if torch.cuda.device_count() == 1 else f"cuda:{least_used(torch.cuda.device_count())}"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", wanted):
        raise UserError(f"compute.device: {wanted!r} is none of auto, cpu, cuda, cuda:0, cuda:1 ...")
    index = int(wanted.partition(":")[2] or 0)
    if wanted != "cpu" and index >= torch.cuda.device_count():
        raise UserError(
            f"compute.device: {wanted} is not here ({torch.cuda.device_count()} GPUs seen); use auto, cpu or another"
        )
    return wanted


def reset_peak_gpu_memory(device: str) -> None:
    """Let `peak_gpu_memory_mb` count from here; nothing on a CPU."""
    if device != "cpu":
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak_gpu_memory_mb(device: str) -> float | None:
    """Most memory that tensors held on a GPU at once, MB (10^6 bytes); None on a CPU."""
    if device == "cpu":
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / 1e6


def least_used(gpus: int, folder: Path | None = None) -> int:
    """Number of the GPU that the fewest jobs of this user on this machine have taken; taken until this process ends.

    A place on a GPU is a file, and who locks it has the place, so a killed job leaves nothing behind.
    """
    folder = folder or Path(tempfile.gettempdir(), f"mimii-gpus-{getpass.getuser()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for place in itertools.count():
        for gpu in range(gpus):
            file = (folder / f"{gpu}.{place}").open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            _held.append(file)
            return gpu
    raise AssertionError("unreachable")
