"""Thresholds from the scores of normal clips that no model was fitted on."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaincinv, polygamma

from mimii.evaluation.metrics import FloatArray


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


def conformal_threshold(scores: FloatArray, quantile: float = 0.9) -> float | None:
    """The threshold above which a new normal clip scores with a probability of at most 1 - quantile.

    scores: of held-out normal clips. It is the ceil(quantile (n + 1))-th smallest of them, which assumes nothing of
    their distribution but that new clips come from the same (split conformal prediction: Vovk, Gammerman & Shafer,
    Algorithmic Learning in a Random World, 2005). None where there are too few for it: below 9 for a quantile of .9.
    """
    place = math.ceil(round(quantile * (len(scores) + 1), 9))
    return float(np.sort(scores)[place - 1]) if 0 < place <= len(scores) else None


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
