"""Every example of the original framework's README, on small recordings, with few epochs; and what may go wrong."""

import csv
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import warm_python
from original_framework import COLUMNS
from workspace import REPOSITORY, Workspace, write_recordings

from mimii.commands.research_experiments import ORIGINAL_MODELS

SUMMARY = """
import pandas as pd
df = pd.read_csv('research_results/research_results.csv')
summary = df.groupby('model')['auc'].agg(['mean', 'std', 'count'])
print(summary.round(4))
"""
PAPER_TABLE = """
import pandas as pd
df = pd.read_csv('research_results/research_results.csv')
table = df.groupby('model').agg({
    'auc': ['mean', 'std'],
    'training_time_sec': 'mean',
    'model_size_mb': 'mean',
    'num_parameters': 'mean'
}).round(4)
print(table.to_latex())
"""


class Framework(Workspace):
    """A copy of the repository with recordings in dataset/, in which a person types commands."""

    def __init__(self, folder, sections=("6dB/fan/id_00",), tables=False):
        super().__init__(folder)
        (folder / "research_experiments.py").write_text((REPOSITORY / "research_experiments.py").read_text())
        config = folder / "config" / "config.yaml"
        text = config.read_text()
        assert "  page: true" in text
        config.write_text(text.replace("  page: true", "  page: false"))  # which takes more time than small runs do
        if not tables:
            command = folder / "src" / "mimii" / "commands" / "research_experiments.py"
            text = command.read_text()
            assert '"report": {"tables": True,' in text
            command.write_text(text.replace('"report": {"tables": True,', '"report": {"tables": False,'))
        for section in sections:
            # 2.5 s: the models that read 32 frames at once need 1 s.
            write_recordings(folder / "dataset" / section, normal=13, abnormal=3, samples=40000)

    def command_line(self, text, python=sys.executable):
        assert text.startswith("python ")
        return [python, *text.split()[1:], "--cores", "2"]

    def type(self, text, check=True, cwd=None):
        """Run what a person types: `python research_experiments.py ...`; returns what was printed and the exit code."""
        done = subprocess.run(
            self.command_line(text, warm_python.executable()),
            cwd=cwd or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        if check and done.returncode:
            pytest.fail(f"{text} exited {done.returncode}:\n{done.stdout}")
        return done

    def rows(self, name="research_results.csv"):
        with (self.folder / "research_results" / name).open(newline="") as file:
            return list(csv.DictReader(file))

    def python(self, code):
        return subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, capture_output=True, text=True, check=True, timeout=300
        ).stdout

    def files(self):
        """Every file but Snakemake's own and Python's."""
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return {str(path) for path in paths if not {".snakemake", "__pycache__"} & set(path.parts)}

    @contextmanager
    def started(self, text):
        """What a person types, in a process group of its own, as a terminal starts it."""
        with subprocess.Popen(
            self.command_line(text),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs the tests may ignore it
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


def jobs_run(printed):
    """What the lines of finished jobs name."""
    return re.findall(r"^\[ *\d+/\d+\] (.*?) \([\d.]+ s\)", printed, re.MULTILINE)


def values(rows):
    """Rows without times and memory."""
    free = re.compile("time|throughput|memory|_cpu_sec$|_load$|_ms$")
    return [{name: value for name, value in row.items() if not free.search(name)} for row in rows]


@pytest.fixture(scope="module")
def framework(tmp_path_factory):
    """One folder for all of the examples, as a person has."""
    return Framework(tmp_path_factory.mktemp("framework"))


# Fast: nothing is trained.


def test_dry_run_says_what_would_run_and_writes_nothing(framework):
    before = framework.files()
    command = "python research_experiments.py --base_dir ./dataset --model all --epochs 2 --dry-run"
    printed = framework.type(command).stdout
    assert "10 runs (10 models x 1 seed x 1 section): " in printed
    assert "train one_class_svm, 6dB/fan/id_00, seed 42" in printed
    assert "train vae (epochs=2), 6dB/fan/id_00, seed 42" in printed
    assert re.search(r"^Estimated for this machine: .* of CPU time", printed, re.MULTILINE)
    assert re.search(r"`--seeds 42 43 44 45 46` runs the missing ones \(some .* of CPU time\)", printed)
    assert framework.files() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--base_dir ./datasets", "--base_dir: there is no folder"),
        ("--base_dir ./dataset/6dB", "--base_dir: no recordings in"),
        ("--base_dir ./dataset --model simple_ea", "unknown model 'simple_ea'; did you mean 'simple_ae'?"),
        ("--base_dir ./dataset --machines fam", "--machines: 'fam' is not in"),
        ("--base_dir ./dataset --profile slrum", "--profile: there is no profile 'slrum'"),
    ],
)
def test_a_mistake_is_one_clear_line(framework, arguments, says):
    before = framework.files()
    done = framework.type(f"python research_experiments.py {arguments}", check=False)
    assert done.returncode in (1, 2)
    assert says in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stdout
    assert framework.files() == before


def test_one_model_from_another_folder_then_again(tmp_path_factory, tmp_path):
    """Two commands from elsewhere: files land where the person is, and nothing runs twice."""
    framework = Framework(tmp_path_factory.mktemp("framework"), tables=True)
    script = framework.folder / "research_experiments.py"
    arguments = "--model pca --output_csv pca.csv --result_dir out --model_dir models"
    command = f"python {script} --base_dir {framework.folder / 'dataset'} {arguments}"
    printed = framework.type(command, cwd=tmp_path).stdout
    assert "train pca, 6dB/fan/id_00, seed 42" in jobs_run(printed)
    assert "All results: out/pca.csv" in printed
    assert (tmp_path / "research_experiments.log").read_text().count("rule train_classical_model") == 1
    link = tmp_path / "models" / "pca_fan_id_00_6dB_seed42.npz"
    run = framework.folder / "results/runs/pca/default/seed=42/6dB/fan/id_00"
    assert link.resolve() == run / "model.npz"
    with (tmp_path / "out" / "pca.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        assert len(list(reader)) == 1
        assert reader.fieldnames[: len(COLUMNS)] == COLUMNS
    for ending in ("csv", "md", "tex"):
        assert (tmp_path / "out" / "pca" / "tables" / f"overview.{ending}").exists()
    again = framework.type(command, cwd=tmp_path).stdout
    assert "Nothing to do: everything is up to date." in again
    assert jobs_run(again) == []
    # The same for plain Snakemake, with the configuration that was written.
    config = tmp_path / "out" / "pca" / "config.yaml"
    assert framework.planned("--configfile", str(config), "--replace-workflow-config") == set()


# The README's examples.


@pytest.mark.slow
def test_all_models_then_the_two_pandas_snippets(framework):
    """Quick start, scenario 1 and the research workflow."""
    printed = framework.type("python research_experiments.py --base_dir ./dataset --model all --epochs 2").stdout
    rows = framework.rows()
    assert [row["model"] for row in rows] == list(ORIGINAL_MODELS)
    assert list(rows[0])[: len(COLUMNS)] == COLUMNS
    assert all(row["auc"] and row["pr_auc"] and row["training_time_sec"] for row in rows)
    # Links to the workflow's own files, as .pth where PyTorch trained them.
    links = list((framework.folder / "research_models").iterdir())
    assert len(links) == 10
    assert len([link for link in links if link.suffix == ".pth"]) == 8
    assert all(link.is_symlink() and link.exists() for link in links)
    assert "FAILED" not in printed
    # Run unchanged, one after the other.
    table, latex = framework.python(f"{SUMMARY}\nprint('---')\n{PAPER_TABLE}").split("---\n")
    lines = table.splitlines()
    assert lines[0].split() == ["mean", "std", "count"]
    assert {line.split()[0] for line in lines[2:]} == set(ORIGINAL_MODELS)
    assert latex.startswith(r"\begin{tabular}")
    assert r"one_class_svm" in latex.replace(r"\_", "_")
    # A single model: its run is there already.
    single = framework.type("python research_experiments.py --base_dir ./dataset --model simple_ae --epochs 2").stdout
    assert "1 run (1 model x 1 seed x 1 section): 1 there, 0 to do." in single
    assert [row["model"] for row in framework.rows()] == ["simple_ae"]


@pytest.mark.slow
def test_custom_hyperparameters(framework):
    framework.type(
        "python research_experiments.py --base_dir ./dataset --model deep_ae --epochs 3 --batch_size 512 "
        "--learning_rate 0.0001 --n_mels 128 --frames 10 --output_csv custom.csv"
    )
    (row,) = framework.rows("custom.csv")
    assert {name: row[name] for name in ("model", "epochs", "batch_size", "n_mels", "frames")} == {
        "model": "deep_ae",
        "epochs": "3",
        "batch_size": "512",
        "n_mels": "128",
        "frames": "10",
    }
    assert float(row["learning_rate"]) == 0.0001


@pytest.mark.slow
def test_hyperparameter_study_in_any_order(framework):
    """Commands with different settings never read each other's results, and going back runs nothing."""
    base = "python research_experiments.py --base_dir ./dataset --model vae --epochs 2"
    names = {"0.01": "vae_lr001.csv", "0.0001": "vae_lr00001.csv"}
    for rate, name in names.items():
        framework.type(f"{base} --learning_rate {rate} --output_csv {name}")
    found = {rate: framework.rows(name) for rate, name in names.items()}
    for rate, rows in found.items():
        assert [float(row["learning_rate"]) for row in rows] == [float(rate)]
    assert len({rows[0]["training_loss"] for rows in found.values()}) == 2
    again = framework.type(f"{base} --learning_rate 0.01 --output_csv {names['0.01']}").stdout
    assert jobs_run(again) == []
    assert framework.rows(names["0.01"]) == found["0.01"]


@pytest.mark.slow
def test_feature_study(framework):
    for bands in (32, 64):
        framework.type(
            "python research_experiments.py --base_dir ./dataset --model conv_ae --epochs 2 "
            f"--n_mels {bands} --output_csv conv_ae_{bands}mels.csv"
        )
    for bands in (32, 64):
        (row,) = framework.rows(f"conv_ae_{bands}mels.csv")
        assert (row["model"], row["n_mels"]) == ("conv_ae", str(bands))
    features = {path.name for path in (framework.folder / "results" / "features").iterdir()}
    assert {"default", "n_mels=32"} <= features


@pytest.mark.slow
def test_quick_prototyping(framework):
    framework.type("python research_experiments.py --base_dir ./dataset --model isolation_forest --epochs 10")
    assert [row["model"] for row in framework.rows()] == ["isolation_forest"]


@pytest.mark.slow
def test_what_is_there_is_trained_again_the_same_where_that_is_asked_for(framework):
    command = "python research_experiments.py --base_dir ./dataset --model simple_ae --epochs 2"
    framework.type(command)
    before = framework.rows()
    again = framework.type(f"{command} --retrain")
    trained = [job for job in jobs_run(again.stdout) if job.startswith("train")]
    assert trained == ["train simple_ae, 6dB/fan/id_00, seed 42"]
    assert values(framework.rows()) == values(before)


# Faults.


@pytest.mark.slow
def test_one_at_a_time_and_stopping_and_going_on(tmp_path):
    framework = Framework(tmp_path, sections=("6dB/fan/id_00", "6dB/fan/id_02"))
    command = "python research_experiments.py --base_dir ./dataset --model pca mahalanobis"
    done = []

    def until_a_job_has_ended(process):
        seen = []
        for line in process.stdout:
            seen += jobs_run(line)
            if seen:
                return seen
        pytest.fail("the command ended without a job")

    with framework.started(command) as process:
        done += until_a_job_has_ended(process)
        second = framework.type(command, check=False)
        assert second.returncode == 1
        assert second.stdout.splitlines()[-1].startswith("error: another run is at work in")
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        done += jobs_run(rest)
        assert process.wait() == 128 + signal.SIGTERM
        assert "Stopped. The same command goes on from here." in rest
    with framework.started(command) as process:
        done += until_a_job_has_ended(process)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        done += jobs_run(process.stdout.read())
        assert process.wait() == 128 + signal.SIGINT
    with framework.started(command) as process:
        done += until_a_job_has_ended(process)
        os.killpg(process.pid, signal.SIGKILL)
        done += jobs_run(process.stdout.read())
    # The line of a job that ended just as all were killed is lost with them, so that not every job has one.
    done += jobs_run(framework.type(command).stdout)
    assert len(framework.rows()) == 4
    assert len(done) == len(set(done))
    assert not list(tmp_path.glob("results/**/*.tmp"))


@pytest.mark.slow
def test_a_failed_run_is_named_with_its_log_s_end_and_the_others_go_on(tmp_path):
    framework = Framework(tmp_path, sections=("6dB/fan/id_00", "6dB/fan/id_02"))
    clip = framework.folder / "dataset/6dB/fan/id_02/normal/00000003.wav"
    whole = clip.read_bytes()
    clip.write_bytes(whole[:1000])
    command = "python research_experiments.py --base_dir ./dataset --model pca"
    failed = framework.type(command, check=False)
    assert failed.returncode == 1
    assert "FAILED: extract features of 6dB/fan/id_02" in failed.stdout
    assert "log: results/features/default/6dB/fan/id_02.extract_features.log" in failed.stdout
    assert "normal/00000003.wav: truncated" in failed.stdout
    assert "1 of 2 runs are complete" in failed.stdout
    assert "Traceback" not in failed.stdout
    clip.write_bytes(whole)
    framework.type(command)
    assert len(framework.rows()) == 2
