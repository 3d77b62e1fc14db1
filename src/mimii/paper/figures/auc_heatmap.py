"""AUC of every model on every section."""

import itertools

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mimii.data.sections import snr_title
from mimii.evaluation.results import SECTION_COLUMNS, average
from mimii.paper.drawing import COLUMN, PAGE, STYLE
from mimii.paper.results import Results
from mimii.paper.table import model_title


def draw(results: Results) -> Figure:
    """AUC of each model on each section, seeds averaged; one block per SNR."""
    frame, labels, snrs = results.frame, results.labels, results.snrs
    values = average(frame, ["auc"], ["label", *SECTION_COLUMNS])["auc"].to_dict()
    machines = sorted(set(zip(frame["machine_type"], frame["machine_id"], strict=True)))
    cell = min(0.42, (PAGE - 1.6) / len(machines))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(COLUMN, cell * len(machines) + 1.6), 0.17 * len(labels) * len(snrs) + 0.75))
        grid = figure.subplots(len(snrs), 1, squeeze=False, sharex=True)[:, 0]
        for axes, snr in zip(grid, snrs, strict=True):
            block = np.array([[values.get((label, snr, *machine), np.nan) for machine in machines] for label in labels])
            image = axes.imshow(block, cmap="cividis", vmin=0.5, vmax=1, aspect="auto")
            for row, column in zip(*np.nonzero(np.isfinite(block)), strict=True):
                value = block[row, column]
                text = f"{value:.2f}".removeprefix("0")
                axes.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=5.5,
                    color="white" if value < 0.75 else "black",
                )
            axes.set_yticks(range(len(labels)), list(map(model_title, labels)))
            axes.set_ylabel(snr_title(snr))
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            for edge in range(1, len(machines)):
                if machines[edge][0] != machines[edge - 1][0]:
                    axes.axvline(edge - 0.5, color="white", linewidth=2)
        grid[-1].set_xticks(range(len(machines)), [id.removeprefix("id_") for _, id in machines])
        for machine_type, group in itertools.groupby(enumerate(machines), key=lambda item: item[1][0]):
            places = [place for place, _ in group]
            grid[0].annotate(
                machine_type,
                (float(np.mean(places)), 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
            )
        grid[-1].set_xlabel("Machine ID")
        figure.colorbar(image, ax=list(grid), label="AUC", extend="min", fraction=0.03, pad=0.01, aspect=30)
    return figure
