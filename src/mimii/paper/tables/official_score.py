"""The official score of DCASE task 2."""

from mimii.data.sections import AVERAGE, dcase_year, scored_year
from mimii.evaluation.official_averages import by_type, scores_of_runs
from mimii.evaluation.official_score import SCORE, parts_of
from mimii.paper.results import Results
from mimii.paper.table import MISSING, Cell, Table, interval_cell, model_title

TITLES = {
    "auc": "AUC",
    "pauc": "pAUC",
    "auc_source": "AUC, source",
    "auc_target": "AUC, target",
    "pauc_source": "pAUC, source",
    "pauc_target": "pAUC, target",
}


def make(results: Results, scored: str) -> Table:
    """Model by official score, the means of its parts, and the score of each machine type; best score first."""
    year = scored_year(scored, domains=True)
    assert year is not None
    scores = scores_of_runs(results.frame, results.runs_root, scored)
    values = by_type(scores)
    parts = [part.name for part in parts_of(year)]
    machines = sorted({machine for _, machine, _ in values} - {AVERAGE})
    columns = [(AVERAGE, SCORE), *((AVERAGE, part) for part in parts), *((machine, SCORE) for machine in machines)]
    totals = {label: values[label, AVERAGE, SCORE]["value"] for label in results.labels}
    labels = sorted(results.labels, key=lambda label: (totals[label] != totals[label], -totals[label]))
    rows = [
        [Cell(model_title(label)), *(interval_cell(values[label, machine, name]) for machine, name in columns)]
        for label in labels
    ]
    header = [Cell("Model"), Cell("Official score"), *(Cell(TITLES[part]) for part in parts), *map(Cell, machines)]
    what = f"DCASE {year} task 2" if dcase_year(scored) else "DCASE task 2 from 2022 on"
    caption = f"Official score of {what}, its parts, and each machine type's."
    spread = ", ± standard deviation over them" if scores["seed_deviation"].notna().any() else ""
    notes = (
        f"Parts are {'arithmetic' if year == 2020 else 'harmonic'} means over sections. Mean over seeds{spread}. "
        f"Brackets: {100 * results.confidence:g} % bootstrap interval of the number itself, over test clips and seeds."
    )
    if scores["value"].isna().any():
        notes += f" {MISSING}: a domain of a section lacks normal or abnormal test clips."
    return Table(f"official_score_{scored}", caption, header, rows, scores.rename(columns={"label": "model"}), notes)
