"""Time and memory of planning: what Snakemake and this workflow need before, or without, any job.

    python benchmarks/planning.py [--seeds 5] [--profile] [--json FILE]

In a copy of the workflow, over as many (empty) recordings as MIMII has: a dry run of every model of config.yaml x 48
sections x five seeds where nothing is there; and Snakemake's whole answer where all runs of one seed are finished
(empty files in their place, recorded as finished). --profile shows where the dry run's time goes, by package.
"""

import argparse
import itertools
import os
import pstats
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from workbench import REPOSITORY, copy_workflow, write_figures

from mimii.planning.plan import Plan

SECTIONS = (["6dB", "0dB", "min6dB"], ["fan", "pump", "slider", "valve"], ["id_00", "id_02", "id_04", "id_06"])
CLIPS = {"normal": 922, "abnormal": 204}
GOALS = {"dry_run_cpu_s": 14, "nothing_to_do_cpu_s": 10, "peak_rss_mb": 600}


def configuration(seeds: int) -> dict[str, Any]:
    """The shipped benchmark without tables, figures and page."""
    shipped = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    return {
        "dataset": {"source": "folder", "root": "dataset"},
        "models": shipped["models"],
        "seeds": list(range(seeds)),
        "report": {"tables": False, "figures": [], "page": False},
    }


def make_recordings(root: Path) -> None:
    """Empty files: 48 sections of the mean size, 54,048 clips; MIMII has 54,057."""
    for section in itertools.product(*SECTIONS):
        for label, count in CLIPS.items():
            folder = root.joinpath(*section, label)
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number:08d}.wav").touch()


def snakemake(folder: Path, *arguments: str) -> tuple[str, dict[str, float]]:
    """Run it in `folder`. Returns what it printed, and wall seconds, CPU seconds and peak memory in MB."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
    if process.returncode:
        sys.exit(f"failed: {' '.join(command)}\n{printed[-2000:]}")
    return printed, {
        "wall_s": time.perf_counter() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss * 1024 / 1e6,
    }


def make_finished(folder: Path, plan: Plan) -> None:
    """An empty file for every output, in the order in which jobs would write them; recorded by `--touch`. The CSV has a
    header: one without is somebody's own, which the workflow does not replace.
    """
    layers: list[list[str]] = [[], [], [], [], [plan.results_csv]]
    for run in plan.runs():
        layers[0].append(plan.features_file(run.variant, run.section))
        for layer, names in (
            (1, [plan.model_file(run.variant.model), "losses.parquet", "training.json"]),
            (2, ["scores.parquet", "scoring.json"]),
            (3, ["metrics.json"]),
        ):
            folder_of = run.training_path if layer == 1 else run.path
            layers[layer] += [f"{plan.runs_root}/{folder_of}/{name}" for name in names]
    now = time.time()
    for age, layer in enumerate(layers):
        for name in dict.fromkeys(layer):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("run_path\n" if name == plan.results_csv else "")
            os.utime(path, (now + age - 1000, now + age - 1000))
    snakemake(folder, "--touch", "--quiet", "all")


def profiled(folder: Path) -> None:
    """Print the seconds of the dry run by package."""
    code = "from snakemake.cli import main; main(['--dry-run', '--quiet', 'all', '--cores', '2'])"
    command = [sys.executable, "-c", f"import cProfile; cProfile.run({code!r}, 'profile')"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    spent: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, _) in pstats.Stats(str(folder / "profile")).stats.items():
        match = re.search(r"site-packages/([^/]+)|/(mimii)/|(workflow)/rules", file)
        spent[next(filter(None, match.groups())) if match else "Python"] += own
    for package, seconds in spent.most_common(10):
        print(f"  {package:30} {seconds:6.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="show where the time of the dry run goes")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_workflow(folder)
        make_recordings(folder / "dataset")
        config = folder / "config" / "config.yaml"

        config.write_text(yaml.safe_dump(configuration(arguments.seeds)))
        printed, dry = snakemake(folder, "--dry-run", "--quiet", "rules")
        if arguments.profile:
            profiled(folder)
        jobs = int(re.search(r"^total\s+(\d+)", printed, re.MULTILINE)[1])

        config.write_text(yaml.safe_dump(configuration(1)))
        os.chdir(folder)  # the recordings' folder is given from here
        plan = Plan(configuration(1))
        make_finished(folder, plan)
        printed, nothing = snakemake(folder)
        if "Nothing to be done" not in printed:
            sys.exit(f"there was something to do:\n{printed[:2000]}")
        figures = {
            "runs": len(list(Plan(configuration(arguments.seeds)).runs())),
            "jobs": jobs,
            **{f"dry_run_{name}": value for name, value in dry.items()},
            "finished_runs": len(list(plan.runs())),
            **{f"nothing_to_do_{name}": value for name, value in nothing.items()},
            "peak_rss_mb": max(dry["peak_rss_mb"], nothing["peak_rss_mb"]),
        }
    for name, value in figures.items():
        limit = f"   goal: at most {GOALS[name]}" if name in GOALS else ""
        print(f"{name:26} {value:10,.1f}{limit}")
    if arguments.json:
        write_figures(arguments.json, {**figures, "goals": GOALS})
