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
from mimii.features.clips import Clips


@dataclass(frozen=True)
class FitResult:
    """What came of a training.

    losses: one dict per epoch (epoch from 1, training_loss, validation_loss or None); empty where nothing is iterated.
    training_windows: how many windows were fitted on.
    epochs_run, kept_epoch: epochs trained, and the one whose weights are kept; None where nothing is iterated.
    peak_gpu_memory_mb: highest memory of this process's tensors on the GPU, in MB (10^6 bytes); None on a CPU.
    """

    training_windows: int
    losses: list[dict[str, Any]] = field(default_factory=list)
    epochs_run: int | None = None
    kept_epoch: int | None = None
    peak_gpu_memory_mb: float | None = None


class AnomalyDetector(ABC):
    """Learns what normal clips of one section sound like, and scores windows: higher = more anomalous."""

    suffix: ClassVar[str]

    def __init__(self, settings: Mapping[str, Any], n_mels: int, *, seed: int, device: str = "cpu") -> None:
        """settings: every setting that the model declares, each in its range; n_mels: mel bands of the features.

        Raises UserError where the settings do not fit each other or n_mels, so before any training.
        """
        if found := check_model_settings(self.name(), settings, n_mels):
            raise UserError("\n".join(f"{self.name()}: {line}" for line in found))
        self.settings = dict(settings)
        self.n_mels = n_mels
        self.seed = seed
        self.device = device

    @classmethod
    def name(cls) -> str:
        """The model's name: that of its file."""
        return cls.__module__.rpartition(".")[2]

    def windows(self, clips: Clips) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First frame of every window that is scored, and its clip: `Clips.windows` with this model's settings."""
        return clips.windows(self.settings["frames"], self.settings["hop_frames"])

    @abstractmethod
    def fit(self, training: Clips, validation: Clips) -> FitResult:
        """Learn from normal clips. Owns both arrays and may change them in place; validation may hold no clip.

        Raises UserError where the features or the loss are not finite.
        """

    @abstractmethod
    def window_scores(self, clips: Clips) -> NDArray[np.float64]:
        """Anomaly score of every window, (windows,), in the order of `windows(clips)`.

        A clip's scores depend on that clip alone, not on its company, their order or a batch size. Changes no clip.
        """

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
        if not np.isfinite(clips.frames).all():
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
