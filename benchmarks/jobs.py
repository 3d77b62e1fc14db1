"""What a job costs before it computes, and what two side by side gain.

    python benchmarks/jobs.py [--repeat 3] [--json FILE]

Fixed costs: CPU time of the workflow's own scripts on a section of 14 short clips, where there is next to nothing to
compute: start, imports, loading, writing; the median of several. Side by side: two trainings of the simple autoencoder,
one after the other and at once; wall times, so the machine must be idle.
"""

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from budgets import SECTION, configuration, make_features, measure, run
from workbench import write_figures

from mimii.planning import job_parameters
from mimii.planning.plan import Plan

GOALS = {"score_network_cpu_s": 2, "metrics_cpu_s": 1.5, "two_jobs_ratio": 1.8}
SLUG = "epochs=20"


def fixed_costs(folder: Path, repeat: int) -> dict[str, float]:
    plan = Plan(configuration(folder, (12, 2)))
    features = make_features(folder, plan)
    networks = [measure(folder, plan, features, "simple_ae") for _ in range(repeat)]
    classical = [measure(folder, plan, features, "one_class_svm") for _ in range(repeat)]
    return {
        "score_network_cpu_s": statistics.median(row["scoring_cpu_s"] for row in networks),
        "score_classical_cpu_s": statistics.median(row["scoring_cpu_s"] for row in classical),
        "metrics_cpu_s": statistics.median(row["metrics_cpu_s"] for row in networks + classical),
        "metrics_peak_rss_mb": max(row["metrics_peak_rss_mb"] for row in networks + classical),
    }


def two_jobs(folder: Path) -> dict[str, float]:
    plan = Plan(configuration(folder, (230, 30)))
    features = make_features(folder, plan)

    def train(number: int) -> float:
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        files = {"model_file": place / "model.pth", "losses": place / "losses", "record": place / "record.json"}
        job = job_parameters.training_job(plan, "simple_ae", SLUG, str(number), SECTION)
        return run("train_model", features=features, job=job, device="cpu", threads=1, **files)["wall_s"]

    train(0)
    after_each_other = train(1) + train(2)
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, (1, 2)))
    at_once = time.perf_counter() - started
    return {
        "one_after_the_other_s": after_each_other,
        "side_by_side_s": at_once,
        "two_jobs_ratio": after_each_other / at_once,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        figures = {**fixed_costs(Path(first), arguments.repeat), **two_jobs(Path(second))}
    for name, value in figures.items():
        goal = GOALS.get(name)
        limit = "" if goal is None else f"   goal: at {'least' if name == 'two_jobs_ratio' else 'most'} {goal}"
        print(f"{name:26} {value:8.2f}{limit}")
    if arguments.json:
        write_figures(arguments.json, {**figures, "goals": GOALS})
