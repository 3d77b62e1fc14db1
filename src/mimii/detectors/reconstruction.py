"""What all detectors that reconstruct have in common, networks or not."""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.back_ends import learn_mahalanobis, mahalanobis_distances, selective_mahalanobis
from mimii.detectors.contract import AnomalyDetector
from mimii.detectors.pooling import pool
from mimii.features.clips import Clips


class ReconstructingDetector(AnomalyDetector):
    """Beside another base: `class Detector(ReconstructingDetector, EstimatorDetector)`."""

    reconstructs = True

    @abstractmethod
    def reconstructed_windows(self, clip: Clips) -> Iterator[NDArray[np.float32]]:
        """The reconstruction of every window of one clip, in dB: blocks (some windows, frames, n_mels), in order."""

    @abstractmethod
    def mean_residuals(self, clips: Clips) -> NDArray[np.float64]:
        """Reconstruction minus input as the model sees it, the mean over a clip's windows and the frames of a window:
        (clips, n_mels). A clip's depends on that clip alone.
        """

    def scores_and_mean_residuals(self, clips: Clips) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`window_scores` and `mean_residuals`; at once, where a model can."""
        return self.window_scores(clips), self.mean_residuals(clips)

    def learn_clip_statistics(self, training: Clips) -> None:
        self.clip_statistics = learn_mahalanobis(self.mean_residuals(training))

    def clip_scores(self, clips: Clips, *, top_k: int) -> dict[str, NDArray[np.float64]]:
        """As every detector's, and `residual`, the Mahalanobis distance of a clip's mean residual, unless too few clips
        were fitted on; and `selective_mahalanobis`, where a model has learnt the residuals of two domains.
        """
        learnt = self.clip_statistics
        if not learnt:
            return super().clip_scores(clips, top_k=top_k)
        of_windows, residuals = self.scores_and_mean_residuals(clips)
        scores = pool(of_windows, self.windows(clips)[1], len(clips), top_k=top_k)
        if "precision" in learnt:
            scores["residual"] = mahalanobis_distances(
                residuals, learnt["mean"], learnt["deviation"], learnt["precision"]
            )
        if "source_precision" in learnt:
            precisions = learnt["source_precision"], learnt["target_precision"]
            scores["selective_mahalanobis"] = selective_mahalanobis(residuals, precisions)
        return scores

    def reconstruct(self, clips: Clips) -> NDArray[np.float32]:
        parts = [self._overlapped(clips.select(n, n + 1)) for n in range(len(clips))]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_mels), np.float32)

    def _overlapped(self, clip: Clips) -> NDArray[np.float32]:
        total = np.zeros(clip.frames.shape)
        rows = self.windows(clip)[0][:, None] + np.arange(self.settings["frames"])
        first = 0
        for block in self.reconstructed_windows(clip):
            np.add.at(total, rows[first : first + len(block)], block)
            first += len(block)
        held = np.bincount(rows.ravel(), minlength=len(total))[:, None]
        return np.where(held > 0, total / np.maximum(held, 1), np.nan).astype(np.float32)
