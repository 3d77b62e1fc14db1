"""What a job sets for its own process: how many threads compute, and which libraries stay unimported."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Absent:
    """A finder, for sys.meta_path, to which some modules are not installed."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self.modules:
            raise ModuleNotFoundError(f"{name} is hidden here", name=name)
        return None


@contextmanager
def hidden(*modules: str) -> Iterator[None]:
    """Within the context these modules cannot be imported, as if they were not installed.

    pyarrow and scikit-learn import pandas where they can (0.2 to 0.4 s), skops imports torch and pytest (1 s).
    """
    absent = _Absent(modules)
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)


def limit_threads(threads: int) -> None:
    """Hold torch, BLAS, OpenMP and Arrow to `threads`. Call after the numerical libraries are imported.

    Scores of a network can differ with their number, so it is set, never found out.
    """
    import pyarrow
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    pyarrow.set_cpu_count(threads)
    pyarrow.set_io_thread_count(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
