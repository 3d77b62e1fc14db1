"""Base of the datasets whose archives a rule of the workflow can download from Zenodo."""

from abc import abstractmethod
from pathlib import Path

from mimii.data.published import PublishedArchive
from mimii.data.recorded import RecordedSource
from mimii.data.sections import Section


class DownloadedSource(RecordedSource):
    """Recordings in archives under the root, which may come and go. Its settings have `keep_archives`."""

    @abstractmethod
    def archive_names(self, section: Section) -> list[str]:
        """The archives that hold a section. Raises UserError for a section that was not published."""

    @abstractmethod
    def address(self, archive: str) -> str:
        """Where an archive is downloaded from."""

    @abstractmethod
    def published_archive(self, archive: str) -> PublishedArchive:
        """Size and MD5 of an archive; may ask the server that publishes it. Raises UserError."""

    def all_archive_names(self) -> list[str]:
        """The archives that the configured sections need, each once."""
        return list(dict.fromkeys(name for section in self.sections() for name in self.archive_names(section)))

    def archive_path(self, archive: str) -> Path:
        """Where an archive lies once it is downloaded."""
        return Path(self.root, archive)

    def kept_together(self) -> list[PublishedArchive]:
        """The archives that have to fit on the disk side by side."""
        return [self.published_archive(name) for name in self.all_archive_names() if self.settings["keep_archives"]]
