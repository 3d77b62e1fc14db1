"""What a section is made of: recordings as a dataset lists them, and clips with their part of the split."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mimii.data.split import split_normal

LABELS: tuple[Literal["normal"], Literal["abnormal"]] = ("normal", "abnormal")


@dataclass(frozen=True)
class Clip:
    """One recording of a section.

    path: its name in features and scores, with '/'; the same for every layout that a dataset may have on disk.
    domain: "source" or "target", where the dataset says so. attributes: what else it says of a recording, such as
    `vel_21`; "" where it says nothing.
    """

    path: str
    label: Literal["normal", "abnormal"]
    split: Literal["train", "test"]
    domain: Literal["source", "target"] | None = None
    attributes: str = ""


@dataclass(frozen=True, order=True)
class Recording:
    """A clip as a folder or an archive lists it.

    path: as in `Clip`. file: where it is, a path, or the name of a member where `archive` is the path of a zip file.
    size: bytes. stamp: what changes with the content: time of the last change in ns, or a member's CRC-32.
    split: where the dataset fixes it itself; None for the benchmark's own. domain, attributes: as in `Clip`.
    """

    path: str
    label: Literal["normal", "abnormal"]
    file: str
    size: int
    stamp: int
    split: Literal["train", "test"] | None = None
    archive: str | None = None
    domain: Literal["source", "target"] | None = None
    attributes: str = ""


@dataclass(frozen=True)
class Format:
    """What every recording of a dataset is like. rate: Hz. samples: of each channel."""

    rate: int
    channels: int
    samples: int


def ordered_clips(normal: Iterable[str], abnormal: Iterable[str]) -> list[Clip]:
    """Clips with the benchmark's own split, in the order of the features: train, normal test, abnormal test."""
    bad = sorted(abnormal)
    train, test = split_normal(list(normal), len(bad))
    return (
        [Clip(path, "normal", "train") for path in train]
        + [Clip(path, "normal", "test") for path in test]
        + [Clip(path, "abnormal", "test") for path in bad]
    )


def digest(parts: Iterable[object]) -> str:
    """Hash of a sequence of plain values."""
    return hashlib.sha256(repr(list(parts)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
