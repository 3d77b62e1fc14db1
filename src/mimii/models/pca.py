"""Reconstruction from principal components: the best that a linear autoencoder can do, without a training loop.

Idea: as an autoencoder; shows what depth and non-linearity earn.
Shapes: frames x n_mels = 320 - 16 - 320, linear, on all training windows.
Score: mean squared error of the reconstruction.
Published: no figure on these datasets is known here.
Parameters: components, mean, standardisation.
Paper: Jackson and Mudholkar, Technometrics 21, 1979.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.estimator import EstimatorDetector
from mimii.detectors.reconstruction import ReconstructingDetector
from mimii.features.clips import Clips

# Windows of which the covariance is summed at once.
BLOCK = 2**13


class Detector(ReconstructingDetector, EstimatorDetector):
    """See the module."""

    libraries = ("scipy",)
    fit_modules = ("scipy.linalg",)

    def learn(self, training: Clips) -> int:
        import scipy.linalg

        self.learn_scale(training)
        starts, _ = self.windows(training)
        values = self.settings["frames"] * self.n_mels
        total, products = np.zeros(values), np.zeros((values, values))
        # About the first block's mean, near the mean of all, lest the covariance drown in the mean.
        origin = self.scaled(self.vectors(training, starts[:BLOCK])).mean(0)
        for first in range(0, len(starts), BLOCK):
            vectors = self.scaled(self.vectors(training, starts[first : first + BLOCK]))
            vectors -= origin
            total += vectors.sum(0, dtype=np.float64)
            products += vectors.T @ vectors
        mean = total / len(starts)
        covariance = products / len(starts) - np.outer(mean, mean)
        largest = [values - self.settings["components"], values - 1]
        _, components = scipy.linalg.eigh(covariance, subset_by_index=largest)
        self.learnt |= {"centre": (origin + mean).astype(np.float32), "components": components.astype(np.float32)}
        return len(starts)

    def vector_scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        components = self.learnt["components"]
        centred = self.scaled(vectors) - self.learnt["centre"]
        return np.square(centred - centred @ components @ components.T).mean(1, dtype=np.float64)

    def mean_residuals(self, clips: Clips) -> NDArray[np.float64]:
        """Those of a clip's mean window, which are the same, since the reconstruction is linear."""
        components = self.learnt["components"]
        residuals = np.empty((len(clips), self.n_mels))
        for index in range(len(clips)):
            windows = self.vector_view(clips.select(index, index + 1))[:: self.settings["hop_frames"]]
            centred = self.scaled(windows.mean(0)[None]) - self.learnt["centre"]
            residual = centred @ components @ components.T - centred
            residuals[index] = residual.reshape(-1, self.n_mels).mean(0)
        return residuals

    def reconstructed_windows(self, clip: Clips) -> Iterator[NDArray[np.float32]]:
        centred = self.scaled(self.vectors(clip, self.windows(clip)[0])) - self.learnt["centre"]
        components = self.learnt["components"]
        windows = (centred @ components @ components.T + self.learnt["centre"]).reshape(len(centred), -1, self.n_mels)
        if self.settings["standardize"]:
            windows = windows * self.learnt["deviation"] + self.learnt["mean"]
        yield windows
