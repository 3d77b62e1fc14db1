"""Base of the datasets whose recordings lie in folders and archives."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, BinaryIO

from mimii.common.errors import BadClipError
from mimii.data.archive import Archive
from mimii.data.recordings import LABELS, Clip, Recording, digest, ordered_clips
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.data.split import AS_MANY, Tested, check_counts, in_order


@dataclass(frozen=True)
class Part:
    """What becomes a clip: a recording, or `seconds` of it from `start` on. path: of the clip."""

    path: str
    recording: Recording
    start: float = 0.0
    seconds: float | None = None

    def described(self, clip: Clip) -> Clip:
        """`clip` with all that is known of it."""
        own = self.recording
        return replace(clip, domain=own.domain, attributes=own.attributes, start=self.start, seconds=self.seconds)


def whole_recordings(recordings: Iterable[Recording]) -> list[Part]:
    """Each recording as one clip."""
    return [Part(recording.path, recording) for recording in recordings]


class RecordedSource(DatasetSource):
    """A dataset whose recordings are there already: a subclass says which, and the rest follows."""

    what_to_do = (
        "Add recordings, set dataset.split, or leave the section out by dataset.snrs, dataset.machines or dataset.ids"
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.root = str(config["root"])
        self._listed: dict[Section, list[Recording]] = {}
        self._by_path: dict[str, Recording] = {}
        self._open_archives: dict[str, Archive] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The dataset's own part of the configuration, under its name, such as `dataset.dcase`."""
        settings: dict[str, Any] = self.config[self.name]
        return settings

    @abstractmethod
    def list_section(self, section: Section) -> list[Recording]:
        """All recordings of a section, in any order. Raises UserError on what cannot be listed."""

    def recordings(self, section: Section) -> list[Recording]:
        """The section's recordings by path, listed once."""
        if section not in self._listed:
            self._listed[section] = sorted(self.list_section(section), key=attrgetter("path", "label", "file"))
        return self._listed[section]

    def inputs(self, section: Section) -> list[str]:
        """None: the recordings are there already."""
        return []

    @property
    def tested(self) -> Tested:
        """How many normal clips are tested, where the dataset has no split of its own: `dataset.split`."""
        tested: Tested = self.config.get("split", AS_MANY)
        return tested

    @property
    def clip_seconds(self) -> float | None:
        """How long the clips are that recordings are cut into: `dataset.clip_seconds`; None: a recording is a clip."""
        seconds: float | None = self.config.get("clip_seconds")
        return seconds

    def choices(self) -> list[object]:
        """What decides which clips a recording is and which are tested, for fingerprints."""
        return [self.tested, self.clip_seconds]

    def fingerprint(self, section: Section) -> str:
        """Hash over the section's recordings: path, size and stamp, and what the dataset says of each."""
        recordings = self.recordings(section)
        return digest(
            [*self.choices()]
            + [(r.path, r.size, r.stamp, r.label, r.split, r.domain, r.attributes) for r in recordings]
        )

    def check(self, section: Section) -> None:
        """Raise UserError where the section has too few clips."""
        recordings = self.recordings(section)
        counts = Counter((clip.split, clip.label) for clip in self._split(section, whole_recordings(recordings)))
        if self.clip_seconds is not None:
            # How many clips a recording becomes is known once it is opened: extraction counts them.
            labels = {recording.label for recording in recordings}
            if labels == {"normal", "abnormal"}:
                return
        check_counts(
            f"{section} (in {self.root!r})",
            counts["train", "normal"],
            counts["test", "normal"],
            counts["test", "abnormal"],
            self.what_to_do,
            settable=not any(recording.split for recording in recordings),
        )

    def clips(self, section: Section) -> list[Clip]:
        """The section's clips: from names alone, or from the recordings' lengths where these are cut."""
        recordings = self.recordings(section)
        if self.clip_seconds is None:
            return self._described(section, whole_recordings(recordings))
        return self._described(section, [part for recording in recordings for part in self._parts(recording)])

    def _parts(self, recording: Recording) -> list[Part]:
        """The clips that a recording is cut into, without what is left at its end; one too short is a clip itself."""
        from mimii.data.audio import read_header  # not needed while planning

        assert self.clip_seconds is not None
        try:
            rate, _, samples = read_header(self.content(recording), name=recording.file)
        except BadClipError:
            return [Part(recording.path, recording)]  # said when it is read
        count = samples // max(1, round(self.clip_seconds * rate))
        if count == 0:
            return [Part(recording.path, recording)]
        starts = [number * self.clip_seconds for number in range(count)]
        return [Part(f"{recording.path}#t={start:09.3f}", recording, start, self.clip_seconds) for start in starts]

    def _described(self, section: Section, parts: Sequence[Part]) -> list[Clip]:
        """The clips with all that is known of them."""
        by_path = {part.path: part for part in parts}
        self._by_path.update({part.path: part.recording for part in parts})
        return [by_path[clip.path].described(clip) for clip in self._split(section, parts)]

    def _split(self, section: Section, parts: Sequence[Part]) -> list[Clip]:
        """The clips with their part of the split, in the order of the features."""
        domains = {part.path: part.recording.domain for part in parts}
        if not any(part.recording.split for part in parts):
            names = {label: [part.path for part in parts if part.recording.label == label] for label in LABELS}
            return ordered_clips(names["normal"], names["abnormal"], self.tested, domains)
        clips = [Clip(p.path, p.recording.label, p.recording.split) for p in parts if p.recording.split is not None]
        if len(clips) != len(parts):
            raise ValueError(f"{self.name}: either all recordings of {section} have a split, or none")
        of_path = {clip.path: clip for clip in clips}
        kinds = [("train", "normal"), ("test", "normal"), ("test", "abnormal")]
        names_of = [[clip.path for clip in clips if (clip.split, clip.label) == kind] for kind in kinds]
        return [of_path[name] for own in names_of for name in in_order(own, domains)]

    def open(self, clip: Clip) -> str | BinaryIO:
        """The clip's path, or its content where it lies in an archive."""
        return self.content(self._by_path[clip.path])

    def content(self, recording: Recording) -> str | BinaryIO:
        """The path of a recording, or what it holds where it lies in an archive."""
        if recording.archive is None:
            return recording.file
        if recording.archive not in self._open_archives:  # opening one reads its whole list of members
            self._open_archives[recording.archive] = Archive(recording.archive)
        return self._open_archives[recording.archive].read(recording.file)
