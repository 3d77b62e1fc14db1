"""DCASE task 2, 2020 to 2026, with the split, domains and attributes that it comes with.

Papers: arXiv 2006.05822 (2020), 2106.04492 (2021), 2206.05876 (2022), 2305.07828 (2023), 2406.07250 (2024), 2506.10097
(2025). A machine type lies in archives as they were published, or unpacked: `<root>/fan/{train,test}/...`, below
`dev_data` and `eval_data`, or below a folder of the archive's name. There is no SNR: dcase2024 stands in its place.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimii.common.errors import UserError
from mimii.common.problems import ProblemsError
from mimii.data.archive import list_members, read_record, verify
from mimii.data.dcase_years import PARTS, ClipName, Part, RecordArchive, Year
from mimii.data.downloaded import DownloadedSource
from mimii.data.folders import audio_files, subfolders
from mimii.data.published import PublishedArchive
from mimii.data.recordings import Recording, Split, digest
from mimii.data.sections import Section
from mimii.data.selection import select_sections, selects_name

SPLITS: dict[str, Split] = {"train": "train", "test": "test", "source_test": "test", "target_test": "test"}
# What the organisers' baseline and toolkits unpack into.
HOLDERS = ("", "dev_data", "eval_data", "dev_data/raw", "eval_data/raw")


@dataclass(frozen=True)
class ListedClip:
    """A recording as a folder or an archive lists it. name: what its name says; the rest as in `Recording`."""

    name: ClipName
    split: Split
    path: str
    file: str
    size: int
    stamp: int
    archive: str | None = None


class Source(DownloadedSource):
    """One section for each section (2020: machine ID) of a machine type."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises UserError where the configuration does not say which year."""
        super().__init__(config)
        if self.settings["year"] is None:
            raise ProblemsError.of("dataset.dcase.year", "say which year's data these are, 2020 to 2026")
        self.year = Year(self.settings["year"])
        self.snr = f"dcase{self.year.number}"
        self._types: dict[str, list[ListedClip]] = {}

    @property
    def downloads(self) -> bool:  # type: ignore[override]
        """Whether the archives are downloaded as they are needed."""
        return bool(self.settings["download"])

    @property
    def parts(self) -> list[Part]:
        """Development data, evaluation data, or both."""
        return [part for part in PARTS if self.settings["data"] in (part, "all")]

    def sections(self) -> list[Section]:
        """Those that are there and pass the filters; with downloads, those that were published. Raises UserError."""
        where = f"DCASE {self.year.number} task 2 ({self.settings['data']} data)"
        if self.downloads:
            return select_sections(self._published(), self.config, where)
        if not Path(self.root).is_dir():
            raise ProblemsError.of(
                "dataset.root",
                f"there is no folder {self.root!r}; set it to the folder that holds the archives, or what is in them",
            )
        sections = []
        for machine in self._machines():
            if selects_name(self.config, "machines", machine):
                ids = {clip.name.id for clip in self._list_type(machine)}
            else:
                # What the filters leave out is not looked into; messages name it as if it held what was published.
                ids = set(self._ids(machine)) if self._is_there(machine) else set()
            sections += [Section(self.snr, machine, id) for id in ids]
        if not sections:
            machine = self._machines()[0]
            archive = self.year.archives(self.parts[0], machine)[0]
            raise ProblemsError.of(
                "dataset.root",
                f"no recordings of {where} in {self.root!r}; expected {machine}/{{train,test}}/*.wav and so on, or "
                f"archives such as {archive.place}",
            )
        return select_sections(sections, self.config, f"{where} in {self.root!r}")

    def published(self) -> list[Section]:
        return self._published()

    def archive_names(self, section: Section) -> list[str]:
        return [archive.name for archive in self._archives_of(section)]

    def address(self, archive: str) -> str:
        address = str(self.settings["address"]).replace("{archive}", archive)
        return address.replace("{record}", str(self._record_of(archive)))

    def published_archive(self, archive: str) -> PublishedArchive:
        """As the listing of its Zenodo record has it. Raises UserError where the listing cannot be had."""
        from mimii.data.download import read_listing  # planning needs no requests

        record = self._record_of(archive)
        address = str(self.settings["listing"]).replace("{record}", str(record))
        listing = read_listing(address, Path(self.root, f".zenodo_{record}.json"))
        if archive not in listing:
            raise UserError(f"{address}: the record does not list {archive}; it has {', '.join(sorted(listing))}")
        return listing[archive]

    def fingerprint(self, section: Section) -> str:
        """As everywhere; with downloads, of the archives, labels and attributes.

        The record's number stands for the recordings: Zenodo gives changed files another number.
        """
        if self.downloads:
            published: list[object] = [(archive.name, archive.record) for archive in self._archives_of(section)]
            labels = sorted(self._labels(section).items()) if self._part(section) == "evaluation" else []
            return digest(
                [*published, section.path, labels, sorted(self._later_attributes(section).items()), *self.choices()]
            )
        return super().fingerprint(section)

    def check(self, section: Section) -> None:
        """Raise UserError where the section has too few clips; what is not there at all is named with its address."""
        if self.downloads:
            if self._part(section) == "evaluation":
                self._labels(section)
            return
        there = {recording.split for recording in self.recordings(section)}
        for split in ("train", "test"):
            if split not in there:
                places = [archive.place for archive in self._archives_of(section) if archive.split in (None, split)]
                raise UserError(
                    f"section {section}: none of its {split} recordings are in {self.root!r}; they are in {places[0]}"
                )
        super().check(section)

    def list_section(self, section: Section) -> list[Recording]:
        """Raises UserError on recordings without a published label, and on archives that changed since they came."""
        if self.downloads:
            for archive in self._archives_of(section):
                path = self.archive_path(archive.name)
                verify(path, str((read_record(path) or {}).get("md5", "")))
        clips = [clip for clip in self._list_type(section.machine) if clip.name.id == section.id]
        labels = self._labels(section) if any(own.name.label is None for own in clips) else {}
        attributes = self._later_attributes(section)
        return [self._recording(own, labels, attributes) for own in clips]

    def _recording(self, clip: ListedClip, labels: Mapping[str, ClipName], attributes: Mapping[str, str]) -> Recording:
        name = clip.name
        if name.label is None:
            published = name.name
            if published not in labels:
                raise UserError(f"{clip.file!r}: {self.year.labels_file} in {self.root!r} has no label of it")
            name = labels[published]
        assert name.label is not None
        return Recording(
            clip.path,
            name.label,
            clip.file,
            clip.size,
            clip.stamp,
            clip.split,
            clip.archive,
            name.domain,
            name.attributes or attributes.get(name.name, ""),
        )

    def _machines(self) -> list[str]:
        return list(dict.fromkeys(machine for part in self.parts for machine in self.year.types(part)))

    def _ids(self, machine: str) -> list[str]:
        return [id for part in self.parts for id in self.year.ids(part, machine)]

    def _published(self) -> list[Section]:
        return [Section(self.snr, machine, id) for machine in self._machines() for id in self._ids(machine)]

    def _part(self, section: Section) -> Part:
        """Raises UserError for a section that was not published."""
        part = self.year.part_of(section.machine, section.id)
        if part is None or section.snr != self.snr:
            raise UserError(f"section {section} is not one of DCASE {self.year.number} task 2")
        return part

    def _archives_of(self, section: Section) -> list[RecordArchive]:
        return self.year.archives(self._part(section), section.machine)

    def _archives_of_part(self, part: Part) -> Iterator[RecordArchive]:
        for machine in self.year.types(part):
            yield from self.year.archives(part, machine)

    def _record_of(self, archive: str) -> int:
        return next(own.record for part in PARTS for own in self._archives_of_part(part) if own.name == archive)

    def _labels(self, section: Section) -> dict[str, ClipName]:
        return self.year.labels(Path(self.root), section.machine, section.id)

    def _later_attributes(self, section: Section) -> dict[str, str]:
        return self.year.later_attributes(Path(self.root), self._part(section), section.machine, section.id)

    def _is_there(self, machine: str) -> bool:
        archives = [archive for part in self.parts for archive in self.year.archives(part, machine)]
        return any(Path(self.root, archive.name).exists() for archive in archives) or any(self._folders(machine))

    def _list_type(self, machine: str) -> list[ListedClip]:
        """A machine type's recordings in the configured parts. Raises UserError where one is there twice."""
        if machine not in self._types:
            by_name: dict[str, ListedClip] = {}
            for clip in self._every(machine):
                other = by_name.setdefault(f"{clip.split}/{clip.name.name}", clip)
                if other is not clip:
                    places = " and in ".join(repr(own.archive or own.file) for own in (other, clip))
                    raise UserError(f"{clip.path!r} is there twice, in {places}: remove one of them")
            wanted = self._ids(machine)
            self._types[machine] = [clip for clip in by_name.values() if clip.name.id in wanted]
        return self._types[machine]

    def _every(self, machine: str) -> Iterator[ListedClip]:
        for folder in () if self.downloads else self._folders(machine):
            for name in [name for name in SPLITS if name in subfolders(folder)]:
                for file, size, mtime in audio_files(folder / name):
                    yield self._read_name(machine, name, file.name, (file.path, size, mtime, None))
        for part in self.parts:
            for archive in self.year.archives(part, machine):
                yield from self._in_archive(archive, machine)

    def _folders(self, machine: str) -> Iterator[Path]:
        """The folders of a machine type, wherever it was unpacked."""
        stems = [Path(archive.name).stem for part in self.parts for archive in self.year.archives(part, machine)]
        for holder in dict.fromkeys([*HOLDERS, *stems]):
            folder = Path(self.root, holder, machine)
            if folder.is_dir() and set(SPLITS) & set(subfolders(folder)):
                yield folder

    def _in_archive(self, archive: RecordArchive, machine: str) -> Iterator[ListedClip]:
        path = Path(self.root, archive.name)
        if not path.exists():
            for old, new in self.year.replaced.items():
                if new == archive.name and Path(self.root, old).exists():
                    raise UserError(
                        f"archive {str(Path(self.root, old))!r} was replaced by the organisers: remove it, and take "
                        f"{archive.place}"
                    )
            return
        for match, member in list_members(str(path), members_of(machine), f"{machine}/{{train,test}}/*.wav"):
            if match["folder"] in SPLITS:
                place = (member.filename, member.file_size, member.CRC, str(path))
                yield self._read_name(machine, match["folder"], match["name"], place)

    def _read_name(self, machine: str, folder: str, file: str, place: tuple[str, int, int, str | None]) -> ListedClip:
        """What a recording's name says. Raises UserError where it does not fit the year or its folder."""
        where = repr(place[0]) if place[3] is None else f"{place[0]!r} in {place[3]!r}"
        name, split = self.year.parse(file), SPLITS[folder]
        if name is None or (split == "train" and name.label is None):
            raise UserError(
                f"{where}: the name says neither label nor machine ID as those of {self.year.number} do; expected "
                f"{self.year.layout}"
            )
        if split == "train" and name.label == "abnormal":
            raise UserError(f"{where}: an anomaly among the training recordings; move it to test")
        if name.split not in (None, split):
            raise UserError(f"{where}: a {name.split} recording in the folder {folder}; move it")
        if self.year.part_of(machine, name.id) is None:
            known = ", ".join(id for part in PARTS for id in self.year.ids(part, machine))
            raise UserError(f"{where}: {machine} has no {name.id} in {self.year.number}; it has {known}")
        path, size, stamp, archive = place
        return ListedClip(name, split, f"{machine}/{folder}/{file}", path, size, stamp, archive)


def members_of(machine: str) -> re.Pattern[str]:
    """What recordings in an archive of a machine type are called; `supplemental` ones (2025 on) are passed over."""
    return re.compile(rf"{re.escape(machine)}/(?P<folder>{'|'.join(SPLITS)}|supplemental)/(?P<name>[^/]+)")
