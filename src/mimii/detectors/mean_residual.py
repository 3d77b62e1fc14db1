"""How unusual the mean residual of a clip is, among those of the clips that a detector was fitted on.

A residual is reconstruction minus input. Its mean over a clip is without the noise that nothing can predict, and its
covariance over clips tells which mel bands rise and fall together (docs/models.md).
"""

import logging

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.scaling import mean_and_deviation

LEAST_CLIPS = 10

log = logging.getLogger(__name__)


def learn_distances(residuals: NDArray[np.float64]) -> dict[str, NDArray[np.floating]]:
    """What `distances` needs of the mean residuals (clips, n_mels) of the clips that were fitted on.

    mean, deviation: (n_mels,), of each band. precision: (n_mels, n_mels), the inverse covariance of the standardised
    bands. Empty, with a line in the log, where there are fewer than `LEAST_CLIPS` clips or nothing differs between
    them; a warning where there are fewer clips than bands, so that the covariance is shrunk to little but variances.
    """
    clips, bands = residuals.shape
    if clips < LEAST_CLIPS:
        log.warning(
            "no residual score: %d clips were fitted on, and a covariance needs at least %d", clips, LEAST_CLIPS
        )
        return {}
    if clips < bands:
        log.warning(
            "the residual score is a weak one: %d clips were fitted on, fewer than the %d mel bands, so it knows "
            "little of how bands vary together",
            clips,
            bands,
        )
    mean, deviation = mean_and_deviation(residuals.astype(np.float32))
    covariance = ledoit_wolf((residuals - mean) / deviation)
    if not covariance.any():
        log.warning("no residual score: the mean residuals of the %d clips that were fitted on do not differ", clips)
        return {}
    return {"mean": mean, "deviation": deviation, "precision": np.linalg.pinv(covariance, hermitian=True)}


def distances(
    residuals: NDArray[np.float64],
    mean: NDArray[np.floating],
    deviation: NDArray[np.floating],
    precision: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Mahalanobis distance of each clip's mean residual, (clips,), from the mean of those fitted on."""
    standardized = (residuals - mean) / deviation
    # Clip by clip: the last bits of a matrix product depend on how many rows it has.
    return np.sqrt(np.array([values @ precision @ values for values in standardized], np.float64))


def ledoit_wolf(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance (p, p) of centred values (n, p), shrunk towards equal variances by as much as its noise asks for.

    Ledoit and Wolf, Journal of Multivariate Analysis 88, 2004, as scikit-learn's, whose import takes .7 s.
    """
    count, size = values.shape
    covariance = values.T @ values / count
    equal = np.trace(covariance) / size * np.eye(size)
    apart = np.square(covariance - equal).sum()
    noise = (np.square(np.square(values).sum(axis=1)).mean() - np.square(covariance).sum()) / count
    shrinkage = min(noise / apart, 1.0) if apart > 0 else 0.0
    return (1 - shrinkage) * covariance + shrinkage * equal
