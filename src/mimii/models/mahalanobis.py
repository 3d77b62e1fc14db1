"""Mahalanobis distance of a clip's log-mel statistics: a reference that any network should beat.

Idea: the level of each mel band says much of a machine; how unusual are all levels together?
Shapes: mean over time of each band, 64 values, one vector per clip (or per stretch of `frames`); if asked for, the
deviation over time of each too, which tells how lively a band is: 2 x 64 values.
Score: distance to the mean of the training vectors; the covariance is shrunk as Ledoit and Wolf do, for there are few
clips. Values are standardised first, since the shrinkage is towards equal variances.
Published: no figure with a source is known here. What it reaches here on MIMII's fans and sliders, beside one run of
the official autoencoder, is in docs/quality.md.
Parameters: mean and deviation of each value, inverse covariance.
Papers: Mahalanobis, 1936; Ledoit and Wolf, Journal of Multivariate Analysis 88, 2004.
"""

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.back_ends import ledoit_wolf
from mimii.detectors.clip_vectors import ClipVectorDetector


class Detector(ClipVectorDetector):
    """See the module."""

    def learn_vectors(self, vectors: NDArray[np.float32]) -> None:
        self.learnt |= {"precision": np.linalg.pinv(ledoit_wolf(vectors.astype(np.float64)), hermitian=True)}

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.sqrt(((vectors @ self.learnt["precision"]) * vectors).sum(1))
