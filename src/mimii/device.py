"""Choosing the device of a network, when its job runs: while planning on a login node there may be no GPU to see."""

import re

from mimii.errors import UserError


def pick_device(wanted: str) -> str:
    """`cpu`, `cuda` or `cuda:1` as asked for; `auto` is cuda where there is one. Raises UserError if missing."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", wanted):
        raise UserError(f"compute.device: {wanted!r} is none of auto, cpu, cuda, cuda:0, cuda:1 ...")
    index = int(wanted.partition(":")[2] or 0)
    if wanted != "cpu" and index >= torch.cuda.device_count():
        raise UserError(
            f"compute.device: {wanted} is not here ({torch.cuda.device_count()} GPUs seen); use auto, cpu or another"
        )
    return wanted
