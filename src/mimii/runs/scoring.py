"""One scoring job: a trained detector's anomaly score of every test clip, and what scoring costs."""

import hashlib
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.process import prepare_process
from mimii.common.provenance import host, peak_host_memory_mb
from mimii.detectors.contract import AnomalyDetector, detector_class
from mimii.detectors.device import peak_gpu_memory_mb, pick_device, reset_peak_gpu_memory
from mimii.features.clips import Clips
from mimii.features.file import read_clips, read_table
from mimii.runs.records import damaged, read_record

TIMED_CLIPS = 16
LEAST_REPETITIONS = 3
LEAST_SECONDS = 0.15


def load_detector(model_file: Path, record: Mapping[str, Any], *, device: str) -> AnomalyDetector:
    """The detector of a training record, after its file's checksum. Raises UserError where that differs."""
    if hashlib.sha256(model_file.read_bytes()).hexdigest() != record["model_sha256"]:
        raise damaged(model_file, "not the file that training wrote: its checksum differs")
    make = detector_class(record["model"])
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
    """Score the test clips, and the held-out normal ones from which thresholds come.

    job: `scoring` settings and `code`. Raises UserError where a score is not finite, or the features are not those of
    training.
    """
    record = read_record(training_record)
    detector_class(record["model"])  # imports the model, and with it the libraries that are prepared
    prepare_process(threads=threads)
    detector = load_detector(model_file, record, device=device)

    table = read_table(features)
    table.check(features, record["section"], record["features"])
    held_out = table.held_out(record["settings"]["val_split"])
    rows = [*table.usable("test"), *held_out]
    clips = read_clips(features, rows)
    _, clip = detector.windows(clips)

    reset_peak_gpu_memory(detector.device)
    costs = measure_inference(detector, clips.select(0, min(TIMED_CLIPS, len(clips))))
    started = time.perf_counter()
    scores = detector.clip_scores(clips, top_k=job["scoring"]["top_k"])
    scoring_time = time.perf_counter() - started
    paths = [table.paths[row] for row in rows]
    columns = {
        "path": paths,
        "label": [table.labels[row] for row in rows],
        "split": ["test"] * (len(rows) - len(held_out)) + ["validation"] * len(held_out),
        "domain": pa.array([table.domains[row] for row in rows], pa.string()),
        "attributes": [table.attributes[row] for row in rows],
        **scores,
    }
    for name, values in scores.items():
        if not np.isfinite(values).all():
            broken = paths[int(np.isfinite(values).argmin())]
            raise UserError(
                f"{model_file}: the {name} score of {broken} is not a finite number; train this model with other "
                "settings, a network with a lower learning_rate"
            )
    with written_whole(scores_file) as temporary:
        pq.write_table(pa.table(columns), temporary)
    scoring_record = {
        **job,
        **costs,
        "test_windows": int((clip < len(rows) - len(held_out)).sum()),
        "scoring_time_sec": scoring_time,
        "peak_gpu_memory_mb": peak_gpu_memory_mb(detector.device),
        "peak_host_memory_mb": peak_host_memory_mb(),
        "device": detector.device,
        "threads": threads,
        "host": host(),
    }
    with written_whole(record_file) as temporary:
        temporary.write_text(json.dumps(scoring_record, indent=1, sort_keys=True) + "\n")


def measure_inference(detector: AnomalyDetector, clips: Clips) -> dict[str, float]:
    """Time to score real windows in batches: one warm-up, then the median of repeated passes.

    A pass ends with the scores in host memory, so what a GPU still has to do is in it.
    """
    windows = len(detector.windows(clips)[0])
    detector.window_scores(clips)
    times: list[float] = []
    while len(times) < LEAST_REPETITIONS or sum(times) < LEAST_SECONDS:
        started = time.perf_counter()
        detector.window_scores(clips)
        times.append(time.perf_counter() - started)
    seconds = statistics.median(times)
    return {
        "inference_time_ms": 1000 * seconds / windows,
        "inference_time_per_clip_ms": 1000 * seconds / len(clips),
        "throughput_samples_per_sec": windows / seconds,
    }
