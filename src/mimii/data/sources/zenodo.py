"""MIMII public 1.0 as it is published: a rule downloads the archives that the configured sections need.

Which sections there are and what they hold is known beforehand, so nothing has to be on disk while planning.
"""

from mimii.common.errors import UserError
from mimii.data import published as official
from mimii.data.archive import list_archive, verify
from mimii.data.downloaded import DownloadedSource
from mimii.data.published import PublishedArchive
from mimii.data.recordings import Format, Recording, digest
from mimii.data.sections import Section
from mimii.data.selection import select_sections
from mimii.data.split import check_counts, count_tested


class Source(DownloadedSource):
    """Features depend on the published MD5 alone."""

    downloads = True

    def sections(self) -> list[Section]:
        """MIMII's sections that pass the filters. Raises UserError where a filter's value selects nothing."""
        return select_sections(official.sections(), self.config, "MIMII")

    def archive(self, section: Section) -> PublishedArchive:
        """The archive that holds a section. Raises UserError for a section that is not MIMII's."""
        if official.clip_counts(section) is None:
            raise UserError(f"section {section} is not MIMII's; there are {', '.join(map(str, official.sections()))}")
        return official.archives()[section.snr, section.machine]

    def archive_names(self, section: Section) -> list[str]:
        return [self.archive(section).name]

    def address(self, archive: str) -> str:
        return str(self.settings["address"]).replace("{archive}", archive)

    def published_archive(self, archive: str) -> PublishedArchive:
        return next(published for published in official.archives().values() if published.name == archive)

    def fingerprint(self, section: Section) -> str:
        """Hash of the archive's MD5 and the section's name."""
        return digest([self.archive(section).md5, section.path, *self.choices()])

    def check(self, section: Section) -> None:
        """Raise UserError where too few clips were published."""
        counts = official.clip_counts(section) or {"normal": 0, "abnormal": 0}
        tested = min(count_tested(counts["normal"], counts["abnormal"], self.tested), counts["normal"])
        spare = counts["normal"] - tested
        check_counts(section, spare, tested, counts["abnormal"], self.what_to_do, settable=True)

    def list_section(self, section: Section) -> list[Recording]:
        """Raises UserError where the archive is missing, damaged or not the published one."""
        archive = self.archive(section)
        path = self.archive_path(archive.name)
        verify(path, archive.md5)
        by_id = list_archive(str(path), section.snr, section.machine)
        if section.id not in by_id:
            raise UserError(f"archive {str(path)!r} holds no recording of {section.id}")
        return by_id[section.id]

    def format(self) -> Format:
        """10 s at 16 kHz from eight microphones: Purohit et al., arXiv:1909.09347."""
        return Format(rate=16_000, channels=8, samples=160_000)

    def published_counts(self, section: Section) -> dict[str, int] | None:
        return official.clip_counts(section)
