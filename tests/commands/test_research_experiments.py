"""The original's options: same names and defaults, a configuration of the workflow, one line for a mistake."""

import re

import pytest
import yaml

from mimii.commands import research_experiments as command_line
from mimii.commands.research_experiments import (
    FEATURE_OPTIONS,
    ORIGINAL_MODELS,
    TRAINING_OPTIONS,
    from_repository,
    in_options,
    link_models,
    make_configuration,
    make_parser,
    write_configuration,
)
from mimii.common.errors import UserError
from mimii.common.problems import Problem
from mimii.detectors.declaration import model_declaration, model_names
from mimii.features.settings import feature_declarations
from mimii.planning.config import read_config
from mimii.planning.plan import Plan
from mimii.planning.variants import base_variants

# As the original framework documents them.
DOCUMENTED = {
    "n_mels": 64,
    "n_fft": 1024,
    "hop_length": 512,
    "power": 2.0,
    "epochs": 50,
    "learning_rate": 0.001,
    "val_split": 0.1,
}


def configured(*arguments):
    return make_configuration(make_parser().parse_args(["--base_dir", "dataset", *arguments]))


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        make_parser().parse_args(["--base_dir", "dataset", *arguments])
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_declared_defaults_are_the_documented_ones():
    for model in ORIGINAL_MODELS:
        declared = {**feature_declarations(), **model_declaration(model).settings}
        for name, value in DOCUMENTED.items():
            assert declared.get(name, {"default": value})["default"] == value, (model, name)
    # These are each model's own, and the original's for the simple autoencoder.
    simple = model_declaration("simple_ae").settings
    assert (simple["frames"]["default"], simple["batch_size"]["default"]) == (5, 256)


def test_a_command_without_options_runs_the_ten_models_with_their_own_settings():
    config = read_config(configured())
    assert [variant.name for variant in base_variants(config)] == ["default"] * 10
    assert tuple(config["models"]) == ORIGINAL_MODELS
    assert config["seeds"] == [42]
    assert config["paths"]["results"] == "research_results/research_results"
    assert config["paths"]["csv"] == "research_results/research_results.csv"
    # The workflow's own files, so that a run that is there is not run again.
    assert (config["paths"]["features"], config["paths"]["runs"]) == ("results/features", "results/runs")


def test_the_documented_defaults_given_are_no_other_variant():
    given = [text for name, value in DOCUMENTED.items() for text in (f"--{name}", str(value))]
    assert {variant.name for variant in base_variants(read_config(configured(*given)))} == {"default"}


@pytest.mark.parametrize(("name", "value"), [("frames", 10), ("batch_size", 128)])
def test_frames_and_batch_size_hold_for_every_model_that_declares_them(name, value):
    config = read_config(configured("--model", "conv_ae", "simple_ae", f"--{name}", str(value)))
    assert {variant.name for variant in base_variants(config)} == {f"{name}={value}"}


@pytest.mark.parametrize("name", [*FEATURE_OPTIONS, *TRAINING_OPTIONS])
def test_every_setting_reaches_the_variant(name):
    value = {"power": "1", "learning_rate": "0.5", "val_split": "0.2", "n_fft": "2048"}.get(name, "32")
    config = read_config(configured("--model", "simple_ae", f"--{name}", value))
    assert base_variants(config)[0].name == f"{name}={value}"


def test_models_may_be_several_or_all_and_one_more():
    assert list(configured("--model", "vae", "pca", "vae")["models"]) == ["vae", "pca"]
    assert list(configured("--model", "all", "mahalanobis")["models"]) == [*ORIGINAL_MODELS, "mahalanobis"]


def test_all_are_models_that_exist():
    assert set(ORIGINAL_MODELS) < set(model_names())


def test_seeds_filters_and_device():
    config = read_config(
        configured("--seeds", "1", "2", "--machines", "fan", "--snrs", "6dB", "--ids", "id_00", "--device", "cuda:1")
    )
    assert config["seeds"] == [1, 2]
    assert [config["dataset"][key] for key in ("machines", "snrs", "ids")] == [["fan"], ["6dB"], ["id_00"]]
    assert config["compute"]["device"] == "cuda:1"


def test_each_csv_has_a_folder_of_its_own_for_tables():
    one, other = configured("--output_csv", "vae_lr001.csv"), configured("--output_csv", "vae_lr0001.csv")
    assert one["paths"]["results"] != other["paths"]["results"]
    assert one["paths"]["csv"] == "research_results/vae_lr001.csv"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "vea"], "unknown model 'vea'; did you mean 'vae'?"),
        (["--epochs", "-1"], "argument --epochs: -1 is less than the minimum of 0"),
        (["--epochs", "many"], "argument --epochs: 'many' is not of type 'integer'"),
        (["--val_split", "1.5"], "argument --val_split: 1.5 is greater than the maximum of 0.9"),
        (["--seed", "-1"], "argument --seed: -1 is less than the minimum of 0"),
        (["--seed", "1", "--seeds", "2"], "not allowed with argument --seed"),
        (["--device", "gpu"], "expected auto, cpu, cuda or cuda:1, not 'gpu'"),
        (["--cores", "0"], "expected a number of at least 1, or all, not '0'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(capsys, arguments, says):
    assert says in refused(capsys, *arguments)


@pytest.mark.parametrize("name", ["", ".csv", "results", "a/b.csv", "../b.csv"])
def test_a_csv_that_is_no_file_name_is_refused(name):
    with pytest.raises(UserError, match="--output_csv"):
        configured("--output_csv", name)


def test_messages_about_the_configuration_name_options():
    keys = ["dataset.root", "dataset.ids.0", "settings.frames", "settings.latent", "features", ""]
    named = in_options(Problem(key, "is wrong") for key in keys)
    assert [problem.where for problem in named] == [
        "--base_dir",
        "--ids",
        "--frames",
        "settings.latent",
        "features",
        "",
    ]


def test_the_help_names_every_option_of_the_original():
    text = make_parser().format_help()
    for name in ("base_dir", "model", "frames", *DOCUMENTED, "output_csv", "pickle_dir", "model_dir", "result_dir"):
        assert re.search(rf"--{name}\b", text)
    for name, value in DOCUMENTED.items():
        assert re.search(rf"--{name} [^-]*\(default:\s+{value}\)", re.sub(r"\s+", " ", text)), name
    assert "parquet" in text


def test_paths_are_from_the_person_s_folder(tmp_path, monkeypatch):
    repository, elsewhere = tmp_path / "repository", tmp_path / "elsewhere"
    (repository / "sub").mkdir(parents=True)
    elsewhere.mkdir()
    monkeypatch.setattr(command_line, "REPOSITORY", repository)
    monkeypatch.chdir(repository / "sub")
    assert from_repository("data") == "sub/data"
    assert from_repository("../data") == "data"
    monkeypatch.chdir(elsewhere)
    assert from_repository("data") == str(elsewhere / "data")


def test_the_configuration_that_is_written_is_the_one_that_runs(tmp_path):
    config = configured("--model", "vae", "--learning_rate", "0.00001", "--seeds", "1", "2")
    write_configuration(config, tmp_path / "deep" / "config.yaml")
    assert yaml.safe_load((tmp_path / "deep" / "config.yaml").read_text()) == config


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "REPOSITORY", tmp_path)
    plan = Plan(
        {
            "dataset": {"source": "made_up", "root": "d", "made_up": {"snrs": ["6dB"], "machines": ["fan"]}},
            "models": {"vae": {"latent": 4}, "pca": {}},
        }
    )
    for run in plan.runs():
        file = tmp_path / plan.runs_root / run.path / plan.model_file(run.variant.model)
        file.parent.mkdir(parents=True)
        file.write_text(run.variant.model)
    return plan


def test_models_are_linked_under_names_that_say_what_they_are(plan, tmp_path):
    for _ in range(2):
        link_models(plan, tmp_path / "models")
    links = {link.name: link for link in (tmp_path / "models").iterdir()}
    assert set(links) == {"vae_latent=4_fan_id_00_6dB_seed42.pth", "pca_fan_id_00_6dB_seed42.npz"}
    for link in links.values():
        assert link.is_symlink()
        assert not link.readlink().is_absolute()
        assert link.read_text() == link.name.split("_")[0]


def test_a_file_of_the_person_s_own_is_not_replaced_by_a_link(plan, tmp_path):
    (tmp_path / "models").mkdir()
    own = tmp_path / "models" / "vae_latent=4_fan_id_00_6dB_seed42.pth"
    own.write_text("own")
    with pytest.raises(UserError, match="not a link"):
        link_models(plan, tmp_path / "models")
    assert own.read_text() == "own"
