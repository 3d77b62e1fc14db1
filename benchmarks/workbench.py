"""What scripts in this folder share: a copy of the workflow, one thread in each process, figures with their machine."""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = ["Snakefile", "environment.yml", "workflow", "scripts", "src", "config", "profiles"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def copy_workflow(folder: Path) -> None:
    """Copy all that the workflow needs into a folder that is there."""
    for part in PARTS:
        source = REPOSITORY / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)


def write_figures(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON, with what they were measured on."""
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    path.write_text(json.dumps({**figures, **machine}, indent=1) + "\n")
