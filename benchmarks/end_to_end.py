"""One section end to end, recordings to AUC: this workflow beside the program that a user would write instead.

    python benchmarks/end_to_end.py [--clips 160 40] [--seconds 10] [--epochs 50] [--json FILE]

On made-up recordings (normal and abnormal ones of one section, one channel): `plain_program.py`; then, in a copy of the
workflow, `python -m mimii run` with `simple_ae` alone and the same settings, without tables, figures and page: where
nothing is there (cold), with another setting of the model, so that features are there (warm), where nothing is to do.
Wall time and CPU time of each command with all that it starts, imports and planning included. One thread in each
process, as the workflow's jobs have: on a busy machine threads that wait would be held against the plain program.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from workbench import ONE_THREAD, REPOSITORY, copy_workflow, write_figures

from mimii.data.made_up.recordings import make_section
from mimii.data.sections import Section

SECTION = Section.parse("6dB/fan/id_00")


def configuration(epochs: int, latent: int) -> dict[str, Any]:
    return {
        "dataset": {"source": "folder", "root": "dataset"},
        "models": {"simple_ae": {"epochs": epochs, "latent": latent}},
        "seeds": [42],
        "report": {"tables": False, "figures": [], "page": False},
    }


def run(folder: Path, *command: str) -> tuple[str, dict[str, float]]:
    """Run a command in the copied workflow. Returns what it printed, and its wall and CPU seconds."""
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(folder / "src")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, {"wall_s": wall, "cpu_s": cpu}


def run_workflow(folder: Path, epochs: int, *, latent: int = 8) -> dict[str, float]:
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(configuration(epochs, latent)))
    _, costs = run(folder, "-m", "mimii", "run")
    with (folder / "results" / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return {**costs, "auc": float(row["auc"])}


def measure(folder: Path, clips: tuple[int, int], seconds: float, epochs: int) -> dict[str, dict[str, float]]:
    copy_workflow(folder)
    recordings = folder / "dataset" / SECTION.path
    normal, abnormal = clips
    make_section(recordings, SECTION, normal_clips=normal, abnormal_clips=abnormal, seconds=seconds, channels=1, seed=3)
    program = str(REPOSITORY / "benchmarks" / "plain_program.py")
    run(folder, program, str(recordings), "--epochs", "1")  # librosa's cache on disk, the page cache
    printed, plain = run(folder, program, str(recordings), "--epochs", str(epochs))
    return {
        "the plain program": {**plain, **json.loads(printed)},
        "python -m mimii run, nothing there": run_workflow(folder, epochs),
        "another setting, features there": run_workflow(folder, epochs, latent=9),
        "nothing to do": run_workflow(folder, epochs, latent=9),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs=2, default=(160, 40), metavar=("NORMAL", "ABNORMAL"))
    parser.add_argument("--seconds", type=float, default=10, help="length of a clip (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(Path(temporary), tuple(arguments.clips), arguments.seconds, arguments.epochs)
    print("| | wall s | CPU s | AUC |\n|---|---:|---:|---:|")
    for name, row in figures.items():
        print(f"| {name} | {row['wall_s']:.1f} | {row['cpu_s']:.1f} | {row['auc']:.3f} |")
    if arguments.json:
        write_figures(arguments.json, {"commands": figures})
