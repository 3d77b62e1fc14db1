"""ROC curves."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from mimii.evaluation.resampling import read_run
from mimii.paper.drawing import COLUMN, STYLE, legend_columns, model_styles
from mimii.paper.results import Results
from mimii.paper.table import model_title


def draw(results: Results, snr: str) -> Figure:
    """ROC curves at one SNR, one panel per machine type: TPR averaged over seeds and IDs at each FPR.

    The area under such a curve is the mean of the areas.
    """
    frame, labels = results.frame, results.labels
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
                for run in runs.to_dict("records"):
                    clips = read_run(run, results.runs_root)
                    curves.append(tpr_at(grid, *roc_curve(clips.abnormal, clips.scores, drop_intermediate=False)[:2]))
                style = {key: value for key, value in styles[label].items() if key != "marker"}
                axes.plot(np.r_[0, grid], np.r_[0, np.mean(curves, axis=0)], label=model_title(label), **style)
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
        figure.legend(handles, names, loc="outside lower center", ncols=legend_columns(names), handlelength=2.6)
    return figure


def tpr_at(grid: NDArray[np.float64], fpr: NDArray[np.float64], tpr: NDArray[np.float64]) -> NDArray[np.float64]:
    """TPR at each FPR of the grid, in [0, 1]: the upper end where the curve rises straight up."""
    before = np.searchsorted(fpr, grid, side="right") - 1
    after = np.minimum(before + 1, len(fpr) - 1)
    run = fpr[after] - fpr[before]
    share = np.divide(grid - fpr[before], run, out=np.zeros_like(grid), where=run > 0)
    return tpr[before] + share * (tpr[after] - tpr[before])
