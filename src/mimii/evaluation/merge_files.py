"""The files that a merge leaves side by side: the CSV, the long metrics, and a record of both. Planning names them."""

from dataclasses import dataclass
from pathlib import Path

from mimii.common.errors import UserError
from mimii.common.records import Record, sha256_of


@dataclass(frozen=True)
class MergeRecord(Record):
    """`results.record.json`: which files a merge wrote, so that a CSV that was changed since is known."""

    csv_sha256: str
    metrics_sha256: str
    runs: int


def metrics_csv(results_csv: str | Path) -> Path:
    """The long metrics beside a CSV of results: metrics.csv beside results.csv, vae_metrics.csv beside vae.csv."""
    stem = Path(results_csv).stem
    return Path(results_csv).with_name("metrics.csv" if stem == "results" else f"{stem}_metrics.csv")


def record_of(results_csv: str | Path) -> Path:
    """The record that a merge leaves beside its CSV."""
    return Path(results_csv).with_name(f"{Path(results_csv).stem}.record.json")


def check_csv(results_csv: str | Path) -> bool:
    """Whether a record beside a CSV describes it, as a merge left both. Raises UserError where it describes another."""
    record = record_of(results_csv)
    if not record.exists():
        return False
    if MergeRecord.read(record).csv_sha256 != sha256_of(results_csv):
        raise UserError(
            f"{results_csv}: was changed after it was merged; to merge it again, delete it and run snakemake"
        )
    return True
