"""A configuration is read whole, or refused with all that is wrong with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mimii.common.errors import UserError
from mimii.planning.config import read_config
from mimii.planning.plan import Plan
from mimii.planning.variants import all_variants, base_variants, study_variants

REPOSITORY = Path(__file__).resolve().parents[2]
LEAST = {"dataset": {"root": "dataset"}, "models": {"simple_ae": {}}}


def test_the_shipped_configurations_are_valid():
    for name in ("config.yaml", "demo.yaml"):
        read_config(yaml.safe_load((REPOSITORY / "config" / name).read_text()))


def test_the_shipped_configuration_shows_every_default():
    shipped = read_config(yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text()))
    least = read_config({"dataset": {"root": "dataset"}, "models": shipped["models"]})
    least |= {"studies": shipped["studies"], "seeds": [42, 43, 44, 45, 46]}
    assert shipped == least


def test_defaults_are_named_default():
    assert [variant.name for variant in base_variants(read_config(LEAST))] == ["default"]


def test_a_common_setting_holds_for_the_models_that_declare_it_alone():
    config = read_config(
        {
            **LEAST,
            "models": {"vae": {"epochs": 7}, "simple_ae": None, "isolation_forest": {}},
            "settings": {"epochs": "3"},
        }
    )
    named = {variant.model: variant.name for variant in base_variants(config)}
    assert named == {"vae": "epochs=7", "simple_ae": "epochs=3", "isolation_forest": "default"}


def test_studies_are_grids_and_lists_in_the_configured_order():
    config = read_config(
        {
            **LEAST,
            "features": {"n_mels": 32},
            "studies": {
                "rates": {"model": "vae", "vary": {"learning_rate": [0.01, 1e-3, "1e-4"], "n_mels": [64, 32]}},
                "listed": {
                    "model": ["simple_ae", "deep_ae"],
                    "set": {"epochs": 5},
                    "variants": [{"batch_size": 64}, {}],
                },
            },
        }
    )
    assert [variant.name for variant in study_variants(config, "rates")] == [
        "learning_rate=0.01",
        "learning_rate=0.01,n_mels=32",
        "default",
        "n_mels=32",
        "learning_rate=0.0001",
        "learning_rate=0.0001,n_mels=32",
    ]
    assert [(variant.model, variant.name) for variant in study_variants(config, "listed")] == [
        ("simple_ae", "batch_size=64,epochs=5,n_mels=32"),
        ("deep_ae", "batch_size=64,epochs=5,n_mels=32"),
        ("simple_ae", "epochs=5,n_mels=32"),
        ("deep_ae", "epochs=5,n_mels=32"),
    ]
    assert len(all_variants(config)) == 1 + 6 + 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": {}}, "unknown key 'model'; did you mean 'models'"),
        ({"models": {}}, "models"),
        ({"models": {"vea": {}}}, "unknown model 'vea'; did you mean 'vae'"),
        ({"models": {"vae": {"bta": 1}}}, "did you mean 'beta'"),
        ({"models": {"vae": {"epochs": -1}}}, "models.vae.epochs: -1 is less than the minimum of 0"),
        ({"settings": {"epoch": 3}}, "did you mean 'epochs'"),
        ({"settings": {"epochs": "many"}}, "settings.epochs: 'many' is not of type 'integer'"),
        ({"features": {"n_mel": 3}}, "did you mean 'n_mels'"),
        ({"features": {"hop_length": 2048, "n_fft": 1024}}, "hop_length"),
        ({"dataset": {"root": "x", "source": "foldr"}}, "did you mean 'folder'"),
        ({"dataset": {"root": "x", "snrs": "6dB"}}, "dataset.snrs: '6dB' is not all or a list"),
        ({"dataset": {}}, "'root' is a required property"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": [-1]}, "seeds"),
        ({"metrics": {"pooling": "max"}}, "metrics.csv beside it"),
        ({"compute": {"device": "gpu"}}, "compute.device"),
        ({"studies": {"a": {"vary": {}}}}, "studies.a: 'model' is a required property"),
        ({"studies": {"a": {"model": "vae", "vary": {"beta": []}}}}, "studies.a.vary.beta"),
        ({"studies": {"a": {"model": "vae", "vary": {"trees": [1]}}}}, "studies.a"),
        ({"studies": {"a": {"model": "vae", "vary": {"beta": [1]}, "variants": [{}]}}}, "exclude each other"),
        ({"studies": {"a/b": {"model": "vae"}}}, "studies"),
        ({"external_scores": {0: "folder"}}, "external_scores: key 0 is not a text; put it into quotes"),
        ({"studies": {0: {"model": "vae", "set": {"beta": 1}}}}, "studies: key 0 is not a text; put it into quotes"),
        ({"models": {0: {}}}, "models: key 0 is not a text; put it into quotes"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(change, says):
    with pytest.raises(UserError) as error:
        read_config({**LEAST, **change})
    assert says in str(error.value)


def test_a_folder_that_cannot_be_made_is_said_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("own")
    made_up = {"source": "made_up", "root": "d"}
    paths = {"results": "file/results", "features": "new/features", "csv": "file/results.csv"}
    plan = Plan({**LEAST, "dataset": made_up, "paths": paths})
    with pytest.raises(UserError) as error:
        plan.check_folders(writable=False)
    said = str(error.value)
    assert all(f"paths.{key}: {tmp_path}/file is not a folder" in said for key in ("results", "csv"))
    assert "paths.features" not in said
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    plan = Plan({**LEAST, "dataset": made_up})
    plan.check_folders(writable=False)
    with pytest.raises(UserError, match=r"paths.runs: .* cannot be written into; choose another"):
        plan.check_folders(writable=True)


def test_all_errors_are_listed_at_once():
    with pytest.raises(UserError) as error:
        read_config({**LEAST, "models": {"vae": {"beta": -1, "epochs": -1}, "nothing": {}}, "features": {"n_mels": 1}})
    assert "4 error(s)" in str(error.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"models": ["vae", "pca"]}, {"models": {"vae": {}, "pca": {}}}),
        ({"models": "vae"}, {"models": {"vae": {}}}),
        (
            {"dataset": {"root": "data", "labelled": {"normal": "healthy"}}},
            {"dataset": {"root": "data", "labelled": {"normal": ["healthy"]}}},
        ),
    ],
)
def test_what_is_clear_is_taken_as_it_is_meant(written, meant):
    least = {"dataset": {"root": "data"}, "models": {"vae": {}}}
    assert read_config({**least, **written}) == read_config({**least, **meant})


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"models": 5}, r"models: 5 is not a list of models, or models with settings of their own, such as \{vae:"),
        ({"models": ["vae", "vae"]}, "is not a list of models"),
        ({"seeds": 3}, r"seeds: 3 may be .*write \[3\] for the seed 3, or list them all, as \[42, 43, 44\]"),
        ({"seeds": 42}, r"write \[42\] for the seed 42"),
        ({"seeds": True}, r"seeds: True is not a list of whole numbers, such as \[42, 43, 44\]"),
        ({"epochs": 5}, r"top level: 'epochs' is a setting of models; write settings: \{epochs: 5\}"),
        ({"n_mels": 64}, r"top level: 'n_mels' is a setting of the features; write features: \{n_mels: 64\}"),
        ({"settings": {"lr": 0.1}}, "unknown setting 'lr'; did you mean 'learning_rate'"),
    ],
)
def test_what_is_not_clear_shows_what_to_write(written, says):
    with pytest.raises(UserError, match=says):
        read_config({"dataset": {"root": "data"}, "models": {"vae": {}}, **written})


def test_a_path_that_the_locale_cannot_write_is_said():
    """As with a configuration that was written elsewhere, in a locale other than UTF-8."""
    config = {"dataset": {"root": "\xfc"}, "models": {"pca": {}}}
    code = f"from mimii.planning.config import read_config; read_config({config!a})"
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **locale}, capture_output=True, text=True, check=False
    )
    assert "dataset.root: '\\xfc' cannot be written in this locale's ascii; set PYTHONUTF8=1" in done.stderr
