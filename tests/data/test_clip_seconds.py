"""Long recordings, cut into clips."""

import numpy as np
import pytest
import soundfile

from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.data.audio import read_clip
from mimii.data.lookup import open_source
from mimii.features.extraction import extract_features
from mimii.features.file import read_clips, read_table
from mimii.features.log_mel import Extractor as LogMel
from mimii.features.settings import feature_declarations
from mimii.planning.config import read_config

RATE = 16000


def source(root, **changes):
    dataset = {"source": "labelled", "root": str(root), "clip_seconds": 0.5, **changes}
    return open_source(read_config({"dataset": dataset, "models": {"vae": {}}})["dataset"])


def write(path, seconds, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE))
    soundfile.write(path, values, RATE)


@pytest.fixture
def recordings(tmp_path):
    write(tmp_path / "normal/a long one.flac", 7.7)
    write(tmp_path / "normal/b short.wav", 0.3, 1)
    write(tmp_path / "abnormal/c.wav", 1.0, 2)
    return tmp_path


def test_clips_are_named_by_their_place(recordings):
    own = source(recordings)
    (section,) = own.sections()
    clips = own.clips(section)
    assert [(clip.path, clip.split) for clip in clips if clip.label == "abnormal"] == [
        ("abnormal/c.wav#t=00000.000", "test"),
        ("abnormal/c.wav#t=00000.500", "test"),
    ]
    normal = [(clip.path, clip.split) for clip in clips if clip.label == "normal"]
    assert len(normal) == 15 + 1
    # The first ones are tested, and the rest trained on, in time.
    assert normal[-2:] == [
        ("normal/a long one.flac#t=00000.000", "test"),
        ("normal/a long one.flac#t=00000.500", "test"),
    ]
    assert normal[0] == ("normal/a long one.flac#t=00001.000", "train")
    assert normal[13] == ("normal/b short.wav", "train")


def test_features_are_those_of_the_parts(recordings, tmp_path):
    own = source(recordings)
    (section,) = own.sections()
    settings = resolve(feature_declarations())
    extract_features(own, section, settings, tmp_path / "f.parquet")
    table = read_table(tmp_path / "f.parquet")
    row = table.paths.index("normal/a long one.flac#t=00003.500")
    samples, _ = read_clip(str(recordings / "normal/a long one.flac"), 0, name="a")
    expected = LogMel(settings).log_mel(samples[int(3.5 * RATE) : 4 * RATE])
    np.testing.assert_array_equal(read_clips(tmp_path / "f.parquet", [row]).frames, expected)


def test_no_recording_is_opened_while_planning(tmp_path):
    for name in ("normal/a.wav", "abnormal/b.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("no recording")
    own = source(tmp_path)
    (section,) = own.sections()
    own.check(section)
    assert own.fingerprint(section) != source(tmp_path, clip_seconds=1).fingerprint(section)
    with pytest.raises(UserError, match=r"2 clip\(s\) cannot be used"):
        extract_features(own, section, resolve(feature_declarations()), tmp_path / "f.parquet")


def test_too_few_clips_are_said_once_they_are_counted(tmp_path):
    write(tmp_path / "normal/a.wav", 6)
    write(tmp_path / "abnormal/b.wav", 6, seed=1)
    own = source(tmp_path)
    (section,) = own.sections()
    own.check(section)
    with pytest.raises(
        UserError, match=r"0 training, 12 normal test and 12 abnormal.*dataset.split: 2 would train on 10"
    ):
        extract_features(own, section, resolve(feature_declarations()), tmp_path / "f.parquet")
    own = source(tmp_path, split=2)
    extract_features(own, section, resolve(feature_declarations()), tmp_path / "f.parquet")
    assert [clip.split for clip in own.clips(section)] == ["train"] * 10 + ["test"] * 14


def test_one_label_alone_is_refused_while_planning(tmp_path):
    write(tmp_path / "normal/a.wav", 1)
    own = source(tmp_path)
    with pytest.raises(UserError, match="0 abnormal clips"):
        own.check(own.sections()[0])
