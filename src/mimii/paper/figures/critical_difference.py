"""Ranks over machines, and which of them differ."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import scikit_posthocs
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from mimii.evaluation.seeds import LEAST_SEEDS
from mimii.paper.drawing import COLOURS, COLUMN, PAGE, STYLE, note
from mimii.paper.entries import PostHoc
from mimii.paper.results import Results
from mimii.paper.table import model_title


def draw(results: Results, test: PostHoc) -> Figure:
    """Average ranks of AUC over machines; a bar joins models that do not differ significantly (Demšar 2006).

    Nemenyi's critical difference stands above the axis as a ruler. Neither is drawn where seeds are too few for it.
    """
    ranks = results.statistics.ranks["auc"]
    if test.name not in ranks["p_values"]:
        return note(f"Ranks need two models and two machines;\nhere are {ranks['models']} and {ranks['machines']}.")
    order = list(ranks["average_ranks"])
    p_values = (
        pd.DataFrame(ranks["p_values"][test.name]).loc[order, order].rename(model_title).rename(columns=model_title)
    )
    how = f"{test.title}, α = {ranks['alpha']:.3g}"
    if results.unclaimed:
        p_values = p_values.where(np.eye(len(order), dtype=bool), 0.0)  # no bar
        how = f"no test: {len(results.unclaimed)} of {len(order)} models have fewer than {LEAST_SEEDS} seeds"
    average_ranks = {model_title(label): rank for label, rank in ranks["average_ranks"].items()}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(_width(list(average_ranks)), 0.12 * len(order) + 1.2))
        axes = figure.subplots()
        scikit_posthocs.critical_difference_diagram(
            average_ranks,
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
        if test.name == "nemenyi" and not results.unclaimed:
            _draw_ruler(axes, ranks["critical_difference"])
        axes.set_title(f"Average rank over {ranks['machines']} machines, {how}", pad=26)
    return figure


def _width(names: Sequence[str]) -> float:
    """Names stand on both sides of the axis of ranks: long ones leave room for it on a whole page only."""
    return COLUMN if max(map(len, names)) < 14 else PAGE


def _draw_ruler(axes: Axes, length: float) -> None:
    """A line as long as the critical difference, from rank 1 on, above the labels of the axis."""
    figure = axes.figure
    over = axes.get_xaxis_transform() + ScaledTranslation(0, 0.24, figure.dpi_scale_trans)  # x in ranks
    style: Any = {"transform": over, "color": "black", "linewidth": 0.8, "clip_on": False}
    axes.plot([1, 1 + length], [1, 1], marker="|", markersize=5, **style)
    text = f"critical difference {length:.2f}"
    axes.annotate(text, (1 + length, 1), xycoords=over, xytext=(4, 0), textcoords="offset points", va="center")
