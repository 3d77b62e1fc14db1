"""docs/adding_a_metric.md, followed to the letter in a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mimii

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding_a_metric.md"

# Prints where the metric is shown: what is planned, columns and rows of tables, ranks and differences.
SHOW = """
import json, sys
from pathlib import Path
import pandas as pd
from mimii.evaluation.compared import compute_statistics
from mimii.evaluation.metrics import METRICS
from mimii.evaluation.resampling import select_runs
from mimii.paper.entries import figure_entries, table_entries
from mimii.paper.results import Results, all_figures, make_tables

root = Path(sys.argv[1])
rows = json.loads((root / "rows.json").read_text())
frame = select_runs(pd.DataFrame(rows), [["vae", "default"], ["pca", "default"]])
results = Results(frame, compute_statistics(frame, root), root)
tables = {table.name: table for table in make_tables(results)}
assert list(tables) == [entry.name for entry in table_entries(["vae", "pca"], results.snrs)]
print(json.dumps({
    "headers": {name: [cell.text for cell in table.header] for name, table in tables.items()},
    "averages": sorted(results.statistics.averages["metric"].unique()),
    "intervals": bool((results.statistics.averages["low"] <= results.statistics.averages["high"]).any()),
    "ranks": list(results.statistics.ranks),
    "differences": sorted(results.statistics.comparisons["metric"].unique()),
    "figures": list(all_figures(results)),
    "planned_figures": [entry.name for entry in figure_entries(["vae", "pca"], results.snrs)],
}))
"""


def example():
    """The function that the page shows."""
    return re.search(r"```python\n(@metric.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]


BEST_F1 = """
@metric("Best F1", shown_in=("tables", "figures"))
def best_f1(curves: Curves) -> FloatArray:
    positives = curves.true_positives[:, -1:]
    return (2 * curves.true_positives / (curves.true_positives + curves.false_positives + positives)).max(axis=1)
"""


@pytest.fixture(scope="module")
def places(run_folder, tmp_path_factory):
    """Where the page's metric and another are shown that were added to a copy of the package."""
    folder = tmp_path_factory.mktemp("copy")
    package = folder / "src" / "mimii"
    shutil.copytree(Path(mimii.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "evaluation" / "metrics.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{example()}\n\n{BEST_F1}")
    rows = [
        run_folder(folder, model=model, section=f"6dB/{machine}/id_00", quality=quality)
        for model, quality in (("vae", 2.0), ("pca", 1.0))
        for machine in ("fan", "pump")
    ]
    (folder / "rows.json").write_text(json.dumps(rows))
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    done = subprocess.run(
        [sys.executable, "-c", SHOW, folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_metric_of_thresholds_is_shown_at_both(places):
    assert "Balanced accuracy" in places["headers"]["thresholds"]
    assert {"fitted_balanced_accuracy", "conformal_balanced_accuracy"} <= set(places["averages"])
    assert places["intervals"]
    assert "balanced_accuracy" not in places["ranks"]


def test_a_metric_of_tables_and_figures_has_its_own_and_is_tested(places):
    assert "best_f1" in places["headers"]
    assert "Best F1" in places["headers"]["overview"]
    assert "Best F1" in places["headers"]["ranks"]
    assert "best_f1" in places["averages"]
    assert "best_f1" in places["ranks"]
    assert "best_f1" in places["differences"]
    assert "best_f1_over_snr" in places["figures"]
    assert places["figures"] == places["planned_figures"]
