"""What all detectors that reconstruct have in common, networks or not."""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.contract import AnomalyDetector
from mimii.features.clips import Clips


class ReconstructingDetector(AnomalyDetector):
    """Beside another base: `class Detector(ReconstructingDetector, EstimatorDetector)`."""

    reconstructs = True

    @abstractmethod
    def reconstructed_windows(self, clip: Clips) -> Iterator[NDArray[np.float32]]:
        """The reconstruction of every window of one clip, in dB: blocks (some windows, frames, n_mels), in order."""

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
