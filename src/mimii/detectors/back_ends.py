"""What scores vectors, whatever made them: the distance to the nearest of those of normal clips, or to their mean."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.scaling import mean_and_deviation

LEAST_CLIPS = 10
# Training vectors that are compared with all others at once: bounds the memory of the distances.
BLOCK = 2**9
# Differences of values that are held at once.
CELLS = 2**16

log = logging.getLogger(__name__)


def unit_length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(vectors, values), each of length 1, so that half their squared distance is 1 minus the cosine between them."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float64).tiny)


def neighbour_distances(
    vectors: NDArray[np.float64], references: NDArray[np.float64], *, cosine: bool
) -> NDArray[np.float64]:
    """Distance of each vector to each reference, (vectors, references): Euclidean, or cosine of what has length 1.

    scipy's is quicker, but its import (.3 s) takes longer than all distances of a section.
    """
    squares, some = np.empty((len(vectors), len(references))), max(1, CELLS // references.size)
    for first in range(0, len(vectors), some):
        apart = vectors[first : first + some, None] - references
        squares[first : first + some] = np.einsum("ijk,ijk->ij", apart, apart)
    return squares / 2 if cosine else np.sqrt(squares)


def mean_of_smallest(distances: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Mean of the `count` smallest values of each row, of all where there are fewer: (rows,)."""
    count = min(count, distances.shape[1])
    return np.partition(distances, count - 1, axis=1)[:, :count].mean(1)


def nearest_bank(distances: NDArray[np.float64], bank: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Mean distance to the `count` nearest references of one bank, the smallest over banks: (vectors,).

    distances: (vectors, references). bank: (references,), the one that each is in, such as its domain.
    """
    return np.min([mean_of_smallest(distances[:, bank == one], count) for one in np.unique(bank)], axis=0)


def banks_of(names: Sequence[str | None]) -> NDArray[np.int64]:
    """A number for each name, (names,), the same for equal ones."""
    known = sorted({name or "" for name in names})
    return np.array([known.index(name or "") for name in names], np.int64)


def spacing(references: NDArray[np.float64], count: int, *, cosine: bool) -> NDArray[np.float64]:
    """Mean distance of each reference to its `count` nearest others, (references,); never 0, though some be equal."""
    means = np.empty(len(references))
    for first in range(0, len(references), BLOCK):
        distances = neighbour_distances(references[first : first + BLOCK], references, cosine=cosine)
        rows = np.arange(len(distances))
        distances[rows, first + rows] = np.inf  # itself
        means[first : first + BLOCK] = mean_of_smallest(distances, min(count, len(references) - 1))
    return np.maximum(means, 1e-6 * means.mean() or 1.0)


def learn_mahalanobis(
    vectors: NDArray[np.float64], *, score: str = "residual", values: str = "mel bands"
) -> dict[str, NDArray[np.floating]]:
    """What `mahalanobis_distances` needs of the vectors (clips, values) of the clips that were fitted on.

    mean, deviation: (values,), of each value. precision: (values, values), the inverse covariance of the standardised
    ones. Empty, with a line in the log that names `score`, where there are fewer than `LEAST_CLIPS` clips or nothing
    differs between them; a warning where there are fewer clips than `values`, so that the covariance is shrunk to
    little but variances.
    """
    clips, size = vectors.shape
    if clips < LEAST_CLIPS:
        log.warning(
            "no %s score: %d clips were fitted on, and a covariance needs at least %d", score, clips, LEAST_CLIPS
        )
        return {}
    if clips < size:
        log.warning(
            "the %s score is a weak one: %d clips were fitted on, fewer than the %d %s, so it knows little of how they "
            "vary together",
            score,
            clips,
            size,
            values,
        )
    mean, deviation = mean_and_deviation(vectors.astype(np.float32))
    covariance = ledoit_wolf((vectors - mean) / deviation)
    if not covariance.any():
        log.warning("no %s score: what it is of the %d clips that were fitted on does not differ", score, clips)
        return {}
    return {"mean": mean, "deviation": deviation, "precision": np.linalg.pinv(covariance, hermitian=True)}


def mahalanobis_distances(
    vectors: NDArray[np.float64],
    mean: NDArray[np.floating],
    deviation: NDArray[np.floating],
    precision: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Mahalanobis distance of each vector, (clips,), from the mean of those fitted on."""
    standardized = (vectors - mean) / deviation
    # Clip by clip: the last bits of a matrix product depend on how many rows it has.
    return np.sqrt(np.array([vector @ precision @ vector for vector in standardized], np.float64))


def selective_mahalanobis(
    residuals: NDArray[np.float64], precisions: Sequence[NDArray[np.floating]]
) -> NDArray[np.float64]:
    """The smaller squared Mahalanobis distance of each mean residual (clips, n_mels) from 0, (clips,).

    precisions: (n_mels, n_mels) of each domain, the inverse covariance of the residuals of its frames. As the baseline
    of DCASE 2023 on has it (Harada et al., "First-Shot Anomaly Sound Detection for Machine Condition Monitoring: A
    Domain Generalization Baseline", EUSIPCO 2023, arXiv:2303.00455): the mean, over all pairs of a clip's frames, of
    their residuals' product by the inverse covariance, which is that of their mean with itself.
    """
    return np.array([min(mean @ one @ mean for one in precisions) for mean in residuals], np.float64)


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
