"""Ranks over machines."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mimii.data.sections import has_snrs
from mimii.evaluation.metrics import metrics_in
from mimii.paper.results import Results
from mimii.paper.table import Cell, Table, model_title, no_claim, p_text


def make(results: Results) -> Table:
    """Model by average rank over machines in each metric; Friedman's test in the caption."""
    ranks, metrics = results.statistics.ranks, metrics_in("tables")
    order = list(ranks["auc"]["average_ranks"])
    data = pd.DataFrame(
        [{"model": label, **{metric: ranks[metric]["average_ranks"][label] for metric in metrics}} for label in order]
    )
    rows = [
        [Cell(model_title(row["model"])), *(Cell(f"{row[metric]:.2f}") for metric in metrics)]
        for _, row in data.iterrows()
    ]
    header = [Cell("Model"), *(Cell(metric.title) for metric in metrics.values())]
    machines = ranks["auc"]["machines"]
    caption = f"Average rank over {machines} machine{'s' * (machines > 1)}; 1 is best."
    return Table("ranks", caption, header, rows, data, _notes(results, ranks))


def _notes(results: Results, ranks: Mapping[str, Mapping[str, Any]]) -> str:
    models, alpha = (ranks["auc"][name] for name in ("models", "alpha"))
    averaged = "seeds and SNRs" if has_snrs(results.snrs) else "seeds"
    tests = []
    for name, metric in metrics_in("tables").items():
        if friedman := ranks[name]["friedman"]:
            value = friedman["f_statistic"]
            corrected = "all machines agree" if value is None else f"F {value:.1f}, {p_text(friedman['f_p_value'])}"
            tests.append(f"{metric.title} {friedman['statistic']:.1f}, {p_text(friedman['p_value'])} ({corrected})")
    notes = f"{averaged.capitalize().replace('snr', 'SNR')} of a machine are averaged first. "
    if tests:
        notes += f"Friedman's χ² with {models - 1} degrees of freedom (Iman and Davenport's F): {'; '.join(tests)}. "
    if results.unclaimed:
        together = " Nor does Friedman's test, which is of all models together, allow a claim." if tests else ""
        return notes + no_claim(results.unclaimed) + together
    if ranks["auc"]["critical_difference"] is not None:
        notes += (
            f"Nemenyi's critical difference at the {100 * alpha:.3g} % level is "
            f"{ranks['auc']['critical_difference']:.2f}: ranks further apart differ significantly. "
            "The tests are about other IDs of these machine types, not about other machine types."
        )
    return notes.strip()
