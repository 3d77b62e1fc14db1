"""CPU seconds of each kind of job, from which `python -m mimii run --dry-run` estimates what is due.

    python benchmarks/reference_costs.py [--clips 55 10 --more-clips 220 40] [--epochs 4] [--json FILE] [--output FILE]
    python benchmarks/reference_costs.py --check [--models simple_ae knn] [--clips 100 20] [--epochs 20]

Makes up two sections of clips like MIMII's (10 s, 16 kHz, 8 channels) that differ in size, and runs each model's jobs
on them as the workflow does: the same scripts with the same parameters, a process each of one thread. From two sizes
come the seconds of a clip and those that a job takes whatever its size; from one epoch and several, those of an epoch.
Between the models this machine's speed is measured (`mimii.launch.speed`): other work on it slows both. --output is the
file that estimates and requests are made from.

--check holds an estimate against what it estimates: in a copy of the workflow, on one made-up section, what `--dry-run`
says, and the CPU time of the same command without it, less that of planning.
"""

import argparse
import datetime
import itertools
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

import yaml
from budgets import configuration, extract_features, make_recordings, measure
from end_to_end import run
from workbench import copy_workflow

from mimii.common.provenance import versions
from mimii.data.split import fit_count
from mimii.detectors.declaration import model_declaration, model_names
from mimii.launch.speed import time_workloads
from mimii.planning.plan import Plan

CHANNELS = 8
HEADER = """\
# What estimates (launch/costs.py) and requests to clusters (resources.py) are made from: CPU seconds of jobs on one
# machine, and of the workloads of launch/speed.py there.
# job: of a job whatever its size; clip: of a clip of 10 s (training: one that is fitted on); epoch: of such a clip in
# each epoch. With the defaults of the models, of the features (log-mels) and of the metrics.
# Written by benchmarks/reference_costs.py.
"""


class Size:
    """A section of one size, with its features. costs: of making recordings and features."""

    def __init__(self, folder: Path, clips: tuple[int, int]) -> None:
        self.folder = folder
        self.normal, self.abnormal = clips
        folder.mkdir()
        self.plan = Plan(configuration(folder, clips, CHANNELS))
        self.features = folder / "features.parquet"
        self.costs = {
            "recordings": make_recordings(folder, self.plan)["cpu_s"],
            "features": extract_features(self.plan, self.features)["cpu_s"],
        }

    @property
    def clips(self) -> int:
        return self.normal + self.abnormal

    def fitted(self, model: str) -> int:
        """Clips that a model is fitted on."""
        return fit_count(self.normal - self.abnormal, self.plan.variant(model, "default").settings["val_split"])

    def scored(self, model: str) -> int:
        """Test clips and those that are held out."""
        return self.normal + self.abnormal - self.fitted(model)

    def measure(self, model: str, variant: str) -> dict[str, float]:
        return measure(self.folder, self.plan, self.features, model, variant)


def line(one: tuple[int, float], other: tuple[int, float]) -> dict[str, float]:
    """Seconds of a clip, and those that do not depend on the clips, from (clips, seconds) of two jobs; none below 0."""
    clip = max(0.0, (other[1] - one[1]) / (other[0] - one[0]))
    return {"job": max(0.0, one[1] - clip * one[0]), "clip": clip}


def model_costs(model: str, small: Size, large: Size, epochs: int) -> dict[str, dict[str, float]]:
    """Of training, scoring and metrics."""
    network = model_declaration(model).base == "network"
    variant = "epochs=1" if network else "default"
    rows = [size.measure(model, variant) for size in (small, large)]
    fitted, scored = ([getattr(size, kind)(model) for size in (small, large)] for kind in ("fitted", "scored"))
    training = line(*((clips, row["fitting_cpu_s"]) for clips, row in zip(fitted, rows, strict=True)))
    if network:
        longer = large.measure(model, f"epochs={epochs}")["fitting_cpu_s"]
        training["epoch"] = (longer - rows[1]["fitting_cpu_s"]) / (epochs - 1) / fitted[1]
        training["clip"] = max(0.0, training["clip"] - training["epoch"])
    scoring = line(*((clips, row["scoring_inside_cpu_s"]) for clips, row in zip(scored, rows, strict=True)))
    training["job"] += statistics.mean(row["training_cpu_s"] - row["fitting_cpu_s"] for row in rows)
    scoring["job"] += statistics.mean(row["scoring_cpu_s"] - row["scoring_inside_cpu_s"] for row in rows)
    tested = (2 * size.abnormal for size in (small, large))
    metrics = line(*((clips, row["metrics_cpu_s"]) for clips, row in zip(tested, rows, strict=True)))
    return {"training": training, "scoring": scoring, "metrics": metrics}


def reference_costs(folder: Path, sizes: list[tuple[int, int]], epochs: int, models: list[str]) -> dict[str, Any]:
    """What the file of the estimates holds."""
    small, large = (Size(folder / f"{sum(clips)}", clips) for clips in sizes)
    costs, speeds = {}, []
    for model in models:
        speeds.append(time_workloads(3))
        costs[model] = model_costs(model, small, large, epochs)
        print(model, json.dumps(costs[model]), flush=True)
    metrics = [of_model.pop("metrics") for of_model in costs.values()]
    jobs = {name: line(*((size.clips, size.costs[name]) for size in (small, large))) for name in small.costs}
    jobs["metrics"] = {key: statistics.median(row[key] for row in metrics) for key in metrics[0]}
    return {
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "date": datetime.date.today().isoformat(),
            **versions("torch"),
        },
        "speed": {name: statistics.median(itertools.chain(*(own[name] for own in speeds))) for name in speeds[0]},
        "jobs": jobs,
        "models": costs,
    }


def check(folder: Path, clips: tuple[int, int], epochs: int, models: list[str]) -> dict[str, Any]:
    """said: the estimate, as a dry run prints it. cpu_s: what it cost, without planning."""
    copy_workflow(folder)
    section = configuration(folder, clips, CHANNELS)
    config = {
        **section,
        "models": {name: {} for name in models},
        "settings": {"epochs": epochs},
        "report": {"tables": False, "figures": [], "page": False},
    }
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    command = ("-m", "mimii", "run", "--cores", "1")
    printed, _ = run(folder, *command, "--dry-run")
    said = [text.strip() for text in printed.splitlines() if "Estimated" in text or "most of it" in text]
    _, costs = run(folder, *command)
    _, planning = run(folder, *command)
    return {"said": said, "cpu_s": costs["cpu_s"] - planning["cpu_s"]}


def processor() -> str:
    """Its name, as Linux has it; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((text.partition(": ")[2] for text in lines if text.startswith("model name")), platform.machine())


def rounded(values: Any) -> Any:
    """Figures of three digits, at any depth."""
    if isinstance(values, dict):
        return {key: rounded(value) for key, value in values.items()}
    return float(f"{values:.3g}") if isinstance(values, float) else values


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=model_names(), default=model_names())
    parser.add_argument("--check", action="store_true", help="hold an estimate against reality")
    parser.add_argument("--clips", type=int, nargs=2, default=(55, 10), metavar=("NORMAL", "ABNORMAL"))
    parser.add_argument("--more-clips", type=int, nargs=2, default=(220, 40), metavar=("NORMAL", "ABNORMAL"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--output", type=Path, help="where to write the file of the estimates")
    arguments = parser.parse_args()
    if arguments.output and set(arguments.models) != set(model_names()):
        parser.error("--output: with --models, figures of other models would be lost")
    with tempfile.TemporaryDirectory() as temporary:
        folder, clips = Path(temporary), tuple(arguments.clips)
        if arguments.check:
            figures = rounded(check(folder, clips, arguments.epochs, arguments.models))
        else:
            figures = rounded(
                reference_costs(folder, [clips, tuple(arguments.more_clips)], arguments.epochs, arguments.models)
            )
    text = yaml.safe_dump(figures, sort_keys=False, default_flow_style=None, width=120)
    print(text)
    if arguments.output:
        arguments.output.write_text(HEADER + text)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
