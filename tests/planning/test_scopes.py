"""What models are trained on: a section, or all that share a model, configured or not."""

import json

import pytest

from mimii.common.errors import UserError
from mimii.launch.jobs import Job
from mimii.launch.messages import describe_shared_models
from mimii.planning.job_parameters import merge_job, training_job
from mimii.planning.notes import few_classes
from mimii.planning.plan import Plan

MADE_UP = {"snrs": ["6dB", "0dB"], "machines": ["fan", "pump"], "ids": ["id_00", "id_02"]}
MODELS = {"gmm": {}, "mahalanobis": {"train_per": "machine_type"}, "pca": {"train_per": "snr"}}
FAN = ["6dB/fan/id_00", "6dB/fan/id_02"]


@pytest.fixture
def plan():
    """One of eight sections is configured."""
    dataset = {"source": "made_up", "root": "nowhere", "made_up": MADE_UP}
    return Plan({"dataset": {**dataset, "snrs": ["6dB"], "machines": ["fan"], "ids": ["id_02"]}, "models": MODELS})


def test_each_scope_has_a_path_and_the_datasets_sections(plan):
    gmm, mahalanobis, pca = plan.runs()
    assert gmm.training_path == gmm.path == "gmm/default/seed=42/6dB/fan/id_02"
    assert mahalanobis.training_path == "mahalanobis/train_per=machine_type/seed=42/6dB/fan"
    assert pca.training_path == "pca/train_per=snr/seed=42/6dB"
    trained = [
        list(json.loads(training_job(plan, run.variant.model, run.variant.name, "42", run.scope))["recordings"])
        for run in (gmm, mahalanobis, pca)
    ]
    assert trained == [["6dB/fan/id_02"], FAN, [*FAN, "6dB/pump/id_00", "6dB/pump/id_02"]]
    # The merge knows how each of them is listed.
    assert list(json.loads(merge_job(plan))["recordings"]) == trained[2]


@pytest.mark.parametrize(("model", "scope"), [("gmm", "6dB"), ("mahalanobis", "6dB/fan/id_02"), ("pca", "6dB/fan")])
def test_a_typed_path_of_another_scope_is_refused(plan, model, scope):
    variant = plan.variants_of(model=model)[0]
    with pytest.raises(UserError, match=rf"{model} .* is trained per {variant.train_per}"):
        plan.sections_of_scope(variant, scope)


@pytest.mark.parametrize("rule", ["extract_features", "extract_embeddings"])
def test_a_start_says_how_many_sections_must_be_extracted_for_shared_models(plan, rule):
    due = [Job(rule, {"section": section, "features": "default"}) for section in FAN]
    assert "trained on 3 sections that the configuration leaves out, too; 1 of them must" in describe_shared_models(
        plan, due
    )
    assert "none of them must be extracted" in describe_shared_models(plan, [])
    alone = Plan({"dataset": plan.config["dataset"], "models": {"gmm": {}}})
    assert describe_shared_models(alone, due) is None


@pytest.mark.parametrize(
    ("train_per", "ids", "said"),
    [
        ("snr", 4, []),  # 8 sections
        ("snr", 3, ["6 in 6dB."]),
        ("machine_type", 4, ["4 in 6dB/fan, 4 in 6dB/pump. "]),
        ("section", 2, ["1 in 6dB/fan/id_00, 1 in 6dB/fan/id_01, 1 in 6dB/pump/id_00 and so in 1 more. "]),
    ],
)
def test_a_classifier_with_few_sections_is_said_of_each_scope(train_per, ids, said):
    made_up = {"snrs": ["6dB"], "machines": ["fan", "pump"], "ids": [f"id_0{n}" for n in range(ids)]}
    dataset = {"source": "made_up", "root": "nowhere", "made_up": made_up}
    models = {"id_classifier": {"train_per": train_per}, "knn": {"train_per": train_per}}
    study = {"model": "id_classifier", "vary": {"epochs": [1, 2]}}
    lines = list(few_classes(Plan({"dataset": dataset, "models": models, "studies": {"epochs": study}})))
    assert len(lines) == len(said)  # once of all variants
    for line, scopes in zip(lines, said, strict=True):
        assert line.startswith(f"id_classifier (train_per: {train_per}) tells sections apart")
        assert scopes in line
    # Not configured sections of the dataset are trained on, and count.
    filtered = Plan({"dataset": {**dataset, "ids": ["id_00"]}, "models": models})
    assert len(list(few_classes(filtered))) == len(said)
