from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score, roc_curve

from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.metrics import METRICS, point_values
from mimii.evaluation.resampling import select_runs
from mimii.paper import drawing
from mimii.paper.entries import POST_HOC, figure_entries
from mimii.paper.figures import (
    auc_against_cost,
    clip_scores,
    critical_difference,
    metric_over_snr,
    roc,
    training_curves,
)
from mimii.paper.results import Results, all_figures
from mimii.runs.clip_scores import RunScores, read_scores

NETWORK, CLASSICAL = "vae", "one_class_svm"
TITLE, CLASSICAL_TITLE = "Variational autoencoder", "One-class SVM"


@pytest.fixture(scope="module")
def made(run_folder, tmp_path_factory):
    """(rows, figures by name) of two models on two machines at two SNRs."""
    root = tmp_path_factory.mktemp("runs")
    rows = []
    for model, quality, overrides in (
        (CLASSICAL, 0.5, {"epochs_run": None, "training_loss": None, "validation_loss": None, "num_parameters": None}),
        (NETWORK, 2.0, {}),
    ):
        for snr in ("min6dB", "6dB"):
            for machine in ("fan", "pump"):
                rows.append(
                    run_folder(root, model=model, section=f"{snr}/{machine}/id_00", quality=quality, **overrides)
                )
                losses = {"epoch": [1, 2, 3], "training_loss": [3.0, 2.0, 1.0], "validation_loss": [None, 2.5, 1.5]}
                pq.write_table(pa.table(losses), root / rows[-1]["run_path"] / "losses.parquet")
    frame = select_runs(pd.DataFrame(rows), [[CLASSICAL, "default"], [NETWORK, "default"]])
    results = Results(frame, compute_statistics(frame, root), root)
    return results, all_figures(results)


def texts(figure):
    return {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}


def test_every_figure_is_drawn_and_one_is_the_same_again_with_every_ending(made, tmp_path):
    _, drawn = made
    assert set(drawn) == {entry.name for entry in figure_entries([CLASSICAL, NETWORK], ["6dB", "min6dB"])}
    for name, draw in drawn.items():
        # matplotlib writes what it draws in any format: one figure in all of them is enough.
        all_endings = {} if name == "auc_heatmap" else {"endings": ["png"]}
        drawing.save(draw(), tmp_path / "figures" / name, **all_endings)
        with Image.open(tmp_path / "figures" / f"{name}.png") as image:
            assert len(image.getcolors(1 << 24)) > 10, name  # something is drawn
    assert (tmp_path / "figures" / "auc_heatmap.pdf").read_bytes().startswith(b"%PDF")
    for ending in ("svg", "pdf", "png"):
        drawing.save(drawn["auc_heatmap"](), tmp_path / "again", endings=[ending])
        assert (tmp_path / f"again.{ending}").read_bytes() == (tmp_path / f"figures/auc_heatmap.{ending}").read_bytes()


def test_heatmap_shows_each_sections_auc(made):
    results, drawn = made
    figure = drawn["auc_heatmap"]()
    shown = texts(figure)
    assert {f"{value:.2f}".removeprefix("0") for value in results.frame["auc"]} <= shown
    assert {"6 dB", "−6 dB", "fan", "pump", TITLE, CLASSICAL_TITLE} <= shown


def test_figures_name_what_they_show(made):
    _, drawn = made
    wrapped = "Variational\nautoencoder"
    assert {"6 dB", "−6 dB", "SNR", "AUC", wrapped, CLASSICAL_TITLE} <= texts(drawn["auc_over_snr"]())
    assert {"False-positive rate", "True-positive rate", "fan", TITLE} <= texts(drawn["roc/6dB"]())
    assert {"normal", "abnormal", "threshold", f"Anomaly score ({TITLE}, 6 dB)"} <= texts(drawn["scores/vae/6dB"]())
    training = texts(drawn["training_curves"]())
    assert {"Epoch", "Loss", TITLE} <= training
    assert CLASSICAL_TITLE not in training


def test_models_with_too_few_seeds_have_ranks_and_no_bar(made):
    """Two machines are too few for a test to find anything: with enough seeds, a bar joins both models."""
    results, _ = made
    three = replace(results, frame=pd.concat([results.frame.assign(seed=seed) for seed in (1, 2, 3)]))
    for test in POST_HOC:
        found, unclaimed = critical_difference.draw(three, test), critical_difference.draw(results, test)
        assert any(test.title in text for text in texts(found))
        assert any("no test: 2 of 2 models have fewer than 3 seeds" in text for text in texts(unclaimed))
        thick = [[line for line in own.axes[0].lines if line.get_linewidth() > 2] for own in (found, unclaimed)]
        assert [len(lines) for lines in thick] == [1, 0]
        assert {f"{TITLE} (1.0)"} <= texts(unclaimed)
        ruler = [any(text.startswith("critical difference") for text in texts(own)) for own in (found, unclaimed)]
        assert ruler == [test.name == "nemenyi", False]


def test_one_snr_gives_one_panel_with_a_row_for_each_model(made):
    results, _ = made
    frame = results.frame[results.frame["db_level"] == "6dB"]
    assert {TITLE, CLASSICAL_TITLE, "AUC"} <= texts(metric_over_snr.draw(replace(results, frame=frame), METRICS["auc"]))


def test_a_change_of_score_is_the_difference_of_mean_aucs(made):
    results, drawn = made
    figure = drawn["clip_scores"]()
    assert {TITLE, CLASSICAL_TITLE, "maximum", "mean of the highest"} <= texts(figure)
    changes = []
    for _, run in results.frame[results.frame["model"] == NETWORK].iterrows():
        scores = read_scores(results.runs_root / run["run_path"] / "scores.parquet")
        auc = [roc_auc_score(scores.clips(name).abnormal, scores.clips(name).scores) for name in ("max", "mean")]
        changes.append(auc[0] - auc[1])
    places = [float(line.get_xdata()[0]) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert any(place == pytest.approx(np.mean(changes)) for place in places)


def test_beside_a_residual_score_stands_the_reference_without_a_network(made, monkeypatch):
    results, _ = made

    def with_residual(path, sha256):
        table = read_scores(path, sha256).table
        return RunScores(table.append_column("residual", table["max"]) if NETWORK in str(path) else table)

    monkeypatch.setattr(clip_scores, "read_scores", with_residual)
    frame = results.frame.replace({CLASSICAL: "mahalanobis"})
    assert "Mahalanobis distance, no network" not in texts(clip_scores.draw(results))
    figure = clip_scores.draw(replace(results, frame=frame))
    assert {"residual", "Mahalanobis distance, no network"} <= texts(figure)
    means = frame.groupby("model")["auc"].mean()
    (place,) = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert place == pytest.approx(means["mahalanobis"] - means[NETWORK])


def test_what_cannot_be_drawn_says_why(made):
    results, _ = made
    classical = replace(results, frame=results.frame[results.frame["model"] == CLASSICAL])
    assert any("No model" in text for text in texts(training_curves.draw(classical)))
    ranks = {"auc": {"models": 1, "machines": 2, "p_values": {}}}
    one_model = replace(results, statistics=replace(results.statistics, ranks=ranks))
    for test in POST_HOC:
        assert any("two models" in text for text in texts(critical_difference.draw(one_model, test)))


def test_every_post_hoc_test_is_computed(made):
    results, _ = made
    assert set(results.statistics.ranks["auc"]["p_values"]) == {test.name for test in POST_HOC}


def test_models_are_told_apart_without_colour():
    styles = drawing.model_styles([f"model_{number}" for number in range(28)])
    assert len({(style["color"], style["marker"]) for style in styles.values()}) == 28
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == 28
    first_ten = list(styles.values())[:10]
    assert len({style["marker"] for style in first_ten}) == 10


def test_features_are_in_the_costs_and_what_a_busy_machine_measured_is_open(made):
    results, _ = made
    costs = auc_against_cost.costs_of(results.frame)
    assert costs["clip_ms"].unique() == pytest.approx([1.25 + 0.309])
    assert costs["fitting_s"].unique() == pytest.approx([1.5 + 12.0])
    on_gpu = auc_against_cost.costs_of(results.frame.assign(device="cuda"))
    assert on_gpu["fitting_s"].unique() == pytest.approx([1.5 + 12.5])  # by the clock
    busy = results.frame.assign(scoring_load=[2.0 * (model == NETWORK) for model in results.frame["model"]])
    for frame, filled in ((results.frame, []), (busy, [0])):
        panels = auc_against_cost.draw(replace(results, frame=frame)).axes
        fills = [[line.get_markerfacecolor() for line in axes.lines if line.get_marker() != "None"] for axes in panels]
        assert [place for place, colours in enumerate(fills) if "white" in colours] == filled


def test_pareto_front():
    points = {"cheap": (1, 0.6), "beaten": (2, 0.5), "good": (3, 0.8), "equal": (4, 0.8), "best": (9, 0.9)}
    assert auc_against_cost.pareto_front(points) == ["cheap", "good", "best"]
    assert auc_against_cost.pareto_front({}) == []


def test_averaged_roc_curve_has_the_mean_area():
    rng = np.random.default_rng(0)
    abnormal = np.arange(400) >= 200
    grid = np.linspace(0, 1, 2001)
    for shift in (0.2, 1.0, 3.0):
        scores = rng.normal(size=400) + shift * abnormal
        fpr, tpr, _ = roc_curve(abnormal, scores, drop_intermediate=False)
        curve = roc.tpr_at(grid, fpr, tpr)
        assert np.trapezoid(curve, grid) == pytest.approx(point_values(abnormal, scores)["auc"], abs=3e-3)
