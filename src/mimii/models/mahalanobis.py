"""Mahalanobis distance of a clip's log-mel statistics: a reference that any network should beat.

Idea: the level and the liveliness of each mel band say much of a machine; how unusual are they together?
Shapes: mean and deviation over time of each band, 2 x 64 values, one vector per clip (or per stretch of `frames`).
Score: distance to the mean of the training vectors; the covariance is shrunk as Ledoit and Wolf do, for there are few
clips. Values are standardised first, since the shrinkage is towards equal variances.
Parameters: mean and deviation of each value, inverse covariance.
Papers: Mahalanobis, 1936; Ledoit and Wolf, Journal of Multivariate Analysis 88, 2004.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from mimii.common.errors import UserError
from mimii.detectors.estimator import EstimatorDetector
from mimii.detectors.scaling import mean_and_deviation
from mimii.features.clips import Clips


class Detector(EstimatorDetector):
    """See the module."""

    def windows(self, clips: Clips) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The stretches over which statistics are taken: by default each clip as one."""
        if self.window_frames is None:
            return super().windows(clips)
        return clips.windows(self.settings["frames"], self.settings["hop_frames"] or self.settings["frames"])

    def learn(self, training: Clips) -> int:
        statistics = self.statistics(training)
        if len(statistics) < 2:
            raise UserError("mahalanobis: 1 training vector has no covariance; at least 2 are needed")
        mean, deviation = mean_and_deviation(statistics)
        covariance = LedoitWolf(assume_centered=True).fit((statistics - mean) / deviation)
        self.learnt = {"mean": mean, "deviation": deviation, "precision": covariance.precision_}
        return len(statistics)

    def window_scores(self, clips: Clips) -> NDArray[np.float64]:
        # Clip by clip: the last bits of a matrix product depend on how many rows it has.
        scores = [self.vector_scores(self.statistics(clips.select(n, n + 1))) for n in range(len(clips))]
        return np.concatenate(scores) if scores else np.zeros(0)

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        distances = (vectors - self.learnt["mean"]).astype(np.float64) / self.learnt["deviation"]
        return np.sqrt(((distances @ self.learnt["precision"]) * distances).sum(1))

    def statistics(self, clips: Clips) -> NDArray[np.float32]:
        """Mean and deviation over time of each band, (stretches, 2 x n_mels), in the order of `windows`."""
        starts, clip = self.windows(clips)
        vectors = np.empty((len(starts), 2 * self.n_mels), np.float32)
        for row, (start, length) in enumerate(zip(starts, clips.lengths[clip], strict=True)):
            stretch = clips.frames[start : start + (self.settings["frames"] or length)].astype(np.float64)
            vectors[row] = np.concatenate([stretch.mean(0), stretch.std(0)])
        return vectors
