"""AUC against what a model costs."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from mimii.data.sections import AVERAGE
from mimii.evaluation.results import average, busy_costs
from mimii.paper.drawing import COLUMN, STYLE, legend_columns, model_styles
from mimii.paper.results import Results
from mimii.paper.table import model_title

# Column of `costs_of`: what the axis says, and the time that may have been measured on a busy machine.
COSTS = {
    "clip_ms": ("Features and\nscoring, ms a clip", "inference_time_per_clip_ms"),
    "fitting_s": ("Features and\ntraining, CPU s", "training_cpu_sec"),
    "num_parameters": ("Parameters", ""),
}


def draw(results: Results) -> Figure:
    """Overall AUC against the time for a clip, the time to train, and parameters, with the Pareto front."""
    labels, averages = results.labels, results.statistics.averages
    styles = model_styles(labels)
    means = averages[
        (averages["metric"] == "auc") & (averages["db_level"] == AVERAGE) & (averages["machine_type"] == AVERAGE)
    ].set_index("label")
    auc: dict[str, float] = means["mean"].to_dict()  # type: ignore[assignment]
    amounts = average(costs_of(results.frame), list(COSTS), ["label"])
    busy = busy_costs(results.frame, ["label"])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 3.3))
        panels = figure.subplots(1, len(COSTS), sharey=True)
        for axes, (cost, (title, measured)) in zip(panels, COSTS.items(), strict=True):
            of_labels = amounts[cost].to_dict()
            costs = {label: of_labels[label] for label in labels if of_labels[label] > 0}  # NaN where it is not known
            for label, amount in costs.items():
                value, colour = means.loc[label], styles[label]["color"]
                style = _marker(styles[label]) | {"markerfacecolor": "white" if (label, measured) in busy else colour}
                axes.plot(amount, auc[label], linestyle="none", zorder=4, **style)
                axes.vlines(amount, value["low"], value["high"], linewidth=0.7, zorder=3, color=colour)
            _draw_front(axes, {label: (amount, auc[label]) for label, amount in costs.items()})
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(title)
        figure.align_xlabels(panels)
        figure.get_layout_engine().set(wspace=0.08)  # type: ignore[union-attr, call-arg]
        panels[0].set_ylabel("AUC")
        handles = [Line2D([], [], linestyle="none", **_marker(styles[label])) for label in labels]
        front_line = Line2D([], [], color="0.55", linewidth=0.8)
        texts = [*map(model_title, labels), "Pareto front"]
        figure.legend([*handles, front_line], texts, loc="outside lower center", ncols=legend_columns(texts))
    return figure


def costs_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with `COSTS`: features' time is in both times, since no model works without them."""
    on_cpu = frame["device"].fillna("") == "cpu"
    training = frame["training_cpu_sec"].where(on_cpu, frame["training_time_sec"])
    return frame.assign(
        clip_ms=frame["features_cpu_per_clip_ms"].astype(float) + frame["inference_time_per_clip_ms"].astype(float),
        fitting_s=frame["features_cpu_sec"].astype(float) + training.astype(float),
    )


def _marker(style: Mapping[str, Any]) -> dict[str, Any]:
    return {key: style[key] for key in ("color", "marker")}


def _draw_front(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """A step, flat to the right end: what is the best AUC for at most this cost."""
    front = pareto_front(points)
    if not front:
        return
    amounts = [amount for amount, _ in points.values()]
    x, y = map(list, zip(*(points[label] for label in front), strict=True))
    axes.plot([*x, 100 * max(amounts)], [*y, y[-1]], drawstyle="steps-post", color="0.55", linewidth=0.8, zorder=1)
    # Whole decades, so that there are ticks to read.
    decades = np.log10([min(amounts) / 1.3, max(amounts) * 1.3])
    axes.set_xlim(10 ** np.floor(decades[0]), 10 ** np.ceil(decades[1]))


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of those that no other one beats in both (cost, gain), cheapest first."""
    front: list[str] = []
    best = -np.inf
    for name, (_, gain) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if gain > best:
            front.append(name)
            best = gain
    return front
