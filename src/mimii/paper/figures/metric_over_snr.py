"""A metric at each SNR."""

import textwrap

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mimii.data.sections import AVERAGE, snr_title
from mimii.evaluation.metrics import Metric
from mimii.paper.drawing import COLOURS, COLUMN, STYLE
from mimii.paper.results import Results
from mimii.paper.table import best_first, model_title

COLUMNS = 3


def draw(results: Results, metric: Metric) -> Figure:
    """Mean of a metric at each SNR with its bootstrap interval: a panel for each model, all others grey behind it.

    Best overall mean first. Where there is one SNR, the models are rows of one panel.
    """
    averages = results.statistics.averages
    chosen = averages[(averages["metric"] == metric.name) & (averages["machine_type"] == AVERAGE)]
    order = best_first(averages, metric.name, AVERAGE)
    if len(results.snrs) == 1:
        return _draw_rows(chosen[chosen["db_level"] == results.snrs[0]].set_index("label").loc[order], metric)
    values = {label: chosen[chosen["label"] == label].set_index("db_level").loc[results.snrs] for label in order}
    rows = -(-len(order) // COLUMNS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 0.85 * rows + 0.45))
        panels = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
        places = np.arange(len(results.snrs))
        for axes, label in zip(panels, order, strict=False):
            for other in order:
                axes.plot(places, values[other]["mean"], color="0.85", linewidth=0.6, zorder=1)
            own = values[label]
            axes.plot(places, own["mean"], color=COLOURS[0], marker="o", markersize=2.5, zorder=3)
            axes.vlines(places, own["low"], own["high"], color=COLOURS[0], linewidth=0.8, zorder=3)
            axes.set_title(textwrap.fill(model_title(label), 18), fontsize=6, pad=2)
            axes.set_xlim(-0.3, len(places) - 0.7)
            _draw_chance(axes, metric)
        for axes in panels[len(order) :]:
            axes.set_visible(False)
        for axes in panels[max(0, len(order) - COLUMNS) : len(order)]:
            axes.tick_params(labelbottom=True)
        for axes in panels:
            axes.set_xticks(places, [snr_title(snr) for snr in results.snrs])
        figure.supxlabel("SNR", fontsize=7)
        figure.supylabel(metric.title, fontsize=7)
    return figure


def _draw_rows(values: pd.DataFrame, metric: Metric) -> Figure:
    """values: mean, low and high by model."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 0.16 * len(values) + 0.5))
        axes = figure.subplots()
        places = np.arange(len(values))
        axes.hlines(places, values["low"], values["high"], color=COLOURS[0], linewidth=0.8)
        axes.plot(values["mean"], places, color=COLOURS[0], marker="o", linestyle="none")
        axes.set_yticks(places, list(map(model_title, values.index)))
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xlabel(metric.title)
        if metric.chance is not None:
            axes.axvline(metric.chance, color="0.6", linewidth=0.6, linestyle=":")
    return figure


def _draw_chance(axes: Axes, metric: Metric) -> None:
    if metric.chance is not None:
        axes.axhline(metric.chance, color="0.6", linewidth=0.6, linestyle=":", zorder=0)
