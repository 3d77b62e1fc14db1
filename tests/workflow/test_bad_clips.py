"""A broken clip stops its section, or is left out by choice: then it is counted and named in the row."""

import csv
import json

import pytest

SECTION = "6dB/fan/id_00"
BROKEN = ["abnormal/00000001.wav", "normal/00000007.wav"]


@pytest.fixture
def broken(kept_folder):
    for name in BROKEN:
        (kept_folder.folder / "recordings" / SECTION / name).write_text("no audio")
    return kept_folder


def rows(workspace):
    with (workspace.folder / "results" / "results.csv").open(newline="") as file:
        return {row["machine_id"]: row for row in csv.DictReader(file)}


def test_by_default_a_broken_clip_stops_its_section_and_is_named(broken):
    run = broken.folder / "results/runs/simple_ae/epochs=1/seed=42" / SECTION
    before = {path: path.read_bytes() for path in run.iterdir()}
    done = broken.snakemake(check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"section {SECTION}: 2 clip(s) cannot be used (dataset.on_bad_clip: skip leaves such clips out)" in said
    for name in BROKEN:
        assert f"recordings/{SECTION}/{name}: not a readable recording" in said
    assert "Traceback" not in said
    assert {path: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.slow
def test_skipped_by_choice_it_is_counted_and_named(broken):
    config = (broken.folder / "config" / "config.yaml").read_text()
    broken.configure_text(config.replace("root: recordings", "root: recordings\n  on_bad_clip: skip"))
    broken.snakemake()
    whole, row = rows(broken)["id_02"], rows(broken)["id_00"]
    assert (whole["skipped_clips"], whole["skipped_paths"]) == ("0", "")
    assert row["skipped_clips"] == "2"
    assert sorted(json.loads(row["skipped_paths"])) == [f"{SECTION}/{name}" for name in BROKEN]
    # The split is made before clips are skipped: 13 normal clips, 2 abnormal ones, so 2 + 2 are tested.
    assert (row["eval_files"], whole["eval_files"]) == ("3", "4")
    counts = [int(one["train_files"]) + int(one["validation_files"]) for one in (row, whole)]
    assert counts == [10, 11]
