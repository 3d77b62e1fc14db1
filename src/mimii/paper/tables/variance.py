"""Where the variance of a metric comes from."""

from mimii.data.sections import AVERAGE
from mimii.evaluation.metrics import METRICS
from mimii.evaluation.variance import COMPONENTS
from mimii.paper.results import Results
from mimii.paper.table import MISSING, Cell, Table, best_first, model_title


def make(results: Results) -> Table:
    """Model by standard deviation of AUC due to seed, clips, machine ID and machine type."""
    data = results.statistics.variances.set_index("label").loc[best_first(results.statistics.averages, "auc", AVERAGE)]
    digits = METRICS["auc"].digits
    rows = [
        [
            Cell(model_title(str(label))),
            *(Cell(MISSING if value != value else f"{value:.{digits}f}") for value in values),
        ]
        for label, values in zip(data.index, data[list(COMPONENTS)].to_numpy(), strict=True)
    ]
    caption = "Standard deviation of a run's AUC by its source."
    notes = (
        "On one section: another seed, other test clips, another ID of the machine type, another machine type. "
        "0: the others explain all of it. A dash: there is one only."
    )
    header = [Cell("Model"), Cell("Seed"), Cell("Clips"), Cell("Machine ID"), Cell("Machine type")]
    return Table("variance", caption, header, rows, data.reset_index().rename(columns={"label": "model"}), notes)
