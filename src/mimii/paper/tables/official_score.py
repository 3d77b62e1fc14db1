"""The official score of DCASE task 2."""

from collections.abc import Mapping

from mimii.data.sections import AVERAGE, dcase_year
from mimii.evaluation.official_score import SCORE, by_type, parts_of, scores_of_runs
from mimii.paper.results import Results
from mimii.paper.table import Cell, Table, model_title

TITLES = {
    "auc": "AUC",
    "pauc": "pAUC",
    "auc_source": "AUC, source",
    "auc_target": "AUC, target",
    "pauc_source": "pAUC, source",
    "pauc_target": "pAUC, target",
}


def make(results: Results, year: str) -> Table:
    """Model by official score, the means of its parts, and the score of each machine type; best score first."""
    number = dcase_year(year)
    assert number is not None
    scores = scores_of_runs(results.frame, results.runs_root, year)
    values = by_type(scores)
    parts = [part.name for part in parts_of(number)]
    machines = sorted({machine for _, machine, _ in values} - {AVERAGE})
    columns = [(AVERAGE, SCORE), *((AVERAGE, part) for part in parts), *((machine, SCORE) for machine in machines)]
    labels = sorted(results.labels, key=lambda label: -values[label, AVERAGE, SCORE]["value"])
    rows = [
        [Cell(model_title(label)), *(_cell(values[label, machine, name]) for machine, name in columns)]
        for label in labels
    ]
    header = [Cell("Model"), Cell("Official score"), *(Cell(TITLES[part]) for part in parts), *map(Cell, machines)]
    kind = "arithmetic" if number == 2020 else "harmonic"
    caption = f"Official score of DCASE {number} task 2, its parts, and the score of each machine type."
    notes = (
        f"Parts are {kind} means over sections. Mean over seeds. Brackets: {100 * results.confidence:g} % bootstrap "
        "interval of the number itself, over test clips and seeds."
    )
    return Table(f"official_score_{year}", caption, header, rows, scores.rename(columns={"label": "model"}), notes)


def _cell(value: Mapping[str, float]) -> Cell:
    return Cell(f"{value['value']:.3f}", f"[{value['low']:.3f}, {value['high']:.3f}]")
