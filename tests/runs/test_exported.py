"""A run in one file scores as the run itself; what is no such file is refused; a network in ONNX scores the same."""

import json
import logging
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from trained_run import SECTION, write_trained_run

import mimii
from mimii.commands.export import export_run
from mimii.commands.main import main
from mimii.common.errors import UserError
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_names
from mimii.detectors.window_network import WindowNetwork

NAMES = model_names()
NETWORKS = [name for name in NAMES if issubclass(detector_class(name), WindowNetwork)]


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    """Makes a finished run of a model, once: its recordings, and its folder."""
    made = {}

    def make(model):
        if model not in made:
            made[model] = write_trained_run(tmp_path_factory.mktemp(model), model)
        return made[model]

    return make


def a_clip(clips):
    return clips / SECTION / "abnormal" / "00000000.wav"


@pytest.mark.parametrize("model", NAMES)
def test_the_file_alone_scores_as_the_run_bit_for_bit(trained_run, tmp_path, model):
    clips, run = trained_run(model)
    own = mimii.load_detector(run)
    shutil.copytree(clips.parent / "runs", tmp_path / "runs")
    export_run(tmp_path / run.relative_to(clips.parent), tmp_path / "fan.zip")
    shutil.rmtree(tmp_path / "runs")
    loaded = mimii.load_detector(tmp_path / "fan.zip")
    for clip in sorted((clips / SECTION).rglob("*.wav")):
        np.testing.assert_array_equal(loaded.window_scores(clip), own.window_scores(clip))
        assert loaded.score(clip) == own.score(clip)
    for name in ("model", "section", "seed", "threads", "settings", "features", "threshold"):
        assert getattr(loaded, name) == getattr(own, name)


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    """The file of a run of pca."""
    file = tmp_path_factory.mktemp("exported") / "fan.zip"
    export_run(trained_run("pca")[1], file)
    return file


def test_equal_runs_make_equal_files(trained_run, exported, tmp_path):
    export_run(trained_run("pca")[1], tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == exported.read_bytes()


def changed(exported, target, change):
    """The file with its members changed: `change` gets {name: bytes}."""
    with zipfile.ZipFile(exported) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def flip_a_byte(members):
    content = bytearray(members["model.npz"])
    content[len(content) // 2] ^= 1
    members["model.npz"] = bytes(content)


def edit_the_threshold(members):
    members["metrics.json"] = members["metrics.json"].replace(b'"threshold": ', b'"threshold": 1')


def edit_the_record(members):
    record = json.loads(members["export.json"])
    members["export.json"] = json.dumps({**record, "code": "other"}).encode()


@pytest.mark.parametrize(
    "change",
    [
        flip_a_byte,
        edit_the_threshold,
        edit_the_record,
        lambda members: members.pop("training.json"),
        lambda members: members.pop("model.npz"),
        lambda members: members.update({"model.pth": b"another model"}),
    ],
)
def test_a_changed_file_is_refused(exported, tmp_path, change):
    file = changed(exported, tmp_path / "changed.zip", change)
    with pytest.raises(UserError, match=r"changed\.zip: damaged") as caught:
        mimii.load_detector(file)
    assert "--forcerun" not in str(caught.value)


def test_members_beside_a_run_s_own_are_never_written(exported, tmp_path):
    file = changed(exported, tmp_path / "more.zip", lambda members: members.update({"../../left.txt": b"out"}))
    mimii.load_detector(file)
    assert [path.name for path in tmp_path.rglob("*")] == ["more.zip"]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_any_other_file_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match="give the folder of the run that it lies in, or a file of `mimii export`"):
        mimii.load_detector(tmp_path / "file")


def test_a_zip_without_a_record_is_refused(exported, tmp_path):
    file = changed(exported, tmp_path / "changed.zip", lambda members: members.pop("export.json"))
    with pytest.raises(UserError, match="is a file; give the folder of the run"):
        mimii.load_detector(file)


def test_other_code_is_said(exported, monkeypatch, caplog):
    monkeypatch.setattr("mimii.runs.exported.scoring_code", lambda model: "other")
    with caplog.at_level(logging.WARNING):
        mimii.load_detector(exported)
    assert "exported by other code" in caplog.text


def test_nothing_is_replaced_and_only_a_run_is_exported(trained_run, exported, tmp_path):
    before = exported.read_bytes()
    for run, file, says in (
        (trained_run("pca")[1], exported, "is there already"),
        (exported, tmp_path / "new.zip", "give the folder of a finished run"),
        (tmp_path, tmp_path / "new.zip", r"scoring\.json: missing"),
        (trained_run("pca")[1], tmp_path / "new.onnx", "pca is no network"),
        (trained_run("id_classifier")[1], tmp_path / "new.onnx", "id_classifier compares clips with those that it was"),
    ):
        with pytest.raises(UserError, match=says):
            export_run(run, file)
    assert exported.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


def test_from_the_shell(trained_run, tmp_path):
    clips, run = trained_run("pca")
    file, clip = tmp_path / "fan.zip", a_clip(clips)
    with pytest.raises(SystemExit) as ended:
        main(["export", str(run), str(file)])
    assert ended.value.code == 0
    command = [sys.executable, "-m", "mimii", "score", str(file), str(clip)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (float(done.stdout.split("\t")[0]), done.stderr) == (mimii.load_detector(run).score(clip), "")


@pytest.mark.slow  # torch's exporter takes seconds
@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_in_onnx_scores_as_the_run(trained_run, tmp_path, model):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    clips, run = trained_run(model)
    said = export_run(run, tmp_path / "fan.onnx")
    assert "ONNX" in said
    session = onnxruntime.InferenceSession(str(tmp_path / "fan.onnx"))
    about = session.get_modelmeta().custom_metadata_map
    own = mimii.load_detector(run)
    assert json.loads(about["features"]) == own.features
    assert json.loads(about["threshold"]) == own.threshold
    window = json.loads(about["window"])
    frames = own.frames(a_clip(clips))
    view = np.lib.stride_tricks.sliding_window_view(frames.frames, window["frames"], axis=0)[:: window["hop_frames"]]
    scores, *made = session.run(None, {"windows": np.ascontiguousarray(view.transpose(0, 2, 1))})
    np.testing.assert_allclose(scores, own.window_scores(a_clip(clips)), rtol=1e-4)
    assert scores.mean() == pytest.approx(own.score(a_clip(clips)), rel=1e-5)
    assert len(made) == own.detector.reconstructs
    if made:
        first = own.detector.reconstruct(frames)[0]  # the first frame lies in the first window alone
        np.testing.assert_allclose(made[0][0, 0], first, rtol=1e-4, atol=1e-3)


def test_onnx_without_its_packages_says_what_to_install(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr("mimii.runs.onnx_file.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install onnx onnxscript onnxruntime"):
        export_run(trained_run("simple_ae")[1], tmp_path / "fan.onnx")
    assert list(tmp_path.iterdir()) == []
