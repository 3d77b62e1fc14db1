"""How fast this machine is: the CPU seconds of three small workloads, beside those of the reference machine.

They resemble what jobs spend their time in: matrix products of a network's size (training, scoring), Fourier transforms
(features), and Python itself (every job's start, which imports).
"""

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

REPETITIONS = 7  # some 0.1 s each


@cache
def measured_speed() -> Mapping[str, float]:
    """CPU seconds of each workload here and now, measured once; a second in all."""
    return {name: statistics.median(seconds) for name, seconds in time_workloads(REPETITIONS).items()}


def time_workloads(repetitions: int) -> dict[str, list[float]]:
    """CPU seconds of each workload, measured so many times in turn, with one thread."""
    from threadpoolctl import threadpool_limits

    workloads = _workloads()
    seconds: dict[str, list[float]] = {name: [] for name in workloads}
    with threadpool_limits(1), _no_garbage_collection():
        for repetition in range(repetitions + 1):
            for name, work in workloads.items():
                started = time.process_time()
                work()
                if repetition:  # the first warms up
                    seconds[name].append(time.process_time() - started)
    return seconds


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Looking for garbage takes as long as this process has objects, which says nothing of the machine."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _workloads() -> dict[str, Callable[[], object]]:
    import numpy as np

    rng = np.random.default_rng(0)
    batch, weights, frames, bands = (
        rng.standard_normal(shape, dtype=np.float32) for shape in ((256, 320), (320, 64), (313, 1024), (513, 64))
    )

    def products() -> None:
        """Steps of a dense layer: forwards, backwards, the gradient of its weights."""
        for _ in range(150):
            hidden = np.maximum(batch @ weights, 0)
            _ = hidden @ weights.T
            _ = batch.T @ hidden

    def transforms() -> None:
        """Log-mels of some clips of 10 s."""
        for _ in range(15):
            power = np.abs(np.fft.rfft(frames)) ** 2
            _ = np.log10(np.maximum(power @ bands, 1e-10))

    def interpreter() -> None:
        """Dictionaries, texts and numbers."""
        values: dict[str, Any] = {f"key {number}": [number, str(number)] for number in range(10_000)}
        for _ in range(4):
            values = json.loads(json.dumps(values))
        _ = sorted(values, key=lambda key: values[key][1])

    return {"products": products, "transforms": transforms, "interpreter": interpreter}
