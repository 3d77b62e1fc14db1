"""The benchmark through profiles/slurm, on a real Slurm that these tests bring up: see slurm.py.

Three benchmarks run at the same time, so that the one whose job has to outlast its time limit costs no time of its own.
"""

import csv
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest
import yaml
from cluster import slurm
from workspace import QUICK, REPOSITORY, TINY, Workspace

from mimii.planning.resources import ESTIMATOR, LEAST_MINUTES, METRICS_MINUTES

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm"]
RUN = [sys.executable, "-m", "mimii", "run", "--profile", "slurm"]
PATIENCE = 1200  # seconds until a benchmark counts as stuck, on a busy machine

# What a site changes, for this one: a cluster of a minute's life, whose node is this machine.
SITE = {
    "slurm-status-command": "squeue",
    "seconds-between-status-checks": 2,
    "slurm-init-seconds-before-status-checks": 2,
    "latency-wait": 10,
    "jobs": 20,
}

# Put before scripts/train_model.py: each training job writes what it sees of Slurm, and may go wrong.
WITNESS = """
import atexit, json, os, sys, time
from pathlib import Path
_job = json.loads(sys.argv[sys.argv.index("--job") + 1])
_name = f"{_job['model']} {_job['scope'].split('/')[1]}"

def _write(event):
    line = [event, _name, os.environ["SLURM_JOB_ID"], os.environ.get("CUDA_VISIBLE_DEVICES"), time.time()]
    with Path("witness.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\\n")

_attempt = 1 + sum(json.loads(line)[:2] == ["start", _name] for line in Path("witness.jsonl").read_text().splitlines())
_write("start")
atexit.register(_write, "end")
"""
OUTGROWS = "if _name == 'mahalanobis fan': _large = bytearray(1_500_000_000); time.sleep(4)\n"
OUTLASTS = "if _name == 'pca fan' and _attempt == 1: time.sleep(600)\n"
SLOW = "if _name == 'pca fan': Path('slow').touch(); time.sleep(25)\n"
FAILS = "if _name == 'pca fan': sys.exit('pca cannot be trained')\n"

# Columns that tell the time, the machine, or what it had to spare.
OF_THE_MACHINE = re.compile(r"time|throughput|memory|_cpu_sec$|_ms$|_load$|host|versions|git_revision")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Slurm on this machine, for as long as the tests of this file need it."""
    if os.geteuid() != 0:
        pytest.skip("only root can bring up Slurm")
    with open("/run/mimii-slurm.lock", "w") as lock:  # noqa: PTH123
        fcntl.flock(lock, fcntl.LOCK_EX)
        if reason := slurm.missing():
            pytest.skip(reason)
        with slurm.running(tmp_path_factory.mktemp("slurm")):
            yield


class OnCluster(Workspace):
    """A workspace whose benchmark runs on Slurm."""

    def __init__(self, folder, models, fault, site=()):
        super().__init__(folder)
        self.configure({**TINY, "settings": {"epochs": 1}, "metrics": QUICK, "models": {name: {} for name in models}})
        script = folder / "scripts" / "train_model.py"
        docstring, rest = script.read_text().split("\n", 1)
        script.write_text(f"{docstring}\n{WITNESS}{fault}{rest}")
        (folder / "witness.jsonl").touch()
        profile = folder / "profiles" / "slurm" / "profile.yaml"
        profile.write_text(yaml.safe_dump({**yaml.safe_load(profile.read_text()), **SITE, **dict(site)}))

    def start(self, command, name="output"):
        """Start a command; what it prints goes to a file."""
        self.output = self.folder / f"{name}.txt"
        with self.output.open("w") as file:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def witnessed(self, event):
        """[name, Slurm job, CUDA_VISIBLE_DEVICES, time] of each training job that started or ended."""
        lines = (json.loads(line) for line in (self.folder / "witness.jsonl").read_text().splitlines())
        return [line[1:] for line in lines if line[0] == event]

    def starts(self):
        """How often each was trained."""
        names = [name for name, *_ in self.witnessed("start")]
        return {name: names.count(name) for name in names}

    def results(self):
        """results.csv without what depends on the machine."""
        with (self.folder / "results" / "results.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [{name: value for name, value in row.items() if not OF_THE_MACHINE.search(name)} for row in rows]


def finished(process, workspace):
    """The exit code of a benchmark, and what it printed."""
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"stuck:\n{workspace.output.read_text()[-4000:]}")
    return process.returncode, workspace.output.read_text()


def wait_until(condition, process, workspace):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"ended, or stuck, too early:\n{workspace.output.read_text()[-4000:]}")
        time.sleep(0.1)


@contextmanager
def started(workspace, command):
    process = workspace.start(command)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def strained(cluster, tmp_path_factory):
    """A benchmark in which one job outgrows its memory and another its time; started first, looked at last."""
    models = ["simple_ae", "pca", "mahalanobis"]
    sleeper = "attempt == 1 and wildcards.model == 'pca' and '/fan/' in wildcards."
    folder = tmp_path_factory.mktemp("strained")
    workspace = OnCluster(folder, models, OUTGROWS + OUTLASTS)
    profile = folder / "profiles" / "slurm" / "profile.yaml"
    settings = yaml.safe_load(profile.read_text())
    for rule, minutes, path in (
        ("train_classical_model", 1, "scope"),
        ("score_clips", 0, "section"),
        ("compute_metrics", 0, "section"),
    ):
        limit = {"runtime": f"{minutes} if {sleeper}{path} else 60"}
        settings["set-resources"].setdefault(rule, {}).update(limit)
    profile.write_text(yaml.safe_dump(settings))
    with started(workspace, SNAKEMAKE) as process:
        yield workspace, process


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The same benchmark without a cluster."""
    workspace = OnCluster(tmp_path_factory.mktemp("local"), ["simple_ae", "pca", "mahalanobis"], "")
    script = workspace.folder / "scripts" / "train_model.py"
    script.write_text((Workspace.shipped().parent / "scripts" / "train_model.py").read_text())
    workspace.snakemake(
        python=sys.executable
    )  # jobs on a cluster are no forks, and load no more libraries than they need
    return workspace.results()


def test_a_failing_model_does_not_stop_the_others(strained, tmp_path):
    workspace = OnCluster(tmp_path, ["pca", "mahalanobis"], FAILS, {"retries": 1})
    with started(workspace, RUN) as process:
        code, printed = finished(process, workspace)
    assert code == 1
    assert len(list((tmp_path / "results" / "runs").rglob("metrics.json"))) == 3
    assert workspace.starts() == {"pca fan": 2, "pca valve": 1, "mahalanobis fan": 1, "mahalanobis valve": 1}
    message = printed[printed.rindex("job failed, ") :]
    run = "results/runs/pca/default/seed=42/6dB/fan/id_00"
    assert f"train pca, 6dB/fan/id_00, seed 42: {run}/train_model.log" in message
    assert "1 job failed" in printed
    assert "mahalanobis" not in message
    assert "valve" not in message
    assert "3 of 4 runs are complete" in message
    assert "pca cannot be trained" in printed


def test_killed_in_the_middle_it_goes_on(strained, local, tmp_path):
    workspace = OnCluster(tmp_path, ["pca", "mahalanobis"], SLOW)
    runs = tmp_path / "results" / "runs"

    def three_of_four():
        return len(list(runs.rglob("metrics.json"))) == 3 and (tmp_path / "slow").exists()

    with started(workspace, SNAKEMAKE) as process:
        wait_until(three_of_four, process, workspace)
        time.sleep(5)  # so that Snakemake has seen them
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = workspace.starts()
    assert before["pca fan"] == 1
    with started(workspace, [*SNAKEMAKE, "--unlock"]) as process:
        assert finished(process, workspace)[0] == 0
    with started(workspace, SNAKEMAKE) as process:
        while process.poll() is None:  # the job of before is still at work: what is there is whole at every moment
            for path in runs.rglob("*.json"):
                json.loads(path.read_text())
            for path in runs.rglob("*.parquet"):
                pq.read_table(path)
            time.sleep(0.2)
        code, printed = finished(process, workspace)
    assert code == 0, printed
    after = workspace.starts()
    after.pop("pca fan"), before.pop("pca fan")
    assert before == after
    assert workspace.results() == [row for row in local if row["model"] != "simple_ae"]
    assert not list(runs.rglob(".*.tmp"))


def test_same_results_as_without_a_cluster(strained, local):
    workspace, process = strained
    code, printed = finished(process, workspace)
    assert code == 0, printed
    assert workspace.results() == local


def test_what_outgrew_its_memory_or_its_time_was_submitted_again_with_more(strained):
    workspace, process = strained
    assert finished(process, workspace)[0] == 0
    starts = workspace.starts()
    assert starts["mahalanobis fan"] == 2
    assert starts["pca fan"] == 2
    jobs = {}
    for name, job, *_ in workspace.witnessed("start"):
        jobs.setdefault(name, []).append(asked_for(job))
    (memory, _), (more_memory, _) = jobs["mahalanobis fan"]
    assert memory < 1500 < more_memory
    (_, minutes), (_, more_minutes) = jobs["pca fan"]
    assert minutes == 1 < more_minutes


def test_a_gpu_job_has_the_gpu_to_itself(strained):
    workspace, process = strained
    assert finished(process, workspace)[0] == 0
    starts, ends = workspace.witnessed("start"), workspace.witnessed("end")
    assert {gpu for name, _, gpu, _ in starts if name.startswith("simple_ae")} == {"0"}
    assert {gpu for name, _, gpu, _ in starts if not name.startswith("simple_ae")} == {None}
    spans = sorted(
        (begin, end)
        for name, job, _, begin in starts
        for other, its, _, end in ends
        if name.startswith("simple_ae") and (name, job) == (other, its)
    )
    assert len(spans) == 2
    assert spans[0][1] < spans[1][0]


def test_each_run_is_one_submission(strained):
    workspace, process = strained
    code, printed = finished(process, workspace)
    assert code == 0
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+)", printed)
    features, runs, again = 2, 6, 2
    assert len(submitted) == features + runs + again


def test_runs_that_share_a_submission_ask_for_the_memory_of_one(strained, tmp_path):
    workspace = OnCluster(tmp_path, ["pca"], "", {"group-components": ["run_{model}=2"]})
    with started(workspace, SNAKEMAKE) as process:
        code, printed = finished(process, workspace)
    assert code == 0, printed
    (job,) = {job for _, job, *_ in workspace.witnessed("start")}
    assert workspace.starts() == {"pca fan": 1, "pca valve": 1}
    memory, minutes = asked_for(job)
    assert memory == pytest.approx(ESTIMATOR, rel=0.01)
    assert minutes == 2 * (2 * LEAST_MINUTES + METRICS_MINUTES)


def asked_for(job):
    """Memory in MB and minutes that a job of Slurm's asked for."""
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    memory = float(re.search(r"MinMemoryNode=([\d.]+)M", shown)[1])
    hours, minutes, _ = re.search(r"TimeLimit=(\d+):(\d+):(\d+)", shown).groups()
    return memory, 60 * int(hours) + int(minutes)


def test_the_page_s_commands_are_these():
    page = (REPOSITORY / "docs" / "cluster.md").read_text()
    for command in (SNAKEMAKE[2:], [*SNAKEMAKE[2:], "--unlock"], ["python", *RUN[1:]]):
        assert " ".join(command) in page
