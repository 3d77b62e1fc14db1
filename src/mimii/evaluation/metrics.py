"""From clip scores to one row of the results: AUC, PR-AUC, pAUC, their intervals, a threshold and its rates.

Imports stay light: this runs once per run, and a benchmark has thousands of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.special import digamma, gammaincinv, polygamma

from mimii.common.canonical import to_json
from mimii.common.errors import UserError
from mimii.detectors.pooling import POOLINGS
from mimii.runs.records import damaged, read_record
from mimii.runs.run import run_path_of

# One seed for all: every model of a section then meets the same resamples, so that intervals differ by model alone.
BOOTSTRAP_SEED = 0
# Resamples at a time: some fit the processor's cache, all of them need not fit the memory.
BLOCK = 100

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RankMetrics:
    """Metrics of one set of scores under each of `n` weightings of its clips: (n,) float64 each."""

    auc: FloatArray
    pr_auc: FloatArray
    pauc: FloatArray


def weighted_metrics(
    abnormal: NDArray[np.bool_], scores: FloatArray, weights: NDArray[np.integer], *, max_fpr: float = 0.1
) -> RankMetrics:
    """AUC, average precision and standardised partial AUC, once per row of `weights`.

    abnormal, scores: (clips,); higher scores are more anomalous. weights: (n, clips), how often each clip counts.
    Tied scores form one step of the curves. Each row needs a positive weight in both classes.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    steps = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    weights, abnormal = weights[:, order], abnormal[order]
    true_positives = np.cumsum(np.add.reduceat(weights * abnormal, steps, axis=1), axis=1)
    false_positives = np.cumsum(np.add.reduceat(weights * ~abnormal, steps, axis=1), axis=1)

    origin = np.zeros((len(weights), 1))
    tpr = np.hstack([origin, true_positives / true_positives[:, -1:]])
    fpr = np.hstack([origin, false_positives / false_positives[:, -1:]])
    rise, run = np.diff(tpr, axis=1), np.diff(fpr, axis=1)

    auc = np.sum(run * (tpr[:, :-1] + rise / 2), axis=1)
    precision = true_positives / np.maximum(true_positives + false_positives, 1)
    pr_auc = np.sum(rise * precision, axis=1)

    # Each segment of the curve is cut at max_fpr; `part` is the share of it that lies before the cut.
    kept = np.clip(max_fpr - fpr[:, :-1], 0, run)
    part = np.divide(kept, run, out=np.zeros_like(run), where=run > 0)
    area = np.sum(kept * (tpr[:, :-1] + rise * part / 2), axis=1)
    chance = max_fpr**2 / 2
    pauc = 0.5 * (1 + (area - chance) / (max_fpr - chance))
    return RankMetrics(auc, pr_auc, pauc)


def _point(abnormal: NDArray[np.bool_], scores: FloatArray, max_fpr: float = 0.1) -> RankMetrics:
    abnormal, scores = np.asarray(abnormal, dtype=bool), np.asarray(scores, dtype=np.float64)
    if abnormal.all() or not abnormal.any():
        raise ValueError("normal and abnormal clips are both needed")
    return weighted_metrics(abnormal, scores, np.ones((1, len(scores)), dtype=np.int64), max_fpr=max_fpr)


def auc(abnormal: NDArray[np.bool_], scores: FloatArray) -> float:
    """Area under the ROC curve; a tie counts half."""
    return float(_point(abnormal, scores).auc[0])


def average_precision(abnormal: NDArray[np.bool_], scores: FloatArray) -> float:
    """Sum of precision times step in recall (the trapezoid is too optimistic: Davis & Goadrich, ICML 2006)."""
    return float(_point(abnormal, scores).pr_auc[0])


def partial_auc(abnormal: NDArray[np.bool_], scores: FloatArray, max_fpr: float = 0.1) -> float:
    """Area under the ROC curve up to `max_fpr`, standardised so that chance is .5 (McClish, Med Decis Making 1989)."""
    return float(_point(abnormal, scores, max_fpr).pauc[0])


def roc_points(abnormal: NDArray[np.bool_], scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """FPR and TPR at each distinct score, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    positives = np.cumsum(abnormal[order])[last]
    negatives = last + 1 - positives
    return np.r_[0, negatives / negatives[-1]], np.r_[0, positives / positives[-1]]


def resample_counts(abnormal: NDArray[np.bool_], samples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each clip is drawn in each of `samples` resamples: (samples, clips) int64.

    Normal and abnormal clips are drawn separately, with replacement, so that every resample keeps the class counts
    (stratified bootstrap: Efron & Tibshirani, An Introduction to the Bootstrap, 1993).
    """
    counts = np.zeros((samples, len(abnormal)), dtype=np.int64)
    for stratum in (np.flatnonzero(~abnormal), np.flatnonzero(abnormal)):
        drawn = rng.integers(len(stratum), size=(samples, len(stratum)))
        cells = drawn + np.arange(samples)[:, None] * len(stratum)
        counts[:, stratum] = np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape)
    return counts


def percentile_interval(values: FloatArray, confidence: float = 0.95) -> tuple[float, float]:
    """The bootstrap's percentile interval."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap(
    abnormal: NDArray[np.bool_],
    scores: FloatArray,
    *,
    samples: int = 1000,
    seed: int = BOOTSTRAP_SEED,
    max_fpr: float = 0.1,
) -> RankMetrics:
    """The metrics of `samples` stratified resamples of the clips; the same clips and seed give the same resamples."""
    rng = np.random.default_rng(seed)
    parts = []
    for first in range(0, samples, BLOCK):
        counts = resample_counts(abnormal, min(BLOCK, samples - first), rng)
        parts.append(weighted_metrics(abnormal, scores, counts, max_fpr=max_fpr))
    return RankMetrics(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("auc", "pr_auc", "pauc")))


def fit_gamma(values: FloatArray) -> tuple[float, float]:
    """Maximum-likelihood shape and scale of a gamma distribution that starts at 0.

    values: positive, not all equal. Newton's method on the shape, from Minka's closed form ("Estimating a Gamma
    distribution", 2002).
    """
    mean = float(np.mean(values))
    deviation = values / mean - 1
    spread = float(np.mean(deviation - np.log1p(deviation)))  # log of the mean - mean of the logs, without cancellation
    if not spread > 0:
        raise ValueError("values must be positive and not all equal")
    shape = (3 - spread + math.sqrt((spread - 3) ** 2 + 24 * spread)) / (12 * spread)
    for _ in range(100):
        step = (math.log(shape) - float(digamma(shape)) - spread) / (1 / shape - float(polygamma(1, shape)))
        shape = max(shape - step, shape / 2)
        if abs(step) <= 1e-10 * shape:
            break
    return shape, mean / shape


@dataclass(frozen=True)
class Threshold:
    value: float
    method: str


def threshold_from_normal(scores: FloatArray, quantile: float = 0.9) -> Threshold | None:
    """A threshold from held-out normal scores; None where there are none.

    The quantile of a gamma fit where the scores allow one (all positive, of more than rounding's spread), as in the
    DCASE task 2 baselines, else the empirical quantile.
    """
    if len(scores) == 0:
        return None
    if scores.min() > 0 and np.ptp(scores) > 1e-6 * scores.mean():
        shape, scale = fit_gamma(scores)
        return Threshold(float(gammaincinv(shape, quantile)) * scale, "gamma")
    return Threshold(float(np.quantile(scores, quantile)), "empirical")


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
    point = _point(abnormal, scores, max_fpr)
    resampled = bootstrap(abnormal, scores, samples=settings["bootstrap_samples"], max_fpr=max_fpr)
    auc_low, auc_high = percentile_interval(resampled.auc, confidence)
    pr_auc_low, pr_auc_high = percentile_interval(resampled.pr_auc, confidence)
    pauc_low, pauc_high = percentile_interval(resampled.pauc, confidence)

    threshold = threshold_from_normal(held_out, settings["threshold_quantile"])
    flagged = None if threshold is None else scores > threshold.value

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
        "auc": float(point.auc[0]),
        "pr_auc": float(point.pr_auc[0]),
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
        "pauc": float(point.pauc[0]),
        "auc_low": auc_low,
        "auc_high": auc_high,
        "pr_auc_low": pr_auc_low,
        "pr_auc_high": pr_auc_high,
        "pauc_low": pauc_low,
        "pauc_high": pauc_high,
        "inference_time_per_clip_ms": scoring["inference_time_per_clip_ms"],
        "threshold": None if threshold is None else threshold.value,
        "threshold_method": None if threshold is None else threshold.method,
        "tpr": None if flagged is None else float(flagged[abnormal].mean()),
        "fpr": None if flagged is None else float(flagged[~abnormal].mean()),
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
