"""AUC against what a model costs."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from mimii.data.sections import AVERAGE
from mimii.evaluation.results import average
from mimii.paper.drawing import COLUMN, STYLE, legend_columns, model_styles
from mimii.paper.results import Results
from mimii.paper.table import model_title


def draw(results: Results) -> Figure:
    """Overall AUC against inference time per clip and against parameters, with the Pareto front."""
    frame, labels = results.frame, results.labels
    styles = model_styles(labels)
    averages = results.statistics.averages
    means = averages[
        (averages["metric"] == "auc") & (averages["db_level"] == AVERAGE) & (averages["machine_type"] == AVERAGE)
    ].set_index("label")
    auc: dict[str, float] = means["mean"].to_dict()  # type: ignore[assignment]
    costs = {"inference_time_per_clip_ms": "Scoring time per clip (ms)", "num_parameters": "Parameters"}
    amounts = average(frame, list(costs), ["label"])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 3.1))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (cost, title) in zip(panels, costs.items(), strict=True):
            known: dict[str, float] = {label: amounts[cost].to_dict()[label] for label in labels}
            known = {label: amount for label, amount in known.items() if amount == amount and amount > 0}
            for label, amount in known.items():
                value = means.loc[label]
                style = {key: styles[label][key] for key in ("color", "marker")}
                axes.plot(amount, value["mean"], linestyle="none", zorder=3, **style)
                axes.vlines(amount, value["low"], value["high"], linewidth=0.7, zorder=3, color=style["color"])
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
        texts = [*map(model_title, labels), "Pareto front"]
        figure.legend([*handles, front_line], texts, loc="outside lower center", ncols=legend_columns(texts))
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
