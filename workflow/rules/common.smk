# What several stages share: the plan, the names of files, and what is asked about a run. What one stage alone asks
# stands with its rules.
import gc
import os
import sys
from hashlib import sha256
from pathlib import Path
from shlex import quote

from mimii.common.canonical import to_json
from mimii.common.errors import exit_on_user_error
from mimii.common.files import written_whole
from mimii.data.sections import Section
from mimii.detectors.declaration import model_declaration
from mimii.evaluation.merge_files import metrics_csv, record_of
from mimii.evaluation.previous import keep_previous, previous_csv
from mimii.launch import lock
from mimii.launch.quicker_snakemake import make_snakemake_quicker, remember_parameters
from mimii.launch.request import check_start
from mimii.launch.seeds import too_few_seeds
from mimii.paper.entries import BASELINE, CLIPS
from mimii.paper.entries import RESULTS as EVERY_RUN
from mimii.paper.official_baseline.reference import is_asked_for
from mimii.planning import job_parameters
from mimii.planning import resources as needs
from mimii.planning.notes import notes_before_a_start
from mimii.planning.plan import Plan
from mimii.runs.run import has_model

# Snakemake's graph of thousands of jobs is no garbage: looking for some in it again and again would take a quarter of
# the time of planning. From the first job on (onstart) it is looked for, but seldom.
gc.disable()
gc.set_threshold(100_000, 50, 100)

make_snakemake_quicker()

# Jobs run with the Python that runs Snakemake, activated or not.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
)

# Kept open to the end, for a launcher to see that a plain snakemake is at work.
IN_USE = lock.share(Path.cwd()) if workflow.is_main_process else None

with exit_on_user_error():
    if workflow.is_main_process:
        check_start(workflow.resource_settings.cores, sys.argv[1:])
    # check_dataset is there for datasets that cannot be used yet.
    plan = Plan(config, any_sections="check_dataset" in sys.argv)
    _ = plan.sections
    plan.check_external()
    plan.check_csv()
    plan.check_folders(writable=False)
    # A launcher, who holds the lock itself, says this where a person reads it.
    if IN_USE:
        for note in (*notes_before_a_start(plan), too_few_seeds(plan, with_cost=False)):
            if note:
                print(note, file=sys.stderr)

DATASET = plan.config["dataset"]["root"].rstrip("/")
FEATURES = f"{plan.features_root}/{{features}}/{{section}}"
RUN = f"{plan.runs_root}/{{model}}/{{variant}}/seed={{seed}}/{{section}}"
TRAINED = f"{plan.runs_root}/{{model}}/{{variant}}/seed={{seed}}/{{scope}}"
EXTERNAL_RUN = f"{plan.runs_root}/{{external}}/external/{{section}}"
ENSEMBLE_RUN = f"{plan.runs_root}/{{ensemble}}/{{members}}/seed={{seed}}/{{section}}"
RESULTS = plan.results_root
RESULTS_CSV = plan.results_csv
THREADS = plan.config["compute"]["threads"]
NETWORKS, ESTIMATORS = plan.models_by_file()


wildcard_constraints:
    model=f"{NETWORKS}|{ESTIMATORS}",
    variant="[^/]+",
    features="[^/]+",
    seed="[0-9]+",
    section="[^/]+/[^/]+/[^/]+",
    scope="[^/]+(/[^/]+){0,2}",
    study="|".join(plan.config["studies"]) or "(?!)",
    external="|".join(plan.external) or "(?!)",
    ensemble="|".join(plan.ensembles) or "(?!)",
    members="ensemble=[^/]+",


def ask(function):
    """Decorator of what Snakemake asks about a job: a user's mistake ends with the message alone, not a traceback."""
    answer = exit_on_user_error()(function)
    remember_parameters(answer, function)
    return answer


# Snakemake does not compare parameters that come from functions of `resources`: where the recordings lie, and what
# computes, may change without any job running again.


@ask
def dataset_place(wildcards, resources):
    return to_json(plan.config["dataset"])


@ask
def runs_place(wildcards, resources):
    return plan.runs_root


@ask
def compute_options(wildcards, resources):
    return f"--device {plan.config['compute']['device']} --threads {THREADS}"


@ask
def run_features(wildcards):
    variant = plan.variant(wildcards.model, wildcards.variant)
    return plan.features_file(variant, Section.parse(wildcards.section))


def scores_of(runs):
    return [f"{plan.runs_root}/{run.path}/scores.parquet" for run in runs]


def in_report(path, entry, labels=None):
    """A file that `snakemake --report` shows, with its caption and the labels to filter by."""
    if path.endswith((".svg", ".pdf")):  # the report shows the same picture as png
        return path
    return report(
        path,
        category=entry.category,
        caption=str(entry.caption),
        labels=labels or dict(entry.labels),
    )


# What a job asks a cluster for, where one runs it. Each further attempt asks for more.


def features_mb(input):
    """Size of the features that a job reads; a job is submitted when they are there."""
    files = [input.features] if isinstance(input.features, str) else input.features
    return sum(Path(file).stat().st_size for file in files) / 1e6


@ask
def model_memory(wildcards, input, attempt):
    base = model_declaration(wildcards.model).base
    return needs.model_memory_mb(base, features_mb(input), attempt)
