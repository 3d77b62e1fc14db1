"""From the files of a run to its row of the results: metrics, their intervals, a threshold and its rates, costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mimii.common.canonical import to_json
from mimii.common.errors import UserError
from mimii.detectors.pooling import POOLINGS
from mimii.evaluation.intervals import bootstrap, section_interval
from mimii.evaluation.metrics import FloatArray, metrics_in, point_values
from mimii.evaluation.thresholds import conformal_threshold, threshold_from_normal
from mimii.runs.records import damaged, read_record
from mimii.runs.run import run_path_of


def compute_metrics(
    scores_path: str | Path,
    training_record_path: str | Path,
    scoring_record_path: str | Path,
    settings: Mapping[str, Any],
    *,
    code: str | None = None,
) -> dict[str, Any]:
    """One row of the results, with every column of columns.yaml; None where there is no value.

    settings: pooling (mean, max or top_k), bootstrap_samples, confidence, max_fpr, threshold_quantile.
    code: fingerprint of this code, without which the row cannot be merged.
    Raises UserError where scores are missing or not finite, or a class has no clip.
    """
    training = read_record(training_record_path)
    scoring = read_record(scoring_record_path)
    run_path = run_path_of(training)
    abnormal, scores, held_out = _read_scores(Path(scores_path), settings["pooling"], run_path)

    max_fpr, confidence = settings["max_fpr"], settings["confidence"]
    point = point_values(abnormal, scores, max_fpr=max_fpr)
    resampled = bootstrap(abnormal, scores, samples=settings["bootstrap_samples"], max_fpr=max_fpr)
    intervals: dict[str, float] = {}
    for name, metric in metrics_in("csv").items():
        intervals[f"{name}_low"], intervals[f"{name}_high"] = section_interval(
            metric,
            point[name],
            resampled[name],
            normal=int((~abnormal).sum()),
            abnormal=int(abnormal.sum()),
            confidence=confidence,
            max_fpr=max_fpr,
        )

    threshold = threshold_from_normal(held_out, settings["threshold_quantile"])
    flagged = None if threshold is None else scores > threshold.value
    conformal = conformal_threshold(held_out, settings["threshold_quantile"])

    db_level, machine_type, machine_id = training["section"].split("/")
    # A setting that a kind of model does not have is empty; of external scores none is known.
    model, features = training["settings"], training["features"]
    skipped = training["skipped_clips"]
    return {
        "model": training["model"],
        "machine_type": machine_type,
        "machine_id": machine_id,
        "db_level": db_level,
        "n_mels": features.get("n_mels"),
        "frames": model.get("frames"),
        "n_fft": features.get("n_fft"),
        "hop_length": features.get("hop_length"),
        "power": features.get("power"),
        "epochs": model.get("epochs"),
        "batch_size": model.get("batch_size"),
        "learning_rate": model.get("learning_rate"),
        "val_split": model.get("val_split"),
        "auc": point["auc"],
        "pr_auc": point["pr_auc"],
        "training_time_sec": training["training_time_sec"],
        "model_size_mb": training["model_size_mb"],
        "num_parameters": training["num_parameters"],
        "inference_time_ms": scoring["inference_time_ms"],
        "throughput_samples_per_sec": scoring["throughput_samples_per_sec"],
        "memory_usage_mb": _largest(training["peak_gpu_memory_mb"], scoring["peak_gpu_memory_mb"]),
        "train_files": training["train_clips"],
        "eval_files": len(scores),
        "train_samples": training["train_windows"],
        "seed": training["seed"],
        "variant": training["variant"],
        "hop_frames": model.get("hop_frames"),
        "pauc": point["pauc"],
        **intervals,
        "inference_time_per_clip_ms": scoring["inference_time_per_clip_ms"],
        "threshold": None if threshold is None else threshold.value,
        "threshold_method": None if threshold is None else threshold.method,
        "tpr": None if flagged is None else float(flagged[abnormal].mean()),
        "fpr": None if flagged is None else float(flagged[~abnormal].mean()),
        "conformal_threshold": conformal,
        "conformal_tpr": None if conformal is None else float((scores > conformal)[abnormal].mean()),
        "conformal_fpr": None if conformal is None else float((scores > conformal)[~abnormal].mean()),
        "pooling": settings["pooling"],
        "top_k": (scoring.get("scoring") or {}).get("top_k"),
        "bootstrap_samples": settings["bootstrap_samples"],
        "confidence": confidence,
        "max_fpr": max_fpr,
        "threshold_quantile": settings["threshold_quantile"],
        "peak_host_memory_mb": _largest(training["peak_host_memory_mb"], scoring["peak_host_memory_mb"]),
        "scoring_time_sec": scoring["scoring_time_sec"],
        "training_loss": training["training_loss"],
        "validation_loss": training["validation_loss"],
        "epochs_run": training["epochs_run"],
        "kept_epoch": training["kept_epoch"],
        "channel": str(features["channel"]) if "channel" in features else None,
        "f_min": features.get("f_min"),
        "f_max": features.get("f_max"),
        "padding": features.get("padding"),
        "sample_rate": features.get("sample_rate"),
        "features": to_json(features),
        "settings": to_json(model),
        "normal_test_clips": int((~abnormal).sum()),
        "abnormal_test_clips": int(abnormal.sum()),
        "validation_files": training["validation_clips"],
        "test_samples": scoring["test_windows"],
        "skipped_clips": len(skipped),
        "skipped_paths": to_json([clip["path"] for clip in skipped]) if skipped else None,
        "device": training["device"],
        "scoring_device": scoring["device"],
        "threads": training["threads"],
        "host": training["host"],
        "scoring_host": scoring["host"],
        "versions": to_json(training["versions"]) if training["versions"] else None,
        "training_code": training["code"],
        "scoring_code": scoring["code"],
        "metrics_code": code,
        "model_sha256": training["model_sha256"],
        "git_revision": training["git_revision"],
        "run_path": run_path,
    }


def _largest(*values: float | None) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _read_scores(path: Path, pooling: str, run_path: str) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
    """(test clips,) abnormal and scores, (validation clips,) scores."""
    if pooling not in POOLINGS:
        raise UserError(f"pooling {pooling!r} is unknown: choose one of {', '.join(POOLINGS)}")
    try:
        table = pq.read_table(path, columns=["path", "label", "split", pooling])
    except (OSError, pa.ArrowException) as error:
        raise damaged(path, error) from error
    clips = table.column("path").to_numpy(zero_copy_only=False)
    labels = table.column("label").to_numpy(zero_copy_only=False)
    split = table.column("split").to_numpy(zero_copy_only=False)
    scores = table.column(pooling).to_numpy(zero_copy_only=False).astype(np.float64)  # null becomes NaN

    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise UserError(
            f"run {run_path}: {len(broken)} of {len(scores)} clips have a score that is not a number (first: "
            f"{clips[broken[0]]}, {scores[broken[0]]}); the model failed: look at its training losses, lower its "
            "learning rate, then run it again"
        )
    test = split == "test"
    abnormal = labels[test] == "abnormal"
    for name, count in (("normal", int((~abnormal).sum())), ("abnormal", int(abnormal.sum()))):
        if count == 0:
            raise UserError(f"run {run_path}: no {name} test clip has a score in {path}; an AUC needs both classes")
    return abnormal, scores[test], scores[split == "validation"]
