"""A trained model scores single clips as the workflow scored them, or says why it cannot."""

import csv
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from trained_run import SECTION, write_trained_run

import mimii
from mimii.commands.main import main
from mimii.common.errors import BadClipError, UserError
from mimii.runs.exported import write_export
from mimii.runs.records import ScoringRecord, TrainingRecord


@pytest.fixture(scope="module", params=["pca", "simple_ae"])
def trained(request, tmp_path_factory):
    """Folder of the recordings and folder of a finished run."""
    return write_trained_run(tmp_path_factory.mktemp("api"), request.param)


@pytest.fixture
def detector(trained):
    return mimii.load_detector(trained[1])


def test_scores_are_those_of_the_workflow_bit_for_bit(trained, detector):
    clips, run = trained
    for row in pq.read_table(run / "scores.parquet").to_pylist():
        assert detector.score(clips / row["path"]) == row["mean"]


def test_an_array_scores_as_its_file(trained, detector):
    path = trained[0] / SECTION / "abnormal" / "00000000.wav"
    samples, rate = soundfile.read(path)
    score = detector.score(path)
    assert detector.score(samples, rate) == detector.score(samples) == score
    other = np.zeros_like(samples)
    assert detector.score(np.column_stack([samples, other]), rate) == score


def test_window_scores_are_in_time_and_their_mean_is_the_clip_s(trained, detector):
    path = trained[0] / SECTION / "normal" / "00000000.wav"
    scores = detector.window_scores(path)
    assert scores.shape == (20,)  # 24 frames, 5 in a window
    assert scores.mean() == detector.score(path)


def test_what_it_was_trained_with_is_known(detector):
    assert (detector.section, detector.seed, detector.features["n_mels"]) == (SECTION, 1, 32)
    assert detector.threshold is not None


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (np.zeros(12000, dtype=np.int16), None, "expected floats"),
        (np.zeros((2, 2, 2)), None, "expected floats"),
        (np.zeros(0), None, "expected floats"),
        (np.full(12000, np.nan), None, "NaN"),
        (np.zeros(12000), 44100, "44100 Hz"),
        (np.zeros(100), None, "too short"),
        (np.zeros(1000), None, "shorter than a window"),
    ],
)
def test_an_array_that_cannot_be_scored_is_refused(detector, samples, rate, says):
    with pytest.raises(UserError, match=says):
        detector.score(samples, rate)


def test_a_file_that_cannot_be_read_is_refused(detector, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    for name in ("text.wav", "missing.wav"):
        with pytest.raises(BadClipError, match=name):
            detector.score(tmp_path / name)


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"scoring\.json: missing"):
        mimii.load_detector(tmp_path)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, mimii; print([name for name in ('numpy', 'torch', 'sklearn', 'pandas') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
    with pytest.raises(AttributeError):
        mimii.nothing  # noqa: B018


def test_the_shell_prints_a_line_for_each_clip_and_goes_on_past_a_bad_one(trained, detector, tmp_path):
    clips, run = trained
    good = clips / SECTION / "normal" / "00000001.wav"
    bad = tmp_path / "bad.wav"
    bad.write_bytes(good.read_bytes()[:500])
    command = [sys.executable, "-m", "mimii", "score", str(run), str(bad), str(good)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "truncated" in done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stdout.splitlines()
    score, verdict, path = line.split("\t")
    assert float(score) == detector.score(good)
    assert verdict == ("anomalous" if detector.score(good) > detector.threshold else "normal")
    assert path == str(good)


def exit_code_of_score(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["score", *map(str, arguments)])
    return end.value.code


def test_the_command_writes_a_csv_and_a_figure_of_each_recording(trained, detector, tmp_path):
    folder = trained[0] / SECTION / "abnormal"
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no recording")
    table, figures = tmp_path / "scores.csv", tmp_path / "figures"
    assert exit_code_of_score(trained[1], folder, bad, "--csv", table, "--figures", figures) == 1
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    clips = sorted(folder.iterdir())
    assert [row["path"] for row in rows] == [str(path) for path in [*clips, bad]]
    assert [float(row["score"]) for row in rows[:-1]] == [detector.score(path) for path in clips]
    expected = [str(detector.score(path) > detector.threshold).lower() for path in clips]
    assert [row["above_threshold"] for row in rows] == [*expected, ""]
    assert rows[-1]["score"] == ""
    assert [path.suffix for path in figures.iterdir()] == [".png"] * len(clips)


@pytest.mark.parametrize("option", ["--csv", "--figures"])
def test_what_is_there_is_never_replaced(trained, tmp_path, option, capsys):
    own = tmp_path / "notes.csv"
    own.write_text("mine")
    clip = trained[0] / SECTION / "normal" / "00000000.wav"
    assert exit_code_of_score(trained[1], clip, option, own if option == "--csv" else tmp_path) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "is there already" in printed.err
    assert own.read_text() == "mine"


def test_a_shared_model_lies_above_its_runs_and_scores_and_is_exported_the_same(tmp_path):
    """One whose own folder holds all is the run of an exported file."""
    clips, run = write_trained_run(tmp_path, "pca")
    shared = tmp_path / "runs/6dB/fan/id_00"
    shared.mkdir(parents=True)
    for file in run.iterdir():
        above = file.name.startswith(("model", "training"))
        (shared.parent if above else shared).joinpath(file.name).write_bytes(file.read_bytes())
    for name, scope in (("training.json", shared.parent), ("scoring.json", shared)):
        record = json.loads((scope / name).read_text())
        del record["checksum"]
        kind = TrainingRecord if name == "training.json" else ScoringRecord
        kind.parse({**record, "scope": "6dB/fan"}).write(scope / name)
    clip = clips / SECTION / "abnormal" / "00000000.wav"
    expected = mimii.load_detector(run).score(clip)
    assert mimii.load_detector(shared).score(clip) == expected
    write_export(shared, tmp_path / "one_file")
    assert mimii.load_detector(tmp_path / "one_file").score(clip) == expected
