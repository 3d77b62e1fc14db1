"""Every model with its costs."""

import pandas as pd

from mimii.data.sections import AVERAGE
from mimii.evaluation.metrics import metrics_in
from mimii.evaluation.results import average, busy_costs, direction_hints, load_hints
from mimii.paper.results import Results
from mimii.paper.table import COSTS, Cell, Table, best_first, cost_cell, lookup, mean_cell, model_title


def make(results: Results) -> Table:
    """Model by overall AUC, PR-AUC and pAUC, with intervals, and by what it costs; best AUC first."""
    averages, frame, metrics = results.statistics.averages, results.frame, metrics_in("tables")
    means = lookup(averages)
    costs, busy = average(frame, list(COSTS), ["label"]), busy_costs(frame, ["label"])
    shown = [cost for cost in COSTS if costs[cost].notna().any()]
    rows, data = [], []
    for label in best_first(averages, "auc", AVERAGE):
        cells = {metric: means[label, metric, AVERAGE, AVERAGE] for metric in metrics}
        amounts = {cost: float(costs[cost].to_dict()[label]) for cost in shown}
        paid = [cost_cell(cost, amount, busy=(label, cost) in busy) for cost, amount in amounts.items()]
        rows.append([Cell(model_title(label)), *map(mean_cell, cells.values()), *paid])
        numbers = {"model": label, **amounts}
        for metric, value in cells.items():
            numbers |= {metric: value["mean"], f"{metric}_low": value["low"], f"{metric}_high": value["high"]}
        data.append(numbers)
    caption = "Means over all sections, and what a model costs on one section."
    hints = [*direction_hints(frame), *load_hints(frame)]
    notes = " ".join([results.notes, *hints])
    header = [Cell("Model"), *(Cell(metric.title) for metric in metrics.values()), *(COSTS[cost][0] for cost in shown)]
    return Table("overview", caption, header, rows, pd.DataFrame(data), notes)
