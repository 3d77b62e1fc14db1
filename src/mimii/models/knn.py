"""Nearest neighbours: how far a clip is from the most similar normal ones.

Idea: a memory of all normal clips needs no assumption on how they are spread; several states of a machine are no harm.
Shapes: one vector per clip (or per stretch of `frames`), 64 values for the mean over time of each band; each value
standardised, and, if asked for, whitened: times the inverse square root of the covariance, shrunk as Ledoit and Wolf
do. Whitened it is near the Mahalanobis distance.
Score: mean distance to the `neighbours` nearest training vectors. With `density_neighbours` (the paper has 4), each
training vector's distance counts in units of its own mean distance to so many others. With by_band every mel band has
its own neighbours, and the score is the mean over bands. Where the clips have domains, each domain has a memory of its
own, and the smaller distance counts; sections that share a model (`train_per`) share these memories.
Published: mean of AUC and pAUC over the machine types of DCASE 2020, %: nearest neighbour on spectrograms 64.8, on
embeddings of a pretrained network (BEATs) 70.2, autoencoder 65.3 (ASDKit: Fujimura et al., DCASE Workshop 2025,
arXiv:2507.10264). Published figures may have settings chosen by test labels, and are then optimistic.
Parameters: the training vectors, mean and deviation of each value.
Papers: Ramaswamy et al., SIGMOD 2000; density: Wilkinghoff et al., arXiv:2509.10951; by band: Saengthong and
Shinozaki, arXiv:2603.13749, with the vectors that a pretrained network gives of each frequency band. Of embeddings
by_band takes each single value for a band, so it is not what they do.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.back_ends import banks_of, ledoit_wolf, nearest_bank, neighbour_distances, spacing, unit_length
from mimii.detectors.clip_vectors import ClipVectorDetector


class Detector(ClipVectorDetector):
    """See the module."""

    def learn_vectors(self, vectors: NDArray[np.float32]) -> None:
        if self.settings["whiten"]:
            self.learnt |= {"whitening": whitening(vectors)}
        domains = self.domains
        if self.settings["oversample_target"]:
            vectors, domains = oversampled(vectors, domains)
        references, banks = self._parts(vectors), banks_of(domains)
        self.learnt |= {"references": references, "banks": banks}
        if count := self.settings["density_neighbours"]:
            spaces = np.empty(references.shape[:2])
            for part, bank in itertools.product(range(len(references)), np.unique(banks)):
                own = references[part, banks == bank]
                spaces[part, banks == bank] = spacing(own, count, cosine=self._cosine)
            self.learnt |= {"spacing": spaces}

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = []
        for part, values in enumerate(self._parts(vectors)):
            distances = neighbour_distances(values, self.learnt["references"][part], cosine=self._cosine)
            if self.settings["density_neighbours"]:
                distances /= self.learnt["spacing"][part]
            scores.append(nearest_bank(distances, self.learnt["banks"], self.settings["neighbours"]))
        return np.mean(scores, axis=0)

    @property
    def _cosine(self) -> bool:
        return bool(self.settings["distance"] == "cosine")

    def _parts(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """(parts, vectors, values): what is compared by itself, each band or the whole vector."""
        values = vectors.astype(np.float64)
        if self.settings["whiten"]:
            values = values @ self.learnt["whitening"]
        if self.settings["distance"] == "by_band":
            return np.ascontiguousarray(values.reshape(len(values), -1, self.n_mels).transpose(2, 0, 1))
        return (unit_length(values) if self._cosine else values)[None]


def oversampled(
    vectors: NDArray[np.float32], domains: Sequence[str | None]
) -> tuple[NDArray[np.float32], list[str | None]]:
    """The vectors and their domains, with points between target clips until there are as many as of the source.

    Halfway from each to its nearest other, then to the next nearest, and so on; all, where these are still fewer.
    """
    target = vectors[[domain == "target" for domain in domains]].astype(np.float64)
    wanted = len(vectors) - 2 * len(target)
    if len(target) < 2 or wanted <= 0:
        return vectors, [*domains]
    order = neighbour_distances(target, target, cosine=False).argsort(axis=1, kind="stable")
    pairs = ((n, int(other)) for rank in range(1, len(target)) for n, other in enumerate(order[:, rank]))
    chosen = list(dict.fromkeys((min(pair), max(pair)) for pair in pairs))[:wanted]
    between = np.array([(target[one] + target[other]) / 2 for one, other in chosen], np.float32)
    return np.concatenate([vectors, between]), [*domains, *["target"] * len(between)]


def whitening(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The symmetric inverse square root of the covariance, (values, values); it mixes values as little as may be."""
    variances, axes = np.linalg.eigh(ledoit_wolf(vectors.astype(np.float64)))
    # Of values with variance 1: where the clips hardly vary at all, there is rounding alone.
    return (axes / np.sqrt(np.maximum(variances, 1e-6))) @ axes.T
