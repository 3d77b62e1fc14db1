"""Base of the detectors that see a clip, or a stretch of it, as one vector: what makes a vector, whatever scores it.

Imports neither scikit-learn nor torch; a model's `fit` imports what it needs.
"""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.detectors.estimator import EstimatorDetector
from mimii.detectors.scaling import mean_and_deviation
from mimii.features.clips import Clips


class ClipVectorDetector(EstimatorDetector):
    """A model gives `learn_vectors` and `vector_scores`; both see vectors of which each value is standardised.

    A vector's values are ordered by statistic, then by band: (vectors, statistics x n_mels). domains: of the training
    vectors, while they are learnt from.
    """

    @abstractmethod
    def learn_vectors(self, vectors: NDArray[np.float32]) -> None:
        """Add to `self.learnt` what scores vectors. vectors: at least 2, of normal clips, standardised."""

    def learn(self, training: Clips) -> int:
        starts, clip = self.windows(training)
        vectors = self.vectors(training, starts)
        self.domains = [training.groups[n].domain for n in clip]
        if len(vectors) < 2:
            raise UserError(f"{self.name()}: {len(vectors)} training vector(s); at least 2 are needed")
        mean, deviation = mean_and_deviation(vectors)
        self.learnt = {"mean": mean, "deviation": deviation}
        self.learn_vectors(self.projected(vectors))
        return len(vectors)

    def projected(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors -= self.learnt["mean"]
        vectors /= self.learnt["deviation"]
        return vectors

    def vectors(self, clips: Clips, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of the stretches that start at the given frames: (stretches, statistics x n_mels)."""
        ends = np.cumsum(clips.lengths)
        if self.window_frames is None:
            stops = ends[np.searchsorted(ends, starts, side="right")]
        else:
            stops = starts + self.window_frames
        kind, rank_weight = self.settings["vector"], self.settings["rank_weight"]
        stretches = (clips.frames[start:stop] for start, stop in zip(starts, stops, strict=True))
        return np.array([clip_vector(stretch, kind, rank_weight) for stretch in stretches], np.float32)


def clip_vector(frames: NDArray[np.float32], kind: str, rank_weight: float) -> NDArray[np.float64]:
    """What stands for a stretch of sound, by mel band. frames: (frames, n_mels).

    kind: `mean` over time; `mean_and_deviation`, in this order; `maximum`; or `sorted`: each band's levels, the highest
    first, averaged with the weights rank_weight ** rank (Guan et al., "Time-Weighted Frequency Domain Audio
    Representation with GMM Estimator for Anomalous Sound Detection", ICASSP 2023, arXiv:2305.03328); or `stacked`: one
    frame after the other.
    Returns (n_mels,), (2 x n_mels,) for `mean_and_deviation`, (frames x n_mels,) for `stacked`.
    """
    levels = frames.astype(np.float64)
    if kind == "mean":
        return levels.mean(0)
    if kind == "mean_and_deviation":
        return np.concatenate([levels.mean(0), levels.std(0)])
    if kind == "maximum":
        return levels.max(0)
    if kind == "stacked":
        return levels.ravel()
    weights = rank_weight ** np.arange(len(levels))
    return np.average(np.sort(levels, axis=0)[::-1], axis=0, weights=weights)
