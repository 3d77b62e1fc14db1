"""The CSVs of an earlier run. Snakemake removes a job's outputs before the job runs, and the merge may then refuse."""

import shutil
from pathlib import Path

from mimii.common.files import written_whole

FOLDER = "previous"


def keep_previous(results: str | Path, results_csv: str | Path) -> None:
    """Copy what merges have written into `results/previous`, over the copies of an earlier run.

    A file that is not there leaves its copy alone, so the last that was there is kept.
    results: folder of results. results_csv: the CSV of everything, wherever it lies.
    Raises UserError where a copy cannot be written.
    """
    results = Path(results)
    names = {Path(results_csv): previous_csv(results, results_csv)}
    for part in ("models", "studies"):
        names |= {path: results / FOLDER / part / path.name for path in results.glob(f"{part}/*.csv")}
    for path, copy in names.items():
        if path.is_file():
            with written_whole(copy) as temporary:
                shutil.copyfile(path, temporary)


def previous_csv(results: str | Path, results_csv: str | Path) -> Path:
    """Where the CSV of everything is kept."""
    return Path(results, FOLDER, Path(results_csv).name)
