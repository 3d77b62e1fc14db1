"""What a section is made of: recordings as a dataset lists them, and clips with their part of the split."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import xxhash

from mimii.common.errors import BadClipError
from mimii.common.records import Record
from mimii.data.split import AS_MANY, Tested, split_normal

Label = Literal["normal", "abnormal"]
Split = Literal["train", "test"]
Domain = Literal["source", "target"]
LABELS: tuple[Label, Label] = ("normal", "abnormal")


@dataclass(frozen=True)
class Clip:
    """One recording of a section, or a part of a long one.

    path: its name in features and scores, with '/'; the same for every layout that a dataset may have on disk.
    domain: "source" or "target", where the dataset says so. attributes: what else it says of a recording, such as
    `vel_21`; "" where it says nothing. start, seconds: the part of the recording; all of it where `seconds` is None.
    """

    path: str
    label: Label
    split: Split
    domain: Domain | None = None
    attributes: str = ""
    start: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True)
class Recording:
    """A clip as a folder or an archive lists it.

    path: as in `Clip`. file: where it is, a path, or the name of a member where `archive` is the path of a zip file.
    size: bytes. stamp: what changes with the content: time of the last change in ns, or a member's CRC-32.
    split: where the dataset fixes it itself; None for the benchmark's own. domain, attributes: as in `Clip`.
    """

    path: str
    label: Label
    file: str
    size: int
    stamp: int
    split: Split | None = None
    archive: str | None = None
    domain: Domain | None = None
    attributes: str = ""


@dataclass(frozen=True)
class Format:
    """What every recording of a dataset is like. rate: Hz. samples: of each channel."""

    rate: int
    channels: int
    samples: int


def count_rates(formats: Mapping[Format, int]) -> Counter[int]:
    """Sample rates in Hz, and how many recordings have each."""
    rates = Counter[int]()
    for known, count in formats.items():
        rates[known.rate] += count
    return rates


@dataclass(frozen=True)
class Recordings(Record):
    """Which recordings of a section something was made of.

    listed: fingerprint of their names, sizes and stamps, which planning knows without opening any. content: fingerprint
    of the bytes that were read.
    """

    listed: str
    content: str


def content_of(checksums: Iterable[tuple[str, int | None]]) -> str:
    """`Recordings.content` from the path and the `checksum` of each recording (None where it could not be read)."""
    return digest(sorted(checksums))


def checksum(content: bytes | memoryview) -> int:
    """64 bits of the bytes of one recording, which find what changed by accident (XXH3): in a tenth of the time of
    SHA-256 and a sixth of that of CRC-32, which took a quarter of the time of the features.
    """
    return xxhash.xxh3_64_intdigest(content)


class TrainedSounds:
    """What the training clips of a section hold, to find test clips that hold the same under another name."""

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}

    def fault(self, clip: Clip, heard: int | None) -> BadClipError | None:
        """Why a test clip cannot be used. Clips come in the order of the features; heard: its `heard_checksum`."""
        if heard is None:
            return None
        if clip.split == "train":
            self._paths.setdefault(heard, clip.path)
        elif heard in self._paths:
            return BadClipError(
                f"{clip.path}: holds the same as the training clip {self._paths[heard]}, so it would be trained on; "
                "remove one of the two (of a table, its line)"
            )
        return None


def ordered_clips(
    normal: Iterable[str],
    abnormal: Iterable[str],
    tested: Tested = AS_MANY,
    domains: Mapping[str, str | None] | None = None,
) -> list[Clip]:
    """Clips with the benchmark's own split, in the order of the features: train, normal test, abnormal test.

    tested: how many normal clips are test clips, as in `split.count_tested`. domains: of the clips that have one.
    """
    bad = sorted(abnormal)
    train, test = split_normal(list(normal), len(bad), tested, domains)
    return (
        [Clip(path, "normal", "train") for path in train]
        + [Clip(path, "normal", "test") for path in test]
        + [Clip(path, "abnormal", "test") for path in bad]
    )


def digest(parts: Iterable[object]) -> str:
    """Hash of a sequence of plain values."""
    return hashlib.sha256(repr(list(parts)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
