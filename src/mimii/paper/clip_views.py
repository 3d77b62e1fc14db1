"""What a model sees in one clip: for figures and for the page. Imports nothing that draws."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.detectors.contract import AnomalyDetector
from mimii.features.clips import Clips
from mimii.features.settings import frame_step


@dataclass(frozen=True)
class Shown:
    """One clip as it is drawn.

    log_mel: whether its frames are of a log-mel, and not embeddings. frames, reconstruction: (frames, values), of a
    log-mel in dB; no reconstruction of a model that has none.
    times, scores: (windows,), the middle of each window in seconds, and its score.
    """

    title: str
    abnormal: bool
    log_mel: bool
    frames: NDArray[np.float32]
    reconstruction: NDArray[np.float32] | None
    times: NDArray[np.float64]
    scores: NDArray[np.float64]
    seconds: float


def view_clip(detector: AnomalyDetector, clip: Clips, title: str, abnormal: bool, features: Mapping[str, Any]) -> Shown:
    """What a detector sees in a single clip. features: settings of its features."""
    frame_time = frame_step(features)
    starts, _ = detector.windows(clip)
    length = detector.window_frames or len(clip.frames)
    return Shown(
        title,
        abnormal,
        features["extractor"] == "log_mel",
        clip.frames,
        detector.reconstruct(clip) if detector.reconstructs else None,
        np.asarray((starts + (length - 1) / 2) * frame_time, dtype=np.float64),
        detector.window_scores(clip),
        len(clip.frames) * frame_time,
    )
