"""Recordings inside a zip archive: listed and read one by one, never unpacked to disk."""

import hashlib
import io
import json
import logging
import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from mimii.common.errors import BadClipError, UserError
from mimii.common.files import written_whole
from mimii.data.recordings import LABELS, Recording
from mimii.data.sections import NO_LEVEL

# fan/id_00/normal/00000000.wav
MEMBER = f"{{machine}}/(?P<id>(?!{re.escape(NO_LEVEL)}/)[^/]+)/(?P<label>{'|'.join(LABELS)})/[^/]+"
LAYOUT = "{machine}/<machine ID>/{{normal,abnormal}}/*.wav"
LARGEST_MEMBER = 64 << 20  # bytes unpacked, all in memory; a clip of MIMII has 2.56 million
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
ENCRYPTED = 0x1
NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
# What zipfile and the decompressors raise on damaged archives, as found by feeding them such.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    IndexError,  # of a member whose name is empty
)

log = logging.getLogger(__name__)


class Archive:
    """A zip file of recordings, open for reading."""

    def __init__(self, path: str) -> None:
        """Raises UserError where it is missing, unreadable, cut off or no zip file."""
        self.path = path
        refuse_special(Path(path))
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise UserError(
                f"archive {path!r} is cut off, damaged or no zip file ({error}): remove it and download it again"
            ) from None
        except OSError as error:
            raise UserError(
                f"archive {path!r} cannot be read ({error.strerror or error}): check that it is there and readable"
            ) from None

    def members(self, layout: re.Pattern[str], expected: str) -> Iterator[tuple[re.Match[str], zipfile.ZipInfo]]:
        """(match of `layout`, entry) of each wav file; other files, such as a readme, are passed over.

        layout: what the names of all wav files in the archive have to match. expected: the same in words.
        Raises UserError on a member that does not match it, or that cannot be read safely.
        """
        seen: set[str] = set()
        for member in self._zip.infolist():
            name = member.filename
            parts = name.split("/")
            if "\\" in name or ":" in name or name.startswith("/") or ".." in parts:
                raise self._unfit(name, "has a name that leads out of the archive")
            if member.is_dir() or any(part.startswith((".", "__MACOSX")) for part in parts):
                continue
            if name.lower().endswith(NESTED):
                raise self._unfit(name, "is an archive in the archive, which is not looked into: unpack it")
            if not name.lower().endswith(".wav"):
                continue
            match = layout.fullmatch(name)
            if match is None:
                raise self._unfit(name, f"is out of place: expected {expected}")
            if name in seen:
                raise self._unfit(name, "is there twice")
            seen.add(name)
            self._check(member)
            yield match, member

    def read(self, name: str) -> io.BytesIO:
        """A member's content, in memory. Raises BadClipError where it is damaged (its CRC-32 is checked)."""
        try:
            member = self._zip.getinfo(name)
            self._check(member)
            return io.BytesIO(self._zip.read(member))
        except KeyError:
            raise BadClipError(f"{self.path}: {name} is not in the archive any more; start again") from None
        except DAMAGE as error:
            raise BadClipError(
                f"{self.path}: {name} is damaged in the archive ({error}); download the archive again"
            ) from None
        except OSError as error:
            raise BadClipError(f"{self.path}: {name} cannot be read ({error.strerror or error})") from None

    def close(self) -> None:
        self._zip.close()

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        if member.flag_bits & ENCRYPTED:
            raise self._unfit(name, "is encrypted: unpack the archive with its password, or get one without")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise self._unfit(name, "is a symbolic link: pack the recordings themselves")
        if member.compress_type not in METHODS:
            raise self._unfit(name, f"is compressed by method {member.compress_type}, which cannot be read: unpack it")
        if member.file_size > LARGEST_MEMBER:
            raise self._unfit(
                name,
                f"has {member.file_size:,} bytes unpacked; a recording in an archive has at most {LARGEST_MEMBER:,}",
            )

    def _unfit(self, name: str, what: str) -> UserError:
        return UserError(f"archive {self.path!r}: {name!r} {what}")


def list_members(path: str, layout: re.Pattern[str], expected: str) -> list[tuple[re.Match[str], zipfile.ZipInfo]]:
    """What `Archive.members` finds in the archive at `path`. Raises UserError as `Archive` does."""
    archive = Archive(path)
    try:
        return list(archive.members(layout, expected))
    except DAMAGE as error:
        raise UserError(f"archive {path!r} is damaged ({error}): remove it and download it again") from None
    finally:
        archive.close()


def list_archive(path: str, snr: str, machine: str) -> dict[str, list[Recording]]:
    """The recordings of each machine ID in one of MIMII's archives, which holds `machine` at `snr`.

    snr: stands first in the clips' paths. Raises UserError as `Archive` does.
    """
    by_id: dict[str, list[Recording]] = {}
    layout = re.compile(MEMBER.format(machine=re.escape(machine)))
    for match, member in list_members(path, layout, LAYOUT.format(machine=machine)):
        label = LABELS[LABELS.index(match["label"])]
        name = member.filename
        recording = Recording(f"{snr}/{name}", label, name, member.file_size, member.CRC, archive=path)
        by_id.setdefault(match["id"], []).append(recording)
    return by_id


def refuse_special(path: Path) -> None:
    """Raise UserError for a folder, a pipe, a socket or a device, which would be read without an end or not at all."""
    if path.exists() and not path.is_file():
        raise UserError(f"archive {str(path)!r} is not a file: remove it")


def md5_of(path: Path) -> str:
    """MD5 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def record_file(archive: Path) -> Path:
    """Where it is noted which state of an archive was verified."""
    return archive.with_name(f".{archive.name}.verified")


def state_of(archive: Path, md5: str) -> dict[str, object]:
    """What changes where a file is not the one any more that was verified."""
    status = archive.stat()
    return {"md5": md5, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino}


def verify(archive: Path, md5: str) -> None:
    """Raise UserError where an archive is not the published one.

    Reading 10 GB takes half a minute, so size, time and inode of a verified archive are noted beside it, and it is
    read again only where they differ.
    """
    refuse_special(archive)
    try:
        state = state_of(archive, md5)
        record = read_record(archive) or {}
        if state.items() <= record.items():
            return
        actual = md5_of(archive)
    except OSError as error:
        raise UserError(f"archive {str(archive)!r} cannot be read ({error.strerror}); start again") from None
    if actual != md5:
        raise UserError(
            f"archive {str(archive)!r} is corrupted or was replaced (its MD5 is {actual}, the published one {md5}): "
            "remove it, so that it is downloaded again"
        )
    try:
        with written_whole(record_file(archive)) as temporary:
            temporary.write_text(json.dumps({**record, **state}))
    except UserError:
        log.warning("%s: cannot be noted as verified, so it is read again for each section", archive)


def read_record(archive: Path) -> dict[str, object] | None:
    """The noted state of an archive; None where there is none, or an unreadable one."""
    try:
        record = json.loads(record_file(archive).read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
