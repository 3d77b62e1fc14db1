"""Ranks over machines."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mimii.data.sections import has_snrs
from mimii.evaluation.metrics import metrics_in
from mimii.paper.results import Results
from mimii.paper.table import Cell, Table, no_claim


def make(results: Results) -> Table:
    """Model by average rank over machines in each metric; Friedman's test in the caption."""
    ranks, metrics = results.statistics.ranks, metrics_in("tables")
    order = list(ranks["auc"]["average_ranks"])
    data = pd.DataFrame(
        [{"model": label, **{metric: ranks[metric]["average_ranks"][label] for metric in metrics}} for label in order]
    )
    rows = [[Cell(row["model"]), *(Cell(f"{row[metric]:.2f}") for metric in metrics)] for _, row in data.iterrows()]
    header = [Cell("Model"), *(Cell(metric.title) for metric in metrics.values())]
    return Table("ranks", _caption(results, ranks), header, rows, data)


def _caption(results: Results, ranks: Mapping[str, Mapping[str, Any]]) -> str:
    machines, models, alpha = (ranks["auc"][name] for name in ("machines", "models", "alpha"))
    averaged = "seeds and SNRs" if has_snrs(results.snrs) else "seeds"
    tests = []
    for name, metric in metrics_in("tables").items():
        if friedman := ranks[name]["friedman"]:
            value = friedman["f_statistic"]
            corrected = "all machines agree" if value is None else f"F {value:.1f}, p = {friedman['f_p_value']:.2g}"
            tests.append(f"{metric.title} {friedman['statistic']:.1f}, p = {friedman['p_value']:.2g} ({corrected})")
    caption = f"Average rank over {machines} machine(s); 1 is best, and {averaged} of a machine are averaged first. "
    if tests:
        caption += f"Friedman's χ² with {models - 1} degrees of freedom (Iman and Davenport's F): {'; '.join(tests)}. "
    if results.unclaimed:
        return caption + no_claim(results.unclaimed)
    if ranks["auc"]["critical_difference"] is not None:
        caption += (
            f"Nemenyi's critical difference at the {100 * alpha:.3g} % level is "
            f"{ranks['auc']['critical_difference']:.2f}: ranks further apart differ significantly. "
            "The tests are about other IDs of these machine types, not about other machine types."
        )
    return caption.strip()
