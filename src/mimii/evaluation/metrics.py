"""Metrics of clip scores: AUC, PR-AUC, pAUC.

Imports stay light: this runs once per run, and a benchmark has thousands of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
