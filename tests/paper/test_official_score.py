"""Official scores in tables and figures: there for DCASE's data, and not a word of them elsewhere."""

import numpy as np
import pandas as pd
import pytest

from mimii.common.errors import UserError
from mimii.data.sections import AVERAGE
from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.official_score import SCORE, scores_of_runs
from mimii.evaluation.resampling import select_runs
from mimii.paper.entries import figure_entries, table_entries
from mimii.paper.figures import source_and_target
from mimii.paper.results import Results
from mimii.paper.tables import official_score

MODELS = (("isolation_forest", 0.3), ("vae", 3.0))


@pytest.fixture
def results(run_folder, tmp_path):
    def make(year, domains=True):
        id = "id_00" if year == 2020 else "section_00"
        rows = [
            run_folder(
                tmp_path,
                model=model,
                section=f"dcase{year}/{machine}/{id}",
                seed=seed,
                quality=quality,
                domains=domains,
            )
            for model, quality in MODELS
            for machine in ("fan", "ToyCar")
            for seed in (1, 2)
        ]
        frame = select_runs(pd.DataFrame(rows), [[model, "default"] for model, _ in MODELS])
        return Results(frame, compute_statistics(frame, tmp_path), tmp_path)

    return make


def test_only_dcase_data_have_a_table_of_official_scores():
    def names(entries, snrs):
        return {entry.name for entry in entries(["vae"], snrs) if "official" in entry.name or "target" in entry.name}

    assert names(table_entries, ["6dB", "0dB"]) == names(figure_entries, ["6dB", "0dB"]) == set()
    assert names(table_entries, ["dcase2020", "dcase2024"]) == {"official_score_dcase2020", "official_score_dcase2024"}
    assert names(figure_entries, ["dcase2020", "dcase2024"]) == {"source_and_target_dcase2024"}


@pytest.mark.parametrize("year", [2020, 2021, 2024])
def test_the_table_has_the_score_its_parts_and_the_machine_types(results, year):
    made = results(year)
    table = official_score.make(made, f"dcase{year}")
    assert [row[0].text for row in table.rows] == ["Variational autoencoder", "Isolation forest"]
    header = [cell.text for cell in table.header]
    assert header[:2] == ["Model", "Official score"]
    assert header[-2:] == ["ToyCar", "fan"]
    assert any("source" in cell for cell in header) == (year > 2020)
    assert all(cell.below.startswith("[") for row in table.rows for cell in row[1:])
    data = table.data.set_index(["model", "machine_type", "machine_id", "metric"])
    best = data.loc[("vae", AVERAGE, AVERAGE, SCORE)]
    assert table.rows[0][1].text == f"{best['value']:.3f}"
    assert best["low"] <= best["value"] <= best["high"]


def test_the_figure_sets_the_domains_against_each_other(results):
    figure = source_and_target.draw(results(2024), "dcase2024")
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("AUC, source domain", "AUC, target domain")
    assert len(axes.lines) >= 1 + len(MODELS) * 2


def test_clips_without_domains_are_said(results):
    made = results(2024, domains=False)
    with pytest.raises(UserError, match="its clips have no domain, which the official score of 2024 needs"):
        scores_of_runs(made.frame, made.runs_root, "dcase2024")
    assert np.isfinite(scores_of_runs(results(2020, domains=False).frame, made.runs_root, "dcase2020")["value"]).all()
