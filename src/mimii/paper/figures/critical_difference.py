"""Ranks over machines, and which of them differ."""

import matplotlib as mpl
import pandas as pd
import scikit_posthocs
from matplotlib.figure import Figure

from mimii.paper.drawing import COLOURS, COLUMN, STYLE, note
from mimii.paper.entries import PostHoc
from mimii.paper.results import Results


def draw(results: Results, test: PostHoc) -> Figure:
    """Average ranks over machines; a bar joins models that do not differ significantly (Demšar 2006).

    Of AUC.
    """
    ranks = results.statistics.ranks["auc"]
    if test.name not in ranks["p_values"]:
        return note(f"Ranks need two models and two machines;\nhere are {ranks['models']} and {ranks['machines']}.")
    order = list(ranks["average_ranks"])
    p_values = pd.DataFrame(ranks["p_values"][test.name]).loc[order, order]
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
        if test.name == "nemenyi":
            how += f", critical difference {ranks['critical_difference']:.2f}"
        axes.set_title(f"Average rank over {ranks['machines']} machines\n{test.title}, {how}")
    return figure
