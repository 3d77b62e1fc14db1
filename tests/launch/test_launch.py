"""What a person sees of a run, who may run, and how everything stops."""

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from mimii.common.errors import UserError
from mimii.common.provenance import REPOSITORY
from mimii.launch import process, run
from mimii.launch import stop as stopping
from mimii.launch.jobs import Durations, Job, in_words
from mimii.launch.lock import FILE, held_alone, share
from mimii.launch.messages import describe_plan, job_lines
from mimii.launch.progress import Progress, TerminalProgress, last_lines
from mimii.launch.request import Request, profile_folder, worker_count
from mimii.launch.slurm import cancel_left_over_jobs
from mimii.launch.stop import StoppedError, stop_signals
from mimii.planning.plan import Plan

RUN = "results/runs/vae/learning_rate=0.01/seed=42/6dB/fan/id_00"


def train(model="vae", variant="learning_rate=0.01", seed="42", section="6dB/fan/id_00", rule="train_model"):
    folder = f"results/runs/{model}/{variant}/seed={seed}/{section}"
    wildcards = {"model": model, "variant": variant, "seed": seed, "section": section}
    return Job(rule, wildcards, f"{folder}/{rule}.log", f"{folder}/{rule}.benchmark.tsv")


def took(root, job, seconds):
    path = root / job.benchmark
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")


# Jobs and how long they take.


def test_a_job_says_what_it_is_for():
    assert str(train()) == "train vae (learning_rate=0.01), 6dB/fan/id_00, seed 42"
    assert str(train(variant="default")) == "train vae, 6dB/fan/id_00, seed 42"
    features = Job("extract_features", {"features": "default", "section": "6dB/fan/id_00"})
    assert str(features) == "extract features of 6dB/fan/id_00"
    assert str(replace(train(), shared={"learning_rate=0.01"})) == "train vae, 6dB/fan/id_00, seed 42"
    assert str(Job("merge_study", {"study": "bands"})) == "merge study bands"
    assert features.run is None
    assert train().run == ("vae", "learning_rate=0.01", "42", "6dB/fan/id_00")
    assert Job("make_clip_figures", {"model": "vae", "section": "6dB/fan/id_00"}).run is None
    assert Job("import_scores", {"external": "mine", "section": "6dB/fan/id_00"}).run is not None


def test_the_mean_of_earlier_jobs_of_a_rule_and_model(tmp_path):
    took(tmp_path, train(seed="1"), 2.0)
    took(tmp_path, train(seed="2", section="0dB/pump/id_06"), 4.0)
    took(tmp_path, train(model="deep_ae"), 100.0)
    took(tmp_path, train(rule="score_clips"), 50.0)
    durations = Durations(tmp_path)
    assert durations.of(train()) == 3.0
    assert durations.of(train(model="lstm_ae")) is None


def test_jobs_of_the_same_settings_say_more_than_those_of_others(tmp_path):
    took(tmp_path, train(variant="epochs=500"), 500.0)
    assert Durations(tmp_path).of(train()) == 500.0
    took(tmp_path, train(), 5.0)
    assert Durations(tmp_path).of(train(seed="7")) == 5.0


def test_features_of_other_sections_and_absolute_paths_count(tmp_path):
    def features(section):
        path = tmp_path / f"features/default/{section}.extract_features.benchmark.tsv"
        return Job("extract_features", {"features": "default", "section": section}, None, str(path))

    took(tmp_path, features("6dB/fan/id_02"), 7.0)
    assert Durations(tmp_path / "elsewhere").of(features("6dB/fan/id_00")) == 7.0


@pytest.mark.parametrize("text", ["", "s\th:m:s\n", "s\th:m:s\n-\t-\n", "half"])
def test_a_benchmark_file_that_a_killed_job_left_says_nothing(tmp_path, text):
    took(tmp_path, train(), 1.0)
    (tmp_path / train().benchmark).write_text(text)
    assert Durations(tmp_path).of(train()) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89, "89 s"), (150, "2 min"), (7200, "2 h"), (7500, "2 h 5 min"), (200_000, "2 days 7 h")],
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words


# Progress.


def progress_of(jobs, tmp_path, runs=2, kind=Progress):
    return kind(jobs, Durations(tmp_path), runs=runs, workers=1)


def test_a_run_is_done_when_its_last_job_is(tmp_path, capsys):
    jobs = [train(), train(rule="score_clips")]
    progress = progress_of(jobs, tmp_path)
    assert progress.runs_done == 1
    for number, job in enumerate(jobs):
        progress.start(number, job)
        progress.finish(number)
    assert progress.runs_done == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[1/2] train vae (learning_rate=0.01), 6dB/fan/id_00, seed 42 (")
    assert lines[1].startswith("[2/2] score vae")


def test_time_left_is_unknown_until_every_kind_of_job_has_been_seen(tmp_path):
    jobs = [train(), train(seed="1"), train(seed="1", rule="score_clips")]
    progress = progress_of(jobs, tmp_path)
    progress.start(0, jobs[0])
    assert progress.seconds_left() is None
    progress.durations.add(jobs[0], 10.0)
    progress.durations.add(jobs[2], 1.0)
    assert 15 < progress.seconds_left() <= 21
    progress.finish(0)
    assert progress.seconds_left() < 12


def test_a_failure_shows_which_run_its_log_and_the_log_s_end(tmp_path, capsys):
    job = train()
    (tmp_path / job.log).parent.mkdir(parents=True)
    (tmp_path / job.log).write_text("\n".join(f"line {number}" for number in range(50)) + "\nerror: too little\n")
    progress = progress_of([job], tmp_path)
    progress.start(3, job)
    progress.fail(3, job, tmp_path)
    printed = capsys.readouterr().out
    assert f"FAILED: {job}" in printed
    assert job.log in printed
    assert "error: too little" in printed
    assert "line 10" not in printed
    assert progress.runs_done == 1


def test_the_headline_of_an_error_is_shown_however_long_its_list(tmp_path):
    lines = [f"  - run {number} is missing" for number in range(50)]
    (tmp_path / "x.log").write_text("\n".join(["a warning", "error: 50 runs are missing:", *lines]))
    shown = last_lines(tmp_path / "x.log")
    assert shown[0] == "error: 50 runs are missing:"
    assert shown[-1] == lines[-1]
    assert len(shown) <= 10


def test_a_job_that_fails_and_then_works_is_no_failure(tmp_path):
    progress = progress_of([train()], tmp_path)
    progress.start(1, train())
    progress.fail(1, train(), tmp_path)
    assert [failure.job for failure in progress.failures] == [train()]
    progress.start(1, train())
    progress.finish(1)
    assert progress.failures == []
    assert progress.runs_done == 2


def test_a_missing_log_has_no_lines(tmp_path):
    assert last_lines(tmp_path / "nothing.log") == []


def test_a_terminal_shows_counts_and_what_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    jobs = [train(seed=str(number)) for number in range(12)]
    progress = progress_of(jobs, tmp_path, runs=12, kind=TerminalProgress)
    for number, job in enumerate(jobs):
        progress.start(number, job)
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120)
    console.print(progress.bar.get_renderable())
    progress.close()
    shown = console.file.getvalue()
    assert "runs 0/12" in shown
    assert "jobs 0/12" in shown
    assert "train vae (learning_rate=0.01), 6dB/fan/id_00, seed 0" in shown
    assert "and 4 more" in shown


# Before the work.


@pytest.fixture
def plan():
    made_up = {"snrs": ["6dB"], "machines": ["fan"], "ids": ["id_00", "id_02"]}
    return Plan({"dataset": {"source": "made_up", "root": "d", "made_up": made_up}, "models": {"vae": {}, "pca": {}}})


def test_what_is_there_what_is_to_do_and_how_long(plan, tmp_path, capsys):
    planned = [train("vae", "default", section=f"6dB/fan/{id}") for id in ("id_00", "id_02")]
    describe_plan(Request(cores="2"), plan, planned, Durations(tmp_path))
    assert capsys.readouterr().out.splitlines() == [
        "4 runs (2 models x 1 seed x 2 sections): 2 there, 2 to do.",
        "2 jobs; none of their kind has run here yet.",
    ]
    took(tmp_path, train("vae", "default", seed="7"), 600)
    describe_plan(Request(cores="2"), plan, planned, Durations(tmp_path))
    assert "2 jobs, about 10 min 2 at a time (by earlier jobs of their kind)." in capsys.readouterr().out
    describe_plan(Request(cores="2"), plan, [*planned, train("pca", "default")], Durations(tmp_path))
    assert "3 jobs, more than 10 min 2 at a time (by earlier jobs; none like 1 of them has run yet)" in (
        capsys.readouterr().out
    )


def test_what_all_runs_share_and_whose_runs_are_no_models(plan, tmp_path, capsys):
    config = {
        **plan.config,
        "features": {"n_mels": 32},
        "external_scores": {"mine": "scores"},
        "ensembles": {"both": {"members": ["vae", "pca"]}},
    }
    planned = [train("vae", "n_mels=32"), train("pca", "n_mels=32")]
    describe_plan(Request(), Plan(config), planned, Durations(tmp_path))
    assert capsys.readouterr().out.splitlines()[:2] == [
        "8 runs (2 models x 1 seed x 2 sections; 2 of external scores; 2 of ensembles): 6 there, 2 to do.",
        "All with n_mels=32.",
    ]


def test_of_several_seeds_it_is_said_which_models_run_with_one(plan, tmp_path, capsys):
    several = Plan({**plan.config, "seeds": [1, 2, 3]})
    describe_plan(Request(), several, [], Durations(tmp_path))
    assert capsys.readouterr().out.splitlines()[0] == (
        "8 runs (2 models x 3 seeds x 2 sections; pca with the first seed alone): 8 there, 0 to do."
    )


def test_many_jobs_are_listed_by_rule_and_model():
    jobs = [train(seed=str(number)) for number in range(500)]
    assert job_lines(jobs) == ["500 x train_model vae"]
    assert job_lines(jobs[:2])[1] == "train vae (learning_rate=0.01), 6dB/fan/id_00, seed 1"


def test_nothing_to_do_is_said(plan, tmp_path, capsys):
    describe_plan(Request(), plan, [], Durations(tmp_path))
    assert capsys.readouterr().out.splitlines() == [
        "4 runs (2 models x 1 seed x 2 sections): 4 there, 0 to do.",
        "Nothing to do: everything is up to date.",
    ]


def test_arguments_of_snakemake(tmp_path):
    assert Request().arguments() == ["--cores", "all"]
    assert Request(tmp_path / "x.yaml", cores="3", retrain=True).arguments() == [
        *["--forcerun", "train_model", "train_classical_model"],
        *["--configfile", str(tmp_path / "x.yaml"), "--replace-workflow-config"],
        *["--cores", "3"],
    ]
    assert worker_count("3") == 3
    assert worker_count("all") >= 1


def test_a_profile_is_a_name_or_a_path(tmp_path):
    assert profile_folder("default").name == "default"
    (tmp_path / "config.yaml").write_text("cores: 1\n")
    assert profile_folder(str(tmp_path)) == tmp_path
    assert "--cores" not in Request(profile=str(tmp_path)).arguments()
    assert Request(profile=str(tmp_path), cores="2").arguments()[-2:] == ["--cores", "2"]
    (tmp_path / "config.yaml").write_text("keep-going: true\n")
    assert Request(profile=str(tmp_path)).arguments()[-2:] == ["--cores", "all"]
    with pytest.raises(UserError, match="no profile 'slrum'"):
        profile_folder("slrum")


# Who may run.

HOLD = """
import sys, time
from pathlib import Path
from mimii.launch.lock import held_alone
with held_alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_told_who_is_at_work(holder, tmp_path):
    with (
        pytest.raises(UserError, match=rf"another run is at work in .* \(process {holder.pid}\)"),
        held_alone(tmp_path),
    ):
        pass


def test_the_folder_is_free_when_its_holder_was_killed(holder, tmp_path):
    holder.kill()
    holder.wait()
    with held_alone(tmp_path):
        assert (tmp_path / FILE).read_text() == f"{os.getpid()}\n"


def test_a_plain_snakemake_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("mimii.launch.lock.PATIENCE", 0)
    shared, also = share(tmp_path), share(tmp_path)
    with pytest.raises(UserError, match="snakemake is at work"), held_alone(tmp_path):
        pass
    shared.close()
    also.close()
    with held_alone(tmp_path):
        assert share(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / ".snakemake").write_text("")
    with pytest.raises(UserError, match="cannot be written"), held_alone(tmp_path):
        pass


def test_the_lock_of_a_living_snakemake_is_never_taken(tmp_path, monkeypatch):
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    monkeypatch.setattr(run, "REPOSITORY", tmp_path)
    monkeypatch.setattr(run, "snakemake", lambda: [sys.executable, "-c", f"import os; os.unlink({str(lock)!r})"])
    waiting = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)", "snakemake"]
    with subprocess.Popen(waiting, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(UserError, match=rf"snakemake is at work in .* \(process {process.pid}\)"):
            run.take_stale_lock_away(Request())
        assert lock.exists()
        process.kill()
    run.take_stale_lock_away(Request())
    assert not lock.exists()


# Stopping.

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; print('child', flush=True); time.sleep(600)"])
print('{"event": null, "level": "INFO", "text": "%d"}' % child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_snakemake_and_its_jobs_even_stubborn_ones(monkeypatch, number):
    monkeypatch.setattr(process, "snakemake", lambda: [sys.executable, "-c", STUBBORN])
    waits = [(0.2, signal.SIGINT), (0.2, signal.SIGTERM), (0.2, signal.SIGKILL)]
    monkeypatch.setattr(stopping, "STOPPING", waits)
    children = []

    def read(line):
        if line["text"].isdigit():
            children.append(int(line["text"]))
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with stop_signals() as stop, pytest.raises(StoppedError) as stopped:
        process.run_snakemake([], read, stop)
    assert stopped.value.number == number
    assert signal.getsignal(number) == before
    deadline = time.monotonic() + 30
    while any(alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children
    assert not any(alive(child) for child in children)


def alive(number):
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_lines_that_jobs_print_are_no_events(monkeypatch):
    printed = 'import sys; print("42"); print("[1]"); print("plain"); print("error: x", file=sys.stderr); sys.exit(3)'
    monkeypatch.setattr(process, "snakemake", lambda: [sys.executable, "-c", printed])
    lines = []
    with stop_signals() as stop:
        code, errors = process.run_snakemake([], lines.append, stop)
    assert (code, errors) == (3, ["error: x"])
    assert {line["text"] for line in lines} == {"42", "[1]", "plain", "error: x"}


def test_what_snakemake_says_where_it_cannot_plan_is_printed_as_it_is(monkeypatch, capsys):
    printed = 'import sys; print("error: no such file", file=sys.stderr); sys.exit(3)'
    monkeypatch.setattr(process, "snakemake", lambda: [sys.executable, "-c", printed])
    with stop_signals() as stop, pytest.raises(UserError, match=r"cannot plan this \(exit code 3\)"):
        run.plan_jobs(Request(cores="1"), stop)
    assert capsys.readouterr().err == "error: no such file\n"


def test_jobs_submitted_together_fail_together_and_the_one_that_says_so_is_named(tmp_path):
    jobs = [train(), train(rule="score_clips"), train(seed="1")]
    progress = progress_of(jobs, tmp_path)
    for attempt in range(2):
        for number, job in enumerate(jobs):
            progress.start(number, job)
        (tmp_path / jobs[0].log).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / jobs[0].log).write_text(f"error: attempt {attempt}\n")
        progress.fail_together([0, 1], tmp_path, "slurm/17.log")
        progress.fail(0, jobs[0], tmp_path)
        progress.fail(1, jobs[1], tmp_path)
        assert [failure.lines for failure in progress.failures] == [[f"error: attempt {attempt}"]]
    assert progress.failures[0].where == f"{jobs[0].log}, and the cluster's slurm/17.log"
    assert list(progress.started) == [2]
    for number, job in enumerate(jobs[:2]):
        progress.start(number, job)
        progress.finish(number)
    assert progress.failures == []


SQUEUE = """#!/bin/sh
echo "17|mimii_0c5d|{folder}"
echo "18|mimii_0c5d|/elsewhere"
echo "19|notebook|{folder}"
"""


def test_jobs_of_a_killed_run_on_slurm_are_cancelled_and_no_others(tmp_path, monkeypatch, capsys):
    commands = {
        "squeue": SQUEUE.format(folder=REPOSITORY),
        "scancel": f'#!/bin/sh\necho "$@" > {tmp_path}/ended\n',
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    cancel_left_over_jobs(Request(profile="gpu"))
    cancel_left_over_jobs(Request())
    assert not (tmp_path / "ended").exists()
    cancel_left_over_jobs(Request(profile="slurm"))
    assert (tmp_path / "ended").read_text() == "17\n"
    assert "left 1 job on the cluster" in capsys.readouterr().out


def test_without_slurm_the_slurm_profile_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="squeue is not here"):
        cancel_left_over_jobs(Request(profile="slurm"))
