"""Where a result was made, as its record says."""

import os
import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these are kernels of x86-64")
def test_the_kernel_of_matrix_products_is_recorded():
    """The one that computes, which OPENBLAS_CORETYPE may have chosen: it decides the last bits."""
    code = "import numpy; from mimii.common.provenance import blas; print(blas())"
    for kernel in ("Haswell", "Nehalem"):
        environment = {**os.environ, "OPENBLAS_CORETYPE": kernel}
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
        assert done.stdout.startswith("openblas ")
        assert done.stdout.strip().endswith(f" {kernel}")
