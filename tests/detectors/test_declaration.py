"""Settings of a model that contradict each other: refused in the same words while planning and by the detector."""

import pytest
import yaml

from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.detectors.clip_classifier import ClipClassifier
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import BASES, MODELS, check_model_settings, model_declaration, model_names, model_rules
from mimii.planning.config import read_config
from mimii.planning.plan import Plan

N_MELS = 16
DATASET = {"source": "made_up", "root": "nowhere"}


def errors(**config):
    """The lines of the message."""
    with pytest.raises(UserError) as raised:
        read_config({"dataset": DATASET, "models": {"mahalanobis": {}}, **config})
    return [line.removeprefix("  - ") for line in str(raised.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("simple_ae", {"latent": 21}, "latent 21 is more than a quarter of a window's 80 values"),
        ("pca", {"components": 21}, "components 21 is more than a quarter of a window's 80 values"),
        ("lstm_ae", {"latent": 5}, "latent 5 is more than a quarter of a frame's 16 values"),
        ("attention_ae", {"heads": 5}, "width 64 is not a multiple of heads 5"),
        ("denoising_ae", {"standardize": False}, "noise 0.3 needs standardize, which is false"),
        ("vae", {"best_epoch": True, "val_split": 0}, "best_epoch true needs val_split, which is 0.0"),
        ("conv_ae", {"early_stopping_patience": 3, "val_split": 0}, "early_stopping_patience 3 needs val_split"),
        ("knn", {"vector": "stacked"}, 'vector "stacked" needs frames, which is null'),
    ],
)
def test_planning_and_the_detector_say_the_same(name, given, says):
    settings = resolve(model_declaration(name).settings, given)
    (line,) = check_model_settings(name, settings, N_MELS)
    assert says in line
    assert errors(models={name: given}, features={"n_mels": N_MELS}) == [f"models.{name}: {line}"]
    with pytest.raises(UserError) as raised:
        detector_class(name)(settings, N_MELS, seed=1)
    assert str(raised.value) == f"{name}: {line}"


@pytest.mark.parametrize("name", model_names())
def test_defaults_go_together(name):
    assert not check_model_settings(name, resolve(model_declaration(name).settings), 64)


def test_exactly_a_quarter_is_admitted():
    settings = resolve(model_declaration("simple_ae").settings, {"latent": 20})
    assert not check_model_settings("simple_ae", settings, N_MELS)


@pytest.mark.parametrize("name", model_names())
def test_rules_are_known_and_name_settings(name):
    """A rule that is misspelt would hold nothing."""
    own = yaml.safe_load((MODELS / f"{name}.yaml").read_text())
    base = yaml.safe_load((BASES / f"{own['base']}.yaml").read_text())
    assert {*own, *base} <= {
        *("title", "base", "stochastic", "still_clip", "least_classes", "paper", "settings"),
        *("bottleneck", "bottleneck_of", "multiples", "needs"),
    }
    rules = model_rules(name)
    # What tells clips apart gives back nothing that it could copy.
    assert rules.bottleneck or own["base"] != "network" or issubclass(detector_class(name), ClipClassifier)
    conditions = [condition.partition("=") for condition in rules.needs]
    named = {*rules.multiples, *rules.multiples.values(), *(key for key, _, _ in conditions), *rules.needs.values()}
    settings = model_declaration(name).settings
    assert named | {rules.bottleneck or "frames"} <= set(settings)
    assert all(not wanted or wanted in settings[key]["enum"] for key, _, wanted in conditions)


def test_every_contradiction_is_listed_where_it_was_written():
    found = errors(
        models={"pca": {"components": 200}, "attention_ae": {"heads": 5}, "deep_ae": {"latent": 9}},
        settings={"frames": 4},
        features={"n_mels": 8},
        studies={"sizes": {"model": ["pca", "deep_ae"], "vary": {"n_mels": [8, 16], "batch_size": [32, 64]}}},
    )
    # Batch sizes belong to one of the two models, so this study has errors of its own and nothing else is said of it.
    assert [line.split(" is ")[0] for line in found if "batch_size" not in line] == [
        "models.pca: components 200",
        "models.attention_ae: width 64",
        "models.deep_ae: latent 9",
    ]


def test_every_variant_of_a_study_is_checked_and_named_once():
    study = {"model": ["deep_ae", "vae"], "vary": {"frames": [1, 2], "n_mels": [8, 64], "epochs": [1, 2]}}
    found = errors(models={"deep_ae": {}}, studies={"sizes": study})
    assert sorted(line.partition(" (frames ")[0] for line in found) == [
        "studies.sizes: latent 16 is more than a quarter of a window's 16 values",
        "studies.sizes: latent 16 is more than a quarter of a window's 8 values",
        "studies.sizes: latent 8 is more than a quarter of a window's 16 values",
        "studies.sizes: latent 8 is more than a quarter of a window's 8 values",
    ]


def test_what_a_study_inherits_is_said_of_the_model():
    study = {"model": "vae", "vary": {"beta": [0.5, 2]}}
    (line,) = errors(models={"vae": {"latent": 100}}, studies={"betas": study})
    assert line.startswith("models.vae: latent 100")


def test_a_study_of_contradicting_features_is_named():
    study = {"model": "pca", "vary": {"hop_length": [512, 2048]}}
    (line,) = errors(models={"pca": {}}, studies={"hops": study})
    assert line.startswith("studies.hops: features: hop_length 2048 exceeds")


def test_common_settings_must_suit_the_models_of_studies_too():
    (line,) = errors(settings={"frames": 1}, studies={"a": {"model": "lstm_ae", "vary": {"epochs": [1]}}})
    assert line == "settings.frames: 1 is less than the minimum of 2 (model lstm_ae)"


def test_typed_paths_are_checked_too():
    plan = Plan({"dataset": DATASET, "models": {"pca": {}}})
    with pytest.raises(UserError, match="variant 'latent=200' of vae: latent 200 is more than a quarter"):
        plan.variant("vae", "latent=200")
