"""Base of the datasets whose recordings lie in folders and archives."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from mimii.data.archive import open_archive
from mimii.data.recordings import LABELS, Clip, Recording, digest, ordered_clips
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.data.split import check_counts


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
        """Hash over the section's recordings: path, size and stamp, and what the dataset says of each."""
        return digest(
            (r.path, r.size, r.stamp, r.label, r.split, r.domain, r.attributes) for r in self.recordings(section)
        )

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
        recordings = {recording.path: recording for recording in self.recordings(section)}
        if not any(recording.split for recording in recordings.values()):
            clips = ordered_clips(*([r.path for r in recordings.values() if r.label == label] for label in LABELS))
        else:
            clips = [Clip(r.path, r.label, r.split) for r in recordings.values() if r.split is not None]
            if len(clips) != len(recordings):
                raise ValueError(f"{self.name}: either all recordings of {section} have a split, or none")
            order = [("train", "normal"), ("test", "normal"), ("test", "abnormal")]
            clips.sort(key=lambda clip: order.index((clip.split, clip.label)))
        return [
            replace(clip, domain=recordings[clip.path].domain, attributes=recordings[clip.path].attributes)
            for clip in clips
        ]

    def open(self, clip: Clip) -> str | BinaryIO:
        """The clip's path, or its content where it lies in an archive."""
        recording = self._by_path[clip.path]
        if recording.archive is None:
            return recording.file
        return open_archive(recording.archive).read(recording.file)
