"""One training job: features in, a fitted detector, its losses and its record out."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mimii.common.device import pick_device
from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.process import prepare_process
from mimii.common.provenance import (
    Stopwatch,
    blas,
    git_revision,
    host,
    machine_load,
    peak_host_memory_mb,
    versions,
)
from mimii.common.records import sha256_of
from mimii.detectors.contract import AnomalyDetector, FitResult, detector_class
from mimii.features.clips import Clips
from mimii.features.file import ClipTable, read_clips_of_files, read_table
from mimii.features.record import read_extraction
from mimii.runs.records import SkippedClip, TrainingRecord

LOSSES = pa.schema(
    [
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("training_loss", pa.float64(), nullable=False),
        pa.field("validation_loss", pa.float64()),
    ]
)


def refuse_short_clips(features: Path, table: ClipTable, window: int | None) -> None:
    """Raise UserError where a clip that was not skipped has fewer frames than a window."""
    short = [
        path
        for path, frames, error in zip(table.paths, table.frames, table.errors, strict=True)
        if error is None and window is not None and frames < window
    ]
    if short:
        raise UserError(
            f"{features}: {len(short)} clip(s) are shorter than a window of {window} frames, the first: {short[0]}; "
            "lower the model's `frames`, or remove these recordings"
        )


def read_tables(paths: Sequence[Path], job: Mapping[str, Any]) -> dict[Path, ClipTable]:
    """What the features of each section of a training job say of their clips.

    paths: in the order of the sections' paths. Raises UserError where they are other features, or of other recordings,
    than the job's.
    """
    tables = {}
    for path, section in zip(paths, sorted(job["recordings"]), strict=True):
        tables[path] = read_table(path)
        tables[path].check(path, section, job["features"])
        tables[path].check_recordings(path, job["recordings"][section])
        refuse_short_clips(path, tables[path], job["settings"]["frames"])
    return tables


def read_parts(tables: Mapping[Path, ClipTable], settings: Mapping[str, Any]) -> tuple[Clips, Clips]:
    """The clips to fit on, and those that are held out. Raises UserError where a section has none to fit on."""
    fitted = {path: table.fitted(settings["val_split"]) for path, table in tables.items()}
    for path, rows in fitted.items():
        if not rows:
            raise UserError(f"{path}: no training clip is left to fit on")
    held_out = {path: table.held_out(settings["val_split"]) for path, table in tables.items()}
    return read_clips_of_files(fitted), read_clips_of_files(held_out)


def features_cpu_sec(features: Sequence[Path]) -> float | None:
    """CPU time of computing the features of all sections; None where it is not known of one."""
    records = [read_extraction(path) for path in features]
    known = [record.extraction_cpu_sec for record in records if record]
    return sum(known) if len(known) == len(records) else None


def train_model(
    features: Sequence[Path],
    job: Mapping[str, Any],
    *,
    model_file: Path,
    losses_file: Path,
    record_file: Path,
    device: str,
    threads: int,
) -> None:
    """Fit a detector on the first part of each section's training clips; the rest of them is its validation part.

    features: the parquet of each section, in the order of their paths. job: model, variant, seed, scope, settings,
    features, code; `recordings`, for each section of the scope, how its recordings are listed.
    Raises UserError where the features are not the job's or not of these recordings, a section has too little to fit
    on, or training comes to nothing.
    """
    make = detector_class(job["model"])
    for module in make.fit_modules:
        import_module(module)
    prepare_process(threads=threads)
    device = pick_device(device) if make.uses_gpu else "cpu"
    tables, extraction_cpu = read_tables(features, job), features_cpu_sec(features)
    imports_mb = peak_host_memory_mb()
    training, validation = read_parts(tables, job["settings"])
    detector = make(job["settings"], training.n_mels, seed=job["seed"], device=device)
    fit, costs = measure_training(detector, training, validation)
    with written_whole(losses_file) as temporary:
        pq.write_table(pa.Table.from_pylist(fit.losses, schema=LOSSES), temporary)
    with written_whole(model_file) as temporary:
        detector.save(temporary)
    TrainingRecord(
        **{**job, "recordings": {some.metadata.section: some.metadata.recordings for some in tables.values()}},
        train_clips=len(training),
        validation_clips=len(validation),
        skipped_clips=[SkippedClip(*clip) for some in tables.values() for clip in some.skipped()],
        **costs,
        **course_of(fit),
        features_cpu_sec=extraction_cpu,
        peak_host_memory_mb=peak_host_memory_mb(),
        imports_memory_mb=imports_mb,
        model_size_mb=model_file.stat().st_size / 1e6,
        model_sha256=sha256_of(model_file),
        losses_sha256=sha256_of(losses_file),
        num_parameters=detector.parameter_count(),
        device=device,
        threads=threads,
        blas=blas(),
        host=host(),
        versions=versions("numpy", "pyarrow", *make.libraries),
        git_revision=git_revision(),
    ).write(record_file)


def measure_training(detector: AnomalyDetector, training: Clips, validation: Clips) -> tuple[FitResult, dict[str, Any]]:
    """Fit a detector; how that went, and the training record's values of what it cost."""
    stopwatch = Stopwatch()
    fit = detector.fit(training, validation)
    return fit, {
        "training_time_sec": stopwatch.wall_s,
        "training_cpu_sec": stopwatch.cpu_s,
        "load": machine_load(),
    }


def course_of(fit: FitResult) -> dict[str, Any]:
    """The training record's values of how a fit went; the losses are those of the epoch that was kept."""
    kept = next((losses for losses in fit.losses if losses["epoch"] == fit.kept_epoch), {})
    return {
        "train_windows": fit.training_windows,
        "epochs_run": fit.epochs_run,
        "kept_epoch": fit.kept_epoch,
        "training_loss": kept.get("training_loss"),
        "validation_loss": kept.get("validation_loss"),
        "peak_gpu_memory_mb": fit.peak_gpu_memory_mb,
    }
