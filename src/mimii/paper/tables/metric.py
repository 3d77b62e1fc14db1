"""A metric per SNR."""

import pandas as pd

from mimii.data.sections import AVERAGE, has_snrs, snr_title
from mimii.evaluation.metrics import Metric
from mimii.paper.results import Results
from mimii.paper.table import Cell, Table, best_first, lookup, mean_cell, model_title


def make(results: Results, metric: Metric) -> Table:
    """Model by SNR, where there are several, and overall: mean ± deviation over seeds, and the interval below."""
    averages, snrs = results.statistics.averages, results.snrs if len(results.snrs) > 1 else []
    means = lookup(averages)
    rows, data = [], []
    for label in best_first(averages, metric.name, AVERAGE):
        cells = [means[label, metric.name, snr, AVERAGE] for snr in [*snrs, AVERAGE]]
        rows.append([Cell(model_title(label)), *(mean_cell(value) for value in cells)])
        data += [{name: value[name] for name in averages.columns if name != "machine_type"} for value in cells]
    title = f"{metric.title} per SNR" if has_snrs(snrs) else metric.title
    header = [Cell("Model"), *(Cell(snr_title(snr)) for snr in snrs), Cell("Overall")]
    data_frame = pd.DataFrame(data).rename(columns={"label": "model"})
    return Table(metric.name, f"{title}.", header, rows, data_frame, results.notes)
