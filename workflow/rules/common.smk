# What all rules share: the plan, the names of files, and how a script is called.
import gc
import inspect
import os
import sys
from pathlib import Path

from mimii.common.canonical import to_json
from mimii.common.errors import exit_on_user_error
from mimii.data.sections import Section
from mimii.detectors.declaration import model_declaration
from mimii.evaluation.previous import keep_previous, previous_csv
from mimii.launch import lock
from mimii.paper.entries import BASELINE, CLIPS
from mimii.paper.entries import RESULTS as EVERY_RUN
from mimii.paper.official_baseline import is_asked_for
from mimii.planning import resources as requests
from mimii.planning.plan import Plan

# Snakemake's graph of thousands of jobs is no garbage: looking for some in it again and again would take a quarter of
# the time of planning. From the first job on (onstart) it is looked for, but seldom.
gc.disable()
gc.set_threshold(100_000, 50, 100)

# Jobs run with the Python that runs Snakemake, activated or not.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
)


def told(function):
    """End with the message alone where the user can put an error right: an exception is shown with a traceback."""

    def telling(*arguments, **named):
        with exit_on_user_error():
            return function(*arguments, **named)

    return telling


# Kept open to the end, for a launcher to see that a plain snakemake is at work.
IN_USE = lock.share(Path.cwd()) if workflow.is_main_process else None

# check_dataset is there for datasets that cannot be used yet.
plan = told(Plan)(config, any_sections="check_dataset" in sys.argv)
told(lambda: plan.sections)()
told(plan.check_external)()

DATASET = plan.config["dataset"]["root"].rstrip("/")
FEATURES = f"{plan.features_root}/{{features}}/{{section}}"
RUN = f"{plan.runs_root}/{{model}}/{{variant}}/seed={{seed}}/{{section}}"
EXTERNAL_RUN = f"{plan.runs_root}/{{external}}/external/{{section}}"
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
    study="|".join(plan.config["studies"]) or "(?!)",
    external="|".join(plan.external) or "(?!)",


# Snakemake does not compare parameters that come from functions of `resources`: where the recordings lie, and what
# computes, may change without any job running again.


def dataset_place(wildcards, resources):
    return to_json(plan.config["dataset"])


def runs_place(wildcards, resources):
    return plan.runs_root


def tables_place(wildcards, resources):
    return f"{RESULTS}/tables"


def studies_place(wildcards, resources):
    return f"{RESULTS}/studies"


def figures_place(wildcards, resources):
    return f"{RESULTS}/figures"


def compute_options(wildcards, resources):
    return f"--device {plan.config['compute']['device']} --threads {THREADS}"


def everything_configured(wildcards):
    wanted = [RESULTS_CSV]
    if plan.config["report"]["tables"]:
        wanted += rules.make_tables.output
    if plan.config["report"]["figures"]:
        wanted += rules.make_figures.output
        wanted += [
            f"{RESULTS}/figures/clips/{clips}.{ending}"
            for clips in told(plan.clip_figures)()
            for ending in plan.config["report"]["figures"]
        ]
    wanted += expand(f"{RESULTS}/studies/{{study}}.csv", study=plan.config["studies"])
    if plan.config["report"]["tables"]:
        wanted += expand(rules.make_study_table.output, study=plan.config["studies"])
    if is_asked_for(plan.config["studies"], plan.sections):
        wanted += rules.check_official_baseline.output
    return wanted


def made_up_job(wildcards):
    return plan.made_up_job()


def section_inputs(wildcards):
    if plan.config["dataset"]["source"] == "zenodo":
        return f"{FEATURES}.archive"
    return told(plan.section_inputs)(wildcards.section)


def archives_removed(wildcards):
    dataset = plan.config["dataset"]
    if dataset["source"] != "zenodo" or dataset["zenodo"]["keep_archives"]:
        return []
    return [
        f"{plan.features_root}/{archive.name}.removed"
        for archive in plan.source.archives()
    ]


def archive_position(wildcards):
    """Archives come one after the other: the first has the highest priority, each below that of using them."""
    section = Section.parse(wildcards.section)
    names = [archive.name for archive in plan.source.archives()]
    name = told(plan.source.archive)(section).name
    return 1 + len(names) - names.index(name) if name in names else 1


def archive_features(wildcards):
    """The configured features that are made from an archive."""
    return sorted(
        {
            plan.features_file(variant, section.path)
            for variant in plan.variants
            for section in plan.sections
            if plan.source.archive(section).name == wildcards.archive
        }
    )


def features_job(wildcards):
    return told(plan.features_job)(wildcards.features, wildcards.section)


def training_job(wildcards):
    return told(plan.training_job)(
        wildcards.model, wildcards.variant, wildcards.seed, wildcards.section
    )


def external_file(wildcards):
    return told(plan.external_file)(wildcards.external, wildcards.section)


def external_features(wildcards):
    """Features of any configured model say which clips the section has."""
    return plan.features_file(plan.variants[0], wildcards.section)


def external_job(wildcards):
    return plan.external_job(wildcards.external, wildcards.section)


def scoring_job(wildcards):
    return told(plan.scoring_job)(wildcards.model)


def metrics_job(wildcards):
    return plan.metrics_job()


def run_features(wildcards):
    variant = told(plan.variant)(wildcards.model, wildcards.variant)
    return plan.features_file(variant, wildcards.section)


def other_features(wildcards):
    """Of the sections that a model is trained on together with its own."""
    variant = told(plan.variant)(wildcards.model, wildcards.variant)
    others = told(plan.trained_with)(variant, wildcards.section)
    return [plan.features_file(variant, section) for section in others]


def run_model_file(wildcards):
    return f"{RUN}/{plan.model_file(wildcards.model)}"


def metrics_of(**which):
    return [
        f"{plan.runs_root}/{run.path}/metrics.json" for run in told(plan.runs)(**which)
    ]


def all_metrics(wildcards):
    return metrics_of()


def model_metrics(wildcards):
    return metrics_of(model=wildcards.model)


def study_metrics(wildcards):
    return metrics_of(study=wildcards.study)


def compared_runs():
    return [run for model, _ in plan.compared for run in plan.runs(model=model)]


def compared_scores(wildcards):
    return [f"{plan.runs_root}/{run.path}/scores.parquet" for run in compared_runs()]


def compared_losses(wildcards):
    trained = (run for run in compared_runs() if run.seed is not None)
    return [f"{plan.runs_root}/{run.path}/losses.parquet" for run in trained]


def base_features(wildcards):
    run = told(plan.base_run)(wildcards.model, wildcards.section)
    return plan.features_file(run.variant, wildcards.section)


def base_file(name):
    """A file of the configured model's run with the first seed."""

    def of_run(wildcards):
        run = told(plan.base_run)(wildcards.model, wildcards.section)
        file = plan.model_file(wildcards.model) if name == "model" else name
        return f"{plan.runs_root}/{run.path}/{file}"

    return of_run


def in_report(path, entry):
    """A file that `snakemake --report` shows, with its caption and the labels to filter by."""
    if path.endswith((".svg", ".pdf")):  # the report shows the same picture as png
        return path
    return report(
        path,
        category=entry.category,
        caption=f"../report/{entry.caption}.rst",
        labels=clip_labels if entry is CLIPS else dict(entry.labels),
    )


def statistics_job(wildcards):
    return plan.statistics_job()


def tables_job(wildcards):
    return plan.tables_job()


def figures_job(wildcards):
    return plan.figures_job()


def clips_job(wildcards):
    return plan.clips_job(wildcards.model)


def clip_labels(wildcards):
    section = Section.parse(wildcards.section)
    return {
        "Model": wildcards.model,
        "Machine": section.machine,
        "ID": section.id,
        "SNR": section.snr,
    }


def baseline_job(wildcards):
    return plan.baseline_job()


def study_scores(wildcards):
    return [
        f"{plan.runs_root}/{run.path}/scores.parquet"
        for run in told(plan.runs)(study=wildcards.study)
    ]


def study_job(wildcards):
    return told(plan.study_job)(wildcards.study)


def all_merged(wildcards):
    return plan.merge_job()


def model_merged(wildcards):
    return told(plan.merge_job)(model=wildcards.model)


def study_merged(wildcards):
    return told(plan.merge_job)(study=wildcards.study)


# What a job asks a cluster for, where one runs it. Each further attempt asks for more.


def features_mb(input):
    """Size of the features that a job reads; a job is submitted when they are there."""
    files = [input.features, *input.get("others", [])]
    return sum(Path(file).stat().st_size for file in files) / 1e6


def extraction_memory(wildcards, attempt):
    return requests.grown(requests.EXTRACTION, attempt)


def metrics_memory(wildcards, attempt):
    return requests.grown(requests.METRICS, attempt)


def metrics_minutes(wildcards, attempt):
    return requests.grown(requests.METRICS_MINUTES, attempt)


def report_memory(wildcards, attempt):
    return requests.grown(requests.REPORT, attempt)


def model_memory(wildcards, input, attempt):
    base = model_declaration(wildcards.model).base
    return requests.model_memory_mb(base, features_mb(input), attempt)


def training_minutes(wildcards, input, attempt):
    variant = told(plan.variant)(wildcards.model, wildcards.variant)
    defaults = plan.variant(wildcards.model, "default").settings
    return requests.training_minutes(
        variant.model, variant.settings, defaults, features_mb(input), attempt
    )


def scoring_minutes(wildcards, input, attempt):
    return requests.scoring_minutes(features_mb(input), attempt)


# Snakemake asks for a function's signature at every call, which takes longer than the call: it is found out once.
for function in list(globals().values()):
    if inspect.isfunction(function):
        signature = inspect.signature(function)
        if "wildcards" in signature.parameters:
            function.__signature__ = signature
