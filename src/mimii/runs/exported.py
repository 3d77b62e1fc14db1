"""A finished run as one file that `load_detector` reads on another machine: a zip of the run's own open files.

In it lie the model (weights, or arrays, alone), the records of training, scoring and metrics, which hold the
features' settings and the threshold, and `export.json` with their checksums. Nothing in it is code.
"""

import logging
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mimii.common import fingerprints
from mimii.common.errors import UserError
from mimii.common.files import refuse_endless, written_whole
from mimii.common.provenance import git_revision
from mimii.common.records import DamagedError, Record, sha256_of
from mimii.runs.records import ScoringRecord, TrainingRecord

RECORD = "export.json"
RECORDS = ("training.json", "scoring.json", "metrics.json")
MODELS = ("model.pth", "model.npz")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportRecord(Record):
    """`export.json`. code: fingerprint of what makes features and scores of a recording. files: SHA-256 of the others.

    git_revision: of the code that exported, None outside a git checkout.
    """

    code: str
    git_revision: str | None
    files: Mapping[str, str]


def scoring_code(model: str) -> str:
    """Fingerprint of the code from a recording to its score."""
    return fingerprints.fingerprint("mimii.runs.trained", f"mimii.models.{model}")


def write_export(run: Path, file: Path) -> None:
    """Pack a run. Raises UserError where one of its files is missing, or `file` cannot be written."""
    trained = ScoringRecord.read(run / "scoring.json").training_folder(run)
    files = [trained / RECORDS[0], *(run / name for name in RECORDS[1:])]
    files += [trained / name for name in MODELS if (trained / name).is_file()]
    record = ExportRecord(
        code=scoring_code(TrainingRecord.read(trained / RECORDS[0]).model),
        git_revision=git_revision(),
        files={path.name: sha256_of(path) for path in files},
    )
    with TemporaryDirectory() as scratch, written_whole(file) as temporary:
        record.write(Path(scratch, RECORD))
        with zipfile.ZipFile(temporary, "w") as archive:
            for path in (Path(scratch, RECORD), *files):
                archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes())


@contextmanager
def folder_of(run: str | Path) -> Iterator[Path]:
    """The folder with a run's files: `run` itself, or what an exported file holds, for as long as the context lasts.

    Raises UserError where a file is no export or is damaged; errors within the context name the exported file.
    """
    refuse_endless(run)
    if not Path(run).is_file():
        yield Path(run)
        return
    with TemporaryDirectory() as scratch:
        _unpack(Path(run), Path(scratch))
        try:
            yield Path(scratch)
        except UserError as error:
            reason = _reason(error, Path(scratch))
            raise UserError(f"{run}: {reason} (exported by other code? export it again)") from None


def _names(file: Path) -> list[str]:
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


def _reason(error: Exception, folder: Path) -> str:
    """What is wrong, without the folder that nobody knows of and without a hint at what makes its files."""
    return (error.what if isinstance(error, DamagedError) else str(error)).replace(f"{folder}/", "")


def _unpack(file: Path, folder: Path) -> None:
    """Write the files of an export into a folder. Only the names of a run are read, and nothing that was compressed."""
    if not zipfile.is_zipfile(file) or RECORD not in _names(file):
        raise UserError(f"{file}: is a file; give the folder of the run that it lies in, or a file of `mimii export`")
    try:
        with zipfile.ZipFile(file) as archive:
            for name in (RECORD, *RECORDS, *MODELS):
                if name in archive.namelist() and archive.getinfo(name).compress_type == zipfile.ZIP_STORED:
                    (folder / name).write_bytes(archive.read(name))
        record = ExportRecord.read(folder / RECORD)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, UserError) as error:
        reason = _reason(error, folder)
        raise UserError(f"{file}: damaged ({reason}); export the run again") from error
    there = {path.name: sha256_of(path) for path in folder.iterdir() if path.name != RECORD}
    if there != dict(record.files):
        raise UserError(f"{file}: damaged: its files are not those of its record; export the run again")
    code = scoring_code(TrainingRecord.read(folder / RECORDS[0]).model)
    if code != record.code:
        exporter = f"commit {record.git_revision}" if record.git_revision else "another version"
        log.warning("%s: exported by other code (%s); its scores may differ from those of its run", file, exporter)
