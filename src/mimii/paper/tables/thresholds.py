"""What a threshold from normal clips does on the test clips."""

from mimii.data.sections import AVERAGE
from mimii.evaluation.metrics import metrics_in
from mimii.evaluation.resampling import THRESHOLDS
from mimii.paper.results import Results
from mimii.paper.table import MISSING, Cell, Table, best_first, lookup, mean_cell, model_title

TITLES = {"fitted": "Gamma fit", "conformal": "Conformal"}


def make(results: Results) -> Table:
    """Model and kind of threshold by realised rates, precision and F1, averaged over all sections."""
    averages, metrics = results.statistics.averages, metrics_in("thresholds")
    means = lookup(averages)
    overall = averages[(averages["db_level"] == AVERAGE) & (averages["machine_type"] == AVERAGE)]
    metrics_there = set(overall.loc[overall["mean"].notna(), "metric"])
    kinds = [prefix for prefix in THRESHOLDS if metrics_there & {f"{prefix}_{name}" for name in metrics}] or list(
        THRESHOLDS
    )
    rows = []
    for label in best_first(averages, "auc", AVERAGE):
        for prefix in kinds:
            values = [means[label, f"{prefix}_{name}", AVERAGE, AVERAGE] for name in metrics]
            cells = [
                Cell(MISSING) if value["mean"] != value["mean"] else mean_cell(value, mark=False) for value in values
            ]
            rows.append([Cell(model_title(label)), Cell(TITLES[prefix]), *cells])
    names = [f"{prefix}_{name}" for prefix in THRESHOLDS for name in metrics]
    quantile = float(results.frame["threshold_quantile"].iloc[0])
    caption = "Rates at a threshold set by normal clips alone."
    few = "" if "conformal" in kinds else ", for which there are too few"
    notes = (
        f"At the threshold that {100 * quantile:g} % of normal clips are meant to stay below, so that "
        f"{100 * (1 - quantile):.3g} % false alarms are aimed at: from a gamma distribution fitted to held-out normal "
        f"scores, and their conformal quantile{few}. Means over all sections; "
        f"brackets: {100 * results.confidence:g} % bootstrap interval over test clips and seeds. "
        "A dash: in a section held-out clips are too few or, for precision, no clip is above the threshold."
    )
    data = overall[overall["metric"].isin(names)]
    data = data.drop(columns=["db_level", "machine_type", "is_best", "is_significantly_best"])
    header = [Cell("Model"), Cell("Threshold"), *(Cell(metric.title) for metric in metrics.values())]
    return Table("thresholds", caption, header, rows, data.rename(columns={"label": "model"}), notes)
