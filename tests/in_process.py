"""What the workflow's jobs compute of a configuration, in this process and the working directory.

Each job's process takes a second or two to start: tests of what is computed, not of who starts it, do without.
"""

import json
from pathlib import Path

from mimii.data.sections import Section
from mimii.evaluation.compared import Statistics, compute_statistics
from mimii.evaluation.merging import Expectation, merge_results
from mimii.evaluation.resampling import select_runs
from mimii.evaluation.results import read_results
from mimii.evaluation.row import compute_metrics
from mimii.features.extraction import extract_features
from mimii.paper.results import Results, make_tables
from mimii.paper.study_tables import study_table, write_study_table
from mimii.paper.table_formats import write_tables
from mimii.planning import job_parameters
from mimii.planning.plan import Plan
from mimii.planning.variants import external_runs
from mimii.runs.external import import_scores
from mimii.runs.scoring import score_clips
from mimii.runs.training import train_model


def extract(plan, variant, section):
    """The features of a section as a variant reads them."""
    job = json.loads(job_parameters.features_job(plan, variant.features_name, section))
    section, settings = Section.parse(job.pop("section")), job.pop("settings")
    output = Path(plan.features_file(variant, section))
    extract_features(plan.source, section, settings, output, checkpoint=plan.checkpoint_folder(settings), **job)


def train(plan, run):
    """The model of a run's scope."""
    variant, folder = run.variant, Path(plan.runs_root, run.training_path)
    train_model(
        [Path(plan.features_file(variant, section)) for section in plan.sections_of_scope(variant, run.scope)],
        json.loads(job_parameters.training_job(plan, variant.model, variant.name, str(run.seed), run.scope)),
        model_file=folder / plan.model_file(variant.model),
        losses_file=folder / "losses.parquet",
        record_file=folder / "training.json",
        device="cpu",
        threads=1,
    )


def score(plan, run):
    """The scores of a run's clips."""
    trained, folder = Path(plan.runs_root, run.training_path), Path(plan.runs_root, run.path)
    score_clips(
        Path(plan.features_file(run.variant, run.section)),
        trained / plan.model_file(run.variant.model),
        trained / "training.json",
        json.loads(job_parameters.scoring_job(plan, run.variant.model, run.section)),
        scores_file=folder / "scores.parquet",
        record_file=folder / "scoring.json",
        device="cpu",
        threads=1,
    )


def import_external(plan, name, section):
    """External scores of a section, as those of a run."""
    (run,) = external_runs([name], [section])
    folder = Path(plan.runs_root, run.path)
    import_scores(
        [Path(file) for file in plan.external_files(name, section)],
        Path(plan.features_file(plan.variants[0], section)),
        json.loads(job_parameters.external_job(plan, name, section)),
        scores_file=folder / "scores.parquet",
        training_file=folder / "training.json",
        scoring_file=folder / "scoring.json",
    )


def measure(plan, run):
    """The metrics of a run."""
    job = json.loads(job_parameters.metrics_job(plan))
    folder = Path(plan.runs_root, run.path)
    files = folder / "scores.parquet", Path(plan.runs_root, run.training_path, "training.json"), folder / "scoring.json"
    compute_metrics(*files, job["metrics"], code=job["code"]).write(folder / "metrics.json")


def merge(plan, *, study=None):
    """results.csv, or the CSV of a study."""
    job = json.loads(job_parameters.merge_job(plan, study=study))
    columns = job_parameters.recorded_columns(job)
    expected = Expectation(columns, job["recordings"], Path(plan.features_root), job["features_code"])
    output = plan.results_csv if study is None else f"{plan.results_root}/studies/{study}.csv"
    merge_results(job_parameters.listed_runs(job), Path(plan.runs_root), Path(output), expected)


def finish(plan, runs):
    """Everything from the recordings to the metrics of runs, once each."""
    done = set()
    for run in runs:
        for section in plan.sections_of_scope(run.variant, run.scope):
            if (file := plan.features_file(run.variant, section)) not in done:
                extract(plan, run.variant, section)
                done.add(file)
        if run.training_path not in done:
            train(plan, run)
            done.add(run.training_path)
        score(plan, run)
        measure(plan, run)


def compute(config):
    """Every run, CSV and study's table of a configuration. Returns its plan."""
    plan = Plan(config)
    finish(plan, plan.runs())
    merge(plan)
    for study in plan.config["studies"]:
        merge(plan, study=study)
        job = json.loads(job_parameters.study_job(plan, study))
        rows = read_results(f"{plan.results_root}/studies/{study}.csv")
        table = study_table(rows, Path(plan.runs_root), study, job["variants"], job["varied"])
        write_study_table(table, Path(plan.results_root, "studies"))
    return plan


def tabulate(plan):
    """Statistics and tables of what was computed."""
    frame = select_runs(read_results(plan.results_csv), plan.compared)
    folder = Path(plan.results_root, "statistics")
    compute_statistics(frame, Path(plan.runs_root)).write(folder)
    results = Results(frame, Statistics.read(folder), Path(plan.runs_root), plan.domains)
    write_tables(make_tables(results), Path(plan.results_root, "tables"))
