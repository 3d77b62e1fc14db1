"""What a job sets for its whole process. Nothing else in the library has an effect beyond its own objects."""

import ctypes
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from types import ModuleType

# Imported by others where it can be, and of no use to a job: pyarrow and scikit-learn import pandas (0.2 to 0.4 s).
UNUSED = ("pandas",)
# What torch imports for its compiler and for tensors without data alone: a fourth of its import (0.3 s). Left out with
# the version that was seen to train every model without it; another one may need it.
EMPTY, SEEN_WITHOUT = "torch._meta_registrations", "2.13."
# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def prepare_process(*, threads: int | None = None, hide: bool = True) -> None:
    """Prepare this process for a job. May be called again.

    A script calls it first, so that what no job uses stays unimported. A job that computes with a model calls it again
    once the model is imported: threads is how many torch, BLAS, OpenMP and Arrow compute with (a network's scores can
    differ with their number, so it is set, never found out), and torch, where it is imported, becomes deterministic.
    hide: False lets everything be imported again, for a library that looks what is installed and fails on hidden ones.
    """
    # Modules are no garbage: looking for some after every 700 objects takes an eighth of the time of importing torch.
    gc.set_threshold(100_000, 10, 10)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Unused)]
    if hide:
        sys.meta_path.insert(0, _Unused())
    _keep_freed_memory()
    if threads is None:
        return
    _limit_threads(threads)
    if "torch" in sys.modules:
        _make_torch_deterministic()


class _Unused:
    """A finder for sys.meta_path that hides the packages of `UNUSED`, and loads the module `EMPTY` without content."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in UNUSED:
            raise ModuleNotFoundError(f"{name} is hidden in this process", name=name)
        if name == EMPTY and version("torch").startswith(SEEN_WITHOUT):
            return ModuleSpec(name, _NoContent())
        return None


class _NoContent(Loader):
    """Executes nothing of `EMPTY` but the one thing that torch needs of it, before it can make a Generator."""

    def exec_module(self, module: ModuleType) -> None:
        sys.modules["torch._C"]._set_generator_metaclass(import_module("torch._opaque_base").OpaqueBaseMeta)


def _limit_threads(threads: int) -> None:
    import pyarrow
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    pyarrow.set_cpu_count(threads)
    pyarrow.set_io_thread_count(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _make_torch_deterministic() -> None:
    torch = sys.modules["torch"]
    # The same as use_deterministic_algorithms(True), without its import of the compiler.
    torch.set_deterministic_debug_mode("error")
    # That also fills every new tensor, a tenth of a training's time, against reads of memory never written: none here.
    torch.utils.deterministic.fill_uninitialized_memory = False
    # cuBLAS reads it when the first GPU is used, and is not deterministic without it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next clip's, or the next step's: getting it anew from the system,
    page by page, takes a third of the time of features, and a quarter of a convolutional network's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc alone
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**25)
        mallopt(M_TRIM_THRESHOLD, 2**30)
