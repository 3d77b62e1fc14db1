"""Bootstrap intervals over the clips of a section."""

import numpy as np
from numpy.typing import NDArray

from mimii.evaluation.metrics import FloatArray, RankMetrics, weighted_metrics

# One seed for all: every model of a section then meets the same resamples, so that intervals differ by model alone.
BOOTSTRAP_SEED = 0
# Resamples at a time: some fit the processor's cache, all of them need not fit the memory.
BLOCK = 100


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
