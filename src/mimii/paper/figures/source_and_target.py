"""AUC in the source domain against that in the target domain."""

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mimii.data.sections import AVERAGE
from mimii.evaluation.official_averages import by_type, scores_of_runs
from mimii.paper.drawing import COLUMN, STYLE, legend_columns, model_styles
from mimii.paper.results import Results
from mimii.paper.table import model_title


def draw(results: Results, domains: str) -> Figure:
    """A small point for each machine type of each model, and its mean with both intervals."""
    values = by_type(scores_of_runs(results.frame, results.runs_root, domains))
    machines = list(dict.fromkeys(machine for _, machine, _ in values))
    styles = model_styles(results.labels)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, COLUMN))
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="0.8", linewidth=0.6, zorder=1)
        for label in results.labels:
            style = {key: styles[label][key] for key in ("color", "marker")}
            for machine in machines:
                x, y = (values[label, machine, f"auc_{domain}"] for domain in ("source", "target"))
                if machine != AVERAGE:
                    axes.plot(x["value"], y["value"], linestyle="none", markersize=2, alpha=0.4, zorder=2, **style)
                    continue
                axes.plot(x["value"], y["value"], linestyle="none", zorder=3, **style)
                line = {"linewidth": 0.7, "zorder": 3, "color": style["color"]}
                axes.hlines(y["value"], x["low"], x["high"], **line)
                axes.vlines(x["value"], y["low"], y["high"], **line)
        axes.set_xlabel("AUC, source domain")
        axes.set_ylabel("AUC, target domain")
        axes.set_aspect("equal", adjustable="datalim")
        handles = [
            Line2D([], [], linestyle="none", color=styles[label]["color"], marker=styles[label]["marker"])
            for label in results.labels
        ]
        texts = list(map(model_title, results.labels))
        figure.legend(handles, texts, loc="outside lower center", ncols=legend_columns(texts))
    return figure
