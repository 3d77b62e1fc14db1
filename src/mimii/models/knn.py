"""Nearest neighbours: how far a clip is from the most similar normal ones.

Idea: a memory of all normal clips needs no assumption on how they are spread; several states of a machine are no harm.
Shapes: one vector per clip (or per stretch of `frames`), 64 values for the mean over time of each band; each value
standardised, and, if asked for, whitened: times the inverse square root of the covariance, shrunk as Ledoit and Wolf
do. Whitened it is near the Mahalanobis distance.
Score: mean distance to the `neighbours` nearest training vectors. With `density_neighbours` (the paper has 4), each
training vector's distance counts in units of its own mean distance to so many others. With by_band every mel band has
its own neighbours, and the score is the mean over bands.
Published: mean of AUC and pAUC over the machine types of DCASE 2020, %: nearest neighbour on spectrograms 64.8, on
embeddings of a pretrained network (BEATs) 70.2, autoencoder 65.3 (toolkit of Fujimura et al.). Published figures may
have settings chosen by test labels, and are then optimistic.
Parameters: the training vectors, mean and deviation of each value.
Papers: Ramaswamy et al., SIGMOD 2000; density: Wilkinghoff et al., arXiv:2509.10951; by band: Saengthong and
Shinozaki, arXiv:2603.13749, on vectors of pretrained networks there.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from mimii.detectors.clip_vectors import ClipVectorDetector

# Training vectors that are compared with all others at once: bounds the memory of the distances.
BLOCK = 2**9


class Detector(ClipVectorDetector):
    """See the module."""

    def learn_vectors(self, vectors: NDArray[np.float32]) -> None:
        if self.settings["whiten"]:
            self.learnt |= {"whitening": whitening(vectors)}
        references = self._parts(vectors)
        self.learnt |= {"references": references}
        if self.settings["density_neighbours"]:
            self.learnt |= {"spacing": np.stack([self._spacing(part) for part in references])}

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = []
        for part, values in enumerate(self._parts(vectors)):
            distances = self._distances(values, self.learnt["references"][part])
            if self.settings["density_neighbours"]:
                distances /= self.learnt["spacing"][part]
            scores.append(mean_of_smallest(distances, self.settings["neighbours"]))
        return np.mean(scores, axis=0)

    def _parts(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """(parts, vectors, values): what is compared by itself, each band or the whole vector."""
        values = vectors.astype(np.float64)
        if self.settings["whiten"]:
            values = values @ self.learnt["whitening"]
        if self.settings["distance"] == "by_band":
            return np.ascontiguousarray(values.reshape(len(values), -1, self.n_mels).transpose(2, 0, 1))
        if self.settings["distance"] == "cosine":
            values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return values[None]

    def _distances(self, values: NDArray[np.float64], references: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.settings["distance"] == "cosine":
            return cdist(values, references, "sqeuclidean") / 2  # of vectors of length 1
        return cdist(values, references)

    def _spacing(self, references: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean distance of each training vector to its nearest others, (vectors,); never 0, though some be equal."""
        spacing = np.empty(len(references))
        for first in range(0, len(references), BLOCK):
            distances = self._distances(references[first : first + BLOCK], references)
            rows = np.arange(len(distances))
            distances[rows, first + rows] = np.inf  # itself
            others = min(self.settings["density_neighbours"], len(references) - 1)
            spacing[first : first + BLOCK] = mean_of_smallest(distances, others)
        return np.maximum(spacing, 1e-6 * spacing.mean() or 1.0)


def mean_of_smallest(distances: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Mean of the `count` smallest values of each row, of all where there are fewer: (rows,)."""
    count = min(count, distances.shape[1])
    return np.partition(distances, count - 1, axis=1)[:, :count].mean(1)


def whitening(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The symmetric inverse square root of the covariance, (values, values); it mixes values as little as may be."""
    from sklearn.covariance import LedoitWolf

    variances, axes = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(vectors).covariance_)
    # Of values with variance 1: where the clips hardly vary at all, there is rounding alone.
    return (axes / np.sqrt(np.maximum(variances, 1e-6))) @ axes.T
