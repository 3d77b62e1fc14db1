"""The contract that every detector keeps, and how a detector is found by its name.

A model is two files, `models/<name>.py` with a class `Detector` and `models/<name>.yaml` with its settings; nothing
else names it.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.common.lookup import load
from mimii.common.suggestions import unknown
from mimii.detectors.declaration import check_model_settings, model_names
from mimii.detectors.pooling import pool
from mimii.features.clips import Clips


@dataclass(frozen=True)
class FitResult:
    """What came of a training.

    losses: one dict per epoch (epoch from 1, training_loss, validation_loss or None); empty where nothing is iterated.
    training_windows: how many windows were fitted on.
    epochs_run, kept_epoch: epochs trained, and the one whose weights are kept, 0 for those of before the first; None
    where nothing is iterated.
    peak_gpu_memory_mb: highest memory of this process's tensors on the GPU, in MB (10^6 bytes); None on a CPU.
    """

    training_windows: int
    losses: list[dict[str, Any]] = field(default_factory=list)
    epochs_run: int | None = None
    kept_epoch: int | None = None
    peak_gpu_memory_mb: float | None = None


class AnomalyDetector(ABC):
    """Learns what normal clips sound like, and scores windows or whole clips: higher = more anomalous.

    What a detector can do is said by attributes of its class:
    suffix: the ending of its file's name, such as ".npz".
    uses_gpu: whether it computes on a GPU where there is one.
    libraries: the distributions, beside numpy and pyarrow, whose versions belong in the record of its training.
    fit_modules: modules that only `fit` imports. A training job imports them before anything is measured and before
    the number of threads is set, so that their import is not counted as training, and the number holds for them, too.
    reconstructs: whether `reconstruct` gives its reconstruction of a clip.

    clip_statistics: what `clip_scores` needs beside the scores of windows, learnt from the clips fitted on: name ->
    array; empty where it needs nothing more.
    """

    suffix: ClassVar[str]
    uses_gpu: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    fit_modules: ClassVar[tuple[str, ...]] = ()
    reconstructs: ClassVar[bool] = False

    def __init__(self, settings: Mapping[str, Any], n_mels: int, *, seed: int, device: str = "cpu") -> None:
        """settings: every setting that the model declares, each in its range; n_mels: mel bands of the features.

        Raises UserError where the settings do not fit each other or n_mels, so before any training.
        """
        if contradictions := check_model_settings(self.name(), settings, n_mels):
            raise UserError("\n".join(f"{self.name()}: {line}" for line in contradictions))
        self.settings = dict(settings)
        self.n_mels = n_mels
        self.seed = seed
        self.device = device
        self.clip_statistics: dict[str, NDArray[Any]] = {}

    @classmethod
    def name(cls) -> str:
        """The model's name: that of its file."""
        return cls.__module__.rpartition(".")[2]

    @property
    def scope(self) -> str:
        """What one model is trained on, at one SNR: "section", "machine_type" (all its IDs) or "snr" (all machines)."""
        scope: str = self.settings["train_per"]
        return scope

    @property
    def window_frames(self) -> int | None:
        """Frames of a window that is scored; None where a clip is scored as one."""
        frames: int | None = self.settings["frames"]
        return frames

    def windows(self, clips: Clips) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First frame of every window that is scored, and its clip: `Clips.windows` with this model's settings.

        Where a clip is scored as one, its only window is the whole clip.
        """
        if self.window_frames is None:
            return np.cumsum(clips.lengths) - clips.lengths, np.arange(len(clips))
        return clips.windows(self.settings["frames"], self.settings["hop_frames"] or self.settings["frames"])

    @abstractmethod
    def fit(self, training: Clips, validation: Clips) -> FitResult:
        """Learn from normal clips; validation may hold no clip. Changes no clip.

        Raises UserError where the features or the loss are not finite.
        """

    @abstractmethod
    def window_scores(self, clips: Clips) -> NDArray[np.float64]:
        """Anomaly score of every window, (windows,), in the order of `windows(clips)`.

        A clip's scores depend on that clip alone, not on its company, their order or a batch size. Changes no clip.
        """

    def learn_clip_statistics(self, training: Clips) -> None:
        """The end of `fit`: fill `clip_statistics`, which is saved with the model, where `clip_scores` needs any."""
        self.clip_statistics = {}

    def clip_scores(self, clips: Clips, *, top_k: int) -> dict[str, NDArray[np.float64]]:
        """Anomaly scores of every clip, (clips,) each, by the name of how a clip is scored; `mean` is the primary one.

        Here: `mean`, `max` and `top_k` of a clip's window scores, or `mean` alone where a clip is scored as one; some
        detectors add scores of their own. top_k: how many of the highest window scores the mean of that name is of.
        """
        if self.window_frames is None:
            return {"mean": self.window_scores(clips)}
        return pool(self.window_scores(clips), self.windows(clips)[1], len(clips), top_k=top_k)

    def reconstruct(self, clips: Clips) -> NDArray[np.float32]:
        """The detector's reconstruction of clips, (total frames, n_mels) in dB: the mean over the windows that hold a
        frame, NaN where none does. Only of detectors that reconstruct.
        """
        raise NotImplementedError(f"{self.name()} does not reconstruct")

    @abstractmethod
    def parameter_count(self) -> int | None:
        """How many numbers were learnt; None before training where that is not known beforehand."""

    @abstractmethod
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write name, settings, n_mels, seed and what was learnt. Nothing in the file is code."""

    @classmethod
    @abstractmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "cpu") -> Self:
        """The detector that `save` wrote. Raises UserError where the file is another model's or damaged."""

    def _check_finite(self, clips: Clips, what: str) -> None:
        # A block at a time: of all at once the answer would be a quarter of the frames' size.
        blocks = range(0, len(clips.frames), 2**14)
        if not all(np.isfinite(clips.frames[first : first + 2**14]).all() for first in blocks):
            raise UserError(
                f"{self.name()}: the {what} features hold NaN or infinite values; "
                "extract the section's features again, and leave out the clip that causes them"
            )

    @classmethod
    def _check_name(cls, name: object, path: str | os.PathLike[str]) -> None:
        if name != cls.name():
            raise UserError(f"{path}: holds a model {name!r}, not {cls.name()!r}; remove the file and train again")


def detector_class(name: str) -> type[AnomalyDetector]:
    """The class `Detector` of `mimii.models.<name>`; imports that one model. Raises UserError for an unknown name."""
    if name not in model_names():
        raise UserError(unknown("model", name, model_names()))
    detector: type[AnomalyDetector] = load("mimii.models", name, "Detector")
    return detector
