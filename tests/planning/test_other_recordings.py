"""Runs of another dataset with equal section names: said before they are replaced."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_benchmark import SECTION, Benchmark, make_benchmark, working_in, write_section
from workspace import REPOSITORY

from mimii.launch.jobs import Durations, Job
from mimii.launch.messages import describe_plan
from mimii.launch.request import Request
from mimii.planning.other_recordings import describe_other_recordings, runs_of_other_recordings
from mimii.planning.plan import Plan


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    make_benchmark(folder)
    with working_in(folder):
        write_section(Path("other", SECTION), normal=13)
    return folder


@pytest.fixture
def config(finished, tmp_path, monkeypatch):
    """Configuration of a finished benchmark in the working directory; other recordings lie in `other`."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Benchmark().config


def with_root(config, root, **changes):
    return {**config, "dataset": {**config["dataset"], "root": root}, **changes}


def test_a_second_root_with_equal_section_names_is_told_whose_runs_are_there(config):
    assert describe_other_recordings(Plan(config)) is None
    note = describe_other_recordings(Plan(with_root(config, "other")))
    assert "1 of the runs in results/runs are of other recordings of 6dB/fan/id_00 than those in other " in note
    assert "pca/components=4/seed=42/6dB/fan/id_00, trained on " in note
    assert f" on {os.uname().nodename})" in note
    for advice in (
        "paths.features and paths.runs",
        "check_dataset --content",
        "replaced as they run again, from the features on",
    ):
        assert advice in note
    own = {"features": "own/features", "runs": "own/runs"}
    assert describe_other_recordings(Plan(with_root(config, "other", paths=own))) is None


@pytest.mark.parametrize("planned", [[Job("train_classical_model")], []])
def test_it_is_said_before_a_start(config, capsys, tmp_path, planned):
    plan = Plan(with_root(config, "other"))
    describe_plan(Request(), plan, planned, Durations(tmp_path))
    assert describe_other_recordings(plan) in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recordings": []}', '{"recordings": {"6dB/fan/id_00": 1}}', "\0"])
def test_of_a_damaged_record_nothing_is_known(config, text):
    plan = Plan(with_root(config, "other"))
    record = Path("results/runs", next(plan.runs()).path, "training.json")
    values = json.loads(record.read_text())
    record.write_text(text)
    assert list(runs_of_other_recordings(plan)) == []
    record.write_text(json.dumps({**values, "host": 5}))
    assert [earlier.host for earlier in runs_of_other_recordings(plan)] == [None]


def test_a_plain_snakemake_says_it_too_and_of_a_classifier_with_few_sections(config):
    for part in ("Snakefile", "workflow", "profiles", "environment.yml"):
        source = REPOSITORY / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, part)
    Path("config").mkdir()
    models = {**config["models"], "id_classifier": {}}
    Path("config/config.yaml").write_text(json.dumps(with_root(config, "other", models=models)))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--quiet", "all"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("are of other recordings of 6dB/fan/id_00") == 1
    assert done.stderr.count("id_classifier (train_per: snr) tells sections apart") == 1
