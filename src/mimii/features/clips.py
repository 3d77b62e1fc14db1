"""Log-mel frames of many clips, end to end in one array, and the windows that a model reads from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import UserError


class Group(NamedTuple):
    """Where a clip belongs. section: its path, "" where that is not known. domain: "source", "target" or None.
    attributes: "" where the dataset says nothing.
    """

    section: str = ""
    domain: str | None = None
    attributes: str = ""


@dataclass(frozen=True)
class Clips:
    """Frames of `len(lengths)` clips.

    frames: (total frames, n_mels) float32, C-contiguous, clip after clip, dB.
    lengths: (clips,) int64, how many frames each clip has.
    groups: of each clip; without any, all are of one that is not known.
    """

    frames: NDArray[np.float32]
    lengths: NDArray[np.int64]
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        if self.frames.ndim != 2 or int(self.lengths.sum()) != len(self.frames):
            raise ValueError("frames must be (sum of lengths, n_mels)")
        if not self.groups:
            object.__setattr__(self, "groups", (Group(),) * len(self.lengths))
        if len(self.groups) != len(self.lengths):
            raise ValueError("groups must be one of each clip")

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def n_mels(self) -> int:
        return self.frames.shape[1]

    def windows(self, frames: int, hop_frames: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First frame of every window, and the clip it lies in; a window never crosses a clip's edge.

        frames, hop_frames: window length and step, in frames.
        Returns (windows,) int64 twice: index into `self.frames`, index into `self.lengths`; in clip order.
        Raises UserError where a clip is shorter than one window.
        """
        counts = (self.lengths - frames) // hop_frames + 1
        if len(self) and int(self.lengths.min()) < frames:
            raise UserError(
                f"clip of {int(self.lengths.min())} frames is shorter than a window of {frames}: "
                "lower `frames`, or leave the clip out"
            )
        clip = np.repeat(np.arange(len(self), dtype=np.int64), counts)
        first_window = np.cumsum(counts) - counts
        within = np.arange(int(counts.sum()), dtype=np.int64) - first_window[clip]
        first_frame = np.cumsum(self.lengths) - self.lengths
        return first_frame[clip] + within * hop_frames, clip

    @classmethod
    def joined(cls, parts: Sequence["Clips"]) -> "Clips":
        """The clips of all parts, in order; a single part as it is."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.frames for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            tuple(group for part in parts for group in part.groups),
        )

    def select(self, first: int, last: int) -> "Clips":
        """Clips `first` to `last` (exclusive), as views: nothing is copied."""
        edges = np.concatenate([[0], np.cumsum(self.lengths)])
        return Clips(self.frames[edges[first] : edges[last]], self.lengths[first:last], self.groups[first:last])
