"""A metric at each SNR."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mimii.data.sections import AVERAGE, has_snrs, snr_title
from mimii.evaluation.metrics import Metric
from mimii.paper.drawing import COLUMN, STYLE, model_styles
from mimii.paper.results import Results


def draw(results: Results, metric: Metric) -> Figure:
    """Mean of a metric at each SNR per model, with bootstrap intervals; models side by side, so that no bar hides."""
    labels, snrs = results.labels, results.snrs
    styles = model_styles(labels)
    averages = results.statistics.averages
    chosen = averages[(averages["metric"] == metric.name) & (averages["machine_type"] == AVERAGE)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 2.6))
        axes = figure.subplots()
        for number, label in enumerate(labels):
            rows = chosen[chosen["label"] == label].set_index("db_level").loc[snrs]
            mean, low, high = (rows[name].to_numpy(dtype=float) for name in ("mean", "low", "high"))
            shift = 0.5 * ((number + 0.5) / len(labels) - 0.5)
            places = np.arange(len(snrs)) + shift
            axes.plot(places, mean, label=label, **styles[label])
            axes.vlines(places, low, high, linewidth=0.7, color=styles[label]["color"])
        axes.set_xticks(range(len(snrs)), [snr_title(snr) for snr in snrs])
        axes.set_xlabel("SNR" if has_snrs(snrs) else "")
        axes.set_ylabel(metric.title)
        if metric.chance is not None:
            axes.axhline(metric.chance, color="0.6", linewidth=0.6, linestyle=":")
            place = (1.01, metric.chance)
            axes.annotate(
                "chance", place, xycoords=("axes fraction", "data"), ha="left", va="center", color="0.4", fontsize=6
            )
        figure.legend(loc="outside lower center", ncols=3, handlelength=2.6)
    return figure
