"""Ranks over machines."""

import pandas as pd

from mimii.evaluation.metrics import metrics_in
from mimii.paper.results import Results
from mimii.paper.table import Cell, Table


def make(results: Results) -> Table:
    """Model by average rank over machines in each metric; Friedman's test in the caption."""
    ranks, metrics = results.statistics.ranks, metrics_in("tables")
    order = list(ranks["auc"]["average_ranks"])
    data = pd.DataFrame(
        [{"model": label, **{metric: ranks[metric]["average_ranks"][label] for metric in metrics}} for label in order]
    )
    rows = [[Cell(row["model"]), *(Cell(f"{row[metric]:.2f}") for metric in metrics)] for _, row in data.iterrows()]
    machines, models, alpha = (ranks["auc"][name] for name in ("machines", "models", "alpha"))
    tests = []
    for name, metric in metrics.items():
        if friedman := ranks[name]["friedman"]:
            tests.append(f"{metric.title} {friedman['statistic']:.1f} (p = {friedman['p_value']:.2g})")
    caption = f"Average rank over {machines} machine(s); 1 is best, and the SNRs of a machine are averaged first. "
    if tests:
        caption += f"Friedman's χ² with {models - 1} degrees of freedom: {', '.join(tests)}. "
    if ranks["auc"]["critical_difference"] is not None:
        caption += (
            f"Nemenyi's critical difference at the {100 * alpha:.3g} % level is "
            f"{ranks['auc']['critical_difference']:.2f}: ranks further apart differ significantly."
        )
    return Table(
        "ranks", caption.strip(), [Cell("Model"), *(Cell(metric.title) for metric in metrics.values())], rows, data
    )
