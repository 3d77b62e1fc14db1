"""A study's table keeps the configured order, marks nothing, and warns."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hmean

from mimii.evaluation.columns import read_columns
from mimii.paper.study_tables import study_table, write_study_table
from mimii.paper.table_formats import as_markdown

VARIANTS = [["vae", "learning_rate=0.01"], ["vae", "default"], ["vae", "learning_rate=0.0001"]]
RATES = {"learning_rate=0.01": 0.01, "default": 0.001, "learning_rate=0.0001": 0.0001}
SECTIONS = ["6dB/fan/id_00", "0dB/fan/id_00"]


@pytest.fixture(scope="module")
def results(tmp_path_factory, run_folder):
    root = tmp_path_factory.mktemp("runs")
    settings = {"frames": 5, "hop_frames": 1, "val_split": 0.1, "epochs": 50, "batch_size": 256}
    settings |= {"early_stopping_patience": None}
    rows = [
        # The last variant is the best by far.
        run_folder(
            root,
            section=section,
            variant=variant,
            seed=seed,
            settings={**settings, "learning_rate": RATES[variant]},
            quality=4.0 if variant == "learning_rate=0.0001" else 0.5,
        )
        for _, variant in VARIANTS
        for section in SECTIONS
        for seed in (1, 2)
    ]
    return root, pd.DataFrame(rows, columns=[column.name for column in read_columns()])


@pytest.fixture(scope="module")
def table(results):
    root, frame = results
    return study_table(frame, root, "rates", VARIANTS, ["learning_rate", "latent", "early_stopping_patience"])


def test_rows_are_in_the_configured_order_whatever_is_best(table):
    assert [row[1].text for row in table.rows] == ["0.01", "0.001", "0.0001"]
    assert table.data["auc"].idxmax() == 2


def test_nothing_is_marked_as_the_best_and_the_caption_says_why(table):
    assert not any(cell.bold for row in table.rows for cell in row)
    assert "no fair baseline" in table.notes


def test_what_was_varied_stands_first_and_is_missing_where_a_model_has_no_such_setting(table):
    assert [cell.text for cell in table.header[:4]] == ["Model", "learning_rate", "latent", "early_stopping_patience"]
    assert {(row[2].text, row[3].text) for row in table.rows} == {("–", "null")}


def test_averages_are_those_of_the_runs(table, results):
    _, frame = results
    rows = frame[frame["variant"] == "default"]
    per_snr = rows.groupby("db_level")["auc"].mean()
    (found,) = table.data[table.data["learning_rate"] == 0.001].to_dict("records")
    assert found["auc"] == pytest.approx(per_snr.mean())
    assert found["auc_6dB"] == pytest.approx(per_snr["6dB"])
    assert found["auc_low"] <= found["auc"] <= found["auc_high"]


def test_the_deviation_over_seeds_stands_beside_each_mean_and_too_few_are_said(table, results):
    root, frame = results
    (row,) = table.data[table.data["learning_rate"] == 0.001].to_dict("records")
    chosen = frame[frame["variant"] == "default"]
    assert row["auc_seed_deviation"] == pytest.approx(chosen.groupby("seed")["auc"].mean().std(ddof=1))
    assert f"{row['auc']:.3f} ± {row['auc_seed_deviation']:.3f}" in {
        cell.text for cells in table.rows for cell in cells
    }
    assert "fewer than 3 seeds were run" in table.notes
    fixed = study_table(frame.assign(model="pca"), root, "rates", [["pca", name] for _, name in VARIANTS], [])
    assert "fewer than 3 seeds" not in fixed.notes


def test_the_official_score_is_there_where_the_runs_have_one(run_folder, tmp_path, table):
    rows = [
        run_folder(tmp_path, section=f"dcase2024/{machine}/section_00", model="pca", domains=True, seed=seed)
        for machine in ("fan", "slider")
        for seed in (1, 2)
    ]
    frame = pd.DataFrame(rows, columns=[column.name for column in read_columns()])
    scored = study_table(frame, tmp_path, "first_shot", [["pca", "default"]], [])
    (row,) = scored.data.to_dict("records")
    by_seed = [hmean(own["official_score"]) for _, own in frame.groupby("seed")]
    assert row["official_score"] == pytest.approx(np.mean(by_seed))
    assert row["official_score_seed_deviation"] == pytest.approx(np.std(by_seed, ddof=1))
    place = [cell.text for cell in scored.header].index("Official score")
    deviation = row["official_score_seed_deviation"]
    assert scored.rows[0][place].text == f"{row['official_score']:.3f} ± {deviation:.3f}"
    assert "Official score" not in [cell.text for cell in table.header]


def test_files_stand_beside_the_csv(table, tmp_path):
    write_study_table(table, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"rates.md", "rates.tex", "rates.html"}
    assert (tmp_path / "rates.md").read_text() == as_markdown(table)
    assert json.dumps(table.notes)[1:40] in json.dumps((tmp_path / "rates.html").read_text())
