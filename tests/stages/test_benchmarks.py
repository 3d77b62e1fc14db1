"""The scripts in benchmarks/ run to their end; what they measure is not judged here."""

import csv
import importlib
import itertools
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mimii.detectors.declaration import model_declaration


@pytest.fixture
def benchmark(project_root, tmp_path):
    """Runs a script with options and returns the figures that it writes."""

    def run(name, *options):
        output = tmp_path / "figures.json"
        script = project_root / "benchmarks" / f"{name}.py"
        done = subprocess.run(
            [sys.executable, script, *options, "--json", output], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(output.read_text())

    return run


@pytest.mark.slow
def test_gpu(benchmark):
    small = ["--clips", "2", "--epochs", "1", "--reference-epochs", "1", "--sharing-epochs", "1", "--jobs", "1", "2"]
    of_each_kind = ["simple_ae", "idnn", "id_classifier"]
    figures = benchmark("gpu", "--device", "cpu", "--models", *of_each_kind, *small)
    assert list(figures["models"]) == of_each_kind
    for row in figures["models"].values():
        assert row["windows_per_s"] > 0
        assert row["reference_per_s"] > 0
        assert 0 < row["floor_s"] < row["seconds"] < row["all_epochs_s"]
    assert figures["models"]["simple_ae"]["largest_relative_difference"] < 1e-4
    assert set(figures["side_by_side_windows_per_s"]) == {"1", "2"}
    assert figures["all_of_mimii_minutes"] > 0


@pytest.mark.slow
def test_features(benchmark):
    figures = benchmark("features", "--clips", "20", "--repeat", "1")
    assert figures["clips"] == 20
    assert all(value > 0 for name, value in figures.items() if name.endswith(("ratio", "_s", "_mb", "per_clip")))


@pytest.mark.slow
def test_training(benchmark):
    figures = benchmark("training", "--models", "simple_ae", "id_classifier", "--clips", "12", "--pairs", "1")["models"]
    row = figures["simple_ae"]
    assert row["ratio"] == pytest.approx(row["windows_per_s"] / row["reference_windows_per_s"])
    assert row["features_mb"] < row["peak_mb"] < row["goal_peak_mb"]
    assert 0 < row["residual_training_percent"] < 100
    assert figures["id_classifier"]["ratio"] > 0
    assert figures["id_classifier"]["residual_training_percent"] is None


@pytest.mark.slow
def test_budgets(benchmark):
    figures = benchmark("budgets", "--models", "mahalanobis", "pca", "--clips", "20", "5", "--jobs", "2")["models"]
    assert set(figures) == {"mahalanobis", "pca"}
    assert all(0 < row["fitting_s"] < row["training_wall_s"] for row in figures.values())


@pytest.mark.slow
def test_planning(benchmark, project_root):
    figures = benchmark("planning", "--seeds", "1")
    models = yaml.safe_load((project_root / "config" / "config.yaml").read_text())["models"]
    scopes = [model_declaration(name).settings["train_per"]["default"] for name in models]
    trained = sum({"section": 48, "machine_type": 12, "snr": 3}[scope] for scope in scopes)
    runs = 48 * len(models)
    # Features, training, scores, metrics, the merge, and `all`.
    assert (figures["runs"], figures["jobs"], figures["finished_runs"]) == (runs, 48 + trained + 2 * runs + 2, runs)
    assert figures["peak_rss_mb"] < figures["goals"]["peak_rss_mb"]


@pytest.fixture
def frames_folder(tmp_path):
    """Noise in the place of ToyCar, where abnormal clips have one louder band; 25 clips to fit on."""
    folder = tmp_path / "frames"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, louder in (("toycar_id_01", 4.0), ("toycar_id_02", 0.5)):
        labels = ["normal"] * 150 + ["abnormal"] * 20
        values = rng.normal(size=(170, 20, 128)).astype(np.float16)
        values[150:, :, 7] += np.float16(louder)
        clips = [f"{label}_{number:03d}" for number, label in enumerate(labels)]
        log_mel = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 20 * 128)
        pq.write_table(pa.table({"clip": clips, "label": labels, "log_mel": log_mel}), folder / f"{name}.parquet")
    return folder


@pytest.fixture
def real_frames(project_root, frames_folder, tmp_path):
    """Runs benchmarks/real_frames.py over `frames_folder`."""
    out = tmp_path / "out"

    def run(*options):
        script = project_root / "benchmarks" / "real_frames.py"
        command = [sys.executable, script, frames_folder, "--out", out, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, out

    return run


@pytest.mark.slow
def test_real_frames_goes_on_where_it_stopped(real_frames):
    models = ["--models", "pca", "mahalanobis", "--seeds", "1", "2"]
    first, out = real_frames(*models, "--ids", "toycar_id_01")
    assert first.count("s of training") == 2  # neither is stochastic
    second, _ = real_frames(*models)
    assert second.count("s of training") == second.count("toycar_id_02/") == 2
    (out / "scores" / "toycar_id_02" / "pca" / "trained" / "seed=1.parquet").unlink()
    third, _ = real_frames(*models)
    assert third.count("s of training") == 1

    with (out / "results.csv").open() as file:
        rows = {(row["section"], row["model"], row["score"]): row for row in csv.DictReader(file)}
    easy, hard = (rows[name, "mahalanobis", "mean"] for name in ("toycar_id_01", "toycar_id_02"))
    assert float(easy["auc"]) > 0.95 > float(hard["auc"])
    assert float(hard["auc_low"]) < float(hard["auc"]) < float(hard["auc_high"])
    assert (easy["settled_on"], hard["settled_on"]) == ("True", "False")
    assert (hard["seeds"], hard["auc_seed_deviation"]) == ("1", "")
    page = (out / "real_sound.md").read_text()
    assert page.index("### toycar_id_02\n") < page.index("### toycar_id_01 (defaults were settled on it)")


def test_the_tables_of_the_quality_page_are_those_of_its_figures(project_root, monkeypatch, tmp_path):
    """Written by: python benchmarks/real_frames.py FOLDER --page; from the CSV: benchmarks/real_sound_tables.py"""
    monkeypatch.syspath_prepend(project_root / "benchmarks")
    tables = importlib.import_module("real_sound_tables")
    page = project_root / "docs" / "quality.md"
    figures = [tables.read_csv(project_root / "docs" / "quality" / f"{name}.csv") for name in tables.FIGURES]
    assert all(figures)
    copied = tmp_path / "quality.md"
    copied.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    tables.put_into_page(copied, tables.markdown(*figures))
    assert copied.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
    tables.put_into_page(copied, tables.markdown(figures[0], figures[1][:3], figures[2]))
    assert copied.read_text(encoding="utf-8") != page.read_text(encoding="utf-8")


def test_few_clips(project_root, frames_folder, monkeypatch):
    monkeypatch.syspath_prepend(project_root / "benchmarks")
    few_clips = importlib.import_module("few_clips")
    monkeypatch.setattr(few_clips, "COUNTS", (10, 25))
    monkeypatch.setattr(few_clips, "DRAWS", 2)
    section = few_clips.read_section(frames_folder, "toycar_id_02")
    name, few, every, total = few_clips.row_of(section)
    assert (name, every) == ("toycar_id_02", f"{total} ± .000")  # all clips, whatever their order in the draw
    assert float(few.split(" ± ")[0]) < float(total)


@pytest.mark.slow
def test_real_frames_sets_trained_networks_beside_untrained_ones(real_frames):
    _, out = real_frames("--models", "simple_ae", "mahalanobis", "--seeds", "1", "2", "--ids", "toycar_id_01")
    with (out / "results.csv").open() as file:
        seeds = {(row["model"], row["weights"], row["score"]): row["seeds"] for row in csv.DictReader(file)}
    assert seeds["simple_ae", "trained", "mean"] == seeds["simple_ae", "untrained", "mean"] == "1 2"
    with (out / "training_adds.csv").open() as file:
        against = {(row["model"], row["score"], row["against"]) for row in csv.DictReader(file)}
    assert {("simple_ae", "mean", "untrained"), ("simple_ae", "mean", "mahalanobis")} <= against


@pytest.mark.slow
def test_real_frames_sets_a_model_of_several_sections_apart(real_frames):
    command = ["--models", "id_classifier", "mahalanobis", "--seeds", "1", "2"]
    first, out = real_frames(*command)
    fits = [line for line in first.splitlines() if "id_classifier/trained" in line]
    assert len(fits) == 2  # one a seed, for both IDs
    assert all("toycar_id_01/" in line and "toycar_id_02/" in line for line in fits)
    assert "s of training" not in real_frames(*command)[0]
    with (out / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == "id_classifier"]
    trained = {(row["section"], row["score"]) for row in rows if row["weights"] == "trained"}
    assert trained == set(itertools.product(("toycar_id_01", "toycar_id_02"), ("mean", "mahalanobis")))
    assert {(row["train_per"], row["seeds"]) for row in rows} == {("snr", "1 2")}
    before, after = (out / "real_sound.md").read_text().split("### A trap")
    assert "id_classifier" not in before
    assert after.count("| id_classifier | 2 |") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["statistics_cost", "page_cost"])
def test_costs_of_a_whole_study(project_root, name):
    small = ["--models", "2", "--seeds", "2", "--sections", "2", "--clips", "20", "--samples", "20"]
    script = project_root / "benchmarks" / f"{name}.py"
    done = subprocess.run([sys.executable, script, *small], capture_output=True, text=True, timeout=600)
    assert done.stdout.startswith("8 runs, "), done.stderr


@pytest.mark.slow
def test_reference_costs(benchmark):
    small = ["--clips", "12", "2", "--more-clips", "24", "4", "--epochs", "2"]
    figures = benchmark("reference_costs", "--models", "simple_ae", "pca", *small)
    assert set(figures["models"]) == {"simple_ae", "pca"}
    assert set(figures["jobs"]) == {"recordings", "features", "metrics"}
    assert set(figures["models"]["simple_ae"]["training"]) == {"job", "clip", "epoch"}
    assert set(figures["models"]["pca"]["training"]) == {"job", "clip"}
    assert all(seconds > 0 for seconds in figures["speed"].values())


@pytest.mark.slow
def test_an_estimate_is_held_against_what_it_estimates(benchmark):
    figures = benchmark("reference_costs", "--check", "--models", "mahalanobis", "pca", "--clips", "12", "2")
    assert figures["said"][0].startswith("Estimated for this machine: ")
    assert figures["cpu_s"] > 0


@pytest.mark.slow
def test_end_to_end(benchmark):
    figures = benchmark("end_to_end", "--clips", "20", "4", "--seconds", "1", "--epochs", "2")["commands"]
    assert len(figures) == 4
    for row in figures.values():
        assert row["wall_s"] > 0
        assert row["cpu_s"] > 0
        assert 0 <= row["auc"] <= 1
    assert figures["nothing to do"]["auc"] == figures["another setting, features there"]["auc"]
