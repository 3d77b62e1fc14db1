import io
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mimii.data import audio
from mimii.data.audio import BadClipError, read_clip, resample

REAL_CLIPS = Path(__file__).resolve().parents[2].parent / "shared" / "real_clips"


def noise(samples=2000, channels=3, seed=0):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (samples, channels)).astype(np.float32)


def write(path, values, rate=16000, **how):
    soundfile.write(path, values, rate, **how)
    return str(path)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("format", ["WAV", "WAVEX", "RF64"])
def test_every_kind_of_wav_reads_as_soundfile_does(tmp_path, subtype, format):
    path = write(tmp_path / "clip.wav", noise(), rate=22050, subtype=subtype, format=format)
    expected = soundfile.read(path, dtype="float32")[0]
    for channel in range(3):
        samples, rate = read_clip(path, channel, name="clip")
        np.testing.assert_array_equal(samples, expected[:, channel])
        assert (rate, samples.dtype, samples.flags.c_contiguous) == (22050, np.float32, True)
    np.testing.assert_allclose(read_clip(path, "mean", name="clip")[0], expected.mean(axis=1), atol=2e-7)


@settings(max_examples=25)
@given(st.integers(1, 3000), st.integers(1, 9), st.integers(1, 700))
def test_length_channels_and_block_size_do_not_matter(tmp_path_factory, samples, channels, block):
    path = write(tmp_path_factory.mktemp("clips") / "clip.wav", noise(samples, channels), subtype="PCM_16")
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mimii.data.audio.BLOCK_FRAMES", block)
        np.testing.assert_array_equal(read_clip(path, channels - 1, name="clip")[0], expected[:, -1])


def test_mono_file_has_channel_0_alone(tmp_path):
    path = write(tmp_path / "clip.wav", noise(channels=1))
    assert len(read_clip(path, 0, name="clip")[0]) == 2000
    np.testing.assert_array_equal(read_clip(path, "mean", name="clip")[0], read_clip(path, 0, name="clip")[0])


def test_open_file_reads_as_its_path(tmp_path):
    path = write(tmp_path / "clip.wav", noise())
    samples, rate = read_clip(io.BytesIO(Path(path).read_bytes()), 1, name="clip")
    np.testing.assert_array_equal(samples, read_clip(path, 1, name="clip")[0])
    assert rate == 16000


def test_real_clips_read_as_soundfile_does():
    paths = sorted(REAL_CLIPS.rglob("*.wav"))
    if not paths:
        pytest.skip(f"no real clips in {REAL_CLIPS}")
    for path in [*paths[:3], *paths[-3:]]:
        expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
        for channel in (0, expected.shape[1] - 1):
            np.testing.assert_array_equal(read_clip(str(path), channel, name=path.name)[0], expected[:, channel])


def with_length(path, length):
    """The wav file with another length in its data chunk's header."""
    content = bytearray(Path(path).read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = length.to_bytes(4, "little")
    Path(path).write_bytes(content)


def test_unknown_length_of_a_stream_is_no_truncation(tmp_path):
    path = write(tmp_path / "clip.wav", noise())
    with_length(path, 0xFFFFFFFF)
    assert len(read_clip(path, 0, name="clip")[0]) == 2000


@pytest.mark.parametrize("bytes_left", [50, 44, 45, 100, 5000, 12043])
def test_truncated_files_are_refused(tmp_path, bytes_left):
    path = write(tmp_path / "clip.wav", noise())
    os.truncate(path, bytes_left)
    with pytest.raises(BadClipError, match=f"^the name: truncated, {12044 - bytes_left} bytes are missing"):
        read_clip(path, 0, name="the name")


@pytest.mark.parametrize("bytes_left", [1, 11, 12, 20, 36, 43])
def test_files_cut_inside_the_header_are_refused(tmp_path, bytes_left):
    path = write(tmp_path / "clip.wav", noise())
    os.truncate(path, bytes_left)
    with pytest.raises(BadClipError, match=r"^the name: "):
        read_clip(path, 0, name="the name")


@settings(max_examples=150)
@given(st.data())
def test_any_damage_to_a_header_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("clips") / "clip.wav"
    content = bytearray(
        Path(write(path, noise(50), subtype=data.draw(st.sampled_from(["PCM_16", "FLOAT"])))).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 90))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        samples, rate = read_clip(str(path), 0, name="the name")
    except BadClipError:
        return
    assert np.isfinite(samples).all()
    assert rate > 0


@pytest.mark.parametrize(
    ("format", "endian", "bytes_left"),
    [("WAV", "BIG", 5000), ("RF64", None, 5000), ("AIFF", None, 5000), ("OGG", None, 5000), ("FLAC", None, 8000)],
)
def test_other_containers_cut_short_are_refused(tmp_path, format, endian, bytes_left):
    path = write(tmp_path / "clip", noise(6000), format=format, endian=endian)
    assert len(read_clip(path, 0, name="clip")[0]) == 6000
    os.truncate(path, bytes_left)
    with pytest.raises(BadClipError, match=r"^the name: (truncated|only \d+ of 6000|not a readable)"):
        read_clip(path, 0, name="the name")


@pytest.mark.parametrize("format", ["FLAC", "OGG", "AIFF", "W64", "AU", "CAF"])
def test_other_formats_read_as_soundfile_does(tmp_path, format):
    path = write(tmp_path / "clip", noise(6000), format=format)
    expected, rate = soundfile.read(path, dtype="float32")
    samples, own = read_clip(path, 2, name="clip")
    np.testing.assert_array_equal(samples, expected[:, 2])
    assert (len(samples), own) == (len(expected), rate)


@pytest.mark.parametrize("length", [0, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFFF00, 0xFFFFFFFF])
def test_length_that_a_recorder_could_not_know_is_that_of_the_file(tmp_path, length):
    path = write(tmp_path / "clip.wav", noise(), subtype="PCM_16")
    whole = read_clip(path, 0, name="clip")[0]
    with_length(path, length)
    np.testing.assert_array_equal(read_clip(path, 0, name="clip")[0], whole)
    np.testing.assert_array_equal(read_clip(io.BytesIO(Path(path).read_bytes()), 0, name="clip")[0], whole)


def test_no_samples_before_other_chunks_are_none(tmp_path):
    path = write(tmp_path / "clip.wav", np.empty((0, 1)), subtype="PCM_16")
    with Path(path).open("ab") as file:
        file.write(b"LIST" + (12).to_bytes(4, "little") + b"INFOISFT" + (0).to_bytes(4, "little"))
    with pytest.raises(BadClipError, match="holds no samples"):
        read_clip(path, 0, name="clip")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(100, 4000))
def test_a_part_of_a_recording_is_that_part(tmp_path_factory, start, seconds, samples):
    path = write(tmp_path_factory.mktemp("clips") / "clip.flac", noise(samples), rate=100)
    whole = read_clip(path, 1, name="clip")[0]
    part, _ = read_clip(path, 1, name="clip", start=start, seconds=seconds)
    np.testing.assert_array_equal(part, whole[start * 100 : (start + seconds) * 100])


def bad_clips(folder):
    path = folder / "clip.wav"
    yield "an empty file", lambda: path.touch()
    yield "not a readable recording", lambda: path.write_text("This is a text.\n" * 100)
    yield "holds no samples", lambda: write(path, np.empty((0, 2)))
    yield "not a file, but a pipe", lambda: os.mkfifo(path)
    yield "not a file, but a pipe", lambda: socket.socket(socket.AF_UNIX).bind(str(path))
    yield r"has 3 channel\(s\), so there is no channel 5", lambda: write(path, noise())
    yield "cannot be read", lambda: None
    yield "cannot be read .*directory", lambda: path.mkdir()
    for value in (np.nan, np.inf, -np.inf):
        broken = noise(channels=6)
        broken[70, 5] = value
        yield (
            r"NaN or infinite samples \(the first is number 70\)",
            lambda broken=broken: write(path, broken, subtype="FLOAT"),
        )


@pytest.mark.parametrize("case", range(11))
def test_bad_clips_are_refused_by_name(tmp_path, case):
    message, make = list(bad_clips(tmp_path))[case]
    make()
    with pytest.raises(BadClipError, match=f"^the name: {message}"):
        read_clip(str(tmp_path / "clip.wav"), 5, name="the name")


def test_huge_file_is_refused_before_it_is_read(tmp_path):
    path = write(tmp_path / "clip.wav", noise(10, 1), subtype="PCM_16")
    with_length(path, 2**31)
    os.truncate(path, 44 + 2**31)  # sparse: takes no space
    with pytest.raises(BadClipError, match="samples long; a clip has at most"):
        read_clip(path, 0, name="clip")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_is_refused(tmp_path):
    path = write(tmp_path / "clip.wav", noise())
    Path(path).chmod(0)
    with pytest.raises(BadClipError, match=r"cannot be read .*Permission denied"):
        read_clip(path, 0, name="clip")


def test_resampling_keeps_a_tone():
    seconds = np.arange(48000) / 48000
    tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    resampled = resample(tone, 48000, 16000, name="tone")
    assert (resampled.shape, resampled.dtype) == ((16000,), np.float32)
    np.testing.assert_allclose(resampled[500:-500], expected[500:-500], atol=1e-3)


def test_the_length_limit_counts_after_resampling(monkeypatch):
    monkeypatch.setattr(audio, "LONGEST_SAMPLES", 100_000)
    assert len(resample(np.zeros(6, np.float32), 1, 16000, name="slow.wav")) == 96_000
    with pytest.raises(BadClipError, match=r"slow.wav: 7 samples at 1 Hz would be 112000 samples at 16000 Hz"):
        resample(np.zeros(7, np.float32), 1, 16000, name="slow.wav")
