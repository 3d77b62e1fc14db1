"""Base of the networks that are trained on windows and score windows.

The frames of a section lie on the device once, unstacked. A window is `frames` rows of them, so all windows are a
strided view, and a batch is a gather from it: no window is stored twice and no loader runs beside the training.
"""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mimii.detectors.network import NetworkDetector
from mimii.features.clips import Clips

# Values (windows x frames x bands) in one forward pass outside training: bounds the memory of activations.
PASS_VALUES = 2**19


class WindowNetwork(NetworkDetector):
    """A model gives `build`, `loss` and `score_batch`, for windows (batch, frames, n_mels)."""

    @abstractmethod
    def score_batch(self, windows: Tensor) -> Tensor:
        """Anomaly score of every window, (batch,), which depends on that window alone."""

    def examples(self, clips: Clips) -> "Windows":
        return Windows(self.standardized(clips), self.windows(clips)[0], self.settings["frames"])

    def window_scores(self, clips: Clips) -> NDArray[np.float64]:
        # One array for all: kept between what each clip needs for a moment, small ones would keep memory in pieces.
        scores = torch.empty(len(self.windows(clips)[0]), device=self.device)
        with torch.inference_mode():
            for _, first, batch in self.passes(clips):
                scores[first : first + len(batch)] = self.score_batch(batch)
        return scores.double().cpu().numpy()

    def passes(self, clips: Clips) -> Iterator[tuple[int, int, Tensor]]:
        """The windows of all clips in order: (clip, first window, batch of windows), a batch of one clip alone, since
        the last bits of a matrix product depend on how many rows it has. Run under `torch.inference_mode`.
        """
        self.network.eval()
        first = 0
        for clip in range(len(clips)):
            windows = self.examples(clips.select(clip, clip + 1))
            for batch in windows.batches(windows.pass_sizes()):
                yield clip, first, batch
                first += len(batch)


class Windows:
    """Windows over frames that lie on a device: (total frames, n_mels), and the first frame of each window."""

    def __init__(self, frames: Tensor, starts: NDArray[np.int64], length: int) -> None:
        n_mels = frames.shape[1]
        self.shape = (length, n_mels)
        # Row i is the window that starts at frame i; rows overlap in memory, and are contiguous for the gather.
        self.view = frames.flatten().as_strided((max(0, len(frames) - length + 1), length * n_mels), (n_mels, 1))
        self.starts = torch.from_numpy(starts).to(frames.device)

    def __len__(self) -> int:
        return len(self.starts)

    def sizes(self, size: int, *, least: int = 1) -> list[int]:
        """Numbers of windows in batches of `size`; the last has the rest, and is left out below `least`.

        Training needs 2: batch normalisation has nothing to learn from a single window.
        """
        whole, rest = divmod(len(self), size)
        return [size] * whole + [rest] * (rest >= least)

    def pass_sizes(self) -> list[int]:
        """Numbers of windows in passes of at most `PASS_VALUES` values."""
        return self.sizes(max(1, PASS_VALUES // (self.shape[0] * self.shape[1])))

    def batches(self, sizes: list[int], order: Tensor | None = None) -> Iterator[Tensor]:
        """(size, frames, n_mels) for each of `sizes`, in the given order of windows, else as they are."""
        starts = self.starts if order is None else self.starts.index_select(0, order)
        for part in starts[: sum(sizes)].split(sizes):
            yield self.view.index_select(0, part).unflatten(1, self.shape)
