"""Kills, signals, full disks and second starts: the next start goes on, and the CSV is that of an undisturbed run."""

import contextlib
import csv
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import warm_python
from workspace import QUICK, TINY, Workspace

pytestmark = pytest.mark.slow

# In the order of the jobs. A start makes one rule's files, so that the next rule's jobs are there to be killed.
STAGES = ["make_demo_dataset", "extract_features", "train_model", "score_clips", "compute_metrics", "merge_results"]
ROUNDS = 2
CONFIG = {
    **TINY,
    "dataset": {**TINY["dataset"], "made_up": {**TINY["dataset"]["made_up"], "machines": ["fan"]}},
    "settings": {"epochs": 1},
    "models": {"simple_ae": {}, "pca": {"components": 4}},
    "metrics": QUICK,
}
FEATURES = "results/features/default/6dB/fan/id_00.parquet"
# Columns that say how long something took or how much memory it needed.
COSTS = re.compile("time|throughput|memory|_cpu_sec$|_ms$|_load$")


def disturbed(folder):
    folder.mkdir(exist_ok=True)
    workspace = Workspace(folder)
    workspace.configure(CONFIG)
    return workspace


def rows(workspace):
    """results.csv without what differs from one undisturbed run to the next."""
    with (workspace.folder / "results" / "results.csv").open(newline="") as file:
        return [{name: cell for name, cell in row.items() if not COSTS.search(name)} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The rows of a run that nothing disturbed."""
    workspace = disturbed(tmp_path_factory.mktemp("undisturbed"))
    workspace.snakemake()
    return rows(workspace)


def start(workspace, *arguments):
    """Snakemake, as the leader of a process group of its own."""
    log = (workspace.folder / "printed.log").open("ab")
    return subprocess.Popen(
        workspace.command(*arguments),
        cwd=workspace.folder,
        env={**workspace.environment, "MIMII_TEST": str(workspace.folder)},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def printed(workspace):
    return (workspace.folder / "printed.log").read_text()


def processes(workspace):
    """Numbers of the processes that were started from `workspace` and live."""
    token = f"MIMII_TEST={workspace.folder}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if token in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def kill_all(workspace, process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # A job may have made itself a group of its own.
    for number in processes(workspace):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def nothing_half_written(workspace):
    """Every file of results that has its own name can be read."""
    for path in (workspace.folder / "results").rglob("*.parquet"):
        if not path.name.startswith("."):
            pq.read_metadata(path)
    for path in (workspace.folder / "results").rglob("*.json"):
        if not path.name.startswith("."):
            assert path.read_text().endswith("}\n")


def locked(workspace):
    return any((workspace.folder / ".snakemake" / "locks").glob("*"))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_in_every_stage_it_goes_on(tmp_path, undisturbed, seed):
    """Once while jobs of each rule are at work: as they start, as they write, and as Snakemake takes notice."""
    moments = random.Random(seed)
    workspace = disturbed(tmp_path)
    killed = []
    for rule in STAGES:
        (workspace.folder / "printed.log").unlink(missing_ok=True)
        process = start(workspace, "--until", rule)
        while process.poll() is None and f"rule {rule}:" not in printed(workspace):
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 1.5))
        if process.poll() is None:
            kill_all(workspace, process)
            killed.append(rule)
        # What `snakemake --unlock` does, without the seconds of its start; another test asks for it.
        shutil.rmtree(workspace.folder / ".snakemake" / "locks", ignore_errors=True)
        nothing_half_written(workspace)
    assert len(killed) > 2
    workspace.snakemake()
    assert rows(workspace) == undisturbed
    assert not list(workspace.folder.rglob("*.tmp"))


def test_after_sigkill_plain_snakemake_asks_for_unlock(tmp_path):
    workspace = disturbed(tmp_path)
    process = start(workspace)
    while not list(workspace.folder.glob("results/features/**/*.parquet")):
        assert process.poll() is None, printed(workspace)
        time.sleep(0.05)
    kill_all(workspace, process)
    refused = workspace.snakemake(check=False)
    assert refused.returncode != 0
    assert "--unlock" in refused.stdout + refused.stderr
    workspace.snakemake("--unlock")
    assert workspace.planned()


@pytest.mark.parametrize(
    ("number", "send"), [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)], ids=["as Ctrl-C does", "SIGTERM"]
)
def test_interrupted_it_goes_on(tmp_path, undisturbed, number, send):
    workspace = disturbed(tmp_path)
    process = start(workspace)
    while not list(workspace.folder.glob("results/runs/**/training.json")):
        assert process.poll() is None, printed(workspace)
        time.sleep(0.05)
    send(process.pid, number)
    assert process.wait(timeout=300) != 0
    assert not processes(workspace)
    nothing_half_written(workspace)
    workspace.snakemake()
    assert rows(workspace) == undisturbed


@contextlib.contextmanager
def mounted(folder, *options):
    """Something mounted at `folder`; skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting needs root: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount_again(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_full_disk_is_said_and_room_is_enough_to_go_on(tmp_path, undisturbed):
    workspace = disturbed(tmp_path)
    results = workspace.folder / "results"
    with mounted(results, "-t", "tmpfs", "-o", "size=400k", "tmpfs"):
        done = workspace.snakemake("--keep-going", check=False)
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "cannot be written (No space left on device); free some space" in said
        assert "Traceback" not in said
        nothing_half_written(workspace)
        assert not list(results.rglob(".*.tmp"))
        mount_again(results, "size=100m")
        workspace.snakemake()
        assert rows(workspace) == undisturbed


def test_a_read_only_folder_is_said_and_nothing_is_lost(tmp_path, undisturbed):
    workspace = disturbed(tmp_path)
    results = workspace.folder / "results"
    with mounted(results, "-t", "tmpfs", "-o", "size=100m", "tmpfs"):
        workspace.snakemake(FEATURES)
        before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
        mount_again(results, "ro")
        done = workspace.snakemake(check=False)
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "Read-only file system" in said
        assert "Traceback" not in said
        assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before
        mount_again(results, "rw")
        workspace.snakemake()
        assert rows(workspace) == undisturbed


def test_a_second_start_in_one_folder_is_refused_and_the_first_goes_on(tmp_path, undisturbed):
    workspace = disturbed(tmp_path)
    first = start(workspace, FEATURES)
    while not locked(workspace):
        assert first.poll() is None, printed(workspace)
        time.sleep(0.05)
    second = workspace.snakemake(check=False)
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stdout + second.stderr
    assert first.wait() == 0
    assert (workspace.folder / FEATURES).exists()
    workspace.snakemake()
    assert rows(workspace) == undisturbed


def test_the_same_job_twice_at_once_leaves_no_torn_file(tmp_path, undisturbed):
    """As on a cluster that starts a job again while the first one still runs."""
    workspace = disturbed(tmp_path)
    run = "results/runs/simple_ae/epochs=1/seed=42/6dB/fan/id_00"
    shown = workspace.snakemake(f"{run}/training.json", "--printshellcmds")
    command = next(line for line in (shown.stdout + shown.stderr).splitlines() if "train_model.py" in line).strip()
    command = re.sub(r" 2> \S+$", "", command.removeprefix("Shell command: "))
    folder = workspace.folder / run
    for path in folder.iterdir():
        path.unlink()
    python = Path(warm_python.executable()).parent  # without imports of some length they are at the same point
    environment = {**workspace.environment, "PATH": f"{python}:{os.environ['PATH']}"}
    for _ in range(3):
        jobs = [subprocess.Popen(command, shell=True, cwd=workspace.folder, env=environment) for _ in range(2)]
        while any(job.poll() is None for job in jobs):
            nothing_half_written(workspace)
            time.sleep(0.005)
        assert [job.returncode for job in jobs] == [0, 0]
    assert sorted(path.name for path in folder.iterdir()) == ["losses.parquet", "model.pth", "training.json"]
    workspace.snakemake()
    assert rows(workspace) == undisturbed
