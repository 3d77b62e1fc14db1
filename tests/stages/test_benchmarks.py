"""The scripts in benchmarks/ run to their end; what they measure is not judged here."""

import json
import subprocess
import sys

import pytest


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


def test_gpu(benchmark):
    small = ["--clips", "2", "--epochs", "1", "--reference-epochs", "1", "--sharing-epochs", "1", "--jobs", "1", "2"]
    figures = benchmark("gpu", "--device", "cpu", "--models", "simple_ae", *small)
    row = figures["models"]["simple_ae"]
    assert row["windows_per_s"] > 0
    assert row["reference_per_s"] > 0
    assert 0 < row["floor_s"] < row["seconds"]
    assert set(figures["side_by_side_windows_per_s"]) == {"1", "2"}
    assert figures["all_of_mimii_minutes"] > 0


@pytest.mark.slow
def test_training(benchmark):
    row = benchmark("training", "--models", "simple_ae", "--clips", "2", "--pairs", "1")["models"]["simple_ae"]
    assert row["ratio"] == pytest.approx(row["windows_per_s"] / row["reference_windows_per_s"])
    assert row["features_mb"] < row["peak_mb"] < row["goal_peak_mb"]


@pytest.mark.slow
def test_budgets(benchmark):
    figures = benchmark("budgets", "--models", "mahalanobis", "pca", "--clips", "20", "5", "--jobs", "2")["models"]
    assert set(figures) == {"mahalanobis", "pca"}
    assert all(0 < row["fitting_s"] < row["training_wall_s"] for row in figures.values())


@pytest.mark.slow
def test_planning(benchmark):
    figures = benchmark("planning", "--seeds", "1")
    assert (figures["runs"], figures["jobs"], figures["finished_runs"]) == (480, 480 * 3 + 48 + 2, 480)
    assert figures["peak_rss_mb"] < figures["goals"]["peak_rss_mb"]
