"""Is a recording as long as its header says? libsndfile takes a file that was cut short for a shorter recording."""

import io
import os
from typing import BinaryIO, Literal, NamedTuple

from mimii.common.errors import BadClipError

# What recorders write that cannot know the length beforehand, such as into a pipe: ALSA, SoX, FFmpeg.
UNKNOWN = (0x7FFFFF00, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
OGG_PAGE = b"OggS"
OGG_HEADER = 27  # bytes
OGG_LAST = 0x04  # flag of a stream's last page
CHUNK_ID = frozenset(range(32, 127))


class Container(NamedTuple):
    """How a format stores its chunks: byte order, and the chunk that holds the samples."""

    order: Literal["little", "big"]
    samples: bytes


CONTAINERS = {
    (b"RIFF", b"WAVE"): Container("little", b"data"),
    (b"RF64", b"WAVE"): Container("little", b"data"),
    (b"RIFX", b"WAVE"): Container("big", b"data"),
    (b"FORM", b"AIFF"): Container("big", b"SSND"),
    (b"FORM", b"AIFC"): Container("big", b"SSND"),
}


def whole(source: BinaryIO, name: str) -> BinaryIO:
    """`source` at its start; a copy in memory with the real length where a recorder could not know it.

    Formats that are not looked into pass: opening them tells what they are. Raises BadClipError where the file is empty
    or ends before its samples do.
    """
    size = source.seek(0, os.SEEK_END)
    if size == 0:
        raise BadClipError(f"{name}: an empty file; copy or download it again")
    source.seek(0)
    start = source.read(12)
    container = CONTAINERS.get((start[:4], start[8:]))
    if start[:4] == OGG_PAGE:
        _check_ogg(source, size, name)
    elif container:
        place = _samples_chunk(source, container, size)
        if place:
            position, length = place
            if start[:4] == b"RIFF" and _is_unknown(source, position, length, size):
                return _with_length(source, position, size)
            if length not in UNKNOWN and position + length > size:
                raise BadClipError(
                    f"{name}: truncated, {position + length - size} bytes are missing at the end; "
                    "copy or download it again"
                )
    source.seek(0)
    return source


def _samples_chunk(source: BinaryIO, container: Container, size: int) -> tuple[int, int] | None:
    """Where the samples begin and how many bytes they are said to have; None where no such chunk is found."""
    position, long_length = 12, None
    while position + 8 <= size:
        source.seek(position)
        header = source.read(8)
        length = int.from_bytes(header[4:], container.order)
        position += 8
        if header[:4] == b"ds64":  # EBU Tech 3306: RIFF size, data size, sample count, 64 bits each
            long_length = int.from_bytes(source.read(16)[8:], "little")
        if header[:4] == container.samples:
            return position, long_length if long_length and length == 0xFFFFFFFF else length
        position += length + length % 2
    return None


def _is_unknown(source: BinaryIO, position: int, length: int, size: int) -> bool:
    """Whether the length is none, and all that follows can be nothing but samples."""
    if length in UNKNOWN:
        return position + length != size
    if length or position == size:
        return False
    # A length of 0 is meant where chunks follow that fill the file; else it was never filled in.
    while position + 8 <= size:
        source.seek(position)
        header = source.read(8)
        if not CHUNK_ID.issuperset(header[:4]):
            return True
        length = int.from_bytes(header[4:], "little")
        position += 8 + length + length % 2
    return position != size


def _with_length(source: BinaryIO, position: int, size: int) -> BinaryIO:
    source.seek(0)
    content = bytearray(source.read())
    content[position - 4 : position] = (size - position).to_bytes(4, "little")
    content[4:8] = (size - 8).to_bytes(4, "little")
    return io.BytesIO(content)


def _check_ogg(source: BinaryIO, size: int, name: str) -> None:
    """Raise BadClipError where the last page is not marked as such (RFC 3533), or not whole."""
    source.seek(max(0, size - (1 << 17)))  # a page has at most 65,307 bytes
    tail = source.read()
    at = tail.rfind(OGG_PAGE)
    page = tail[at:]
    lengths = page[OGG_HEADER : OGG_HEADER + page[26]] if len(page) >= OGG_HEADER else b""
    there = len(page) - OGG_HEADER - len(lengths)
    if at < 0 or len(page) < OGG_HEADER or not page[5] & OGG_LAST or there < sum(lengths):
        raise BadClipError(f"{name}: truncated, its last page is missing; copy or download it again")
