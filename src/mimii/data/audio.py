"""One recording from disk: checked, one channel, float32."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from mimii.common.errors import BadClipError

FORMATS = ("WAV", "WAVEX", "RF64")
# A clip is held in memory as a whole; 17 minutes at 16 kHz.
LONGEST_SAMPLES = 1 << 24
BLOCK_FRAMES = 1 << 18
INT16_SCALE = np.float32(1 / 32768)  # as soundfile and librosa scale PCM 16


def read_clip(source: str | BinaryIO, channel: int | str, *, name: str) -> tuple[NDArray[np.float32], int]:
    """One channel of a wav file.

    source: path, or a binary file with `seek`. channel: counted from 0, or "mean" of all. name: for messages.
    Returns samples (n,) in [-1, 1] for PCM, as they are for float files; and the sample rate in Hz.
    Raises BadClipError where the file is missing, unreadable, truncated, empty, no wav, too long, without that channel,
    or holds NaN or infinite samples.
    """
    with _opened(source, name) as file:
        _check_header(file, channel, name)
        samples = _read_channel(file, channel)
        rate = int(file.samplerate)
        length = int(file.frames)
        floating = file.subtype in ("FLOAT", "DOUBLE")
    if len(samples) != length:
        raise BadClipError(f"{name}: only {len(samples)} of {length} samples can be decoded; copy or download it again")
    if floating and not np.isfinite(samples).all():
        bad = int(np.argmin(np.isfinite(samples)))
        raise BadClipError(f"{name}: NaN or infinite samples (the first is number {bad}); replace or remove it")
    return samples, rate


def read_header(source: str | BinaryIO, *, name: str) -> tuple[int, int, int]:
    """Sample rate in Hz, channels and samples of a wav file, whose samples are not read.

    Raises BadClipError as `read_clip` does, except for what only the samples show.
    """
    with _opened(source, name) as file:
        _check_header(file, 0, name)
        return int(file.samplerate), int(file.channels), int(file.frames)


@contextmanager
def _opened(source: str | BinaryIO, name: str) -> Iterator[soundfile.SoundFile]:
    """A wav file that is as long as it says; whatever shows that it cannot be read becomes a BadClipError."""
    try:
        _check_whole(source, name)
        with soundfile.SoundFile(source) as file:
            yield file
    except soundfile.LibsndfileError as error:
        raise BadClipError(f"{name}: not a readable wav file ({error.error_string}); replace or remove it") from None
    except OSError as error:
        raise BadClipError(
            f"{name}: cannot be read ({error.strerror or error}); check that it is there and readable"
        ) from None


def _check_header(file: soundfile.SoundFile, channel: int | str, name: str) -> None:
    if file.format not in FORMATS:
        raise BadClipError(f"{name}: a {file.format_info} file, not wav; convert it")
    if file.frames == 0:
        raise BadClipError(f"{name}: holds no samples; replace or remove it")
    if file.frames > LONGEST_SAMPLES:
        raise BadClipError(f"{name}: {file.frames} samples long; a clip has at most {LONGEST_SAMPLES}: cut it")
    if channel != "mean" and int(channel) >= file.channels:
        raise BadClipError(
            f"{name}: has {file.channels} channel(s), so there is no channel {channel} (they count from 0); "
            "set features.channel to one that every clip has, or to mean"
        )


def _read_channel(file: soundfile.SoundFile, channel: int | str) -> NDArray[np.float32]:
    """Read block by block, so that memory does not grow with the number of channels. Returns (n,) float32."""
    # PCM 16, MIMII's format, is three times as fast to read as it is than converted for every channel.
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    samples = np.empty(file.frames, dtype=np.float32)
    block = np.empty((min(file.frames, BLOCK_FRAMES), file.channels), dtype=dtype)
    average = np.full(file.channels, 1 / file.channels, dtype=np.float32)
    done = 0
    while done < len(samples):
        read = file.read(out=block[: len(samples) - done])
        if not len(read):
            break
        part = samples[done : done + len(read)]
        if channel == "mean":
            np.matmul(read.astype(np.float32, copy=False), average, out=part)
        else:
            part[:] = read[:, int(channel)]
        if dtype == "int16":
            part *= INT16_SCALE
        done += len(read)
    return samples[:done]


def _check_whole(source: str | BinaryIO, name: str) -> None:
    """Raise BadClipError for an empty file, or a wav file that ends before its data do.

    libsndfile takes a truncated file for a shorter recording. What is no wav file passes: opening it tells what it is.
    """
    if isinstance(source, str):
        with Path(source).open("rb") as file:
            _check_whole(file, name)
        return
    size = source.seek(0, os.SEEK_END)
    if size == 0:
        raise BadClipError(f"{name}: an empty file; copy or download it again")
    source.seek(0)
    start = source.read(12)
    position = 12 if start[:4] == b"RIFF" and start[8:] == b"WAVE" else size
    while position + 8 <= size:
        source.seek(position)
        header = source.read(8)
        length = int.from_bytes(header[4:], "little")
        position += 8 + length
        if header[:4] == b"data":
            # A program that could not know the length wrote the largest number: all that follows is data.
            if position > size and length != 0xFFFFFFFF:
                raise BadClipError(
                    f"{name}: truncated, {position - size} bytes are missing at the end; copy or download it again"
                )
            break
        position += length % 2
    source.seek(0)


def resample(samples: NDArray[np.float32], rate: int, new_rate: int, *, name: str) -> NDArray[np.float32]:
    """Band-limited resampling (soxr, high quality: librosa's default). name: for messages.

    Raises BadClipError where the clip would be too long for memory.
    """
    import soxr

    length = len(samples) * new_rate // rate
    if length > LONGEST_SAMPLES:
        raise BadClipError(
            f"{name}: {len(samples)} samples at {rate} Hz would be {length} samples at {new_rate} Hz; a clip has "
            f"at most {LONGEST_SAMPLES}: correct the sample rate that the file states, or cut it"
        )
    resampled: Any = soxr.resample(samples, rate, new_rate, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)
