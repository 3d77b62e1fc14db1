"""Mahalanobis distance of a clip's log-mel statistics: a reference that any network should beat.

Idea: the level of each mel band says much of a machine; how unusual are all levels together?
Shapes: mean over time of each band, 64 values, one vector per clip (or per stretch of `frames`); if asked for, the
deviation over time of each too, which tells how lively a band is: 2 x 64 values.
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
        """Mean of each band over time, and deviation if asked for: (stretches, n_mels or 2 x n_mels), as `windows`."""
        starts, clip = self.windows(clips)
        both = self.settings["vector"] == "mean_and_deviation"
        vectors = np.empty((len(starts), (2 if both else 1) * self.n_mels), np.float32)
        for row, (start, length) in enumerate(zip(starts, clips.lengths[clip], strict=True)):
            stretch = clips.frames[start : start + (self.settings["frames"] or length)].astype(np.float64)
            vectors[row, : self.n_mels] = stretch.mean(0)
            if both:
                vectors[row, self.n_mels :] = stretch.std(0)
        return vectors
