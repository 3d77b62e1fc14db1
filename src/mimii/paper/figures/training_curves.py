"""Losses by epoch."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from mimii.paper.drawing import ABNORMAL, COLUMN, NORMAL, PAGE, STYLE, note
from mimii.paper.results import Results
from mimii.paper.table import model_title


def draw(results: Results) -> Figure:
    """Training and validation loss of each network: runs faint, their median bold."""
    losses: dict[str, list[pd.DataFrame]] = {}
    frame = results.frame
    for _, run in frame[frame["epochs_run"].notna()].iterrows():
        table = pq.read_table(Path(results.runs_root) / run["training_path"] / "losses.parquet").to_pandas()
        losses.setdefault(run["label"], []).append(table.set_index("epoch"))
    if not losses:
        return note("No model among these is trained in epochs.")
    columns = min(len(losses), 4)
    rows = -(-len(losses) // columns)
    parts: Any = (("training_loss", NORMAL, "-"), ("validation_loss", ABNORMAL, (0, (4, 1.5))))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PAGE if columns > 2 else COLUMN, 1.4 * rows + 0.5))
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (label, tables) in zip(panels, losses.items(), strict=False):
            for name, colour, dashes in parts:
                series = pd.concat([table[name] for table in tables], axis=1).astype(float)
                if series.notna().any(axis=None):
                    axes.plot(series.index, series, color=colour, alpha=0.12, linewidth=0.4)
                    axes.plot(series.index, series.median(axis=1), color=colour, linestyle=dashes)
            axes.set_title(model_title(label), pad=2)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            low, high = axes.dataLim.intervaly
            if low > 0 and high > 10 * low:
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter("{x:g}")
                axes.yaxis.set_minor_formatter(NullFormatter())
        for axes in panels[len(losses) :]:
            axes.set_visible(False)
        handles = [Line2D([], [], color=colour, linestyle=dashes) for _, colour, dashes in parts]
        figure.legend(handles, ["training", "validation"], loc="outside upper center", ncols=2, handlelength=2.6)
        figure.supxlabel("Epoch", fontsize=7)
        figure.supylabel("Loss", fontsize=7)
    return figure
