"""What a model sees in one clip: for figures and for the page. Imports nothing that draws."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.contract import AnomalyDetector
from mimii.features.clips import Clips


@dataclass(frozen=True)
class Shown:
    """One clip as it is drawn.

    log_mel, reconstruction: (frames, n_mels), dB; no reconstruction of a model that has none.
    times, scores: (windows,), the middle of each window in seconds, and its score.
    """

    title: str
    abnormal: bool
    log_mel: NDArray[np.float32]
    reconstruction: NDArray[np.float32] | None
    times: NDArray[np.float64]
    scores: NDArray[np.float64]
    seconds: float


def view_clip(detector: AnomalyDetector, clip: Clips, title: str, abnormal: bool, frame_time: float) -> Shown:
    """What a detector sees in a single clip. frame_time: s from one frame to the next."""
    starts, _ = detector.windows(clip)
    length = detector.window_frames or len(clip.frames)
    return Shown(
        title,
        abnormal,
        clip.frames,
        detector.reconstruct(clip) if detector.reconstructs else None,
        np.asarray((starts + (length - 1) / 2) * frame_time, dtype=np.float64),
        detector.window_scores(clip),
        len(clip.frames) * frame_time,
    )
