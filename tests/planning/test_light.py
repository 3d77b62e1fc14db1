"""Planning opens nothing heavy: every start of Snakemake waits for it."""

import subprocess
import sys

HEAVY = ("torch", "sklearn", "librosa", "soundfile", "pandas", "pyarrow", "scipy", "matplotlib", "statsmodels")

PLAN = f"""
import sys
from mimii.planning.job_parameters import figures_job, statistics_job, tables_job
from mimii.planning.plan import Plan

plan = Plan({{"dataset": {{"source": "made_up", "root": "nowhere"}}, "models": {{"vae": {{}}, "pca": {{}}}}}})
assert plan.tables() and plan.figures() and tables_job(plan) and figures_job(plan) and statistics_job(plan)
models = [name for name in sys.modules if name.startswith("mimii.models.")]
drawing = [name for name in sys.modules if name.startswith(("mimii.paper.tables.", "mimii.paper.figures."))]
print([name for name in {HEAVY} if name in sys.modules] + models + drawing)
"""


def test_planning_tables_and_figures_imports_nothing_that_makes_them():
    planned = subprocess.run([sys.executable, "-c", PLAN], capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.strip() == "[]"
