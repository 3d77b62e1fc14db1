"""Bootstrap intervals over the clips of a section."""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mimii.evaluation.metrics import Curves, FloatArray, Metric, Ranking, metric_values, metrics_in

# One seed for all: every model of a section then meets the same resamples, so that intervals differ by model alone.
BOOTSTRAP_SEED = 0
# Resamples at a time: some fit the processor's cache, all of them need not fit the memory.
BLOCK = 100


def resample_counts(strata: NDArray[np.generic], samples: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """How often each clip is drawn in each of `samples` resamples: (samples, clips) int32.

    strata: (clips,), such as whether each is abnormal. Clips of each value are drawn separately, with replacement, so
    that every resample keeps their number (stratified bootstrap: Efron & Tibshirani, An Introduction to the Bootstrap,
    1993).
    """
    counts = np.zeros((samples, len(strata)), dtype=np.int32)
    for value in np.unique(strata):
        stratum = np.flatnonzero(strata == value)
        drawn = rng.integers(len(stratum), size=(samples, len(stratum)))
        cells = drawn + np.arange(samples)[:, None] * len(stratum)
        counts[:, stratum] = np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape)
    return counts


def count_blocks(strata: NDArray[np.generic], samples: int, rng: np.random.Generator) -> Iterator[NDArray[np.int32]]:
    """`resample_counts` of `samples` resamples, BLOCK at a time."""
    for first in range(0, samples, BLOCK):
        yield resample_counts(strata, min(BLOCK, samples - first), rng)


def machine_generator(machine_type: str, machine_id: str) -> np.random.Generator:
    """Draws a machine's resamples: its SNRs are the same recordings, so that they meet the same resamples."""
    return np.random.default_rng([BOOTSTRAP_SEED, *f"{machine_type}/{machine_id}".encode()])


def percentile_interval(values: FloatArray, confidence: float = 0.95) -> tuple[float, float]:
    """The bootstrap's percentile interval."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def centred_interval(
    value: float, resampled: FloatArray, confidence: float = 0.95, freedom: float = math.inf
) -> tuple[float, float]:
    """The percentile interval of the resamples, moved so that their mean lies at `value`, wider for a small `freedom`.

    A resample holds clips twice, which raises average precision and pAUC a little; the average of many sections has so
    little other spread that the plain percentile interval would miss the value itself.
    """
    resampled = resampled[np.isfinite(resampled)]  # precision has no value where no clip is above the threshold
    if not len(resampled):
        return math.nan, math.nan
    from scipy import stats  # takes a moment to import, and most users of this module need none

    low, high = percentile_interval(resampled - resampled.mean(), confidence)
    tail = (1 + confidence) / 2
    stretch = float(stats.t.ppf(tail, freedom) / stats.norm.ppf(tail))
    return value + stretch * low, value + stretch * high


def logit_interval(
    metric: Metric, value: float, resampled: FloatArray, *, step: float, confidence: float = 0.95
) -> tuple[float, float]:
    """A normal interval on the logit scale of the metric's range, around the value itself.

    Near the end of its range a metric's resamples are skewed, and a resample, which holds clips twice, raises average
    precision and pAUC a little: percentiles then lie too high. The logit evens out the one, the centre the other.
    step: the smallest by which the metric changes; resamples at an end count as half a step from it.
    """
    width = metric.maximum - metric.minimum
    shares = np.clip((np.r_[value, resampled] - metric.minimum) / width, step / 2, 1 - step / 2)
    logits = np.log(shares / (1 - shares))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * float(np.std(logits[1:], ddof=1))
    low, high = metric.minimum + width / (1 + np.exp(-(logits[0] + np.array([-half, half]))))
    return float(low), float(high)


def bound_of_perfection(
    metric: Metric, normal: int, abnormal: int, *, confidence: float = 0.95, max_fpr: float = 0.1
) -> float:
    """Lower end of the interval where all of the abnormal clips score above all of the normal ones.

    Every resample is then perfect too, and says nothing. But other clips might fail: where `n` did not, the share that
    fails is at most 1 - ((1 - confidence) / 2)^(1/n) (Clopper & Pearson, Biometrika 26, 1934), n being the smaller
    class. The bound is the metric of such scores: that share of the abnormal clips scores as the normal ones do.
    """
    missed = 1 - ((1 - confidence) / 2) ** (1 / min(normal, abnormal))
    curves = Curves(
        np.array([1.0, 0.0]),
        np.array([[abnormal * (1 - missed), abnormal]]),
        np.array([[0.0, normal]]),
        max_fpr=max_fpr,
    )
    return float(metric.function(curves)[0])


def section_interval(
    metric: Metric,
    value: float,
    resampled: FloatArray,
    *,
    normal: int,
    abnormal: int,
    confidence: float = 0.95,
    max_fpr: float = 0.1,
) -> tuple[float, float]:
    """The interval of one section's metric, from `bootstrap` of its clips, `normal` and `abnormal` of each class."""
    if value == metric.maximum:
        return bound_of_perfection(metric, normal, abnormal, confidence=confidence, max_fpr=max_fpr), value
    return logit_interval(metric, value, resampled, step=1 / (normal * abnormal), confidence=confidence)


def bootstrap(
    abnormal: NDArray[np.bool_],
    scores: FloatArray,
    *,
    samples: int = 1000,
    seed: int = BOOTSTRAP_SEED,
    max_fpr: float = 0.1,
) -> dict[str, FloatArray]:
    """(samples,) values of each metric of results.csv over stratified resamples of the clips.

    The same clips and seed give the same resamples.
    """
    shown, ranking = metrics_in("csv"), Ranking.of(abnormal, scores)
    parts = [
        metric_values(ranking.curves(counts, max_fpr=max_fpr), shown)
        for counts in count_blocks(abnormal, samples, np.random.default_rng(seed))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in shown}
