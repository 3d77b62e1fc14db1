"""Results in one zip: what `share` and `save` pack, and what `page` and `compare` read."""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.provenance import git_revision
from mimii.common.records import Record, sha256_of
from mimii.evaluation.merge_files import metrics_csv, record_of
from mimii.evaluation.results import read_results

CSV = "results.csv"
# Where a results folder keeps what the page needs beside the CSV and the clip scores.
FOLDER = "page"
CONFIG = f"{FOLDER}/config.json"
CLIPS = f"{FOLDER}/clips"
RECORD = "snapshot.json"
# What a zip may hold; everything else in it is left alone.
MEMBERS = re.compile(
    r"(?:results|metrics)\.csv|results\.record\.json|snapshot\.json|page/config\.json"
    r"|page/clips/(?:[\w.=,+-]+/)+[\w.=,+-]+\.json|runs/(?:[\w.=,+~-]+/)+scores\.parquet"
)
LARGEST = 4_000_000_000  # bytes, unpacked


@dataclass(frozen=True)
class SnapshotRecord(Record):
    """`snapshot.json`. saved_at: UTC. git_revision: of the code that saved. files: SHA-256 of each of the others."""

    saved_at: str
    git_revision: str | None
    files: Mapping[str, str]


def runs_beside(csv: Path) -> Path:
    """The folder `runs` beside a CSV of results. Raises UserError where there is none."""
    runs = csv.parent / "runs"
    if not runs.is_dir():
        raise UserError(
            f"{csv}: there is no folder runs beside it; where paths.runs is another one, pack these results with "
            "python -m mimii save NAME --configfile FILE; page reads NAME"
        )
    return runs


def results_files(csv: Path, runs: Path, config: Path) -> dict[str, Path]:
    """What results are without page and recordings, by their names in a zip: CSVs, their record, the configuration
    where it is there, clip scores of every run.

    Raises UserError where a run's scores are missing, or are not those that its row was made of.
    """
    frame = read_results(csv)
    scores = {f"runs/{path}/scores.parquet": runs / path / "scores.parquet" for path in frame["run_path"]}
    if missing := [path for path in scores.values() if not path.is_file()]:
        raise UserError(f"{csv}: {len(missing)} runs have no scores, such as {missing[0]}; run snakemake again")
    pairs = zip(scores.values(), frame["scores_sha256"], strict=True)
    if other := [path for path, checksum in pairs if sha256_of(path) != checksum]:
        raise UserError(
            f"{csv}: {len(other)} runs were scored again since it was made, such as {other[0]}; run snakemake again"
        )
    beside = {CSV: csv, "metrics.csv": metrics_csv(csv), "results.record.json": record_of(csv), CONFIG: config}
    return {name: path for name, path in beside.items() if path.is_file()} | scores


def pack(files: Mapping[str, Path], output: Path) -> None:
    """Write a zip of files by their names in it."""
    with written_whole(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            archive.write(path, name)


def pack_snapshot(files: Mapping[str, Path], output: Path) -> None:
    """Write a zip of files and a record of them."""
    record = SnapshotRecord(
        saved_at=datetime.now(UTC).isoformat(timespec="seconds"),
        git_revision=git_revision(),
        files={name: sha256_of(path) for name, path in files.items()},
    )
    with TemporaryDirectory() as scratch:
        record.write(Path(scratch, RECORD))
        pack({RECORD: Path(scratch, RECORD), **files}, output)


def unpack(path: Path, folder: Path) -> None:
    """Unpack the members of a zip whose names are known. Raises UserError where it is damaged, or too large."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if MEMBERS.fullmatch(info.filename)]
            members = [info for info in members if ".." not in info.filename.split("/")]
            if sum(info.file_size for info in members) > LARGEST:
                raise UserError(f"{path}: more than {LARGEST / 1e9:g} GB unpacked; no results are so large")
            for info in members:
                archive.extract(info, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise UserError(f"{path}: cannot be read as a zip of `save` or `share` ({error})") from error
    if (folder / RECORD).is_file():
        _check_snapshot(path, folder)


def _check_snapshot(path: Path, folder: Path) -> None:
    try:
        files = SnapshotRecord.read(folder / RECORD).files
        changed = [name for name, checksum in files.items() if sha256_of(folder / name) != checksum]
    except UserError as error:
        raise UserError(f"{path}: damaged ({str(error).replace(f'{folder}/', '').partition(';')[0]})") from error
    if changed:
        raise UserError(f"{path}: damaged: {changed[0]} is not as it was saved")
