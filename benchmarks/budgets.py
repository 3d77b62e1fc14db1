"""What each model costs on a section of MIMII's size, beside its budget.

    python benchmarks/budgets.py [--models vae ...] [--folder FOLDER] [--jobs 2] [--json FILE]

Makes up recordings of the size of fan id_00 (1,011 normal and 407 abnormal clips of 10 s; one channel, since a model
sees one of the eight), extracts their features, and runs each model's training, scoring and metrics with default
settings as the workflow does: the same scripts with the same parameters, a process each. With --jobs 2, two run side by
side. A machine that does other work too stretches wall times; CPU times hardly.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workbench import ONE_THREAD, REPOSITORY, write_figures

from mimii.common.canonical import to_json
from mimii.data.sections import Section
from mimii.detectors.declaration import model_declaration, model_names
from mimii.planning import job_parameters
from mimii.planning.plan import Plan

SCRIPTS = REPOSITORY / "scripts"
SECTION = "6dB/fan/id_00"
REFERENCES = ("mahalanobis", "pca")
MINUTE = 60
BUDGETS = {"one_class_svm": 60, "isolation_forest": 10}  # seconds of training and scoring; a network has 6 minutes
NETWORK_BUDGET, ALL_BUDGET, MEMORY_BUDGET_MB = 6 * MINUTE, 30 * MINUTE, 1500
OVERHEAD_GOAL = 1.4


def configuration(folder: Path, clips: tuple[int, int], channels: int = 1) -> dict[str, Any]:
    normal, abnormal = clips
    snr, machine, identity = SECTION.split("/")
    made_up = {"snrs": [snr], "machines": [machine], "ids": [identity], "seconds": 10, "channels": channels, "seed": 3}
    return {
        "dataset": {
            "source": "made_up",
            "root": str(folder / "dataset"),
            "made_up": {**made_up, "normal_clips": normal, "abnormal_clips": abnormal},
        },
        "models": {name: {} for name in model_names()},
    }


def run(script: str, **arguments: object) -> dict[str, float]:
    """Run a script of the workflow to its end. Returns wall seconds, CPU seconds and peak resident memory in MB."""
    command = [sys.executable, str(SCRIPTS / f"{script}.py")]
    for name, value in arguments.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **ONE_THREAD})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return {
        "wall_s": time.perf_counter() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss * 1024 / 1e6,
    }


def make_recordings(folder: Path, plan: Plan) -> dict[str, float]:
    """Returns what it costs, as `run`."""
    section = Section.parse(SECTION)
    record = folder / "dataset" / section.path / "made_up.json"
    return run("make_demo_dataset", record=record, section=section, job=job_parameters.made_up_job(plan))


def extract_features(plan: Plan, features: Path) -> dict[str, float]:
    """Returns what it costs, as `run`."""
    job = job_parameters.features_job(plan, "default", Section.parse(SECTION))
    files = {"output": features, "record": features.with_suffix(".json")}
    return run("extract_features", dataset=to_json(plan.config["dataset"]), job=job, **files)


def make_features(folder: Path, plan: Plan) -> Path:
    """Recordings and features, unless the folder has them from an earlier call."""
    features = folder / "features.parquet"
    if not features.exists():
        make_recordings(folder, plan)
        extract_features(plan, features)
    return features


def measure(folder: Path, plan: Plan, features: Path, name: str, variant: str = "default") -> dict[str, float]:
    """Train and score one model, and compute its metrics."""
    place, section = folder / name, Section.parse(SECTION)
    place.mkdir(exist_ok=True)
    files = {"model_file": place / f"model{Path(plan.model_file(name)).suffix}", "features": features}
    compute = {"device": "cpu", "threads": 1}
    training = run(
        "train_model",
        **files,
        **compute,
        job=job_parameters.training_job(plan, name, variant, "42", plan.base_run(name, section).scope),
        losses=place / "losses.parquet",
        record=place / "training.json",
    )
    scoring = run(
        "score_clips",
        **files,
        **compute,
        job=job_parameters.scoring_job(plan, name, section),
        training=place / "training.json",
        scores=place / "scores.parquet",
        record=place / "scoring.json",
    )
    metrics = run(
        "compute_metrics",
        scores=place / "scores.parquet",
        training=place / "training.json",
        scoring=place / "scoring.json",
        job=job_parameters.metrics_job(plan),
        output=place / "metrics.json",
    )
    inside = {key: json.loads((place / f"{key}.json").read_text()) for key in ("training", "scoring")}
    row = {f"training_{key}": value for key, value in training.items()}
    row |= {f"scoring_{key}": value for key, value in scoring.items()}
    row |= {f"metrics_{key}": value for key, value in metrics.items()}
    row["fitting_s"] = inside["training"]["training_time_sec"]
    row["scoring_s"] = inside["scoring"]["scoring_time_sec"]
    row["fitting_cpu_s"] = inside["training"]["training_cpu_sec"]
    row["scoring_inside_cpu_s"] = inside["scoring"]["scoring_cpu_sec"]
    for key in ("wall_s", "cpu_s"):
        row[key] = training[key] + scoring[key] + metrics[key]
    row["peak_rss_mb"] = max(training["peak_rss_mb"], scoring["peak_rss_mb"], metrics["peak_rss_mb"])
    row["budget_s"] = BUDGETS.get(name, NETWORK_BUDGET if model_declaration(name).base == "network" else None)
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=model_names(), default=model_names())
    parser.add_argument("--folder", type=Path, help="where recordings and results are kept (default: nowhere)")
    parser.add_argument("--clips", type=int, nargs=2, default=(1011, 407), metavar=("NORMAL", "ABNORMAL"))
    parser.add_argument("--jobs", type=int, default=1, help="models side by side")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(configuration(folder, arguments.clips))
        features = make_features(folder, plan)
        heads = ["training CPU s", "scoring CPU s", "metrics CPU s", "wall s", "budget s", "peak MB"]
        print("| model | " + " | ".join(heads) + " |\n|---" + "|---:" * len(heads) + "|")
        started = time.perf_counter()
        figures = {}
        with ThreadPoolExecutor(arguments.jobs) as pool:
            rows = pool.map(lambda name: measure(folder, plan, features, name), arguments.models)
            for name, row in zip(arguments.models, rows, strict=True):
                figures[name] = row
                print(
                    f"| {name} | {row['training_cpu_s']:.1f} | {row['scoring_cpu_s']:.1f} | "
                    f"{row['metrics_cpu_s']:.1f} | {row['wall_s']:.1f} | {row['budget_s'] or ''} "
                    f"| {row['peak_rss_mb']:.0f} |",
                    flush=True,
                )
        wall = time.perf_counter() - started
    ten = sum(row["cpu_s"] for name, row in figures.items() if name not in REFERENCES)
    most = max(row["peak_rss_mb"] for row in figures.values())
    print(f"\nWithout the references: {ten:.0f} CPU s (budget of ten on two cores: {2 * ALL_BUDGET} s)")
    print(f"All, {arguments.jobs} at a time: {wall:.0f} s; most memory: {most:.0f} MB (budget: {MEMORY_BUDGET_MB} MB)")
    inside = sum(row["fitting_s"] + row["scoring_s"] for row in figures.values())
    outside = sum(row["wall_s"] for row in figures.values()) / inside
    print(f"Wall time of all jobs: {outside:.2f} times that inside fitting and scoring (goal: at most {OVERHEAD_GOAL})")
    if arguments.json:
        together = {"jobs": arguments.jobs, "wall_s": wall, "wall_over_inside": outside}
        write_figures(arguments.json, {"models": figures, **together})
