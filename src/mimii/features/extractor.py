"""What every extractor of features is, and how one is found by the setting `features.extractor`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mimii.common.lookup import load

DEFAULT = "log_mel"  # of runs of earlier versions, too, whose settings name no extractor


class FeatureExtractor(ABC):
    """Makes frames of clips with one set of settings.

    uses_network: whether it computes with torch, from a checkpoint. libraries: the distributions that compute, beside
    those that read recordings. sample_rate: that samples must have, Hz. clips_at_once: how many clips are best given to
    `frames` together. checkpoint_sha256s: of each file of its network, by its name.
    """

    uses_network: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]]
    sample_rate: int
    clips_at_once: int = 1
    checkpoint_sha256s: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def __init__(
        self, settings: Mapping[str, Any], *, checkpoint: str | Path | None = None, device: str = "cpu"
    ) -> None:
        """settings: all of the extractor's. checkpoint: folder of its network; device: that computes; where it has one.

        Raises UserError where the settings contradict each other, or the checkpoint is not the one of the settings.
        """

    @staticmethod
    @abstractmethod
    def refusal(settings: Mapping[str, Any], samples: int, rate: int) -> str | None:
        """Why no frames can be made of a clip of so many samples at `rate` Hz, and what to do; None where they can."""

    @abstractmethod
    def frames(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """(frames, values) of each clip. clips: (samples,) each, in [-1, 1], at `sample_rate`; none that is refused."""


def extractor_class(name: str) -> type[FeatureExtractor]:
    """The class `Extractor` of `mimii.features.<name>`; imports that one extractor."""
    extractor: type[FeatureExtractor] = load("mimii.features", name, "Extractor")
    return extractor
