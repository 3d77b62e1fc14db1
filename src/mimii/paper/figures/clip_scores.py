"""What another way to come from windows to a clip's score changes."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mimii.evaluation.metrics import point_values
from mimii.evaluation.results import average
from mimii.paper.drawing import COLOURS, COLUMN, MARKERS, STYLE, note
from mimii.paper.results import Results
from mimii.paper.table import model_title
from mimii.runs.clip_scores import PRIMARY, read_scores

TITLES = {"max": "maximum", "top_k": "mean of the highest", "residual": "residual"}


def draw(results: Results) -> Figure:
    """Overall AUC with every other clip score minus that with the mean of window scores, by model."""
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
        axes.set_yticks(range(len(changes)), [model_title(label) for label in changes])
        axes.set_ylim(len(changes) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(4))  # signed numbers of three digits are wide
        axes.set_xlabel("AUC minus that of the mean window score")
        handles = [Line2D([], [], color=colour, marker=marker, linestyle="none") for colour, marker in styles.values()]
        texts = [TITLES.get(name, name.replace("_", " ")) for name in scores]
        figure.legend(handles, texts, loc="outside lower center", ncols=3)
    return figure


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
