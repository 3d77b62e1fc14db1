"""What is due is estimated before a start: from figures of each model, the machine's speed, and what is listed."""

from pathlib import Path

import pytest
import soundfile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from workspace import write_recordings

from mimii.data.lookup import open_source
from mimii.data.sections import Section
from mimii.detectors.declaration import model_names
from mimii.launch import costs, messages, run, speed
from mimii.launch.costs import Estimate, Estimator, jobs_of_a_seed
from mimii.launch.extent import Extent, extent_of
from mimii.launch.jobs import Job
from mimii.launch.request import Request
from mimii.planning.config import read_config
from mimii.planning.plan import Plan
from mimii.planning.variants import runs_of

CONFIG = Path(__file__).parents[2] / "config"
MIMII = {"dataset": {"source": "zenodo", "root": "nowhere"}}
MADE_UP = {"snrs": ["6dB"], "machines": ["fan"], "ids": ["id_00", "id_02"], "normal_clips": 60, "abnormal_clips": 10}


def planned(models=("vae", "pca"), seeds=(42,), config=None, **made_up):
    dataset = {"source": "made_up", "root": "nowhere", "made_up": {**MADE_UP, **made_up}}
    models = models if isinstance(models, dict) else {model: {} for model in models}
    return Plan({"dataset": dataset, "models": models, "seeds": list(seeds), **(config or {})})


def all_jobs(plan):
    """What a plan comes to where nothing is there."""
    features = {(run.variant.features_name, run.section.path) for run in plan.runs()}
    yield from (Job("extract_features", {"features": name, "section": section}) for name, section in sorted(features))
    trained = set()
    for each in plan.runs():
        named = {"model": each.variant.model, "variant": each.variant.name, "seed": str(each.seed)}
        if each.training_path not in trained:
            trained.add(each.training_path)
            yield Job("train_model", {**named, "scope": each.scope})
        for rule in ("score_clips", "compute_metrics"):
            yield Job(rule, {**named, "section": each.section.path})


def total(plan, speed=None):
    return Estimator(plan, speed).estimate(all_jobs(plan)).total


# The figures.


def test_every_model_of_the_full_benchmark_was_measured():
    figures = costs.reference_costs()
    models = yaml.safe_load((CONFIG / "config.yaml").read_text())["models"]
    missing = set(models) - set(figures["models"])
    assert not missing, "run: python benchmarks/reference_costs.py --output src/mimii/planning/costs.yaml"
    assert set(figures["models"]) <= set(model_names())
    for model, of_model in figures["models"].items():
        for part in ("training", "scoring"):
            assert of_model[part]["job"] > 0, model
            assert of_model[part]["clip"] >= 0, model
    assert all(seconds > 0 for seconds in figures["speed"].values())
    assert {"processor", "date"} <= set(figures["machine"])


def test_a_network_costs_by_the_epoch_and_no_other_model_does():
    figures = costs.reference_costs()["models"]
    with_epochs = {model for model, of_model in figures.items() if "epoch" in of_model["training"]}
    plan = planned(models=list(figures))
    assert with_epochs == {variant.model for variant in plan.variants if "epochs" in variant.settings}


def test_the_speed_is_measured_by_the_workloads_that_the_figures_name():
    seconds = speed.time_workloads(1)
    assert set(seconds) == set(costs.reference_costs()["speed"])
    assert all(len(times) == 1 and times[0] > 0 for times in seconds.values())


# The arithmetic.


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(sorted(costs.reference_costs()["models"])),
    st.tuples(st.integers(30, 300), st.integers(5, 15), st.integers(1, 4), st.integers(1, 20)),
    st.tuples(*[st.integers(0, 3)] * 4),
)
def test_more_clips_seeds_or_epochs_cost_no_less(model, amounts, more):
    def cost(normal, abnormal, seeds, epochs):
        config = {"settings": {"epochs": epochs}}
        return total(planned([model], range(seeds), config, normal_clips=normal, abnormal_clips=abnormal))

    less, larger = amounts, [amount + added for amount, added in zip(amounts, more, strict=True)]
    # More abnormal clips are more normal ones in the test, and fewer in training.
    larger[0] += more[1]
    assert 0 < cost(*less) <= cost(*larger) + 1e-9


def test_nothing_due_costs_nothing():
    plan = planned()
    assert Estimator(plan).estimate([]) == Estimate({}, 0.0, 0.0, [], False)
    assert messages.describe_costs(Request(), plan, [], Estimator(plan).estimate([])) == []
    assert messages.describe_costs_unmeasured(Estimator(plan).estimate([])) is None


def test_a_machine_that_needs_twice_as_long_for_the_workloads_needs_twice_as_long():
    slow = {name: 2 * seconds for name, seconds in costs.reference_costs()["speed"].items()}
    assert total(planned(), slow) == pytest.approx(2 * total(planned()))


@pytest.mark.parametrize(
    ("model", "own"), [("vae", {"hop_frames": 2}), ("conv_ae", {"hop_frames": 16}), ("simple_ae", {"epochs": 25})]
)
def test_half_the_windows_or_epochs_are_about_half_the_cost(model, own):
    def trained(own):
        plan = planned({model: own}, normal_clips=20_000)
        return Estimator(plan).estimate(all_jobs(plan)).seconds[f"training {model}"]

    assert trained(own) == pytest.approx(trained({}) / 2, rel=0.05)


def test_a_model_that_sections_share_is_trained_once():
    estimate = Estimator(planned(["id_classifier"])).estimate(all_jobs(planned(["id_classifier"])))
    jobs = [job for job in all_jobs(planned(["id_classifier"])) if job.rule == "train_model"]
    assert [job.wildcards["scope"] for job in jobs] == ["6dB"]
    assert estimate.longest == estimate.seconds["training id_classifier"]


def test_parts_add_up_and_features_fill_the_disk_as_their_frames_do():
    plan = planned(seconds=10)
    estimate = Estimator(plan).estimate(all_jobs(plan))
    assert set(estimate.seconds) == {"features", "training vae", "training pca", "scoring", "metrics"}
    assert estimate.total == pytest.approx(sum(estimate.seconds.values()))
    assert estimate.features_mb == pytest.approx(2 * 70 * 313 * 64 * 4 / 1e6)


def test_a_seed_more_costs_what_it_adds():
    one, two = planned(seeds=[0]), planned(seeds=[0, 1])
    more = Estimator(one).estimate(jobs_of_a_seed(one)).total
    assert more == pytest.approx(total(two) - total(one))
    assert list(jobs_of_a_seed(planned(["pca"]))) == []


def test_what_was_never_measured_is_named(monkeypatch):
    known = costs.reference_costs()
    others = {name: of_model for name, of_model in known["models"].items() if name != "vae"}
    monkeypatch.setattr(costs, "reference_costs", lambda: {**known, "models": others})
    plan = planned()
    jobs = [*all_jobs(plan), Job("make_page"), Job("merge_results"), Job("download_archive", {"archive": "a.zip"})]
    jobs.append(Job("extract_embeddings", {"features": "ast", "section": "6dB/fan/id_00"}))
    estimate = Estimator(plan).estimate(jobs)
    embeddings = costs.OTHER_JOBS["extract_embeddings"]
    assert estimate.uncounted == ["vae (never measured)", costs.RESULTS, "downloads", embeddings]
    assert "training pca" in estimate.seconds
    assert "vae" not in " ".join(estimate.seconds)
    lines = messages.describe_costs(Request(cores="1"), plan, jobs, estimate)
    assert f"not in it: vae (never measured), {costs.RESULTS}, downloads, {embeddings}" in lines[-1]


def test_sections_of_which_nothing_is_known_yet_are_named():
    plan = Plan(
        {"dataset": {"source": "dcase", "root": "d", "dcase": {"year": 2020, "download": True}}, "models": {"pca": {}}}
    )
    estimate = Estimator(plan).estimate(all_jobs(plan))
    assert (estimate.total, estimate.uncounted) == (0, ["sections whose recordings are not here yet"])
    said = messages.describe_costs(Request(), plan, list(all_jobs(plan)), estimate)
    assert said == ["What it costs is not estimated: sections whose recordings are not here yet."]


def test_what_always_follows_alone_needs_no_estimate():
    def said(jobs):
        return messages.describe_costs(Request(cores="1"), planned(), jobs, Estimator(planned()).estimate(jobs))

    follows = [Job("merge_results"), Job("make_page")]
    assert said(follows) == []
    assert said([*all_jobs(planned()), *follows])[0].startswith("Estimated for this machine")


# How large sections are.


def source_of(dataset):
    return open_source(read_config({"dataset": dataset, "models": {"vae": {}}})["dataset"])


def test_mimii_is_known_before_it_is_there():
    extent = extent_of(source_of(MIMII["dataset"]), Section("6dB", "fan", "id_00"))
    assert extent == Extent(train=1011 - 407, test=2 * 407, seconds=10)


def test_recordings_are_counted_and_the_first_says_how_long_they_are(tmp_path):
    write_recordings(tmp_path / "6dB" / "fan" / "id_00", normal=13, abnormal=2, samples=4000)
    section = Section("6dB", "fan", "id_00")
    extent = extent_of(source_of({"root": str(tmp_path)}), section)
    assert (extent.train, extent.test) == (11, 4)
    assert extent.seconds == pytest.approx(4000 / 16000)
    cut = extent_of(source_of({"root": str(tmp_path), "clip_seconds": 0.1}), section)
    assert (cut.train, cut.test, cut.seconds) == (22, 8, 0.1)
    half = extent_of(source_of({"root": str(tmp_path), "split": 5}), section)
    assert (half.train, half.test) == (8, 7)


def test_a_first_recording_that_cannot_be_read_leaves_the_length_open(tmp_path):
    folder = tmp_path / "6dB" / "fan" / "id_00"
    write_recordings(folder)
    first = min(folder.rglob("*.wav"), key=lambda path: path.relative_to(tmp_path).as_posix())
    first.write_bytes(b"no recording")
    source = source_of({"root": str(tmp_path)})
    assert extent_of(source, Section("6dB", "fan", "id_00")).seconds is None
    plan = Plan({"dataset": {"root": str(tmp_path)}, "models": {"pca": {}}})
    estimate = Estimator(plan).estimate(all_jobs(plan))
    assert "clips are taken to have 10 s" in "".join(messages.describe_costs(Request(), plan, [Job("x")], estimate))
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(first)


# What is said.


def test_a_dry_run_says_what_it_costs_here(monkeypatch):
    monkeypatch.setattr(messages, "GPUS", ())
    monkeypatch.setattr(messages, "worker_count", lambda cores: {"all": 4, "8": 8}.get(cores, 4))
    plan = planned(seeds=[1, 2, 3])
    jobs = list(all_jobs(plan))
    seconds = {"features": 60.0, "training vae": 9000.0, "scoring": 900.0, "a": 3.0, "b": 2.0, "c": 1.0}
    lines = messages.describe_costs(Request(cores="4"), plan, jobs, Estimate(seconds, 2000.0, 4330, [], False))
    assert lines == [
        "Estimated for this machine: 2 h 46 min of CPU time, about 42 min with 4 at a time; 4.3 GB of features.",
        "  most of it: training vae 2 h 30 min, scoring 15 min, features 60 s, a 3 s, b 2 s",
    ]
    crowded = messages.describe_costs(Request(cores="8"), plan, jobs, Estimate(seconds, 2000.0, 0, [], False))
    assert crowded[0].endswith("about 42 min with 8 at a time.")  # by four cores
    alone = messages.describe_costs(Request(cores="4"), plan, jobs, Estimate(seconds, 9000.0, 0, [], False))
    assert alone[0].endswith("about 2 h 30 min with 4 at a time.")  # no job is shared out
    assert (
        "at a time"
        not in messages.describe_costs(Request(profile="slurm"), plan, jobs, Estimate(seconds, 1.0, 0, [], False))[0]
    )


@pytest.mark.parametrize(("device", "said"), [("auto", True), ("cpu", False)])
def test_a_gpu_that_is_there_is_not_in_it(monkeypatch, tmp_path, device, said):
    monkeypatch.setattr(messages, "GPUS", (str(tmp_path),))
    plan = planned(config={"compute": {"device": device}})
    lines = messages.describe_costs(Request(), plan, list(all_jobs(plan)), Estimator(plan).estimate(all_jobs(plan)))
    assert ("not in it: what a GPU saves" in lines[-1]) == said


def test_networks_that_may_stop_early_take_less(monkeypatch):
    monkeypatch.setattr(messages, "GPUS", ())
    plan = planned({"vae": {"early_stopping_patience": 3}})
    lines = messages.describe_costs(Request(), plan, list(all_jobs(plan)), Estimator(plan).estimate(all_jobs(plan)))
    assert lines[-1] == "  networks that stop early take less"


def test_a_start_says_what_is_not_done_in_minutes():
    short, long = planned(), Plan({**MIMII, "models": {"vae": {}}})
    assert messages.describe_costs_unmeasured(Estimator(short).estimate(all_jobs(short))) is None
    said = messages.describe_costs_unmeasured(Estimator(long).estimate(all_jobs(long)))
    assert costs.reference_costs()["machine"]["processor"] in said
    assert "--dry-run" in said


def test_the_full_benchmark_on_all_of_mimii_is_estimated_before_any_of_it_is_there():
    plan = Plan({**MIMII, "models": yaml.safe_load((CONFIG / "config.yaml").read_text())["models"], "seeds": [1, 2, 3]})
    assert len(list(runs_of(plan.variants, plan.seeds, plan.sections))) > 1000
    estimate = Estimator(plan).estimate(all_jobs(plan))
    assert estimate.uncounted == []
    assert estimate.features_mb == pytest.approx(4330, rel=0.01)


@pytest.mark.parametrize(
    ("dry_run", "least", "said", "unsaid"),
    [
        (True, 1e9, "Estimated for this machine: ", "another machine"),
        (False, 0, "of CPU time on another machine", "Estimated"),
        (False, 1e9, "8 jobs; none of their kind", "CPU time"),
    ],
)
def test_a_start_measures_nothing_and_a_dry_run_does(monkeypatch, tmp_path, capsys, dry_run, least, said, unsaid):
    measured = []
    plan = planned(["vae"])
    jobs = list(all_jobs(plan))
    monkeypatch.setattr(run, "REPOSITORY", tmp_path)
    monkeypatch.setattr(run, "plan_jobs", lambda *_: jobs)
    monkeypatch.setattr(run, "execute", lambda *_: 0)
    monkeypatch.setattr(run, "measured_speed", lambda: measured.append(1) or costs.reference_costs()["speed"])
    monkeypatch.setattr(messages, "WORTH_SAYING", least)
    assert run.launch(Request(cores="1", dry_run=dry_run), plan) == 0
    printed = capsys.readouterr().out
    assert said in printed
    assert unsaid not in printed
    assert len(measured) == dry_run
