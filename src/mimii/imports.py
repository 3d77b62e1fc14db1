"""Keeping libraries from importing, on the side, what a job does not use: start-up is most of a short job's time."""

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
