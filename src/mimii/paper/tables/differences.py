"""Differences between models, paired by clip."""

from mimii.data.sections import AVERAGE
from mimii.paper.results import Results
from mimii.paper.table import MISSING, Cell, Table, best_first, model_title, no_claim, signed


def make(results: Results) -> Table:
    """Overall AUC of each model minus that of each other one, paired by clip."""
    averages, comparisons = results.statistics.averages, results.statistics.comparisons
    confidence = results.confidence
    order = best_first(averages, "auc", AVERAGE)
    chosen = comparisons[(comparisons["metric"] == "auc") & (comparisons["db_level"] == AVERAGE)]
    differences = {}
    for pair in chosen.to_dict("records"):
        differs = pair["p_holm"] < 1 - confidence and pair["enough_seeds"]
        differences[pair["label"], pair["other"]] = pair["difference"], differs
        differences[pair["other"], pair["label"]] = -pair["difference"], differs
    rows = []
    for number, label in enumerate(order, 1):
        row = [Cell(f"{model_title(label)} ({number})")]
        for other in order:
            difference, differs = differences.get((label, other), (None, False))
            if difference is None:
                row.append(Cell(MISSING))
            else:
                row.append(Cell(signed(difference), bold=differs))
        rows.append(row)
    caption = "Overall AUC, row minus column."
    notes = (
        f"Paired by clip, over clips and seeds. Bold: differs at the {100 * (1 - confidence):.3g} % level, with Holm's "
        "correction for all pairs. It is about other clips of these machines. Intervals and p-values: differences.csv."
    )
    if results.unclaimed:
        notes += f" {no_claim(results.unclaimed)}"
    header = [Cell("Model"), *(Cell(f"({number})") for number in range(1, len(order) + 1))]
    return Table("differences", caption, header, rows, chosen.drop(columns=["metric", "db_level"]), notes)
