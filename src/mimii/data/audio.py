"""One recording, or a part of it, from disk: checked, one channel, float32."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from mimii.common.errors import BadClipError
from mimii.data.lengths import whole
from mimii.data.recordings import checksum

# A clip is held in memory as a whole; 17 minutes at 16 kHz.
LONGEST_SAMPLES = 1 << 24
BLOCK_FRAMES = 1 << 18
INTEGERS = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32")
FULL_SCALE = 32767 / 32768
INT16_SCALE = np.float32(1 / 32768)  # as soundfile and librosa scale PCM 16


def read_clip(
    source: str | BinaryIO, channel: int | str, *, name: str, start: float = 0, seconds: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """One channel of a recording, or of a part of it.

    source: path, or a binary file with `seek`, in any format that soundfile reads. channel: counted from 0, or "mean"
    of all. name: for messages. start, seconds: the part to read; all of it by default.
    Returns samples (n,) in [-1, 1] for PCM, as they are for float files; and the sample rate in Hz.
    Raises BadClipError where the file is missing, no file, unreadable, truncated, empty, no recording, too long,
    without that channel, or holds NaN or infinite samples.
    """
    with _opened(source, name) as file:
        _check_header(file, channel, name)
        rate = int(file.samplerate)
        first = min(round(start * rate), file.frames)
        length = file.frames - first if seconds is None else min(round(seconds * rate), file.frames - first)
        if length > LONGEST_SAMPLES:
            raise BadClipError(
                f"{name}: {length} samples long; a clip has at most {LONGEST_SAMPLES}: set dataset.clip_seconds, which "
                "cuts recordings into clips"
            )
        if first:
            file.seek(first)
        samples = _read_channel(file, channel, length)
        floating = file.subtype not in INTEGERS
    if len(samples) != length:
        raise BadClipError(f"{name}: only {len(samples)} of {length} samples can be decoded; copy or download it again")
    if floating and not np.isfinite(samples).all():
        bad = int(np.argmin(np.isfinite(samples)))
        raise BadClipError(f"{name}: NaN or infinite samples (the first is number {bad}); replace or remove it")
    return samples, rate


def read_bytes(source: str | BinaryIO, *, name: str) -> bytes:
    """The whole content of a recording; an open file is closed. Raises BadClipError where it cannot be read."""
    try:
        _refuse_pipes(source, name)
        # Unbuffered, since a buffer doubles the time of reading a whole file.
        with Path(source).open("rb", buffering=0) if isinstance(source, str) else source as file:
            return file.read()
    except OSError as error:
        raise BadClipError(
            f"{name}: cannot be read ({error.strerror or error}); check that it is there and readable"
        ) from None


def read_header(source: str | BinaryIO, *, name: str) -> tuple[int, int, int]:
    """Sample rate in Hz, channels and samples of a recording, whose samples are not read.

    Raises BadClipError as `read_clip` does, except for what only the samples show.
    """
    with _opened(source, name) as file:
        _check_header(file, 0, name)
        return int(file.samplerate), int(file.channels), int(file.frames)


@contextmanager
def _opened(source: str | BinaryIO, name: str) -> Iterator[soundfile.SoundFile]:
    """A recording that is as long as it says; whatever shows that it cannot be read becomes a BadClipError."""
    try:
        _refuse_pipes(source, name)
        if isinstance(source, str):
            with Path(source).open("rb") as file:
                checked = whole(file, name)
                with soundfile.SoundFile(source if checked is file else checked) as sound:
                    yield sound
        else:
            with soundfile.SoundFile(whole(source, name)) as sound:
                yield sound
    except (soundfile.LibsndfileError, TypeError) as error:
        reason = getattr(error, "error_string", error)
        raise BadClipError(f"{name}: not a readable recording ({reason}); replace or remove it") from None
    except OSError as error:
        raise BadClipError(
            f"{name}: cannot be read ({error.strerror or error}); check that it is there and readable"
        ) from None


def _refuse_pipes(source: str | BinaryIO, name: str) -> None:
    """Raise BadClipError where opening the path of a recording would wait for ever."""
    kind = Path(source).stat().st_mode if isinstance(source, str) else stat.S_IFREG
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise BadClipError(f"{name}: not a file, but a pipe, a socket or a device; replace or remove it")


def reaches_full_scale(samples: NDArray[np.float32]) -> bool:
    """Whether (n,) samples hold the largest or the smallest value that 16 bits have: the recording may be clipped."""
    return bool(samples.max() >= FULL_SCALE or samples.min() <= -1)


def heard_checksum(samples: NDArray[np.float32]) -> int | None:
    """Of (n,) samples, whatever file they come from; None where they never change: silence is no copy of another."""
    return None if samples.min() == samples.max() else checksum(np.ascontiguousarray(samples).data.cast("B"))


def _check_header(file: soundfile.SoundFile, channel: int | str, name: str) -> None:
    if file.frames == 0:
        raise BadClipError(f"{name}: holds no samples; replace or remove it")
    if channel != "mean" and int(channel) >= file.channels:
        raise BadClipError(
            f"{name}: has {file.channels} channel(s), so there is no channel {channel} (they count from 0); "
            "set features.channel to one that every clip has, or to mean"
        )


def _read_channel(file: soundfile.SoundFile, channel: int | str, length: int) -> NDArray[np.float32]:
    """Read block by block, so that memory does not grow with the number of channels. Returns (length,) float32."""
    # PCM 16, MIMII's format, is three times as fast to read as it is than converted for every channel.
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    samples = np.empty(length, dtype=np.float32)
    block = np.empty((min(length, BLOCK_FRAMES), file.channels), dtype=dtype)
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
