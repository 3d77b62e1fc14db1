"""How many threads a job computes with. Scores of a network can differ with it, so it is set, never found out."""

import sys

import pyarrow
from threadpoolctl import threadpool_limits


def limit_threads(threads: int) -> None:
    """Hold torch, BLAS, OpenMP and Arrow to `threads`. Call after the numerical libraries are imported."""
    threadpool_limits(threads)
    pyarrow.set_cpu_count(threads)
    pyarrow.set_io_thread_count(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
