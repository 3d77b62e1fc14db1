"""How every figure looks, and writing it: a paper's sizes, colours that everybody tells apart, the same bytes again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from mimii.common.files import written_whole

COLUMN, PAGE = 252 / 72.27, 516 / 72.27  # inches: one column of an IEEE page and both, 252 and 516 of TeX's points
DPI = 300  # of PNG

# Okabe & Ito's colours without yellow, which is too light for lines; markers and dashes repeat out of step with them.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
DASHES: Sequence[Any] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
NORMAL, ABNORMAL = "#0072B2", "#D55E00"

STYLE: Any = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1,
    "lines.markersize": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "mimii",  # the same picture gives the same file
}


def model_styles(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each model, the same in every figure of the same models."""
    return {
        label: {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": DASHES[number // len(COLOURS) % len(DASHES)],
        }
        for number, label in enumerate(labels)
    }


def legend_columns(texts: Sequence[str]) -> int:
    """How many of these texts stand side by side in a column of a page."""
    return 3 if max(map(len, texts)) < 18 else 2


def save(figure: Figure, path: str | Path, *, endings: Sequence[str] = ("svg", "pdf", "png")) -> None:
    """Write `path` with each ending; the same figure gives the same bytes."""
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once for all endings
    dates: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    for ending in endings:
        with written_whole(f"{path}.{ending}") as temporary, mpl.rc_context(STYLE):
            figure.savefig(temporary, format=ending, dpi=DPI, metadata=dates[ending])


def note(text: str) -> Figure:
    """A picture that says why there is none: every file that a rule declares must be written."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(COLUMN, 0.6))
        figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
