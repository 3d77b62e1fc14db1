"""What is known of recordings before any is there, and settings that cannot suit them."""

import numpy as np
import pytest
import soundfile

from mimii.data.lookup import open_source
from mimii.data.made_up.recordings import make_section
from mimii.data.recordings import Format
from mimii.data.sections import Section
from mimii.features.log_mel import Extractor as LogMel
from mimii.planning.checking import format_problems
from mimii.planning.config import read_config
from mimii.planning.variants import all_variants

MADE_UP = {"source": "made_up", "root": "made", "made_up": {"seconds": 0.6, "channels": 2}}


def problems(known, **config):
    return [
        str(problem)
        for problem in format_problems(all_variants(read_config({"dataset": {"root": "x"}, **config})), known)
    ]


def test_made_up_recordings_are_as_they_are_said_to_be(tmp_path):
    source = open_source(read_config({"dataset": MADE_UP, "models": {"pca": {}}})["dataset"])
    make_section(
        tmp_path, Section("6dB", "fan", "id_00"), normal_clips=11, abnormal_clips=1, seconds=0.6, channels=2, seed=0
    )
    made = soundfile.info(next(tmp_path.rglob("*.wav")))
    assert source.format() == Format(made.samplerate, made.channels, made.frames)


@pytest.mark.parametrize("hop_length", [512, 500, 499])
@pytest.mark.parametrize("samples", [4000, 4095, 4096])
def test_as_many_frames_as_there_are_are_admitted(hop_length, samples):
    features = {"hop_length": hop_length}
    config = read_config({"dataset": {"root": "x"}, "models": {"pca": {}}, "features": features})
    (variant,) = all_variants(config)
    frames = len(LogMel(variant.features).log_mel(np.zeros(samples, np.float32)))
    for most, count in ((frames, 0), (frames + 1, 1)):
        models = {"pca": {"frames": most}, "mahalanobis": {}}
        assert len(problems(Format(16000, 1, samples), models=models, features=features)) == count


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ({"sample_rate": 8000}, "set resample: true, or sample_rate: 16000"),
        ({"sample_rate": 8000, "resample": True}, None),
        ({"channel": 2}, "channel 2, counted from 0, but the recordings have 2"),
        ({"channel": 1}, None),
        ({"channel": "mean"}, None),
        ({"n_fft": 8192}, "half of n_fft 8192 is more than the 4000 samples"),
        ({"n_fft": 8192, "padding": "constant"}, None),
    ],
)
def test_features_that_cannot_be_had_are_refused(features, says):
    found = problems(Format(16000, 2, 4000), models={"mahalanobis": {}}, features=features)
    assert len(found) == (says is not None)
    assert all(says in line for line in found)


def test_nothing_is_refused_of_recordings_of_which_nothing_is_known():
    assert not problems(None, models={"pca": {"frames": 1024}}, features={"channel": 63})
