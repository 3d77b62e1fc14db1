"""A metric per machine type at one SNR."""

from typing import Any

import pandas as pd

from mimii.data.sections import AVERAGE, snr_title
from mimii.evaluation.metrics import Metric
from mimii.paper.results import Results
from mimii.paper.table import Cell, Table, best_first, lookup, mean_cell, model_title


def make(results: Results, snr: str, metric: Metric) -> Table:
    """Model by machine type at one SNR, averaged over IDs."""
    averages = results.statistics.averages
    means = lookup(averages)
    there = averages[averages["db_level"] == snr]["machine_type"].unique()
    machine_types = [*sorted(name for name in there if name != AVERAGE), AVERAGE]
    rows, data = [], []
    for label in best_first(averages, metric.name, snr):
        cells = {name: means[label, metric.name, snr, name] for name in machine_types}
        rows.append([Cell(model_title(label)), *map(mean_cell, cells.values())])
        numbers: dict[str, Any] = {"model": label}
        for name, value in cells.items():
            numbers |= {name: value["mean"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        data.append(numbers)
    at = f" at {snr_title(snr)}" if snr_title(snr) else ""
    header = [Cell("Model"), *(Cell("Mean" if name == AVERAGE else name.capitalize()) for name in machine_types)]
    name = f"{metric.name}_machine_types_{snr}"
    return Table(name, f"{metric.title}{at} per machine type.", header, rows, pd.DataFrame(data), results.notes)
