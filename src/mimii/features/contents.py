"""Do recordings hold what features were made of? Compared by content, as extraction takes it."""

from mimii.common.errors import BadClipError
from mimii.data.recordings import Clip, content_of
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.features.extraction import clip_checksum, read_sound
from mimii.features.file import ClipTable


class SectionContents:
    """The recordings of a section, each read once however many features files they are compared with."""

    def __init__(self, source: DatasetSource, section: Section) -> None:
        """Raises UserError where the recordings cannot be listed."""
        self.source = source
        self.clips = source.clips(section)
        self._checksums: dict[tuple[str, int | str | None], int | None] = {}

    def are_those_of(self, table: ClipTable) -> bool:
        """Whether features of these recordings would have the content that the table's file has."""
        skipped = {path for path, _ in table.skipped()}
        checksums = [
            (clip.path, self._usable_checksum(clip, table) if clip.path in skipped else self._checksum(clip, table))
            for clip in self.clips
        ]
        return content_of(checksums) == table.metadata.recordings.content

    def _checksum(self, clip: Clip, table: ClipTable) -> int | None:
        channel = table.metadata.settings["channel"]
        key = clip.path, None if clip.seconds is None else channel  # that of a part is of its samples
        if key not in self._checksums:
            try:
                self._checksums[key] = clip_checksum(self.source, clip, channel)
            except BadClipError:
                self._checksums[key] = None
        return self._checksums[key]

    def _usable_checksum(self, clip: Clip, table: ClipTable) -> int | None:
        """None where extraction would skip the clip again."""
        settings = table.metadata.settings
        try:
            return read_sound(self.source, clip, settings, settings.get("sample_rate")).checksum
        except BadClipError:
            return None
