"""Official scores in tables and figures: there for DCASE's data, and not a word of them elsewhere."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from mimii.common.errors import UserError
from mimii.data.sections import AVERAGE, NO_LEVEL
from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.official_averages import scores_of_runs
from mimii.evaluation.official_score import SCORE
from mimii.evaluation.resampling import read_section, select_runs
from mimii.evaluation.summary import summary
from mimii.paper.entries import figure_entries, table_entries
from mimii.paper.figures import source_and_target
from mimii.paper.results import Results, all_figures, make_tables
from mimii.paper.table_formats import as_markdown
from mimii.paper.tables import official_score

MODELS = (("isolation_forest", 0.3), ("vae", 3.0))


@pytest.fixture(scope="module")
def results(run_folder, tmp_path_factory):
    @cache
    def make(snr, domains=True):
        root = tmp_path_factory.mktemp("runs")
        rows = [
            run_folder(
                root,
                model=model,
                section=f"{snr}/{machine}/section_00",
                seed=seed,
                quality=quality,
                domains=domains,
                epochs_run=None,  # no training curve, which would need more files
            )
            for model, quality in MODELS
            for machine in ("fan", "ToyCar")
            for seed in (1, 2)
        ]
        frame = select_runs(pd.DataFrame(rows), [[model, "default"] for model, _ in MODELS])
        return Results(frame, compute_statistics(frame, root), root, [snr] if domains else [])

    return make


def test_only_dcase_data_and_others_with_domains_have_official_scores():
    def names(entries, snrs):
        return {entry.name for entry in entries(["vae"], snrs) if "official" in entry.name or "target" in entry.name}

    assert names(table_entries, ["6dB", "0dB"]) == names(figure_entries, ["6dB", "0dB"]) == set()
    assert names(table_entries, ["dcase2020", "dcase2024"]) == {"official_score_dcase2020", "official_score_dcase2024"}
    assert names(figure_entries, ["dcase2020", "dcase2024"]) == {"source_and_target_dcase2024"}
    with_domains = [*table_entries(["vae"], ["+"], ["+"]), *figure_entries(["vae"], ["+"], ["+"])]
    assert {"official_score_+", "source_and_target_+"} < {entry.name for entry in with_domains}


@pytest.mark.parametrize("snr", ["dcase2020", "dcase2021", "dcase2024", NO_LEVEL])
def test_the_table_has_the_score_its_parts_and_the_machine_types(results, snr):
    table = official_score.make(results(snr), snr)
    assert [row[0].text for row in table.rows] == ["Variational autoencoder", "Isolation forest"]
    header = [cell.text for cell in table.header]
    assert header[:2] == ["Model", "Official score"]
    assert header[-2:] == ["ToyCar", "fan"]
    assert any("source" in cell for cell in header) == (snr != "dcase2020")
    assert all(cell.below.startswith("[") for row in table.rows for cell in row[1:])
    data = table.data.set_index(["model", "machine_type", "machine_id", "metric"])
    best = data.loc[("vae", AVERAGE, AVERAGE, SCORE)]
    assert table.rows[0][1].text == f"{best['value']:.3f} ± {best['seed_deviation']:.3f}"
    assert "± standard deviation over them" in table.notes
    per_type = table.data[table.data["machine_id"] == AVERAGE]
    assert (per_type["seed_deviation"] > 0).all()
    assert best["low"] <= best["value"] <= best["high"]


@pytest.mark.parametrize("snr", ["dcase2020", "dcase2021", "dcase2024"])
def test_the_summary_says_the_score_of_the_table(results, snr):
    made = results(snr)
    header, _, *lines = summary(made.frame.drop(columns="label")).splitlines()[1:]
    assert "official" in summary(made.frame.drop(columns="label")).splitlines()[0]
    place = header.split().index("score")
    table = official_score.make(made, snr)
    shown = {line.split()[0]: line.split()[place] for line in lines[: len(MODELS)]}
    assert shown == {"vae": table.rows[0][1].text[:5], "isolation_forest": table.rows[1][1].text[:5]}


def test_what_a_domain_lacks_is_missing_in_table_and_figure(results, monkeypatch):
    made = results("dcase2024")

    def without_normal_target(rows, runs_root):
        return [
            replace(clips, domains=np.where(clips.abnormal | ("fan" not in clips.paths[0]), clips.domains, "source"))
            for clips in read_section(rows, runs_root)
        ]

    monkeypatch.setattr("mimii.evaluation.official_averages.read_section", without_normal_target)
    table = official_score.make(made, "dcase2024")
    for row in table.rows:
        shown = {cell.text: own.text for cell, own in zip(table.header, row, strict=True)}
        missing = {name for name, text in shown.items() if text == "–"}
        assert missing == {"Official score", "AUC, target", "fan"}
    assert "a domain of a section lacks" in table.notes
    assert "nan" not in as_markdown(table)
    (axes,) = source_and_target.draw(made, "dcase2024").axes
    assert axes.get_xlabel() == "AUC, source domain"


def test_nothing_speaks_of_domains_where_there_are_none(results):
    made = results("6dB", domains=False)
    texts = [as_markdown(table) + " ".join(table.data.columns) for table in make_tables(made)]
    for name, draw in all_figures(made).items():
        if "/" not in name or name.startswith("roc"):  # the others need more than a run's scores
            texts += [text.get_text() for text in draw().findobj(lambda artist: hasattr(artist, "get_text"))]
    texts += [summary(made.frame.drop(columns="label")), *all_figures(made)]
    assert len(texts) > 20
    for text in texts:
        assert not re.search("domain|target|official", text, re.IGNORECASE), text


def test_the_figure_sets_the_domains_against_each_other(results):
    figure = source_and_target.draw(results("dcase2024"), "dcase2024")
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("AUC, source domain", "AUC, target domain")
    assert len(axes.lines) >= 1 + len(MODELS) * 2


def test_clips_without_domains_are_said(results):
    made = results("dcase2024", domains=False)
    with pytest.raises(UserError, match="its clips have no domain, which the official score of 2024 needs"):
        scores_of_runs(made.frame, made.runs_root, "dcase2024")
    without = results("dcase2020", domains=False)
    assert np.isfinite(scores_of_runs(without.frame, without.runs_root, "dcase2020")["value"]).all()
