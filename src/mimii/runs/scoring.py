"""One scoring job: a trained detector's anomaly score of every test clip, and what scoring costs."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.common.device import peak_gpu_memory_mb, pick_device, reset_peak_gpu_memory
from mimii.common.errors import UserError
from mimii.common.process import prepare_process
from mimii.common.provenance import Stopwatch, host, machine_load, peak_host_memory_mb
from mimii.common.records import DamagedError, sha256_of
from mimii.detectors.contract import AnomalyDetector, detector_class
from mimii.features.clips import Clips
from mimii.features.file import ClipTable, read_clips, read_table
from mimii.features.record import read_extraction
from mimii.runs.clip_scores import write_scores
from mimii.runs.records import ScoringRecord, ScoringSettings, TrainingRecord

TIMED_CLIPS = 16
LEAST_REPETITIONS = 3
LEAST_SECONDS = 0.15


def load_detector(model_file: Path, record: TrainingRecord, *, device: str) -> AnomalyDetector:
    """The detector of a training record, after its file's checksum. Raises UserError where that differs."""
    if sha256_of(model_file) != record.model_sha256:
        raise DamagedError(model_file, "not the file that training wrote: its checksum differs")
    make = detector_class(record.model)
    return make.load(model_file, device=pick_device(device) if make.uses_gpu else "cpu")


def score_clips(
    features: Path,
    model_file: Path,
    training_record: Path,
    job: Mapping[str, Any],
    *,
    scores_file: Path,
    record_file: Path,
    device: str,
    threads: int,
) -> None:
    """Score a section's test clips, and its held-out normal ones, from which thresholds come.

    job: `model`, `section`, `scoring` settings and `code`. Raises UserError where a score is not finite, or features or
    recordings are not those of training.
    """
    training = TrainingRecord.read(training_record)
    detector_class(training.model)  # imports the model, and with it the libraries that are prepared
    prepare_process(threads=threads)
    detector = load_detector(model_file, training, device=device)
    table, extraction = read_section(features, job["section"], training), read_extraction(features)
    held_out = table.held_out(training.settings["val_split"])
    rows = [*table.usable("test"), *held_out]
    imports_mb = peak_host_memory_mb()
    clips = read_clips(features, rows)
    _, clip_of_window = detector.windows(clips)

    scores, costs = measure_scoring(detector, clips, top_k=job["scoring"]["top_k"])
    about = describe_clips(table, rows, held_out=len(held_out))
    check_finite(scores, about["path"], model_file)
    write_scores(scores_file, about, scores)
    ScoringRecord(
        section=job["section"],
        scope=training.scope,
        scoring=ScoringSettings.parse(job["scoring"]),
        recordings=table.metadata.recordings,
        test_normal_clips=table.count("test", "normal"),
        test_abnormal_clips=table.count("test", "abnormal"),
        code=job["code"],
        model_sha256=training.model_sha256,
        scores_sha256=sha256_of(scores_file),
        **costs,
        features_cpu_per_clip_ms=extraction.cpu_per_clip_ms if extraction else None,
        test_windows=int((clip_of_window < len(rows) - len(held_out)).sum()),
        peak_host_memory_mb=peak_host_memory_mb(),
        imports_memory_mb=imports_mb,
        device=detector.device,
        threads=threads,
        host=host(),
    ).write(record_file)


def read_section(features: Path, section: str, training: TrainingRecord) -> ClipTable:
    """What a section's features say of its clips. Raises UserError where features or recordings are not training's."""
    table = read_table(features)
    table.check(features, section, training.features)
    table.check_recordings(features, training.recordings[section])
    return table


def measure_scoring(
    detector: AnomalyDetector, clips: Clips, *, top_k: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """The clips' scores, and the scoring record's values of what they cost."""
    reset_peak_gpu_memory(detector.device)
    inference = measure_inference(detector, clips.select(0, min(TIMED_CLIPS, len(clips))))
    stopwatch = Stopwatch()
    scores = detector.clip_scores(clips, top_k=top_k)
    return scores, {
        **inference,
        "scoring_time_sec": stopwatch.wall_s,
        "scoring_cpu_sec": stopwatch.cpu_s,
        "load": machine_load(),
        "peak_gpu_memory_mb": peak_gpu_memory_mb(detector.device),
    }


def describe_clips(table: ClipTable, rows: Sequence[int], *, held_out: int) -> dict[str, list[Any]]:
    """What scores.parquet says of the clips beside their scores. held_out: how many of the rows, the last, are held
    out."""
    return {
        "path": [table.paths[row] for row in rows],
        "label": [table.labels[row] for row in rows],
        "split": ["test"] * (len(rows) - held_out) + ["validation"] * held_out,
        "domain": [table.domains[row] for row in rows],
        "attributes": [table.attributes[row] for row in rows],
    }


def check_finite(scores: Mapping[str, NDArray[np.float64]], paths: Sequence[str], model_file: Path) -> None:
    """Raise UserError where a clip's score is not a number."""
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise UserError(
                f"{model_file}: the {name} score of {paths[int(np.isfinite(values).argmin())]} is not a finite number; "
                "train this model with other settings, a network with a lower learning_rate"
            )


def measure_inference(detector: AnomalyDetector, clips: Clips) -> dict[str, Any]:
    """Time to score real windows in batches: one warm-up, then the quickest of repeated passes, since whatever else a
    machine does can only add to a time. A pass ends with the scores in host memory, so it includes all work of a GPU.
    """
    windows = len(detector.windows(clips)[0])
    detector.window_scores(clips)
    times: list[float] = []
    while len(times) < LEAST_REPETITIONS or sum(times) < LEAST_SECONDS:
        started = time.perf_counter()
        detector.window_scores(clips)
        times.append(time.perf_counter() - started)
    seconds = min(times)
    return {
        "inference_time_ms": 1000 * seconds / windows,
        "inference_time_per_clip_ms": 1000 * seconds / len(clips),
        "throughput_samples_per_sec": windows / seconds,
    }
