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
from mimii.split import split_normal

FILTERS = {"snrs": "snr", "machines": "machine", "ids": "id"}


@dataclass(frozen=True)
class Clip:
    """One recording of a section.

    path: relative to the dataset's root, with '/'.
    """

    path: str
    label: Literal["normal", "abnormal"]
    split: Literal["train", "test"]


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
    Raises UserError where a filter's value selects nothing.
    """
    found = sorted(set(sections))
    selected = [s for s in found if all(passes(config, key, getattr(s, part)) for key, part in FILTERS.items())]
    for key, part in FILTERS.items():
        if config[key] == "all":
            continue
        known = sorted({str(getattr(section, part)) for section in found})
        for value in config[key]:
            if value not in known:
                raise UserError(
                    f"dataset.{key}: {value!r} is not in {where}{nearest(str(value), known)}; "
                    f"there are {', '.join(known) or 'none'}"
                )
            if value not in {getattr(section, part) for section in selected}:
                raise UserError(
                    f"dataset.{key}: {value!r} is in {where}, but in no section that the other filters select; "
                    "change dataset.snrs, dataset.machines or dataset.ids"
                )
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
