"""Scores of normal and abnormal clips."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mimii.data.sections import snr_title
from mimii.evaluation.resampling import read_run
from mimii.paper.drawing import ABNORMAL, COLUMN, NORMAL, PAGE, STYLE
from mimii.paper.results import Results
from mimii.paper.table import model_title


def draw(results: Results, model: str, snr: str) -> Figure:
    """One model's scores of normal and abnormal test clips at one SNR: machine types by IDs, first seed, threshold."""
    frame = results.frame
    label = results.models[model]
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
        for run in there.to_dict("records"):
            axes = panels[machine_types.index(run["machine_type"]), ids.index(run["machine_id"])]
            axes.set_visible(True)
            clips = read_run(run, results.runs_root)
            _score_histogram(axes, clips.scores, clips.abnormal, run["threshold"])
            axes.set_title(
                f"{run['machine_type']} {run['machine_id'].removeprefix('id_')}, AUC {run['auc']:.2f}", pad=2
            )
        handles = [
            *(Line2D([], [], color=colour, linewidth=4, alpha=0.6) for colour in (NORMAL, ABNORMAL)),
            Line2D([], [], color="black", linewidth=0.8, linestyle="--"),
        ]
        figure.legend(handles, ["normal", "abnormal", "threshold"], loc="outside upper center", ncols=3)
        figure.supxlabel(f"Anomaly score ({', '.join(filter(None, [model_title(label), snr_title(snr)]))})", fontsize=7)
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
