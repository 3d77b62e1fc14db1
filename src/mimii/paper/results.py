"""What tables and figures are made of, and making all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mimii.common.lookup import load
from mimii.data.sections import snr_order
from mimii.evaluation.compared import Statistics
from mimii.evaluation.seeds import has_enough_seeds
from mimii.paper.entries import figure_entries, table_entries
from mimii.paper.table import Table, averaging_notes, bold_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Results:
    """Rows of `resampling.select_runs`, their `compared.compute_statistics`, and the folder of their runs.

    domains: SNRs whose clips have domains, beside DCASE's.
    """

    frame: pd.DataFrame
    statistics: Statistics
    runs_root: Path
    domains: Sequence[str] = ()

    @cached_property
    def labels(self) -> list[str]:
        """Names of the models, in the configured order."""
        return list(dict.fromkeys(self.frame["label"]))

    @cached_property
    def models(self) -> dict[str, str]:
        """Each model's label."""
        return dict(zip(self.frame["model"], self.frame["label"], strict=True))

    @cached_property
    def snrs(self) -> list[str]:
        """The SNRs, the easiest first."""
        return sorted(self.frame["db_level"].unique(), key=snr_order)

    @cached_property
    def unclaimed(self) -> list[str]:
        """Models of which nothing may be claimed: they have too few seeds."""
        return [label for label, enough in has_enough_seeds(self.frame).items() if not enough]

    @property
    def notes(self) -> str:
        """Below every table of means that are compared."""
        averaged = averaging_notes(self.statistics.averages, self.confidence)
        return f"{averaged} {bold_notes(self.confidence, self.unclaimed)}"

    @property
    def confidence(self) -> float:
        """Confidence of all intervals, such as 0.95."""
        return float(self.frame["confidence"].to_numpy(dtype=float)[0])


def make_tables(results: Results) -> list[Table]:
    """Every table."""
    return [
        load("mimii.paper.tables", entry.module, "make")(results, **entry.values)
        for entry in table_entries(list(results.models), results.snrs, results.domains)
    ]


def all_figures(results: Results) -> "dict[str, Callable[[], Figure]]":
    """Every figure by the path of its file without an ending, drawn when called."""
    return {
        entry.name: partial(load("mimii.paper.figures", entry.module, "draw"), results, **entry.values)
        for entry in figure_entries(list(results.models), results.snrs, results.domains)
    }
