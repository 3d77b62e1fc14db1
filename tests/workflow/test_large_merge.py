"""A study of so many variants that its merge is no argument of a command any more."""

import json
import subprocess
import sys

import pytest
from made_up_runs import METRICS_SETTINGS, write_run
from small_benchmark import working_in
from workspace import REPOSITORY, TINY, write_recordings

from mimii.common.canonical import to_json
from mimii.evaluation.results import read_results
from mimii.evaluation.row import compute_metrics
from mimii.planning import job_parameters
from mimii.planning.plan import Plan
from mimii.runs.records import MetricsRecord

SHORT = {"latent": 4, "batch_size": 128}
# Fewer variants make as long a text where they have more to say.
LONG = {
    **SHORT,
    "adam_epsilon": 1e-7,
    "best_epoch": True,
    "early_stopping_patience": 1000,
    "epochs": 1000,
    "frames": 10,
    "hop_frames": 10,
    "initialization": "keras",
    "standardize": False,
    "val_split": 0.25,
}
ARGUMENT = 131_072  # bytes that an argument of a command may have on Linux


def study_of(count, others):
    """One section, one model, and a study of `count` variants of it, which have `others` for settings, too."""
    variants = [{"learning_rate": (number + 1) / 1e5, **others} for number in range(count)]
    return {
        **TINY,
        "dataset": {"root": "recordings"},
        "models": {"simple_ae": {}},
        "studies": {"rates": {"model": "simple_ae", "variants": variants}},
        "metrics": METRICS_SETTINGS,
    }


def write_metrics(plan, folder):
    """metrics.json of every run of a plan: those of one made-up run, with each run's own name and settings."""
    contents = json.loads(job_parameters.merge_job(plan))
    own = job_parameters.recorded_columns(contents)["simple_ae"]
    made_of = {section: {"listed": listed, "content": "content"} for section, listed in contents["recordings"].items()}
    model = MetricsRecord.parse(
        compute_metrics(*write_run(folder / "made_up", model="simple_ae", recordings=made_of), METRICS_SETTINGS).plain()
    )
    for run in plan.runs():
        path = folder / plan.runs_root / run.path / "metrics.json"
        path.parent.mkdir(parents=True)
        names = {"variant": run.variant.name, "seed": run.seed, "run_path": run.path, "training_path": run.path}
        settings = {"settings": to_json(run.settings), "features": to_json(run.features)}
        MetricsRecord({**model.row, **names, **settings, **own}, model.scores).write(path)


def benchmark_of(count, folder, others=SHORT):
    """A plan of a study and the metrics of its runs, in `folder`."""
    write_recordings(folder / "recordings/6dB/fan/id_00")
    with working_in(folder):
        plan = Plan(study_of(count, others))
        write_metrics(plan, folder)
        return plan, job_parameters.merge_job(plan)


@pytest.mark.slow
def test_snakemake_merges_more_variants_than_fit_into_a_command(workspace):
    plan, job = benchmark_of(320, workspace.folder, LONG)
    assert len(job) > ARGUMENT
    workspace.configure(study_of(320, LONG))
    workspace.snakemake()
    with working_in(workspace.folder):
        results = read_results("results/results.csv")
        study = read_results("results/studies/rates.csv")
    assert results["run_path"].to_list() == [run.path for run in plan.runs()]
    assert study["run_path"].to_list() == [run.path for run in plan.runs(study="rates")]


@pytest.mark.slow
def test_ten_thousand_variants_are_merged(tmp_path):
    plan, job = benchmark_of(9_999, tmp_path)
    (tmp_path / "job.json").write_text(job)
    command = [sys.executable, REPOSITORY / "scripts/merge_results.py", "--runs", plan.runs_root]
    command += ["--features", plan.features_root, "--job", "@job.json", "--output", "results/results.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(read_results(tmp_path / "results/results.csv")) == 10_000
