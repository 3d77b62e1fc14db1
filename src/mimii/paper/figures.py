"""Figures of a paper: vector and pixel files, readable at a column's width, told apart without colour too.

Every function returns a figure; `drawing.save` writes it. frame: rows of `statistics.select_runs`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import scikit_posthocs
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from mimii.data.sections import AVERAGE, snr_order, snr_title
from mimii.evaluation.inference import Statistics
from mimii.evaluation.metrics import roc_points
from mimii.evaluation.results import METRICS, average
from mimii.paper.drawing import ABNORMAL, COLOURS, COLUMN, DASHES, MARKERS, NORMAL, PAGE, STYLE, note
from mimii.runs.clip_scores import read_clip_scores


def model_styles(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each model, the same in every figure of the same models."""
    return {
        label: {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
        }
        for number, label in enumerate(labels)
    }


def _labels(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(frame["label"]))


def _snrs(frame: pd.DataFrame) -> list[str]:
    return sorted(frame["db_level"].unique(), key=snr_order)


def auc_heatmap(frame: pd.DataFrame) -> Figure:
    """AUC of each model on each section, seeds averaged; one block per SNR."""
    labels, snrs = _labels(frame), _snrs(frame)
    values = average(frame, ["auc"], ["label", "db_level", "machine_type", "machine_id"])["auc"].to_dict()
    machines = sorted(set(zip(frame["machine_type"], frame["machine_id"], strict=True)))
    cell = min(0.42, (PAGE - 1.3) / len(machines))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(COLUMN, cell * len(machines) + 1.3), 0.17 * len(labels) * len(snrs) + 0.75))
        grid = figure.subplots(len(snrs), 1, squeeze=False, sharex=True)[:, 0]
        for axes, snr in zip(grid, snrs, strict=True):
            block = np.array([[values.get((label, snr, *machine), np.nan) for machine in machines] for label in labels])
            image = axes.imshow(block, cmap="cividis", vmin=0.5, vmax=1, aspect="auto")
            for row, column in zip(*np.nonzero(np.isfinite(block)), strict=True):
                value = block[row, column]
                text = f"{value:.2f}".removeprefix("0")
                axes.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=5.5,
                    color="white" if value < 0.75 else "black",
                )
            axes.set_yticks(range(len(labels)), labels)
            axes.set_ylabel(snr_title(snr))
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            for edge in range(1, len(machines)):
                if machines[edge][0] != machines[edge - 1][0]:
                    axes.axvline(edge - 0.5, color="white", linewidth=2)
        grid[-1].set_xticks(range(len(machines)), [id.removeprefix("id_") for _, id in machines])
        for machine_type, group in itertools.groupby(enumerate(machines), key=lambda item: item[1][0]):
            places = [place for place, _ in group]
            grid[0].annotate(
                machine_type,
                (float(np.mean(places)), 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
            )
        grid[-1].set_xlabel("Machine ID")
        figure.colorbar(image, ax=list(grid), label="AUC", extend="min", fraction=0.03, pad=0.01, aspect=30)
    return figure


def metric_over_snr(frame: pd.DataFrame, averages: pd.DataFrame, metric: str = "auc") -> Figure:
    """Mean of a metric at each SNR per model, with bootstrap intervals; models side by side, so that no bar hides."""
    labels, snrs = _labels(frame), _snrs(frame)
    styles = model_styles(labels)
    chosen = averages[(averages["metric"] == metric) & (averages["machine_type"] == AVERAGE)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 2.6))
        axes = figure.subplots()
        for number, label in enumerate(labels):
            rows = chosen[chosen["label"] == label].set_index("db_level").loc[snrs]
            mean, low, high = (rows[name].to_numpy(dtype=float) for name in ("mean", "low", "high"))
            shift = 0.5 * ((number + 0.5) / len(labels) - 0.5)
            axes.errorbar(
                np.arange(len(snrs)) + shift,
                mean,
                yerr=[mean - low, high - mean],
                label=label,
                elinewidth=0.7,
                **styles[label],
            )
        axes.set_xticks(range(len(snrs)), [snr_title(snr) for snr in snrs])
        axes.set_xlabel("SNR")
        axes.set_ylabel(METRICS[metric])
        axes.axhline(0.5, color="0.6", linewidth=0.6, linestyle=":")
        axes.annotate(
            "chance", (1.01, 0.5), xycoords=("axes fraction", "data"), ha="left", va="center", color="0.4", fontsize=6
        )
        figure.legend(loc="outside lower center", ncols=3, handlelength=2.6)
    return figure


def roc_curves(frame: pd.DataFrame, runs_root: str | Path, snr: str) -> Figure:
    """ROC curves at one SNR, one panel per machine type: TPR averaged over seeds and IDs at each FPR.

    The area under such a curve is the mean of the areas.
    """
    labels = _labels(frame)
    styles = model_styles(labels)
    there = frame[frame["db_level"] == snr]
    machine_types = sorted(there["machine_type"].unique())
    grid = np.linspace(0, 1, 201)
    with mpl.rc_context(STYLE):
        columns = min(2, len(machine_types))
        rows = -(-len(machine_types) // columns)
        figure = Figure(figsize=(COLUMN, 1.75 * rows + 0.7))
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, machine_type in zip(panels, machine_types, strict=False):
            axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.6, linestyle=":")
            for label in labels:
                runs = there[(there["machine_type"] == machine_type) & (there["label"] == label)]
                curves = []
                for path, pooling in zip(runs["run_path"], runs["pooling"], strict=True):
                    clips = read_clip_scores(Path(runs_root) / path / "scores.parquet", pooling)
                    curves.append(_tpr_at(grid, *roc_points(clips.abnormal, clips.scores)))
                style = {key: value for key, value in styles[label].items() if key != "marker"}
                axes.plot(np.r_[0, grid], np.r_[0, np.mean(curves, axis=0)], label=label, **style)
            axes.set_title(machine_type)
            axes.set_aspect("equal")
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.01)
            axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
            axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
            axes.set_xlabel("False-positive rate")
            axes.set_ylabel("True-positive rate")
        for axes in panels[len(machine_types) :]:
            axes.set_visible(False)
        for axes in panels[: len(machine_types)]:
            axes.label_outer()
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, handlelength=2.6)
    return figure


def _tpr_at(grid: NDArray[np.float64], fpr: NDArray[np.float64], tpr: NDArray[np.float64]) -> NDArray[np.float64]:
    """TPR at each FPR of the grid, in [0, 1]: the upper end where the curve rises straight up."""
    before = np.searchsorted(fpr, grid, side="right") - 1
    after = np.minimum(before + 1, len(fpr) - 1)
    run = fpr[after] - fpr[before]
    share = np.divide(grid - fpr[before], run, out=np.zeros_like(grid), where=run > 0)
    return tpr[before] + share * (tpr[after] - tpr[before])


def score_distributions(frame: pd.DataFrame, runs_root: str | Path, label: str, snr: str) -> Figure:
    """One model's scores of normal and abnormal test clips at one SNR: machine types by IDs, first seed, threshold."""
    there = frame[(frame["label"] == label) & (frame["db_level"] == snr)]
    if there["seed"].notna().any():  # external scores have no seed
        there = there[there["seed"] == there["seed"].min()]
    machine_types, ids = (sorted(there[name].unique()) for name in ("machine_type", "machine_id"))
    with mpl.rc_context(STYLE):
        width = COLUMN if len(ids) <= 2 else PAGE
        figure = Figure(figsize=(width, 1.05 * len(machine_types) + 0.6))
        panels = figure.subplots(len(machine_types), len(ids), squeeze=False)
        for axes in panels.ravel():
            axes.set_visible(False)
        for _, run in there.iterrows():
            axes = panels[machine_types.index(run["machine_type"]), ids.index(run["machine_id"])]
            axes.set_visible(True)
            clips = read_clip_scores(Path(runs_root) / run["run_path"] / "scores.parquet", run["pooling"])
            _score_histogram(axes, clips.scores, clips.abnormal, run["threshold"])
            axes.set_title(
                f"{run['machine_type']} {run['machine_id'].removeprefix('id_')}, AUC {run['auc']:.2f}", pad=2
            )
        handles = [
            *(Line2D([], [], color=colour, linewidth=4, alpha=0.6) for colour in (NORMAL, ABNORMAL)),
            Line2D([], [], color="black", linewidth=0.8, linestyle="--"),
        ]
        figure.legend(handles, ["normal", "abnormal", "threshold"], loc="outside upper center", ncols=3)
        figure.supxlabel(f"Anomaly score ({label}, {snr_title(snr)})", fontsize=7)
        figure.supylabel("Test clips", fontsize=7)
    return figure


def _score_histogram(axes: Axes, scores: NDArray[np.float64], abnormal: NDArray[np.bool_], threshold: Any) -> None:
    low, high = np.quantile(scores, [0, 0.99])  # a few far outliers would press all else into one bin
    bins = np.linspace(low, high if high > low else low + 1, 31).tolist()
    shown = np.clip(scores, bins[0], bins[-1])
    for part, colour in ((~abnormal, NORMAL), (abnormal, ABNORMAL)):
        counts, _ = np.histogram(shown[part], bins)
        axes.stairs(counts, bins, fill=True, color=colour, alpha=0.55)
        axes.stairs(counts, bins, color=colour, linewidth=0.7)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    if pd.notna(threshold) and threshold <= bins[-1]:
        axes.axvline(threshold, color="black", linewidth=0.8, linestyle="--")


def auc_against_cost(frame: pd.DataFrame, averages: pd.DataFrame) -> Figure:
    """Overall AUC against inference time per clip and against parameters, with the Pareto front."""
    labels = _labels(frame)
    styles = model_styles(labels)
    means = averages[
        (averages["metric"] == "auc") & (averages["db_level"] == AVERAGE) & (averages["machine_type"] == AVERAGE)
    ].set_index("label")
    auc: dict[str, float] = means["mean"].to_dict()  # type: ignore[assignment]
    costs = {"inference_time_per_clip_ms": "Inference time per clip (ms)", "num_parameters": "Parameters"}
    amounts = average(frame, list(costs), ["label"])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 2.9))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (cost, title) in zip(panels, costs.items(), strict=True):
            known: dict[str, float] = {label: amounts[cost].to_dict()[label] for label in labels}
            known = {label: amount for label, amount in known.items() if amount == amount and amount > 0}
            for label, amount in known.items():
                value = means.loc[label]
                errors = [[value["mean"] - value["low"]], [value["high"] - value["mean"]]]
                style = {key: styles[label][key] for key in ("color", "marker")}
                axes.errorbar(amount, value["mean"], yerr=errors, linestyle="none", elinewidth=0.7, zorder=3, **style)
            front = pareto_front({label: (amount, auc[label]) for label, amount in known.items()})
            if front:
                # A step, flat to the right end: what is the best AUC for at most this cost.
                x = [*(known[label] for label in front), 100 * max(known.values())]
                y = [auc[label] for label in front]
                axes.plot(x, [*y, y[-1]], drawstyle="steps-post", color="0.55", linewidth=0.8, zorder=1)
                # Whole decades, so that there are ticks to read.
                decades = np.log10([min(known.values()) / 1.3, max(known.values()) * 1.3])
                axes.set_xlim(10 ** np.floor(decades[0]), 10 ** np.ceil(decades[1]))
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(title)
        panels[0].set_ylabel("AUC")
        handles = [
            Line2D([], [], linestyle="none", color=styles[label]["color"], marker=styles[label]["marker"])
            for label in labels
        ]
        front_line = Line2D([], [], color="0.55", linewidth=0.8)
        figure.legend([*handles, front_line], [*labels, "Pareto front"], loc="outside lower center", ncols=3)
    return figure


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of those that no other one beats in both (cost, gain), cheapest first."""
    front: list[str] = []
    best = -np.inf
    for name, (_, gain) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if gain > best:
            front.append(name)
            best = gain
    return front


def training_curves(frame: pd.DataFrame, runs_root: str | Path) -> Figure:
    """Training and validation loss of each network: runs faint, their median bold."""
    losses: dict[str, list[pd.DataFrame]] = {}
    for _, run in frame[frame["epochs_run"].notna()].iterrows():
        table = pq.read_table(Path(runs_root) / run["run_path"] / "losses.parquet").to_pandas()
        losses.setdefault(run["label"], []).append(table.set_index("epoch"))
    if not losses:
        return note("No model among these is trained in epochs.")
    columns = min(len(losses), 4)
    rows = -(-len(losses) // columns)
    parts: Any = (("training_loss", NORMAL, "-"), ("validation_loss", ABNORMAL, (0, (4, 1.5))))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PAGE if columns > 2 else COLUMN, 1.4 * rows + 0.5))
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (label, tables) in zip(panels, losses.items(), strict=False):
            for name, colour, dashes in parts:
                series = pd.concat([table[name] for table in tables], axis=1).astype(float)
                if series.notna().any(axis=None):
                    axes.plot(series.index, series, color=colour, alpha=0.12, linewidth=0.4)
                    axes.plot(series.index, series.median(axis=1), color=colour, linestyle=dashes)
            axes.set_title(label, pad=2)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            low, high = axes.dataLim.intervaly
            if low > 0 and high > 10 * low:
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter("{x:g}")
                axes.yaxis.set_minor_formatter(NullFormatter())
        for axes in panels[len(losses) :]:
            axes.set_visible(False)
        handles = [Line2D([], [], color=colour, linestyle=dashes) for _, colour, dashes in parts]
        figure.legend(handles, ["training", "validation"], loc="outside upper center", ncols=2, handlelength=2.6)
        figure.supxlabel("Epoch", fontsize=7)
        figure.supylabel("Loss", fontsize=7)
    return figure


def critical_difference_diagram(ranks: Mapping[str, Any], *, test: str = "nemenyi") -> Figure:
    """Average ranks over machines; a bar joins models that do not differ significantly (Demšar 2006).

    ranks: of one metric, from `statistics.rank_tests`. test: nemenyi or wilcoxon_holm.
    """
    if test not in ranks["p_values"]:
        return note(f"Ranks need two models and two machines;\nhere are {ranks['models']} and {ranks['machines']}.")
    order = list(ranks["average_ranks"])
    p_values = pd.DataFrame(ranks["p_values"][test]).loc[order, order]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 0.12 * len(order) + 1.0))
        axes = figure.subplots()
        scikit_posthocs.critical_difference_diagram(
            ranks["average_ranks"],
            p_values,
            alpha=ranks["alpha"],
            ax=axes,
            label_fmt_left="{label} ({rank:.1f})",
            label_fmt_right="({rank:.1f}) {label}",
            label_props={"fontsize": 6.5},
            marker_props={"s": 6, "color": "black"},
            elbow_props={"linewidth": 0.6, "color": "0.3"},
            crossbar_props={"linewidth": 2.2, "color": COLOURS[1]},
            text_h_margin=0.2,
        )
        axes.spines["top"].set_visible(True)
        how = f"α = {ranks['alpha']:.3g}"
        if test == "nemenyi":
            how += f", critical difference {ranks['critical_difference']:.2f}"
        names = {"nemenyi": "Nemenyi", "wilcoxon_holm": "Wilcoxon-Holm"}
        axes.set_title(f"Average rank over {ranks['machines']} machines\n{names[test]}, {how}")
    return figure


def all_figures(frame: pd.DataFrame, runs_root: str | Path, found: Statistics) -> dict[str, Callable[[], Figure]]:
    """Every figure by the path of its file without an ending, drawn when called."""
    snrs = _snrs(frame)
    models = dict(zip(frame["model"], frame["label"], strict=True))
    return {
        "auc_heatmap": partial(auc_heatmap, frame),
        **{f"{metric}_over_snr": partial(metric_over_snr, frame, found.averages, metric) for metric in METRICS},
        "auc_against_cost": partial(auc_against_cost, frame, found.averages),
        "training_curves": partial(training_curves, frame, runs_root),
        **{
            f"critical_difference/{test}": partial(critical_difference_diagram, found.ranks["auc"], test=test)
            for test in ("nemenyi", "wilcoxon_holm")
        },
        **{f"roc/{snr}": partial(roc_curves, frame, runs_root, snr) for snr in snrs},
        **{
            f"scores/{model}/{snr}": partial(score_distributions, frame, runs_root, label, snr)
            for model, label in models.items()
            for snr in snrs
        },
    }
