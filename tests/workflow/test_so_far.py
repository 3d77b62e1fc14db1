"""Results of what is finished, beside a workflow that is still at work."""

import csv
import subprocess
import sys

import pytest

from mimii.runs.records import MetricsRecord

RUNS = "results/runs"


@pytest.fixture
def halfway(kept):
    """A finished benchmark of three models and two sections, in which two runs are still to be done."""
    for run in ("deep_ae/epochs=2/seed=42/6dB/valve/id_00", "isolation_forest/trees=10/seed=42/6dB/fan/id_00"):
        (kept.folder / RUNS / run / "metrics.json").unlink()
    return kept


def results_so_far(workspace, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "mimii", "results-so-far", *arguments],
        cwd=workspace.folder,
        env=workspace.environment,
        capture_output=True,
        text=True,
    )


def state_of(folder):
    """Name, size and time of every file below a folder, but what results-so-far writes."""
    return {
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and "so_far" not in path.parts and "__pycache__" not in path.parts
    }


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_finished_runs_are_written_and_missing_ones_listed(halfway):
    before = state_of(halfway.folder)
    done = results_so_far(halfway)
    assert done.returncode == 0, done.stderr
    assert state_of(halfway.folder) == before
    output = halfway.folder / "results" / "so_far"
    there = {row["run_path"]: row for row in rows(halfway.folder / "results" / "results.csv")}
    assert [row for row in rows(output / "results.csv") if there[row["run_path"]] == row] == rows(
        output / "results.csv"
    )
    assert len(rows(output / "results.csv")) == 4
    missing = [(row["model"], row["seed"], row["section"], row["why"]) for row in rows(output / "missing.csv")]
    assert missing == [
        ("deep_ae", "42", "6dB/valve/id_00", "not finished yet"),
        ("isolation_forest", "42", "6dB/fan/id_00", "not finished yet"),
    ]
    assert "4 of 6 runs are finished, 2 are missing." in done.stdout


def test_tables_are_over_the_sections_that_every_model_has_finished(kept, tmp_path_factory):
    (kept.folder / RUNS / "deep_ae/epochs=2/seed=42/6dB/valve/id_00" / "metrics.json").unlink()
    output = tmp_path_factory.mktemp("elsewhere")
    done = results_so_far(kept, "--output", str(output))
    assert done.returncode == 0, done.stderr
    assert "Over the 1 of 2 sections that each of 3 models has finished" in done.stdout
    assert not (kept.folder / "results" / "so_far").exists()
    assert list((output / "tables").glob("*.md"))
    by_model = {row["model"]: row for row in rows(output / "results.csv") if row["machine_type"] == "fan"}
    for model in ("simple_ae", "deep_ae", "isolation_forest"):
        line = next(line for line in (output / "summary.txt").read_text().splitlines() if line.startswith(model))
        assert line.split()[1] == f"{float(by_model[model]['auc']):.3f}"


def test_nothing_finished_is_no_fault(workspace, tmp_path):
    done = results_so_far(workspace)
    assert done.returncode == 0, done.stderr
    assert "0 of 6 runs are finished, 6 are missing." in done.stdout
    assert rows(tmp_path / "results" / "so_far" / "results.csv") == []
    assert not (tmp_path / ".snakemake").exists()


def test_runs_of_other_settings_are_missing(kept):
    path = kept.folder / RUNS / "simple_ae/epochs=2/seed=42/6dB/fan/id_00" / "metrics.json"
    record = MetricsRecord.read(path)
    MetricsRecord({**record.row, "bootstrap_samples": 7}, record.scores).write(path)
    done = results_so_far(kept)
    assert done.returncode == 0, done.stderr
    (row,) = rows(kept.folder / "results" / "so_far" / "missing.csv")
    assert (row["model"], row["section"]) == ("simple_ae", "6dB/fan/id_00")
    assert "bootstrap_samples" in row["why"]


def test_a_run_with_other_clip_scores_is_left_out(kept):
    own, other = (
        kept.folder / RUNS / "simple_ae/epochs=2/seed=42" / f"6dB/{machine}/id_00" for machine in ("fan", "valve")
    )
    (own / "scores.parquet").write_bytes((other / "scores.parquet").read_bytes())
    done = results_so_far(kept)
    assert done.returncode == 0, done.stderr
    (row,) = rows(kept.folder / "results" / "so_far" / "missing.csv")
    assert (row["model"], row["section"]) == ("simple_ae", "6dB/fan/id_00")
    assert row["why"] == "scores.parquet: not the scores that the metrics were made of"
    (own / "scores.parquet").unlink()
    assert results_so_far(kept).returncode == 0
    (row,) = rows(kept.folder / "results" / "so_far" / "missing.csv")
    assert "scores.parquet: cannot be read" in row["why"]
