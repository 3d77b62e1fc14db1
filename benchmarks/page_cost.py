"""Time and memory of the result page of a whole study.

    python benchmarks/page_cost.py [--models 12] [--seeds 5] [--sections 48] [--clips 350] [--samples 1000]

Makes up runs as the tests do (models that exist, made-up scores), and prints what scripts/make_statistics.py takes for
them, and then scripts/make_page.py, which reads what that wrote: CPU seconds and peak memory. The runs' own intervals,
which cost most of making them, are of two resamples; the statistics' are of --samples.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from csv import DictWriter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from made_up_runs import METRICS_SETTINGS, write_run

from mimii.data.published import sections
from mimii.detectors.declaration import model_names
from mimii.evaluation.columns import read_columns
from mimii.evaluation.row import compute_metrics

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def make_results(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Write results.csv and its runs below a folder. Returns the models."""
    models = list(model_names())[: arguments.models]
    settings = {**METRICS_SETTINGS, "bootstrap_samples": 2}
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        rows = DictWriter(file, [column.name for column in read_columns()])
        rows.writeheader()
        for number, model in enumerate(models):
            for section in list(sections())[: arguments.sections]:
                for seed in range(arguments.seeds):
                    run = folder / f"runs/{model}/default/seed={seed}/{section.path}"
                    own: dict[str, Any] = {"model": model, "section": section.path, "seed": seed}
                    paths = write_run(run, quality=1 + number / 10, clips=arguments.clips, **own)
                    row = compute_metrics(*paths, settings, code="code").row
                    rows.writerow({**row, "bootstrap_samples": arguments.samples})
    return models


def run_script(name: str, options: dict[str, Any]) -> str:
    """Run a script of scripts/. Returns what it took."""
    command = [sys.executable, str(SCRIPTS / name), *(f"--{key}={value}" for key, value in options.items())]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{name} failed")
    return f"{name}: {usage.ru_utime + usage.ru_stime:.1f} s of CPU, peak {usage.ru_maxrss / 1024:.0f} MB"


def main() -> None:
    """Make up the runs, then their statistics and page, and print what these took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"models": 12, "seeds": 5, "sections": 48, "clips": 350, "samples": 1000}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help="of each label" if name == "clips" else None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = make_results(folder, arguments)
        runs = len(models) * arguments.sections * arguments.seeds
        print(f"{runs} runs, {2 * arguments.clips} test clips each, {arguments.samples} resamples")
        options = {
            "results": folder / "results.csv",
            "runs": folder / "runs",
            "job": json.dumps({"variants": [[model, "default"] for model in models]}),
        }
        statistics = folder / "statistics"
        print(run_script("make_statistics.py", {**options, "output": statistics}))
        options |= {
            "statistics": statistics,
            "config": json.dumps({"dataset": {"source": "folder"}}),
            "output": folder / "page.html",
            "config-file": folder / "config.json",
        }
        print(
            run_script("make_page.py", options),
            f"page of {(folder / 'page.html').stat().st_size / 1e6:.1f} MB",
            sep=", ",
        )


if __name__ == "__main__":
    main()
