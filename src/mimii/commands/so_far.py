"""Results of the runs that are finished, while the others are still at work: `python -m mimii results-so-far`.

Walks the configured runs and reads their files. No second Snakemake: one that ends deletes the running one's locks.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mimii.common.csv_files import has_columns, write_csv
from mimii.common.errors import UserError
from mimii.common.files import refuse_foreign, written_whole
from mimii.common.records import sha256_of
from mimii.evaluation.merging import METRICS, Expectation, merge_results, read_run
from mimii.evaluation.results import read_results
from mimii.evaluation.summary import summary
from mimii.planning.job_parameters import merge_job, recorded_columns
from mimii.planning.plan import Plan
from mimii.runs.records import MetricsRecord
from mimii.runs.run import Run

RESULTS = "results.csv"
SCORES = "scores.parquet"
COLUMNS = ("model", "variant", "seed", "section", "why")


@dataclass(frozen=True)
class SoFar:
    """finished: runs whose results are there. missing: the others, and why. compared: finished runs of the tables."""

    finished: Sequence[Run]
    missing: Sequence[tuple[Run, str]]
    compared: Sequence[Run]

    def __str__(self) -> str:
        total = len(self.finished) + len(self.missing)
        return f"{len(self.finished)} of {total} runs are finished, {len(self.missing)} are missing."


def find_runs(plan: Plan) -> SoFar:
    """Which of the configured runs are finished. Runs of other settings or code than the present count as missing."""
    expected = expectation(plan)
    finished: list[Run] = []
    missing: list[tuple[Run, str]] = []
    for run in plan.runs():
        record, faults = read_run(run, plan.runs_root, expected)
        if not faults and record and (other := _other_scores(Path(plan.runs_root, run.path), record)):
            missing.append((run, other))
        elif not faults:
            finished.append(run)
        elif record is None and not Path(plan.runs_root, run.path, METRICS).exists():
            missing.append((run, "not finished yet"))
        else:
            missing.append((run, "; ".join(fault.text for fault in faults)))
    return SoFar(finished, missing, comparable(plan, finished))


def _other_scores(folder: Path, record: MetricsRecord) -> str | None:
    """What is wrong with the clip scores, which the tables read, of a run whose record has no fault."""
    try:
        same = sha256_of(folder / SCORES) == record.row.get("scores_sha256")
    except UserError as error:
        return str(error)
    return None if same else f"{SCORES}: not the scores that the metrics were made of"


def expectation(plan: Plan) -> Expectation:
    """What the rows must hold, as the merge has it."""
    job = json.loads(merge_job(plan))
    return Expectation(recorded_columns(job), job["recordings"], Path(plan.features_root), job["features_code"])


def comparable(plan: Plan, finished: Sequence[Run]) -> list[Run]:
    """Of the compared models that have a finished run: the runs on the sections and seeds that all of them have."""
    compared = {tuple(pair) for pair in plan.compared}
    there: dict[tuple[str, str], dict[tuple[str, int | None], Run]] = {}
    for run in finished:
        pair = (run.variant.model, run.variant.name)
        if pair in compared:
            there.setdefault(pair, {})[run.section.path, run.seed] = run
    seeds = [{seed for _, seed in runs} for runs in there.values()]
    sections = [
        {section for section, _ in runs if all((section, seed) in runs for seed in own)}
        for runs, own in zip(there.values(), seeds, strict=True)
    ]
    common = set.intersection(*sections) if sections else set()
    return [run for runs in there.values() for (section, _), run in runs.items() if section in common]


def write_results_so_far(plan: Plan, output: Path) -> SoFar:
    """Write results.csv, missing.csv, summary.txt and tables/ into `output`; what is finished of each.

    Tables and summary are over the sections that every compared model with a finished run has: averages over others
    could not be compared. Raises UserError where the folder holds something, and no results.
    """
    if output.is_dir() and any(output.iterdir()) and not (output / RESULTS).is_file():
        raise UserError(f"{output}: holds something else than results; name another folder")
    refuse_foreign(output / RESULTS, has_columns("run_path"))
    so_far = find_runs(plan)
    merge_results(so_far.finished, plan.runs_root, output / RESULTS, expectation(plan))
    missing = ((run.variant.model, run.variant.name, run.seed, run.section.path, why) for run, why in so_far.missing)
    write_csv(output / "missing.csv", COLUMNS, (dict(zip(COLUMNS, row, strict=True)) for row in missing))
    if so_far.compared:
        _write_tables(plan, so_far.compared, output)
    return so_far


def _write_tables(plan: Plan, compared: Sequence[Run], output: Path) -> None:
    from mimii.evaluation.compared import compute_statistics
    from mimii.evaluation.resampling import select_runs
    from mimii.paper.results import Results, make_tables
    from mimii.paper.table_formats import write_tables

    frame = read_results(output / RESULTS)
    frame = frame[frame["run_path"].isin([run.path for run in compared])]
    pairs = list(dict.fromkeys((run.variant.model, run.variant.name) for run in compared))
    frame = select_runs(frame, pairs)
    results = Results(frame, compute_statistics(frame, plan.runs_root), Path(plan.runs_root), plan.domains)
    write_tables(make_tables(results), output / "tables")
    with written_whole(output / "summary.txt") as temporary:
        temporary.write_text(summary(frame.drop(columns="label")) + "\n", encoding="utf-8")
