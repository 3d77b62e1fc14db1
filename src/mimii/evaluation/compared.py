"""All statistics of the compared models, and their files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.evaluation.inference import average_metrics, compare_in_sections, compare_models
from mimii.evaluation.ranks import machine_table, rank_tests
from mimii.evaluation.resampling import COMPARED, measure, resample_runs
from mimii.evaluation.results import SECTION_COLUMNS
from mimii.evaluation.seeds import has_enough_seeds
from mimii.evaluation.variance import variance_components

# The CSVs, with the columns of names in each: a machine may be called 00, and a method NA.
CSVS = {
    "averages": dict.fromkeys(("label", "db_level", "machine_type"), str),
    "comparisons": dict.fromkeys(("label", "other", "db_level"), str),
    "section_comparisons": dict.fromkeys(("label", "other", *SECTION_COLUMNS), str),
    "variances": {"label": str},
}


@dataclass(frozen=True)
class Statistics:
    """What is known of the compared models.

    averages: `average_metrics`. comparisons: `compare_models`. section_comparisons: `compare_in_sections` of AUC.
    variances: `variance_components` of AUC. ranks: `rank_tests` of each metric, and `enough_seeds`: for each model
    whether anything may be claimed of it.
    """

    averages: pd.DataFrame
    comparisons: pd.DataFrame
    section_comparisons: pd.DataFrame
    variances: pd.DataFrame
    ranks: dict[str, Any]

    def write(self, folder: str | Path) -> None:
        """A CSV for each table, and ranks.json."""
        for name in CSVS:
            with written_whole(Path(folder) / f"{name}.csv") as temporary:
                getattr(self, name).to_csv(temporary, index=False, lineterminator="\n")
        with written_whole(Path(folder) / "ranks.json") as temporary:
            temporary.write_text(json.dumps(self.ranks, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: str | Path) -> "Statistics":
        """What `write` wrote. Raises UserError where it is not there or damaged, as statistics of older code are."""
        try:
            tables = {
                name: pd.read_csv(Path(folder) / f"{name}.csv", dtype=names, keep_default_na=False, na_values=[""])
                for name, names in CSVS.items()
            }
            ranks = json.loads((Path(folder) / "ranks.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: cannot be read ({error}); run the workflow again") from error
        return cls(**tables, ranks=ranks)


def compute_statistics(frame: pd.DataFrame, runs_root: str | Path) -> Statistics:
    """All of it, from rows of `select_runs` and the clip scores of their runs."""
    samples, confidence = int(frame["bootstrap_samples"].iloc[0]), float(frame["confidence"].iloc[0])
    frame = measure(frame, runs_root)
    resampled = resample_runs(frame, runs_root, samples=samples)
    compared = {metric: resampled[metric] for metric in COMPARED}
    alpha, enough = round(1 - confidence, 12), has_enough_seeds(frame)
    return Statistics(
        average_metrics(frame, resampled, confidence=confidence),
        compare_models(frame, compared, confidence=confidence),
        compare_in_sections(frame, resampled["auc"], "auc", confidence=confidence),
        variance_components(frame, resampled["auc"], "auc"),
        {
            metric: {**rank_tests(machine_table(frame, metric), alpha=alpha), "enough_seeds": enough}
            for metric in COMPARED
        },
    )
