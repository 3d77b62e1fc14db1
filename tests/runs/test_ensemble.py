"""Ensembles: members made comparable without labels, whose files are theirs, in a run like any other."""

import json
import shutil
from pathlib import Path

import in_process
import numpy as np
import pytest
from small_benchmark import SECTION, Benchmark, working_in, write_section

from mimii.common.errors import UserError
from mimii.common.problems import ProblemsError
from mimii.common.records import sha256_of
from mimii.data.sections import Section
from mimii.evaluation.merging import Expectation, merge_results
from mimii.evaluation.results import read_results
from mimii.evaluation.row import compute_metrics
from mimii.evaluation.seeds import models_behind
from mimii.planning import job_parameters
from mimii.planning.plan import Plan
from mimii.runs.clip_scores import PRIMARY, read_scores, write_scores
from mimii.runs.ensemble import combine_scores, comparable_scores, ranks_among
from mimii.runs.records import ScoringRecord, TrainingRecord
from mimii.runs.run import Run

MEMBERS = {"knn": {"val_split": 0.3}, "pca": {"components": 4, "val_split": 0.3}}


def scored(tmp_path, test, held_out, abnormal=None):
    """A scores.parquet. abnormal: which of the test clips are."""
    count = len(test) + len(held_out)
    labels = ["abnormal" if abnormal and clip in abnormal else "normal" for clip in range(count)]
    about = {
        "path": [f"{clip:03}.wav" for clip in range(count)],
        "label": labels,
        "split": ["test"] * len(test) + ["validation"] * len(held_out),
        "domain": [None] * count,
        "attributes": [""] * count,
    }
    write_scores(tmp_path / "scores.parquet", about, {PRIMARY: [*test, *held_out]})
    return read_scores(tmp_path / "scores.parquet")


@pytest.mark.parametrize("how", ["standardised", "rank"])
def test_a_members_unit_does_not_matter_nor_do_labels(tmp_path, how):
    rng = np.random.default_rng(1)
    test, held_out = rng.normal(size=20), rng.normal(size=8)
    own = comparable_scores(scored(tmp_path, test, held_out, abnormal={3, 5}), how, "run")
    other = comparable_scores(scored(tmp_path, 40 + 7 * test, 40 + 7 * held_out), how, "run")
    np.testing.assert_allclose([own[path] for path in own], [other[path] for path in own], atol=1e-9)


def test_standardised_is_against_held_out_clips_alone(tmp_path):
    values = comparable_scores(scored(tmp_path, [10.0, 4.0], [1.0, 3.0]), "standardised", "run")
    assert values == {"000.wav": 8.0, "001.wav": 2.0, "002.wav": -1.0, "003.wav": 1.0}


def test_ranks_are_shares_of_test_clips_below_ties_in_the_middle(tmp_path):
    values = comparable_scores(scored(tmp_path, [5.0, 1.0, 5.0, 9.0], [0.0, 100.0]), "rank", "run")
    assert list(values.values()) == [0.5, 0.125, 0.5, 0.875, 0.0, 1.0]
    rng = np.random.default_rng(2)
    scores = rng.normal(size=50)
    np.testing.assert_array_equal(np.argsort(ranks_among(scores, scores)), np.argsort(scores))


@pytest.mark.parametrize("held_out", [[], [1.0], [2.0, 2.0]])
def test_too_little_to_standardise_by_is_refused_and_can_be_ranked(tmp_path, held_out):
    member = scored(tmp_path, [1.0, 2.0], held_out)
    with pytest.raises(UserError, match=r"run: \d held-out clips with \d different scores are too few .* how: rank"):
        comparable_scores(member, "standardised", "run")
    assert comparable_scores(member, "rank", "run")


def make_runs(folder):
    """Two models on one section, scored; and the plan with an ensemble of both."""
    write_section(Path("data", SECTION), normal=20, abnormal=3)
    for name, own in MEMBERS.items():
        benchmark = Benchmark()
        benchmark.config["models"] = {name: own}
        for stage in ("planning", "features", "training", "scoring", "metrics"):
            getattr(benchmark, stage)()


def ensemble_plan(**declared):
    config = {**Benchmark().config, "models": MEMBERS, "ensembles": {"both": {"members": ["knn", "pca"], **declared}}}
    return Plan(config)


def run_of(plan):
    return Path("results/runs", next(plan.runs(model="both")).path)


def combine(plan):
    job = json.loads(job_parameters.ensemble_job(plan, "both", plan.compared[-1][1], "42", Section.parse(SECTION)))
    run = run_of(plan)
    names = {"scores_file": "scores.parquet", "training_file": "training.json", "scoring_file": "scoring.json"}
    combine_scores(Path("results/runs"), job, **{key: run / name for key, name in names.items()})
    metrics = json.loads(job_parameters.metrics_job(plan))
    files = [run / name for name in ("scores.parquet", "training.json", "scoring.json")]
    compute_metrics(*files, metrics["metrics"], code=metrics["code"]).write(run / "metrics.json")


def merge(plan, **which):
    contents = json.loads(job_parameters.merge_job(plan, **which))
    columns = job_parameters.recorded_columns(contents)
    expected = Expectation(columns, contents["recordings"], Path(plan.features_root))
    merge_results(job_parameters.listed_runs(contents), "results/runs", "results/results.csv", expected)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    with working_in(folder):
        make_runs(folder)
    return folder


@pytest.fixture
def there(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    with working_in(tmp_path):
        yield tmp_path


def test_an_ensemble_is_the_mean_of_its_members_and_says_whose(there):
    plan = ensemble_plan()
    combine(plan)
    run = run_of(plan)
    members = "+".join(f"{name}-{plan.variants[number].name}" for number, name in enumerate(MEMBERS))
    assert run.as_posix() == f"results/runs/both/ensemble={members.replace('-default', '')}/seed=42/{SECTION}"
    members = [f"{one.path}" for one in plan.member_runs("both", 42, Section.parse(SECTION))]
    record = ScoringRecord.read(run / "scoring.json")
    assert record.members == {
        one: ScoringRecord.read(Path("results/runs", one, "scoring.json")).scores_sha256 for one in members
    }
    own = read_scores(run / "scores.parquet").clips()
    expected = [
        comparable_scores(read_scores(Path("results/runs", one, "scores.parquet")), "standardised", one)
        for one in members
    ]
    np.testing.assert_allclose(own.scores, [np.mean([each[path] for each in expected]) for path in own.paths])
    row = json.loads((run / "metrics.json").read_text())["row"]
    assert row["threshold"] is not None
    assert {row[name] for name in ("training_time_sec", "num_parameters", "epochs", "device", "n_mels")} == {None}
    assert TrainingRecord.read(run / "training.json").settings["how"] == "standardised"


def test_the_merge_has_it_beside_its_members_and_by_itself(there):
    plan = ensemble_plan(how="rank")
    combine(plan)
    merge(plan)
    lines = Path("results/results.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["knn", "pca", "both"]
    merge(plan, model="both")
    assert len(Path("results/results.csv").read_text().splitlines()) == 2


def test_a_member_that_has_changed_since_is_refused_at_the_merge(there):
    plan = ensemble_plan()
    combine(plan)
    member = Path("results/runs", plan.member_runs("both", 42, Section.parse(SECTION))[0].path)
    record = ScoringRecord.read(member / "scoring.json")
    ScoringRecord(**{**vars(record), "scores_sha256": "0" * 64}).write(member / "scoring.json")
    with pytest.raises(UserError, match=r"its member knn/.* has other clip scores than it was made of"):
        merge(plan)
    (member / "scoring.json").unlink()
    with pytest.raises(UserError, match="it cannot be held against its member knn"):
        merge(plan)
    with pytest.raises(UserError, match=r"scoring\.json: missing"):
        combine(plan)


def test_another_way_or_other_members_are_another_path_and_no_other_is_asked_for(there):
    plan = ensemble_plan()
    combine(plan)
    paths = {run_of(other) for other in (plan, ensemble_plan(how="rank"), ensemble_plan(members=["pca", "knn"]))}
    assert len(paths) == 3
    with pytest.raises(UserError, match=r"both/ensemble=.*,how=rank/.*: metrics\.json is missing"):
        merge(ensemble_plan(how="rank"))
    with pytest.raises(UserError, match="both/ensemble=vae: the configuration has both/ensemble=knn"):
        job_parameters.ensemble_job(plan, "both", "ensemble=vae", "42", Section.parse(SECTION))
    merge(plan)


def test_members_that_scored_other_clips_are_refused(there):
    plan = ensemble_plan()
    run = Path("results/runs", plan.member_runs("both", 42, Section.parse(SECTION))[0].path)
    scores = read_scores(run / "scores.parquet").table
    rows = scores.slice(1).to_pylist()
    about = {name: [row[name] for row in rows] for name in ("path", "label", "split", "domain", "attributes")}
    write_scores(run / "scores.parquet", about, {PRIMARY: [row[PRIMARY] for row in rows]})
    record = ScoringRecord.read(run / "scoring.json")
    changed = {**vars(record), "scores_sha256": sha256_of(run / "scores.parquet")}
    ScoringRecord(**changed).write(run / "scoring.json")
    with pytest.raises(UserError, match="scored other recordings, or skipped other clips"):
        combine(plan)


def test_a_member_may_be_a_variant_of_a_study_or_external_scores(there):
    """Beside the same model with other settings; theirs are as knn's, of the same test clips."""
    variant = "pca/components=2,val_split=0.3"
    config = {
        **Benchmark().config,
        "models": MEMBERS,
        "studies": {"sizes": {"model": "pca", "vary": {"components": [2, 4]}}},
        "external_scores": {"theirs": "theirs"},
        "ensembles": {"both": {"members": ["pca", variant, "theirs"], "how": "rank"}},
    }
    plan, section = Plan(config), Section.parse(SECTION)
    knn, study_run = Run(plan.variants[0], 42, section), Run(plan.variant(*variant.split("/")), 42, section)
    clips = read_scores(Path("results/runs", knn.path, "scores.parquet")).clips()
    file = Path("theirs", f"{SECTION}.csv")
    file.parent.mkdir(parents=True)
    rows = [f"{path},{score}" for path, score in zip(clips.paths, clips.scores, strict=True)]
    file.write_text("\n".join(["path,score", *rows, ""]))
    in_process.train(plan, study_run)
    in_process.score(plan, study_run)
    in_process.import_external(plan, "theirs", section)
    combine(plan)
    runs = plan.member_runs("both", 42, section)
    assert [run.path.removesuffix(f"/{SECTION}") for run in runs] == [
        "pca/components=4,val_split=0.3/seed=42",
        f"{variant}/seed=42",
        "theirs/external",
    ]
    own = read_scores(run_of(plan) / "scores.parquet").clips()
    members = [read_scores(Path("results/runs", run.path, "scores.parquet")).clips().scores for run in runs]
    assert not np.array_equal(members[0], members[1])
    np.testing.assert_allclose(own.scores, np.mean([ranks_among(each, each) for each in members], axis=0))
    merge(plan, model="both")
    assert models_behind(read_results("results/results.csv").iloc[0]) == ["pca", "pca"]


def test_seeds_are_those_of_the_members(tmp_path):
    dataset = {"source": "made_up", "root": str(tmp_path)}
    members = {
        "fixed": {"members": ["knn", "pca", "theirs"], "how": "rank"},
        "drawn": {"members": ["pca", "vae/beta=2"]},
    }
    study = {"model": "vae", "vary": {"beta": [2]}}
    config = {"models": ["knn", "pca"], "studies": {"betas": study}, "external_scores": {"theirs": "x"}}
    plan = Plan({"dataset": dataset, **config, "seeds": [1, 2], "ensembles": members})
    section = plan.sections[0]
    assert {run.seed for run in plan.runs(model="fixed")} == {1}
    assert {run.seed for run in plan.runs(model="drawn")} == {1, 2}
    assert [(run.variant.model, run.seed) for run in plan.member_runs("drawn", 2, section)] == [("pca", 1), ("vae", 2)]
    assert ["drawn", "ensemble=pca+vae-beta=2"] in plan.compared


@pytest.mark.parametrize(
    ("ensembles", "message"),
    [
        (
            {"both": {"members": ["knn", "pac"]}},
            r"ensembles.both.members: unknown configured model 'pac'; did",
        ),
        ({"knn": {"members": ["knn", "pca"]}}, r"ensembles.knn: a model or external scores have that name"),
        ({"theirs": {"members": ["knn", "pca"]}}, r"ensembles.theirs: a model or external scores have that name"),
        ({"both": {"members": ["knn"]}}, r"ensembles.both.members: .*too short"),
        ({"both": {"members": ["knn", "knn"]}}, r"ensembles.both.members: .*non-unique"),
        (
            {"both": {"members": ["knn", "pca/default"]}},
            r"ensembles.both.members: unknown .* variant 'pca/default'; did",
        ),
        ({"both": {"members": ["knn", "vae/default"]}}, r"ensembles.both.members: unknown configured model 'vae'"),
        ({"both": {"members": ["knn", "knn/default/x"]}}, r"unknown configured variant 'knn/default/x'"),
        ({"both": {"members": ["knn", "knn/default"]}}, r"ensembles.both.members: knn/default is named twice"),
        ({"both": {"members": ["knn", "theirs"]}}, r"ensembles.both: external scores have no held-out .* how: rank"),
        ({"both": {"members": ["knn", "pca"], "how": "median"}}, r"ensembles.both.how: unknown value 'median'"),
        ({"both": {}}, r"ensembles.both: 'members' is a required property"),
        ({"a/b": {"members": ["knn", "pca"]}}, r"ensembles: 'a/b' does not match"),
    ],
)
def test_what_cannot_be_an_ensemble_is_refused_while_planning(tmp_path, ensembles, message):
    dataset = {"source": "made_up", "root": str(tmp_path)}
    config = {
        "dataset": dataset,
        "models": {"knn": {}, "pca": {"components": 4}},
        "external_scores": {"theirs": "x"},
        "ensembles": ensembles,
    }
    with pytest.raises(ProblemsError, match=message):
        Plan(config)
