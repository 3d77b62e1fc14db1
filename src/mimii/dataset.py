"""What a dataset must answer, and finding it by name. A dataset is one file in `datasets/`, which holds `Source`."""

import hashlib
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, BinaryIO, Literal

import mimii.datasets
from mimii.errors import UserError
from mimii.sections import Section
from mimii.split import check_counts, split_normal

FILTERS = {"snrs": "snr", "machines": "machine", "ids": "id"}
LABELS: tuple[Literal["normal"], Literal["abnormal"]] = ("normal", "abnormal")


@dataclass(frozen=True)
class Clip:
    """One recording of a section.

    path: its name in features and scores, with '/'; the same for every layout that a dataset may have on disk.
    """

    path: str
    label: Literal["normal", "abnormal"]
    split: Literal["train", "test"]


@dataclass(frozen=True, order=True)
class Recording:
    """A clip as a folder or an archive lists it.

    path: as in `Clip`. file: where it is, a path, or the name of a member where `archive` is the path of a zip file.
    size: bytes. stamp: what changes with the content: time of the last change in ns, or a member's CRC-32.
    split: where the dataset fixes it itself; None for the benchmark's own.
    """

    path: str
    label: Literal["normal", "abnormal"]
    file: str
    size: int
    stamp: int
    split: Literal["train", "test"] | None = None
    archive: str | None = None


@dataclass(frozen=True)
class Format:
    """What every recording of a dataset is like. rate: Hz. samples: of each channel."""

    rate: int
    channels: int
    samples: int


class DatasetSource(ABC):
    """A dataset, as the workflow sees it.

    The first four questions are asked while the workflow is planned: they import nothing heavy and open no clip.
    The last two are asked in the job that extracts a section's features.
    """

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
        """All clips: training by name, then normal test clips, then abnormal ones. Raises UserError."""

    @abstractmethod
    def open(self, clip: Clip) -> str | BinaryIO:
        """A path or a binary file with `seek`, as `soundfile.SoundFile` takes it; the caller closes a file."""

    def expected(self, section: Section) -> Mapping[str, int] | None:
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


class RecordedSource(DatasetSource):
    """A dataset whose recordings are there already: a subclass says which, and the rest follows."""

    what_to_do = "Add recordings (*.wav), or leave the section out by dataset.snrs, dataset.machines or dataset.ids"

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.root = str(config["root"])
        self._listed: dict[Section, list[Recording]] = {}
        self._by_path: dict[str, Recording] = {}

    @abstractmethod
    def list_section(self, section: Section) -> list[Recording]:
        """All recordings of a section, in any order. Raises UserError on what cannot be listed."""

    def recordings(self, section: Section) -> list[Recording]:
        """The section's recordings by path, listed once."""
        if section not in self._listed:
            self._listed[section] = sorted(self.list_section(section))
            self._by_path.update({recording.path: recording for recording in self._listed[section]})
        return self._listed[section]

    def inputs(self, section: Section) -> list[str]:
        """None: the recordings are there already."""
        return []

    def fingerprint(self, section: Section) -> str:
        """Hash over path, size and stamp of the section's recordings, and their split where the dataset fixes it."""
        return digest((r.path, r.size, r.stamp, r.split) for r in self.recordings(section))

    def check(self, section: Section) -> None:
        """Raise UserError where the section has too few clips."""
        kinds = [(clip.split, clip.label) for clip in self.clips(section)]
        check_counts(
            f"{section} (in {self.root!r})",
            kinds.count(("train", "normal")),
            kinds.count(("test", "normal")),
            kinds.count(("test", "abnormal")),
            self.what_to_do,
        )

    def clips(self, section: Section) -> list[Clip]:
        """The section's clips, from names alone."""
        listed = self.recordings(section)
        if not any(recording.split for recording in listed):
            return ordered_clips(*([r.path for r in listed if r.label == label] for label in LABELS))
        fixed = [Clip(r.path, r.label, r.split) for r in listed if r.split is not None]
        if len(fixed) != len(listed):
            raise ValueError(f"{self.name}: either all recordings of {section} have a split, or none")
        order = [("train", "normal"), ("test", "normal"), ("test", "abnormal")]
        return sorted(fixed, key=lambda clip: order.index((clip.split, clip.label)))

    def open(self, clip: Clip) -> str | BinaryIO:
        """The clip's path, or its content where it lies in an archive."""
        recording = self._by_path[clip.path]
        if recording.archive is None:
            return recording.file
        from mimii.archive import open_archive

        return open_archive(recording.archive).read(recording.file)


def source_names() -> list[str]:
    """Names that `dataset.source` may have."""
    return sorted(module.name for module in pkgutil.iter_modules(mimii.datasets.__path__))


def open_source(config: Mapping[str, Any]) -> DatasetSource:
    """The dataset of the configuration.

    config: its `dataset` part: source (a file of `datasets/`), root, snrs, machines, ids ("all" or a list), and what
    the source itself reads, in a key of the source's name.
    Raises UserError on an unknown source.
    """
    name = config["source"]
    if name not in source_names():
        raise UserError(
            f"dataset.source: unknown source {name!r}{nearest(str(name), source_names())}; "
            f"known are {', '.join(source_names())}"
        )
    source: DatasetSource = importlib.import_module(f"mimii.datasets.{name}").Source(config)
    return source


def ordered_clips(normal: Iterable[str], abnormal: Iterable[str]) -> list[Clip]:
    """Clips with the benchmark's own split, in the order of the features: train, normal test, abnormal test."""
    bad = sorted(abnormal)
    train, test = split_normal(list(normal), len(bad))
    return (
        [Clip(path, "normal", "train") for path in train]
        + [Clip(path, "normal", "test") for path in test]
        + [Clip(path, "abnormal", "test") for path in bad]
    )


def select_sections(sections: Iterable[Section], config: Mapping[str, Any], where: str) -> list[Section]:
    """The sections that the filters `snrs`, `machines` and `ids` let pass, sorted.

    where: what the sections were found in, for messages.
    Raises UserError, with a line for each, where a filter's values select nothing.
    """
    found = sorted(set(sections))
    selected = [s for s in found if all(passes(config, key, getattr(s, part)) for key, part in FILTERS.items())]
    unknown, unselected = [], []
    for key, part in FILTERS.items():
        known = sorted({str(getattr(section, part)) for section in found})
        for value in config[key] if config[key] != "all" else ():
            if value not in known:
                unknown.append(
                    f"dataset.{key}: {value!r} is not in {where}{nearest(str(value), known)}; "
                    f"there are {', '.join(known) or 'none'}"
                )
            elif value not in {getattr(section, part) for section in selected}:
                unselected.append(
                    f"dataset.{key}: {value!r} is in {where}, but in no section that the other filters select; "
                    "change dataset.snrs, dataset.machines or dataset.ids"
                )
    # What is not there at all may be why the other filters select nothing.
    if faults := unknown or unselected:
        raise UserError("\n".join(faults))
    if not selected:
        raise UserError(f"dataset: no sections in {where}")
    return selected


def passes(config: Mapping[str, Any], key: str, name: str) -> bool:
    """Whether the filter `key` ("all" or a list of names) lets `name` pass."""
    wanted: str | Sequence[str] = config[key]
    return wanted == "all" or name in wanted


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'fan'?`, or nothing."""
    matches = get_close_matches(name, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def digest(parts: Iterable[object]) -> str:
    """Hash of a sequence of plain values."""
    return hashlib.sha256(repr(list(parts)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
