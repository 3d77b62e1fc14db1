"""What a checkpoint may be, what it is called, and how a configuration names it. No network is loaded."""

import json
from pathlib import Path

import pytest
from checkpoint_files import name_of, write_checkpoint

from mimii.common.errors import UserError
from mimii.common.problems import ProblemsError
from mimii.features import checkpoints
from mimii.features.checkpoints import Checkpoint
from mimii.planning import job_parameters
from mimii.planning.plan import Plan


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """As if the optional package were there: nothing here loads a network."""
    monkeypatch.setattr("mimii.planning.checkpoints.why_no_networks", lambda: None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_checkpoint(tmp_path / "ast")


def plan(**config):
    dataset = {"source": "made_up", "root": "dataset"}
    return Plan({"dataset": dataset, "models": {"knn": {}}, **config})


def embeddings(folder="ast", **settings):
    return {"extractor": "audio_transformer", "checkpoint": str(folder), **settings}


def test_a_checkpoint_is_called_by_its_kind_and_content(folder, tmp_path):
    name = Checkpoint.at(folder).read_name()
    assert name == name_of()
    assert name.startswith("ast-")
    assert len(name) == len("ast-") + 16
    assert Checkpoint.at(write_checkpoint(tmp_path / "elsewhere" / "moved")).read_name() == name
    assert Checkpoint.at(write_checkpoint(tmp_path / "other", weights=b"others")).read_name() != name
    (folder / "preprocessor_config.json").write_text('{"mean": 1}')
    assert Checkpoint.at(folder).read_name() != name


def test_weights_are_read_once_until_they_change(folder, tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr(checkpoints, "sha256_of", lambda path: (reads.append(Path(path).name), "0" * 64)[1])
    name = Checkpoint.at(folder).noted_name(tmp_path / "features")
    assert sorted(reads) == ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert Checkpoint.at(folder).noted_name(tmp_path / "features") == name
    assert len(reads) == 3
    (folder / "model.safetensors").write_bytes(b"new weights")
    Checkpoint.at(folder).noted_name(tmp_path / "features")
    assert reads[3:] == ["model.safetensors"]


@pytest.mark.parametrize("notes", ["", "[]", '{"a": {}}', '{"a": 3}', '{"a": null}'])
def test_notes_that_cannot_be_read_are_no_harm(folder, tmp_path, notes):
    root = tmp_path / "features"
    root.mkdir()
    (root / "checkpoints.json").write_text(notes)
    assert Checkpoint.at(folder).noted_name(root) == Checkpoint.at(folder).read_name()


def test_shards_are_all_part_of_it(folder, tmp_path):
    (folder / "model.safetensors").rename(folder / "one.safetensors")
    (folder / "two.safetensors").write_bytes(b"more")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    name = Checkpoint.at(folder).read_name()
    (folder / "two.safetensors").write_bytes(b"less")
    assert Checkpoint.at(folder).read_name() != name


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without(name):
    return lambda folder: (folder / name).unlink()


def with_text(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (pickled, "holds no model.safetensors, and pytorch_model.bin is a pickle, which could run code"),
        (without("model.safetensors"), "holds no model.safetensors; save it as safetensors"),
        (without("config.json"), "config.json: cannot be read as JSON"),
        (without("preprocessor_config.json"), "holds no preprocessor_config.json"),
        (with_text("config.json", "[]"), "config.json: holds no settings"),
        (with_text("config.json", '{"model_type": "beats"}'), "model_type is 'beats'; known are audio-spectrogram"),
        (with_text("config.json", "{}"), "model_type is None; known are"),
        (with_text("adapter_config.json", "{}"), "holds an adapter beside the network"),
    ],
)
def test_what_may_not_be_used_is_refused_while_planning(folder, spoil, message):
    spoil(folder)
    with pytest.raises(ProblemsError, match=r"features: checkpoint: ast: .*|features: checkpoint: ast/") as refused:
        plan(features=embeddings())
    assert message in str(refused.value)


def test_shards_that_lead_out_of_the_folder_are_refused(folder):
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    index = {"weight_map": {"a": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="which is not there as safetensors"):
        Checkpoint.at(folder)


def test_settings_that_do_not_belong_together_are_refused_while_planning(folder):
    with pytest.raises(ProblemsError, match="needs a checkpoint; set checkpoint"):
        plan(features={"extractor": "audio_transformer"})
    with pytest.raises(ProblemsError, match="layer 13, but ast has 12 layers"):
        plan(features=embeddings(layer=13))
    with pytest.raises(ProblemsError, match="n_mels is no setting of the extractor audio_transformer"):
        plan(features=embeddings(n_mels=128))
    with pytest.raises(ProblemsError, match="checkpoint is no setting of the extractor log_mel"):
        plan(features={"checkpoint": "ast"})
    with pytest.raises(ProblemsError, match=r"nowhere: no such folder"):
        plan(features=embeddings("nowhere"))
    study = {"model": "knn", "set": {**embeddings(), "n_fft": 512}}
    with pytest.raises(ProblemsError, match=r"studies\.s: n_fft is no setting of the extractor audio_transformer"):
        plan(studies={"s": study})


def test_the_package_that_is_not_installed_is_named_while_planning(folder, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ProblemsError, match="needs the package transformers, which is not installed"):
        plan(features=embeddings())


def test_a_plan_names_what_a_folder_holds_and_knows_where_it_lies(folder):
    planned = plan(features=embeddings(layer=6))
    name = Checkpoint.at(folder).read_name()
    (variant,) = planned.variants
    assert variant.features_name == f"checkpoint={name},extractor=audio_transformer,layer=6"
    assert variant.features == {
        "extractor": "audio_transformer",
        "channel": 0,
        "checkpoint": name,
        "layer": 6,
        "frame_seconds": 0.5,
        "bands": "mean",
    }
    assert planned.checkpoint_folder(variant.features) == str(Path("ast"))
    job = json.loads(job_parameters.features_job(planned, variant.features_name, planned.sections[0]))
    assert job["settings"] == variant.features
    assert "ast-" in json.dumps(planned.shared_config()["features"])
    assert str(folder) not in json.dumps(planned.shared_config())


def test_a_typed_path_is_read_back_where_its_checkpoint_is_configured(folder):
    planned = plan(features=embeddings())
    name = f"checkpoint={Checkpoint.at(folder).read_name()},extractor=audio_transformer,frame_seconds=2"
    variant = planned.variant("knn", f"{name},neighbours=3")
    assert (variant.features["frame_seconds"], variant.settings["neighbours"]) == (2, 3)
    assert planned.checkpoint_folder(variant.features) == "ast"
    with pytest.raises(UserError, match="holds the checkpoint ast-0000"):
        planned.checkpoint_folder({"checkpoint": "ast-0000000000000000"})
    with pytest.raises(UserError, match="without settings of another extractor"):
        planned.variant("knn", f"{name},n_mels=128")
    with pytest.raises(UserError, match="without settings of another extractor"):
        planned.features_settings(f"{name},n_mels=128")


def test_a_study_compares_checkpoints_and_log_mels(folder, tmp_path):
    write_checkpoint(tmp_path / "wavlm", model_type="wavlm")
    sets = [{"extractor": "log_mel"}, embeddings(), embeddings("wavlm")]
    planned = plan(features={"n_mels": 128}, studies={"s": {"model": "knn", "variants": sets}})
    names = [variant.features_name for variant in planned.variants_of(study="s")]
    assert names[0] == "n_mels=128"
    assert [name.partition(",")[0].partition("-")[0] for name in names[1:]] == ["checkpoint=ast", "checkpoint=wavlm"]


def test_the_merge_lists_the_runs_that_the_plan_has(folder):
    planned = plan(features=embeddings())
    listed = job_parameters.listed_runs(json.loads(job_parameters.merge_job(planned)))
    assert [run.path for run in listed] == [run.path for run in planned.runs()]
    assert [run.features for run in listed] == [run.features for run in planned.runs()]
