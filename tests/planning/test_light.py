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

ESTIMATE = f"""
import sys
from mimii.launch.costs import Estimator, jobs_of_a_seed
from mimii.launch.run import launch
from mimii.launch.seeds import too_few_seeds
from mimii.planning.plan import Plan

dataset = {{"source": "made_up", "root": "nowhere"}}
plan = Plan({{"dataset": dataset, "models": {{"vae": {{}}, "pca": {{}}}}, "seeds": [1]}})
assert too_few_seeds(plan)
assert Estimator(plan).estimate(jobs_of_a_seed(plan)).total > 0
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_planning_tables_and_figures_imports_nothing_that_makes_them():
    planned = subprocess.run([sys.executable, "-c", PLAN], capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.strip() == "[]"


def test_a_start_and_its_estimate_import_nothing_that_computes():
    started = subprocess.run([sys.executable, "-c", ESTIMATE], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    assert started.stdout.strip() == "[]"
