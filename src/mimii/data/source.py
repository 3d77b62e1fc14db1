"""What a dataset must answer. A dataset is one file in `sources/`, which holds `Source`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, BinaryIO

from mimii.data.recordings import Clip, Format
from mimii.data.sections import Section


class DatasetSource(ABC):
    """A dataset, as the workflow sees it.

    The first four questions are asked while the workflow is planned: they import nothing heavy and open no clip.
    The last two are asked in the job that extracts a section's features.
    """

    # Whether a rule of the workflow downloads archives (`DownloadedSource`).
    downloads: bool = False

    def __init__(self, config: Mapping[str, Any]) -> None:
        """config: the `dataset` part of the configuration."""
        self.config = config
        self.name: str = config["source"]

    @abstractmethod
    def sections(self) -> list[Section]:
        """The sections that the configuration selects, sorted; at least one. Raises UserError."""

    @abstractmethod
    def inputs(self, section: Section) -> list[str]:
        """Files or folders that rules of the workflow make and that `section`'s features are made from."""

    @abstractmethod
    def fingerprint(self, section: Section) -> str:
        """Changes when a clip of `section` is added, removed or changed. Raises UserError on clips it cannot stat."""

    @abstractmethod
    def check(self, section: Section) -> None:
        """Raise UserError where it is known already that `section` has too few clips."""

    @abstractmethod
    def clips(self, section: Section) -> list[Clip]:
        """All clips: training, then normal test clips, then abnormal ones, `in_order` (`split`). Raises UserError."""

    @abstractmethod
    def open(self, clip: Clip) -> str | BinaryIO:
        """A path or a binary file with `seek`, as `soundfile.SoundFile` takes it; the caller closes a file."""

    def has_domains(self, section: Section) -> bool:
        """Whether some recordings are of a source or target domain; asked while the workflow is planned."""
        return False

    def published_counts(self, section: Section) -> Mapping[str, int] | None:
        """How many "normal" and "abnormal" clips were published, named 00000000.wav onwards; None if that is not known.

        `check_dataset` compares with it.
        """
        return None

    def format(self) -> Format | None:
        """What is known of every recording before any is there; None where that is nothing."""
        return None

    def published(self) -> list[Section]:
        """The sections that were published, where that is known; `check_dataset` names those that are not there."""
        return []
