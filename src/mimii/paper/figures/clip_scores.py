"""What another way to come from windows to a clip's score changes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mimii.evaluation.metrics import point_values
from mimii.evaluation.results import average
from mimii.paper.drawing import COLOURS, COLUMN, MARKERS, STYLE, legend_columns, note
from mimii.paper.results import Results
from mimii.paper.table import model_title
from mimii.runs.clip_scores import PRIMARY, read_scores

RESIDUAL, REFERENCE = "residual", "mahalanobis"
TITLES = {"max": "maximum", "top_k": "mean of the highest", RESIDUAL: "residual"}

REFERENCE_STYLE: Any = {"color": "black", "marker": "|", "markersize": 8, "linestyle": "none"}


def draw(results: Results) -> Figure:
    """Overall AUC with every other clip score minus that with the mean of window scores, by model.

    Where a model has a residual score, and mahalanobis was run, a line marks its AUC in the same way: what it takes no
    network to reach.
    """
    changes = {label: by_score for label in results.labels if (by_score := _changes(results, label))}
    if not changes:
        return note("No model among these has another clip score than the mean.")
    scores = list(dict.fromkeys(name for by_score in changes.values() for name in by_score))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 0.16 * len(changes) + 0.8))
        axes = figure.subplots()
        axes.axvline(0, color="0.6", linewidth=0.6)
        styles = {name: (COLOURS[place % len(COLOURS)], MARKERS[place]) for place, name in enumerate(scores)}
        for row, by_score in enumerate(changes.values()):
            axes.hlines(
                row, min(0, *by_score.values()), max(0, *by_score.values()), color="0.85", linewidth=0.8, zorder=1
            )
            for name, change in by_score.items():
                colour, marker = styles[name]
                axes.plot(change, row, color=colour, marker=marker, linestyle="none", zorder=2)
        references = _references(results, [label for label, by_score in changes.items() if RESIDUAL in by_score])
        for label, change in references.items():
            axes.plot(change, list(changes).index(label), **REFERENCE_STYLE, zorder=3)
        axes.set_yticks(range(len(changes)), [model_title(label) for label in changes])
        axes.set_ylim(len(changes) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(4))  # signed numbers of three digits are wide
        axes.set_xlabel("AUC minus that of the mean window score")
        handles = [Line2D([], [], color=colour, marker=marker, linestyle="none") for colour, marker in styles.values()]
        texts = [TITLES.get(name, name.replace("_", " ")) for name in scores]
        if references:
            handles.append(Line2D([], [], **REFERENCE_STYLE))
            texts.append(f"{model_title(REFERENCE)}, no network")
        figure.legend(handles, texts, loc="outside lower center", ncols=legend_columns(texts))
    return figure


def _references(results: Results, labels: Sequence[str]) -> Mapping[str, float]:
    """The overall AUC of REFERENCE minus that of each of these models; empty where it was not run."""
    means = average(results.frame, ["auc"], ["label"])["auc"]
    reference = results.models.get(REFERENCE)
    return {} if reference is None else {label: float(means[reference] - means[label]) for label in labels}


def _changes(results: Results, label: str) -> Mapping[str, float]:
    """Change of one model's overall AUC by clip score; empty where it has the mean alone."""
    rows = []
    for run in results.frame[results.frame["label"] == label].to_dict("records"):
        path = Path(results.runs_root) / run["run_path"] / "scores.parquet"
        scores = read_scores(path, run["scores_sha256"])
        for name in scores.columns:
            clips = scores.clips(name)
            if np.isfinite(clips.scores).all():
                rows.append({**run, "score": name, "auc": point_values(clips.abnormal, clips.scores)["auc"]})
    values = average(pd.DataFrame(rows), ["auc"], ["score"])["auc"].to_dict()
    return {str(name): value - values[PRIMARY] for name, value in values.items() if name != PRIMARY}
