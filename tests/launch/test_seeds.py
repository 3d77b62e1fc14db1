"""Where too few seeds were run for a claim, it is said, with what more of them would do."""

import json
import re

import pytest

from mimii.launch.seeds import too_few_seeds
from mimii.planning import job_parameters
from mimii.planning.plan import Plan

DATASET = {"source": "made_up", "root": "d", "made_up": {"snrs": ["6dB"], "machines": ["fan"], "ids": ["id_00"]}}


def planned(models, seeds):
    return Plan({"dataset": DATASET, "models": {model: {} for model in models}, "seeds": seeds})


def test_a_model_that_does_not_depend_on_its_seed_runs_with_the_first():
    plan = planned(["vae", "pca"], [7, 42])
    paths = [run.path for run in plan.runs()]
    assert paths == [
        f"{run}/6dB/fan/id_00" for run in ("vae/default/seed=7", "vae/default/seed=42", "pca/default/seed=7")
    ]
    assert [run.path for run in job_parameters.listed_runs(json.loads(job_parameters.merge_job(plan)))] == paths


@pytest.mark.parametrize(
    ("seeds", "enough"), [([42], [42, 43, 44, 45, 46]), ([7], [7, 42, 43, 44, 45]), ([1, 2], [1, 2, 42, 43, 44])]
)
def test_one_line_names_the_models_and_the_seeds_that_would_be_enough(seeds, enough):
    note = too_few_seeds(planned(["vae", "pca"], seeds))
    assert "\n" not in note
    assert "no claim about vae:" in note
    assert f"`seeds: {enough}`" in note
    assert re.search(r"runs the missing ones \(some \d+ (s|min) of CPU time\) and adds intervals", note)
    assert too_few_seeds(planned(["vae", "pca"], seeds), with_cost=False) == re.sub(r" \(some .*? CPU time\)", "", note)
    assert "`--seeds " in too_few_seeds(planned(["vae"], seeds), "`--seeds {}`", " ")


def test_nothing_is_said_where_nothing_depends_on_seeds_or_there_are_enough():
    assert too_few_seeds(planned(["pca", "mahalanobis"], [42])) is None
    assert too_few_seeds(planned(["vae"], [1, 2, 3])) is None
