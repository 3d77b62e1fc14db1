"""The check as a page."""

import pandas as pd

from mimii.paper.official_baseline.check import Check, criterion
from mimii.paper.official_baseline.reference import reference_auc
from mimii.paper.table import MISSING, Cell, Table, signed


def check_table(result: Check) -> Table:
    """The verdict as caption, and each section's AUC beside the reference; outliers, the furthest first, are bold."""
    close = criterion(result.seeds).close
    of_reference = reference_auc()
    differences = {section: result.auc[section] - auc for section, auc in of_reference.items() if section in result.auc}
    order = sorted(of_reference, key=lambda section: -abs(differences.get(section, 0.0)))
    rows, data = [], []
    for section in order:
        difference = differences.get(section)
        outlier = difference is not None and abs(difference) > close
        rows.append(
            [
                Cell(section.path, bold=outlier),
                Cell(f"{of_reference[section]:.3f}"),
                Cell(MISSING if difference is None else f"{result.auc[section]:.3f}"),
                Cell(MISSING if difference is None else signed(difference), bold=outlier),
            ]
        )
        data.append([section.path, of_reference[section], result.auc.get(section), difference])
    caption = f"Official MIMII baseline against the reference run: {result.verdict.upper()}."
    notes = (
        f"{'; '.join(result.reasons)}. "
        f"Bold: outliers, further than {close:.3f} away; the furthest first. "
        f"Means over {result.seeds} seed(s); the reference is one run with one seed."
    )
    columns = ["section", "reference", "found", "difference"]
    header = [Cell("Section"), Cell("Reference AUC"), Cell("Here"), Cell("Difference")]
    return Table("official_baseline", caption, header, rows, pd.DataFrame(data, columns=columns), notes)
