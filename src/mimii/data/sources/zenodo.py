"""MIMII public 1.0 as it is published: a rule downloads the archives that the configured sections need.

Which sections there are and what they hold is known beforehand, so nothing has to be on disk while planning.
"""

from pathlib import Path

from mimii.common.errors import UserError
from mimii.data import published as official
from mimii.data.archive import list_archive, verify
from mimii.data.published import PublishedArchive
from mimii.data.recorded import RecordedSource
from mimii.data.recordings import Format, Recording, digest
from mimii.data.sections import Section
from mimii.data.selection import select_sections
from mimii.data.split import check_counts


class Source(RecordedSource):
    """Recordings in archives under the root, which may come and go: features depend on the published MD5 alone."""

    def sections(self) -> list[Section]:
        """MIMII's sections that pass the filters. Raises UserError where a filter's value selects nothing."""
        return select_sections(official.sections(), self.config, "MIMII")

    def archive(self, section: Section) -> PublishedArchive:
        """The archive that holds a section. Raises UserError for a section that is not MIMII's."""
        if official.clip_counts(section) is None:
            raise UserError(f"section {section} is not MIMII's; there are {', '.join(map(str, official.sections()))}")
        return official.archives()[section.snr, section.machine]

    def archives(self) -> list[PublishedArchive]:
        """The archives that the configured sections need, each once."""
        return list(dict.fromkeys(self.archive(section) for section in self.sections()))

    def archive_path(self, archive: PublishedArchive) -> Path:
        """Where an archive lies once it is downloaded."""
        return Path(self.root, archive.name)

    def fingerprint(self, section: Section) -> str:
        """Hash of the archive's MD5 and the section's name."""
        return digest([self.archive(section).md5, section.path])

    def check(self, section: Section) -> None:
        """Raise UserError where too few clips were published."""
        counts = official.clip_counts(section) or {"normal": 0, "abnormal": 0}
        spare = counts["normal"] - counts["abnormal"]
        check_counts(section, spare, counts["abnormal"], counts["abnormal"], self.what_to_do)

    def list_section(self, section: Section) -> list[Recording]:
        """Raises UserError where the archive is missing, damaged or not the published one."""
        archive = self.archive(section)
        path = self.archive_path(archive)
        verify(path, archive.md5)
        by_id = list_archive(str(path), section.snr, section.machine)
        if section.id not in by_id:
            raise UserError(f"archive {str(path)!r} holds no recording of {section.id}")
        return by_id[section.id]

    def format(self) -> Format:
        """Of Purohit et al., arXiv:1909.09347: 10 s at 16 kHz from eight microphones."""
        return Format(rate=16_000, channels=8, samples=160_000)

    def published_counts(self, section: Section) -> dict[str, int] | None:
        return official.clip_counts(section)
