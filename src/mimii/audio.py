"""One recording from disk: checked, one channel, float32."""

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from mimii.errors import UserError

FORMATS = ("WAV", "WAVEX", "RF64")
# Longer recordings are no clips of this benchmark, and one is held in memory as a whole.
LONGEST_SECONDS = 3600
BLOCK_FRAMES = 1 << 18
INT16_SCALE = np.float32(1 / 32768)  # as soundfile and librosa scale PCM 16


class BadClipError(UserError):
    """A recording that cannot be used; others of its section may be."""


def read_clip(source: str | BinaryIO, channel: int | str, *, name: str) -> tuple[NDArray[np.float32], int]:
    """One channel of a wav file.

    source: path, or a binary file with `seek`. channel: counted from 0, or "mean" of all. name: for messages.
    Returns samples (n,) in [-1, 1] for PCM, as they are for float files; and the sample rate in Hz.
    Raises BadClipError where the file is missing, unreadable, truncated, empty, no wav, too long, without that channel,
    or holds NaN or infinite samples.
    """
    try:
        missing = missing_bytes(source)
        with soundfile.SoundFile(source) as file:
            _check_header(file, channel, name)
            if missing:
                raise BadClipError(
                    f"{name}: truncated, {missing} bytes are missing at the end; copy or download it again"
                )
            samples = _read_channel(file, channel)
            rate = int(file.samplerate)
            length = int(file.frames)
            floating = file.subtype in ("FLOAT", "DOUBLE")
    except soundfile.LibsndfileError as error:
        raise BadClipError(f"{name}: not a readable wav file ({error.error_string}); replace or remove it") from None
    except OSError as error:
        raise BadClipError(
            f"{name}: cannot be read ({error.strerror or error}); check that it is there and readable"
        ) from None
    if len(samples) != length:
        raise BadClipError(f"{name}: only {len(samples)} of {length} samples can be decoded; copy or download it again")
    if floating and not np.isfinite(samples).all():
        bad = int(np.argmin(np.isfinite(samples)))
        raise BadClipError(f"{name}: NaN or infinite samples (the first is number {bad}); replace or remove it")
    return samples, rate


def _check_header(file: soundfile.SoundFile, channel: int | str, name: str) -> None:
    if file.format not in FORMATS:
        raise BadClipError(f"{name}: a {file.format_info} file, not wav; convert it")
    if file.frames == 0:
        raise BadClipError(f"{name}: holds no samples; replace or remove it")
    if file.frames > LONGEST_SECONDS * file.samplerate:
        raise BadClipError(
            f"{name}: {file.frames / file.samplerate:.0f} s long; a clip has at most {LONGEST_SECONDS} s: cut it"
        )
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


def missing_bytes(source: str | BinaryIO) -> int:
    """How many bytes a wav file's data chunk promises beyond the end of the file.

    libsndfile takes a truncated file for a shorter one. 0 for whatever is no wav file: opening it tells why.
    """
    if isinstance(source, str):
        with Path(source).open("rb") as file:
            return missing_bytes(file)
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    missing = 0
    if source.read(12)[:4] == b"RIFF":
        position = 12
        while position + 8 <= size:
            source.seek(position)
            header = source.read(8)
            length = int.from_bytes(header[4:], "little")
            position += 8 + length + length % 2
            if header[:4] == b"data":
                # Written by a program that did not know the length: all that follows is data.
                missing = 0 if length == 0xFFFFFFFF else max(position - length % 2 - size, 0)
                break
    source.seek(0)
    return missing


def resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Band-limited resampling (soxr, high quality: librosa's default)."""
    import soxr  # type: ignore[import-untyped]

    resampled: Any = soxr.resample(samples, rate, wanted, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)
