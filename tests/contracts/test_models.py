"""One contract for every detector: a model that is found by name is covered without a change here."""

import ast
import inspect
import json
import math
import pickle
import subprocess
import sys
import time
import warnings
import zipfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from mimii.common.declarations import resolve
from mimii.common.device import pick_device
from mimii.common.errors import UserError
from mimii.detectors import back_ends, clip_vectors, estimator, window_network
from mimii.detectors.clip_classifier import ClipClassifier
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import MODELS, model_declaration, model_names, model_rules
from mimii.detectors.network import NetworkDetector
from mimii.detectors.scaling import mean_and_deviation
from mimii.features.clips import Clips, Group

N_MELS = 16
QUICK = {"epochs": 2, "batch_size": 32, "trees": 20, "max_vectors": 400}
NAMES = model_names()
NETWORKS = [name for name in NAMES if issubclass(detector_class(name), NetworkDetector)]
AUTOENCODERS = [name for name in NETWORKS if detector_class(name).reconstructs]
CLASSICAL = [name for name in NAMES if name not in NETWORKS]
SHARED = [name for name in NAMES if model_declaration(name).settings["train_per"]["default"] != "section"]
RECONSTRUCTING = [name for name in NAMES if detector_class(name).reconstructs]
# What a model may be trained on (`train_per`), and the kind of sound of each of these sections.
SCOPES = {
    "section": {"6dB/fan/id_00": 0},
    "machine_type": {"6dB/fan/id_00": 0, "6dB/fan/id_02": 2},
    "snr": {"6dB/fan/id_00": 0, "6dB/fan/id_02": 2, "6dB/pump/id_00": 3},
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def settings_of(name, **overrides):
    """A model's defaults, made quick; overrides that it does not declare are left out."""
    declared = model_declaration(name).settings
    fewer_windows = {"hop_frames": 3} if name in NETWORKS else {}
    wanted = {**QUICK, **fewer_windows, **overrides}
    return resolve(declared, {key: value for key, value in wanted.items() if key in declared})


def sound(kind, lengths, seed, n_mels=N_MELS, section="6dB/fan/id_00"):
    """Log-mel-like clips in dB: a mean spectrum and three shapes, both the kind's own, that come and go, and noise."""
    own, rng = np.random.default_rng([7, kind]), np.random.default_rng(seed)
    spectrum, shapes = own.uniform(-60, -10, n_mels), 4 * own.normal(size=(3, n_mels))
    clips = []
    for length in lengths:
        activity = np.cumsum(rng.normal(size=(length + 4, 3)), axis=0)
        activity = activity[4:] - activity[:-4]
        clips.append(spectrum + activity @ shapes + rng.normal(size=(length, n_mels)))
    frames = np.concatenate(clips) if clips else np.zeros((0, n_mels))
    groups = (Group(section),) * len(lengths)
    return Clips(np.ascontiguousarray(frames, np.float32), np.array(lengths, np.int64), groups)


def normal_clips(name, count, seed=1, n_mels=N_MELS):
    """Clips of the section that is scored; for a model that sections share by default, of three others too."""
    kinds = (0, 2, 3, 4) if name in SHARED else (0,)
    parts = (sound(kind, [48] * count, seed + 10 * kind, n_mels, f"6dB/fan/id_0{kind}") for kind in kinds)
    return Clips.joined([*parts])


NO_CLIPS = Clips(np.zeros((0, N_MELS), np.float32), np.zeros(0, np.int64))


def fit(name, *, seed=1, training=None, validation=None, n_mels=N_MELS, **overrides):
    detector = detector_class(name)(settings_of(name, **overrides), n_mels, seed=seed)
    if training is None:
        training = normal_clips(name, 20, n_mels=n_mels)
    if validation is None:
        validation = sound(0, [48] * 2, seed=2, n_mels=n_mels)
    return detector, detector.fit(training, validation)


def clip_scores(detector, clips):
    clip = detector.windows(clips)[1]
    return np.bincount(clip, detector.window_scores(clips)) / np.bincount(clip)


@pytest.fixture(scope="module", params=NAMES)
def trained(request):
    """Each model, trained long enough to tell one kind of sound from another."""
    return fit(request.param, epochs=20, batch_size=16, hop_frames=2)[0]


# What a detector must be able to tell


def test_another_kind_of_sound_scores_higher(trained):
    normal, other = clip_scores(trained, sound(0, [48] * 8, seed=3)), clip_scores(trained, sound(1, [48] * 8, seed=3))
    assert other.min() > normal.max()


def test_noise_on_a_clip_raises_its_score(trained):
    clips = sound(0, [48] * 8, seed=4)
    noise = 8 * np.random.default_rng(5).normal(size=clips.frames.shape).astype(np.float32)
    noisy, clean = clip_scores(trained, replace(clips, frames=clips.frames + noise)), clip_scores(trained, clips)
    # What tells classes apart may hear the noise in no single clip, since no class differs by it.
    assert np.all(noisy > clean) if trained.name() not in SHARED else noisy.mean() > clean.mean()


def stand_still(clips):
    """Each clip's mean spectrum in all its frames."""
    starts = np.cumsum(clips.lengths) - clips.lengths
    means = np.add.reduceat(clips.frames, starts) / clips.lengths[:, None].astype(np.float32)
    return replace(clips, frames=np.repeat(means, clips.lengths, axis=0))


def test_a_clip_that_stands_still_scores_as_the_model_says(trained):
    """Not what it should be, but what a reader of its scores has to know: few models hear that nothing moves."""
    clips = sound(0, [48] * 8, seed=4)
    own, still = clip_scores(trained, clips), clip_scores(trained, stand_still(clips))
    margin = 1e-3 * np.abs(own)  # of a clip's mean, the mean of its still twin differs by rounding alone
    # Which clips are near a class's edge differs with a processor's last bits, where classes are what is learnt.
    share = 0.75 if trained.name() in SHARED else 1
    lower, higher = (still < own - margin).mean(), (still > own + margin).mean()
    scored = "lower" if lower >= share else "higher" if higher >= share else "either"
    assert model_declaration(trained.name()).still_clip == scored


# What scores may depend on


def test_scores_depend_on_the_clip_alone(trained):
    lengths = [48, 40, 96, 48, 33, 2000]
    clips = sound(0, lengths, seed=8)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    order = [4, 2, 5, 0, 3, 1]
    reordered = Clips(
        np.concatenate([clips.frames[edges[n] : edges[n + 1]] for n in order]),
        clips.lengths[np.array(order)],
        clips.groups,
    )
    clip, scores = trained.windows(clips)[1], trained.window_scores(clips)
    clip_again, scores_again = trained.windows(reordered)[1], trained.window_scores(reordered)
    for place, n in enumerate(order):
        alone = trained.window_scores(clips.select(n, n + 1))
        np.testing.assert_array_equal(alone, scores[clip == n])
        np.testing.assert_array_equal(alone, scores_again[clip_again == place])


def test_scoring_changes_no_clip_and_needs_none(trained):
    clips = sound(0, [48, 40], seed=9)
    clips.frames.flags.writeable = False
    scores = trained.window_scores(clips)
    np.testing.assert_array_equal(clips.frames, sound(0, [48, 40], seed=9).frames)
    assert scores.dtype == np.float64
    assert scores.shape == trained.windows(clips)[0].shape
    assert trained.window_scores(NO_CLIPS).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_scores_other_seed_other_scores(name):
    clips = sound(0, [48] * 3, seed=10)
    first, again, other = (fit(name, seed=seed, max_vectors=50)[0].window_scores(clips) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) != model_declaration(name).stochastic


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_learnt_from_validation_clips(name):
    clips = sound(0, [48] * 2, seed=11)
    scores = [
        fit(name, validation=validation)[0].window_scores(clips)
        for validation in (sound(0, [48] * 3, seed=2), sound(1, [48] * 5, seed=2), NO_CLIPS)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])


@pytest.mark.parametrize("name", NAMES)
def test_how_much_is_computed_at_once_changes_no_score(name, monkeypatch):
    """A section has hundreds of blocks of vectors, a long clip several passes; the clips of these tests have one."""
    clips = sound(0, [48, 300, 40], seed=13)
    whole, losses = fit(name)
    expected = whole.window_scores(clips)
    for module in (window_network, estimator, back_ends, sys.modules[type(whole).__module__]):
        monkeypatch.setattr(module, "PASS_VALUES", 2**11, raising=False)
        monkeypatch.setattr(module, "BLOCK", 100, raising=False)
    np.testing.assert_allclose(whole.window_scores(clips), expected, rtol=1e-4, atol=1e-6)
    parts, losses_of_parts = fit(name)
    np.testing.assert_allclose(parts.window_scores(clips), expected, rtol=1e-4, atol=1e-6)
    for key in ("training_loss", "validation_loss"):
        values, values_of_parts = ([row[key] for row in result.losses] for result in (losses, losses_of_parts))
        np.testing.assert_allclose(values_of_parts, values, rtol=1e-5)


# Every scope; that no clip of a test part of any section is seen, and no label, is asked of whole trainings
# (tests/runs/test_training.py)


def clips_of_scope(scope, lengths, seed):
    """Clips of each of its sections, of two domains and with two attributes."""
    parts = []
    for section, kind in SCOPES[scope].items():
        groups = [Group(section, ("source", "target")[n % 2], f"speed_{n % 3 % 2}") for n in range(len(lengths))]
        parts.append(replace(sound(kind, lengths, seed + kind, section=section), groups=tuple(groups)))
    return Clips.joined(parts)


def of_each_scope():
    """A model with each scope that is not its default, in which all others test it; of all machines is slow."""
    for name in NAMES:
        train_per = model_declaration(name).settings["train_per"]
        for scope in set(train_per["enum"]) - {train_per["default"]}:
            marks = [] if scope == "machine_type" else [pytest.mark.slow]
            yield pytest.param((name, scope), id=f"{name}-{scope}", marks=marks)


@pytest.fixture(scope="module", params=sorted(of_each_scope(), key=lambda param: param.id))
def trained_in_scope(request):
    name, scope = request.param
    training = clips_of_scope(scope, [48] * 12, seed=1)
    return fit(name, training=training, train_per=scope, epochs=10, batch_size=16, trees=200)[0]


def test_in_every_scope_another_kind_of_sound_scores_higher(trained_in_scope):
    for section, kind in SCOPES[trained_in_scope.scope].items():
        normal, other = (
            clip_scores(trained_in_scope, sound(one, [48] * 8, seed=30, section=section)) for one in (kind, 1)
        )
        # Trees that are shared by several kinds cut between these first; a classifier has fewer classes than it needs.
        least = 0.5 if trained_in_scope.name() in SHARED else 0.9
        assert (other[:, None] > normal).mean() > least, section


def test_in_every_scope_scores_depend_on_the_clip_alone_and_outlast_a_file(trained_in_scope, tmp_path):
    clips = clips_of_scope(trained_in_scope.scope, [48, 40, 33], seed=8)
    scores = trained_in_scope.clip_scores(clips, top_k=2)
    trained_in_scope.save(tmp_path / "model")
    loaded = type(trained_in_scope).load(tmp_path / "model")
    reversed_clips = Clips.joined([clips.select(n, n + 1) for n in reversed(range(len(clips)))])
    in_reverse = loaded.clip_scores(reversed_clips, top_k=2)
    alone = [trained_in_scope.clip_scores(clips.select(n, n + 1), top_k=2) for n in range(len(clips))]
    for name, values in scores.items():
        np.testing.assert_array_equal(in_reverse[name][::-1], values)
        np.testing.assert_array_equal([one[name][0] for one in alone], values)


@pytest.mark.slow
def test_in_every_scope_nothing_is_learnt_from_validation_clips(trained_in_scope):
    scope, clips = trained_in_scope.scope, sound(0, [48] * 2, seed=11)
    training = clips_of_scope(scope, [48] * 12, seed=1)
    fitted = [
        fit(trained_in_scope.name(), training=training, validation=validation, train_per=scope)[0]
        for validation in (clips_of_scope(scope, [48] * 3, seed=2), NO_CLIPS)
    ]
    scores = [one.clip_scores(clips, top_k=2) for one in fitted]
    for name, values in scores[0].items():
        np.testing.assert_array_equal(scores[1][name], values)


# Clips


def test_a_clips_scores_are_of_its_windows(trained):
    clips = sound(0, [48, 100, 40], seed=15)
    scores = trained.clip_scores(clips, top_k=3)
    clip, windows = trained.windows(clips)[1], trained.window_scores(clips)
    whole_clips = {"mean": lambda own: own.mean()}
    of_windows = {"max": lambda own: own.max(), "top_k": lambda own: np.sort(own)[-3:].mean()}
    pooled = whole_clips if trained.window_frames is None else whole_clips | of_windows
    own = ["residual"] * trained.reconstructs + ["mahalanobis"] * isinstance(trained, ClipClassifier)
    assert list(scores) == [*pooled, *own]
    for name, pool in pooled.items():
        np.testing.assert_array_equal(scores[name], [pool(windows[clip == n]) for n in range(3)])
    assert all(values.shape == (3,) and values.dtype == np.float64 for values in scores.values())


def residual(detector, clips):
    return detector.clip_scores(clips, top_k=3)["residual"]


@pytest.fixture
def reconstructing(trained):
    if not trained.reconstructs:
        pytest.skip("this model reconstructs nothing")
    return trained


def test_the_residual_score_is_the_distance_of_a_clips_mean_residual(reconstructing):
    """By scikit-learn, from reconstructions of one window after another, standardised as the model's input is."""
    from sklearn.covariance import LedoitWolf

    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48, 100, 40], seed=15)
    _, deviation = mean_and_deviation(training.frames)

    def mean_residuals(some):
        residuals = []
        for n in range(len(some)):
            clip = some.select(n, n + 1)
            blocks = np.concatenate(list(reconstructing.reconstructed_windows(clip)))
            rows = reconstructing.windows(clip)[0][:, None] + np.arange(reconstructing.window_frames)
            residuals.append(((blocks - clip.frames[rows]) / deviation).mean((0, 1)))
        return np.array(residuals, np.float64)

    learnt = mean_residuals(training)
    centre, spread = learnt.mean(0), learnt.std(0)
    covariance = LedoitWolf(assume_centered=True).fit((learnt - centre) / spread)
    expected = np.sqrt(covariance.mahalanobis((mean_residuals(clips) - centre) / spread))
    np.testing.assert_allclose(residual(reconstructing, clips), expected, rtol=0.01)


def test_noise_on_a_clip_and_another_kind_of_sound_raise_its_residual_score(reconstructing):
    clips = sound(0, [48] * 8, seed=4)
    noise = 8 * np.random.default_rng(5).normal(size=clips.frames.shape).astype(np.float32)
    noisy = replace(clips, frames=clips.frames + noise)
    assert np.all(residual(reconstructing, noisy) > residual(reconstructing, clips))
    assert residual(reconstructing, sound(1, [48] * 8, seed=3)).min() > residual(reconstructing, clips).max()


def test_a_residual_score_depends_on_the_clip_alone(reconstructing, tmp_path):
    clips = sound(0, [48, 40, 2000, 33], seed=8)
    scores = residual(reconstructing, clips)
    np.testing.assert_array_equal([residual(reconstructing, clips.select(n, n + 1))[0] for n in range(4)], scores)
    assert residual(reconstructing, NO_CLIPS).shape == (0,)
    reconstructing.save(tmp_path / "model")
    np.testing.assert_array_equal(residual(type(reconstructing).load(tmp_path / "model"), clips), scores)


@pytest.mark.parametrize("name", RECONSTRUCTING)
def test_a_residual_score_is_learnt_from_the_clips_that_were_fitted_on(name):
    clips = sound(0, [48] * 2, seed=11)
    first, other_validation, other_training = (
        residual(fit(name, training=training, validation=validation)[0], clips)
        for training, validation in (
            (None, None),
            (None, sound(1, [48] * 5, seed=2)),
            (sound(0, [48] * 20, seed=5), None),
        )
    )
    np.testing.assert_array_equal(first, other_validation)
    assert not np.allclose(first, other_training)


@pytest.mark.parametrize("name", RECONSTRUCTING)
def test_too_few_clips_for_a_residual_score_are_counted_in_the_log(name, caplog):
    columns = {}
    for count in (9, 12, 20):
        caplog.clear()
        detector, _ = fit(name, training=sound(0, [48] * count, seed=1))
        columns[count] = "residual" in detector.clip_scores(sound(0, [48], seed=3), top_k=1), caplog.text
    assert not columns[9][0]
    assert "9 clips were fitted on, and a covariance needs at least 10" in columns[9][1]
    assert columns[12][0]
    assert "12 clips were fitted on, fewer than the 16 mel bands" in columns[12][1]
    assert columns[20] == (True, "")


# Reconstructions


@pytest.mark.parametrize("name", RECONSTRUCTING)
@pytest.mark.parametrize("standardize", [True, False])
def test_a_windows_score_is_the_error_of_its_reconstruction(name, standardize):
    if not standardize and "standardize" in model_rules(name).needs.values():
        pytest.skip("this model's input is always standardised")
    training, clips = sound(0, [70] * 20, seed=1), sound(0, [48, 60], seed=14)
    frames = model_declaration(name).settings["frames"]["default"]
    detector, _ = fit(name, training=training, hop_frames=frames, standardize=standardize)
    made = detector.reconstruct(clips)
    starts, _ = detector.windows(clips)
    rows = starts[:, None] + np.arange(frames)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(made).all(axis=1)), rows.ravel())
    assert made.shape == clips.frames.shape
    scale = mean_and_deviation(training.frames)[1] if standardize else np.float32(1)
    errors = np.square((made - clips.frames) / scale)[rows].mean(axis=(1, 2))
    np.testing.assert_allclose(errors, detector.window_scores(clips), rtol=2e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in RECONSTRUCTING])
def test_a_detector_that_does_not_reconstruct_says_so(name):
    with pytest.raises(NotImplementedError, match="does not reconstruct"):
        fit(name)[0].reconstruct(sound(0, [48], seed=14))


# Files


def test_saved_and_loaded_it_scores_the_same(trained, tmp_path):
    file = tmp_path / f"model{trained.suffix}"
    trained.save(file)
    loaded = type(trained).load(file)
    clips = sound(0, [48, 40], seed=12)
    np.testing.assert_array_equal(loaded.window_scores(clips), trained.window_scores(clips))
    assert (loaded.settings, loaded.n_mels, loaded.seed) == (trained.settings, trained.n_mels, trained.seed)
    assert loaded.parameter_count() == trained.parameter_count() > 0


def test_a_damaged_file_is_refused(trained, tmp_path):
    file = tmp_path / f"model{trained.suffix}"
    trained.save(file)
    content = file.read_bytes()
    for broken in (b"", b"nothing", content[: len(content) // 2]):
        file.write_bytes(broken)
        with pytest.raises(UserError, match="train again"):
            type(trained).load(file)


def test_another_models_file_is_refused(trained, tmp_path, monkeypatch):
    file = tmp_path / f"model{trained.suffix}"
    with monkeypatch.context() as patch:
        patch.setattr(type(trained), "name", classmethod(lambda cls: "another"))
        trained.save(file)
    with pytest.raises(UserError, match="another"):
        type(trained).load(file)


class Operations(TorchDispatchMode):
    """Counts what torch computes."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count[operation.name()] += 1
        return operation(*args, **(kwargs or {}))


class Malice:
    """Would write a file if it were unpickled."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return Path.touch, (Path(self.target),)


@pytest.mark.parametrize("name", NAMES)
def test_no_file_runs_code_when_loaded(name, tmp_path):
    detector, file, target = detector_class(name), tmp_path / "model", tmp_path / "ran"
    content = {"model": name, "settings": settings_of(name), "n_mels": N_MELS, "seed": 1}
    malice = {**content, "learnt": Malice(target)}
    file.write_bytes(pickle.dumps(malice, protocol=2))
    with pytest.raises(UserError):
        detector.load(file)
    if name in NETWORKS:
        torch.save(malice, file)
    else:
        with file.open("wb") as target_file:
            np.savez(target_file, **{"learnt/mean": np.array([Malice(target)])})
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("about.json", json.dumps(content))
    with pytest.raises(UserError):
        detector.load(file)
    assert not target.exists()


# Settings and sizes


def refused(name, settings, n_mels):
    try:
        detector_class(name)(settings, n_mels, seed=1)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_mels", [8, 13, 64])
def test_every_size_works_or_is_refused_before_training(name, n_mels):
    declared = model_declaration(name).settings
    small = {key: 1 for key in ("latent", "components") if key in declared}
    longest = 33 if n_mels < 64 else 17
    for frames in {max(size, declared["frames"].get("minimum", 1)) for size in (1, 2, 5, longest)}:
        overrides = {"frames": frames, "hop_frames": 7, "epochs": 1, "max_vectors": 60}
        for bottleneck in ({}, small):
            settings = settings_of(name, **overrides, **bottleneck)
            refusal = refused(name, settings, n_mels)
            if refusal:
                assert name in refusal
                assert bottleneck != small
                continue
            detector = detector_class(name)(settings, n_mels, seed=1)
            lengths = [33, 40, 61]
            detector.fit(sound(0, lengths, seed=1, n_mels=n_mels), sound(0, [], seed=2, n_mels=n_mels))
            clips = sound(0, lengths, seed=3, n_mels=n_mels)
            scores = detector.window_scores(clips)
            assert scores.shape == detector.windows(clips)[0].shape
            assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", AUTOENCODERS)
@settings(max_examples=20)
@given(frames=st.integers(1, 70), n_mels=st.integers(8, 140))
def test_a_reconstruction_has_the_size_of_its_window_or_the_size_is_refused(name, frames, n_mels):
    declared = settings_of(name, latent=2, frames=frames)
    if refused(name, declared, n_mels):
        assert frames < model_declaration(name).settings["frames"]["minimum"]
        return
    detector = detector_class(name)(declared, n_mels, seed=1)
    with torch.no_grad():
        assert detector.network.eval()(torch.zeros(2, frames, n_mels)).numel() == 2 * frames * n_mels


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_shorter_than_a_window_is_refused(name):
    with pytest.raises(UserError, match="shorter"):
        fit(name, frames=64, training=sound(0, [48] * 4, seed=1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_features_that_are_not_numbers_are_refused(name, broken):
    training = sound(0, [48] * 20, seed=1)
    training.frames[100, 3] = broken
    with pytest.raises(UserError, match="NaN or infinite"):
        fit(name, training=training)


@pytest.mark.parametrize("name", NAMES)
def test_a_band_that_never_changes_harms_nothing(name):
    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48] * 2, seed=3)
    training.frames[:, 2] = clips.frames[:, 2] = -156.0
    scores = fit(name, training=training)[0].clip_scores(clips, top_k=2)
    assert all(np.isfinite(values).all() for values in scores.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error:.*not writable")
def test_training_changes_no_clip(name):
    training, validation = sound(0, [48] * 20, seed=1), sound(0, [48] * 2, seed=2)
    for clips in (training, validation):
        clips.frames.flags.writeable = False
    detector, result = fit(name, training=training, validation=validation)
    np.testing.assert_array_equal(training.frames, sound(0, [48] * 20, seed=1).frames)
    np.testing.assert_array_equal(validation.frames, sound(0, [48] * 2, seed=2).frames)
    limit = detector.settings.get("max_vectors") or np.inf
    assert result.training_windows == min(limit, len(detector.windows(training)[0]))


# How models are found


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_documented_and_ignores_none_of_its_settings(name):
    cls = detector_class(name)
    module = sys.modules[cls.__module__]
    assert cls.name() == name
    assert all(f"{part}:" in module.__doc__.replace("Loss and score", "Score") for part in ("Idea", "Shapes", "Score"))
    assert "Paper:" in module.__doc__ or "Papers:" in module.__doc__
    sources = [inspect.getsource(sys.modules[base.__module__]) for base in cls.__mro__[:-2]]
    words = {node.value for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    # Which clips a detector is given is settled before it sees any.
    assert set(model_declaration(name).settings) - {"val_split", "train_per"} <= words


def test_the_folder_holds_nothing_but_models():
    assert {path.stem for path in MODELS.glob("*.py")} - {"__init__"} == {path.stem for path in MODELS.glob("*.yaml")}


def test_an_unknown_model_is_named_with_what_was_meant():
    with pytest.raises(UserError, match="simple_ae"):
        detector_class("simple_a")
    with pytest.raises(UserError, match="known: "):
        detector_class("../../x")


LIBRARIES = {"torch": "torch", "scikit-learn": "sklearn", "scipy": "scipy"}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_scores_has_imported_no_library_but_torch(name, tmp_path):
    """The cost of a short job is its imports."""
    detector, file = fit(name)[0], tmp_path / "model"
    detector.save(file)
    code = f"""import sys; import numpy as np; from mimii.detectors.contract import detector_class
from mimii.features.clips import Clips, Group
assert not {{*{LIBRARIES}.values(), "yaml"}} & set(sys.modules)
clips = Clips(np.zeros((48, {N_MELS}), np.float32), np.array([48]), (Group("6dB/fan/id_00"),))
detector_class("{name}").load("{file}").clip_scores(clips, top_k=2)
assert {{*{LIBRARIES}.values()}} & set(sys.modules) == {{"torch"}} & {{*{detector.libraries}}}"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_fit_loads_nothing_that_its_job_could_not_prepare(name):
    """A library with threads of its own that comes later would compute with as many as it likes."""
    code = f"""import sys; import numpy as np; from importlib import import_module
from threadpoolctl import threadpool_info
from mimii.detectors.contract import detector_class
from mimii.features.clips import Clips
make = detector_class("{name}")
for module in make.fit_modules:
    import_module(module)
before = [library["filepath"] for library in threadpool_info()]
imported = {{*{LIBRARIES}.values()}} & set(sys.modules)
frames = np.random.default_rng(1).normal(size=(40 * 48, {N_MELS})).astype(np.float32)
none = Clips(frames[:0], np.zeros(0, np.int64))
make({settings_of(name)}, {N_MELS}, seed=1).fit(Clips(frames, np.full(40, 48)), none)
assert [library["filepath"] for library in threadpool_info()] == before
assert {{*{LIBRARIES}.values()}} & set(sys.modules) == imported
named = {{module for library, module in {LIBRARIES}.items() if library in make.libraries}}
assert named <= imported <= named | {{"scipy"}}  # which scikit-learn imports"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_detector_says_of_itself(name):
    cls = detector_class(name)
    made = cls(settings_of(name), N_MELS, seed=1)
    assert cls.suffix.startswith(".")
    assert cls.uses_gpu == ("torch" in cls.libraries)
    assert made.scope == made.settings["train_per"] == ("snr" if name in SHARED else "section")
    assert cls(settings_of(name, train_per="machine_type"), N_MELS, seed=1).scope == "machine_type"
    assert (model_declaration(name).least_classes is not None) == issubclass(cls, ClipClassifier)
    clips = sound(0, [48, 60], seed=3)
    starts, clip = made.windows(clips)
    if made.window_frames is None:
        assert (starts.tolist(), clip.tolist()) == ([0, 48], [0, 1])
    else:
        assert starts[clip == 0].max() + made.window_frames <= 48


def test_device_is_taken_as_asked():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in ("cpu", "cuda")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="0 GPUs seen"):
            pick_device("cuda")


# Networks


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_all_that_a_network_knows_of_its_input_passes_the_bottleneck(name):
    """The rank of the output's derivative by the input: a skip around the bottleneck would raise it."""
    detector = detector_class(name)(settings_of(name, latent=4, frames=8), N_MELS, seed=1)
    network = detector.network.double().eval()
    ranks = []
    for window in torch.from_numpy(np.random.default_rng(1).normal(size=(4, 1, 8, N_MELS))):
        jacobian = torch.autograd.functional.jacobian(network, window).reshape(8 * N_MELS, 8 * N_MELS)
        ranks.append(int(torch.linalg.matrix_rank(jacobian)))
    rules = model_rules(name)
    values = detector.settings[rules.bottleneck] * (8 if rules.bottleneck_of == "frame" else 1)
    assert 1 <= max(ranks) <= values < 8 * N_MELS


@pytest.mark.parametrize("name", NETWORKS)
def test_a_loss_that_explodes_or_is_no_number_stops_the_training(name, monkeypatch):
    for factor in (1e4, float("nan")):
        detector = detector_class(name)(settings_of(name, epochs=5), N_MELS, seed=1)
        loss = detector.loss
        monkeypatch.setattr(detector, "loss", lambda w, epoch, loss=loss, f=factor: loss(w, epoch) * f ** (epoch > 2))
        with pytest.raises(UserError, match=r"epoch 3 .*learning_rate"):
            detector.fit(normal_clips(name, 5), NO_CLIPS)


@pytest.mark.parametrize("validation", [sound(0, [48] * 2, seed=2), NO_CLIPS], ids=["validation", "no validation"])
def test_weights_that_the_last_step_breaks_stop_the_training(validation, monkeypatch):
    """The loss of a step is that before it, so the last step's outcome is in no training loss."""
    detector = detector_class("simple_ae")(settings_of("simple_ae"), N_MELS, seed=1)
    train_epoch = detector.train_epoch

    def breaking(batches, steps, optimizer, epoch):
        losses = train_epoch(batches, steps, optimizer, epoch)
        optimizer.weights.fill_(float("nan") if epoch == 2 else 0)
        return losses

    monkeypatch.setattr(detector, "train_epoch", breaking)
    with pytest.raises(UserError, match="diverged"):
        detector.fit(sound(0, [48] * 5, seed=1), validation)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_waits_for_nothing(name):
    """Reading a value back would wait for the device at every step: how often must not grow with the steps."""
    counts = []
    for clips in (20, 40):
        detector = detector_class(name)(settings_of(name, epochs=1, hop_frames=1), N_MELS, seed=1)
        with Operations() as operations:
            detector.fit(sound(0, [48] * clips, seed=1), NO_CLIPS)
        counts.append(operations.count)
    few, many = counts
    step = "aten::_fused_adamw_" if "weight_decay" in detector.settings else "aten::_fused_adam_"
    assert many[step] > 1.5 * few[step] > 0
    for reading in ("aten::_local_scalar_dense", "aten::_to_copy", "aten::nonzero"):
        assert many[reading] == few[reading]


@pytest.mark.parametrize("name", NETWORKS)
def test_losses_of_every_epoch_are_kept(name):
    _, result = fit(name, epochs=3)
    assert [row["epoch"] for row in result.losses] == [1, 2, 3]
    assert all(row["training_loss"] > 0 and row["validation_loss"] > 0 for row in result.losses)
    assert result.losses[2]["training_loss"] < result.losses[0]["training_loss"]
    assert (result.epochs_run, result.kept_epoch, result.peak_gpu_memory_mb) == (3, 3, None)
    assert fit(name, epochs=1, validation=NO_CLIPS)[1].losses[0]["validation_loss"] is None


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_may_stay_untrained(name):
    detector, result = fit(name, epochs=0)
    assert (result.losses, result.epochs_run, result.kept_epoch) == ([], 0, 0)
    weights = detector_class(name)(settings_of(name), N_MELS, seed=1).network.state_dict()
    for key, value in detector.network.state_dict().items():
        np.testing.assert_array_equal(value, weights[key])
    assert all(np.isfinite(score).all() for score in detector.clip_scores(sound(0, [48], seed=3), top_k=1).values())
    assert detector.clip_statistics.keys() == fit(name, epochs=1)[0].clip_statistics.keys()


@pytest.mark.parametrize("name", NAMES)
def test_equal_trainings_write_equal_files(name, tmp_path, monkeypatch):
    kept = []  # so that what comes later lies at other addresses
    for year, file in ((2001, "a"), (2002, "b")):
        monkeypatch.setattr(time, "localtime", lambda *_, year=year: time.struct_time((year, 2, 3, 4, 5, 6, 0, 34, 0)))
        kept.append(fit(name, epochs=1)[0])
        kept[-1].save(tmp_path / file)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_early_stopping_and_the_best_epoch(monkeypatch):
    losses = [3.0, 2.0, 2.5, 2.1, 2.2, 2.3]
    cls = detector_class("simple_ae")
    clips = sound(0, [48], seed=3)
    plain = {epochs: fit("simple_ae", epochs=epochs)[0].window_scores(clips) for epochs in (2, 4, 6)}
    monkeypatch.setattr(cls, "validation_loss", lambda self, held_out, epoch: losses[epoch - 1])
    for patience, best, epochs, kept in [(2, True, 4, 2), (2, False, 4, 4), (None, True, 6, 2), (None, False, 6, 6)]:
        detector, result = fit("simple_ae", epochs=6, early_stopping_patience=patience, best_epoch=best)
        assert (result.epochs_run, result.kept_epoch) == (epochs, kept)
        np.testing.assert_array_equal(detector.window_scores(clips), plain[kept])


@pytest.mark.parametrize("setting", [{"early_stopping_patience": 2}, {"best_epoch": True}])
def test_choosing_an_epoch_needs_validation_clips(setting):
    with pytest.raises(UserError, match="val_split"):
        fit("simple_ae", validation=NO_CLIPS, **setting)


def test_a_single_left_over_window_does_not_stop_batch_normalisation():
    training = sound(0, [37], seed=1)  # 33 windows of 5 frames, batches of 32
    assert fit("deep_ae", training=training, hop_frames=1)[1].training_windows == 33
    with pytest.raises(UserError, match="at least 2"):
        fit("deep_ae", training=sound(0, [5], seed=1))


def test_the_official_baseline_is_within_reach():
    official = {"batch_size": 512, "standardize": False, "initialization": "keras", "adam_epsilon": 1e-7}
    detector = detector_class("simple_ae")(settings_of("simple_ae", **official), 64, seed=1)
    layers = [layer for layer in detector.network if isinstance(layer, torch.nn.Linear)]
    assert [layer.in_features for layer in layers] + [320] == [320, 64, 64, 8, 64, 64, 320]
    assert isinstance(detector.network[-1], torch.nn.Linear)
    for layer in layers:
        limit = (6 / (layer.in_features + layer.out_features)) ** 0.5
        assert not layer.bias.any()
        assert 0.9 * limit < layer.weight.abs().max() <= limit
    detector.fit(sound(0, [48] * 4, seed=1, n_mels=64), sound(0, [], seed=1, n_mels=64))
    assert not detector.mean.any()


def test_the_deep_autoencoder_is_the_dcase_baseline():
    """On its input of 5 frames of 128 bands; normalisation has a weight and a shift for each hidden value."""
    detector = detector_class("deep_ae")(settings_of("deep_ae"), 128, seed=1)
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    dense = sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))
    assert detector.parameter_count() == dense + 2 * sum(widths[1:-1])
    kinds = [type(layer).__name__ for layer in detector.network]
    assert kinds == ["Flatten", *["Linear", "BatchNorm1d", "ReLU"] * 9, "Linear"]


def test_keras_initialises_an_lstm_with_a_forget_bias_of_one():
    detector = detector_class("lstm_ae")(settings_of("lstm_ae", initialization="keras"), N_MELS, seed=1)
    lstm = detector.network.encoder
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).unflatten(0, (4, -1))
    torch.testing.assert_close(bias.mean(1), torch.tensor([0.0, 1.0, 0.0, 0.0]))
    recurrent = lstm.weight_hh_l0
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(recurrent.shape[1]), atol=1e-5, rtol=0)


def test_training_minimises_what_a_plain_loop_would():
    """Against stacked windows, PyTorch's own optimiser class and the same order of batches."""
    training = sound(0, [48] * 5, seed=1)
    starts, _ = training.windows(5, 1)
    made = [
        detector_class("simple_ae")(settings_of("simple_ae", standardize=False, hop_frames=1), N_MELS, seed=1)
        for _ in range(2)
    ]
    detector, plain = made[0], made[1].network
    stacked = torch.stack([torch.from_numpy(training.frames[start : start + 5].copy()) for start in starts])
    detector.fit(training, NO_CLIPS)
    optimizer, generator = torch.optim.Adam(plain.parameters()), torch.Generator().manual_seed(1)
    for _ in range(2):
        for batch in stacked[torch.randperm(len(stacked), generator=generator)].split(32):
            optimizer.zero_grad()
            (plain(batch) - batch.flatten(1)).square().mean().backward()
            optimizer.step()
    for mine, theirs in zip(detector.network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_denoising_without_standardisation_is_refused():
    with pytest.raises(UserError, match="standardize"):
        fit("denoising_ae", standardize=False)


def test_noise_is_on_the_input_alone_and_in_training_alone():
    detector = detector_class("denoising_ae")(settings_of("denoising_ae", latent=4, noise=0.5), N_MELS, seed=1)
    windows = torch.randn(7, 5, N_MELS)
    with torch.no_grad():
        torch.manual_seed(3)
        noisy = windows + 0.5 * torch.randn_like(windows)
        for training, given_windows in ((True, noisy), (False, windows)):
            detector.network.train(training)
            torch.manual_seed(3)
            expected = (detector.network(given_windows) - windows.flatten(1)).square().mean()
            torch.testing.assert_close(detector.loss(windows, 1), expected)
        torch.testing.assert_close(detector.score_batch(windows).mean(), expected)


@pytest.mark.parametrize("warmup", [0, 4])
def test_the_weight_of_the_divergence_rises_to_beta_in_training(warmup):
    detector = detector_class("vae")(settings_of("vae", beta=0.5, warmup_epochs=warmup), N_MELS, seed=1)
    windows = torch.randn(7, 5, N_MELS)

    def loss(epoch):
        torch.manual_seed(3)
        return float(detector.loss(windows, epoch)) * windows[0].numel()

    with torch.no_grad():
        mean, log_variance = detector.network.encode(windows)
        posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
        prior = torch.distributions.Normal(0.0, 1.0)
        divergence = float(torch.distributions.kl_divergence(posterior, prior).sum(1).mean())
        detector.network.train()
        losses = np.array([loss(epoch) for epoch in range(1, 8)])
        weights = 0.5 * np.minimum(1, np.arange(1, 8) / (warmup + 1))
        np.testing.assert_allclose(losses - losses[0], (weights - weights[0]) * divergence, atol=1e-3)
        torch.manual_seed(3)
        drawn = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        seen = torch.distributions.Normal(detector.network.decoder(drawn), 1.0)
        surprise = -float(seen.log_prob(windows.flatten(1)).sum(1).mean())
        assert losses[0] == pytest.approx(surprise + weights[0] * divergence, rel=1e-4)


def test_the_variational_bound_weighs_both_terms_per_window():
    detector = detector_class("vae")(settings_of("vae"), N_MELS, seed=1)
    windows = torch.randn(7, 5, N_MELS)
    detector.network.eval()
    with torch.no_grad():
        detector.network.log_variance.fill_(-1.4)
        mean, log_variance = detector.network.encode(windows)
        prior = torch.distributions.Normal(0.0, 1.0)
        posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
        divergence = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
        seen = torch.distributions.Normal(detector.network(windows), math.exp(-0.7))
        surprise = -seen.log_prob(windows.flatten(1)).sum(1).mean()
        torch.testing.assert_close(detector.loss(windows, 1) * windows[0].numel(), surprise + divergence)


def test_the_decoders_variance_comes_to_that_of_what_it_cannot_reconstruct():
    """Whatever it started from: at its optimum the residual of a drawn code has the variance that is learnt."""
    training = sound(0, [48] * 20, seed=1)
    detector, _ = fit("vae", training=training, epochs=120, batch_size=64, learning_rate=0.01, hop_frames=1)
    windows = detector.examples(training)
    with torch.no_grad():
        batch = next(windows.batches([len(windows)]))
        mean, log_variance = detector.network.encode(batch)
        drawn = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        residual = float((detector.network.decoder(drawn) - batch.flatten(1)).square().mean())
    assert float(detector.network.log_variance.detach().exp()) == pytest.approx(residual, rel=0.1)
    assert residual < 0.7


@pytest.mark.parametrize("frames", [3, 4, 5])
def test_the_interpolation_network_never_sees_the_frame_that_it_must_give(frames):
    detector = detector_class("idnn")(settings_of("idnn", frames=frames, latent=4), N_MELS, seed=1)
    windows = torch.randn(7, frames, N_MELS)
    changed = windows.clone()
    changed[:, frames // 2] += 1
    with torch.no_grad():
        around, missing = detector._split(windows)
        told = detector.network(around)
        torch.testing.assert_close(detector.network(detector._split(changed)[0]), told)
        torch.testing.assert_close(detector.score_batch(windows), (told - missing).square().mean(1))
        torch.testing.assert_close(detector.score_batch(changed), (told - missing - 1).square().mean(1))
        torch.testing.assert_close(detector.loss(windows, 1), detector.score_batch(windows).mean())


def test_the_interpolation_network_has_the_papers_widths():
    network = detector_class("idnn")(settings_of("idnn"), 64, seed=1).network
    widths = [layer.in_features for layer in network if isinstance(layer, torch.nn.Linear)]
    assert [*widths, network[-1].out_features] == [256, 64, 32, 16, 32, 64, 64]


# Classical


def test_vectors_are_drawn_evenly_over_clips_of_any_length():
    detector = detector_class("one_class_svm")(settings_of("one_class_svm"), N_MELS, seed=1)
    lengths = [48, 300, 9, 48]
    frames = np.repeat(np.arange(4, dtype=np.float32), lengths)[:, None].repeat(N_MELS, axis=1)
    clips = Clips(np.ascontiguousarray(frames), np.array(lengths))
    drawn = np.bincount(detector.drawn_vectors(clips, 80)[:, 0].astype(int))
    assert drawn.sum() == 80
    assert drawn[2] == 5  # all that it has
    assert set(drawn[[0, 1, 3]]) == {25}
    assert len(detector.drawn_vectors(clips, None)) == len(clips.windows(5, 1)[0])


@pytest.mark.parametrize("chosen", [{}, {"max_samples": 2000}, {"max_samples": 3, "max_features": 0.3}, {"trees": 1}])
def test_the_forests_score_is_scikit_learns(chosen, monkeypatch):
    """Of the same trees, of which the model keeps the nodes alone."""
    from sklearn.ensemble import IsolationForest

    forests, grow = [], IsolationForest.fit
    monkeypatch.setattr(IsolationForest, "fit", lambda self, vectors: forests.append(grow(self, vectors)) or forests[0])
    clips = sound(0, [48, 300], seed=3)
    detector, _ = fit("isolation_forest", **{"trees": 300, "max_vectors": None, **chosen})
    vectors = detector.projected(detector.vectors(clips, detector.windows(clips)[0]))
    np.testing.assert_allclose(detector.window_scores(clips), -forests[0].score_samples(vectors), rtol=1e-6)


def test_the_svms_score_is_scikit_learns():
    from sklearn.svm import OneClassSVM

    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48] * 2, seed=3)
    detector, _ = fit("one_class_svm", gamma=0.01, components=8, nu=0.1)

    def project(vectors):
        centred = detector.scaled(vectors) - detector.learnt["centre"]
        return (centred @ detector.learnt["components"].T).astype(np.float64)

    machine = OneClassSVM(gamma=0.01, nu=0.1).fit(project(detector.drawn_vectors(training, 400)))
    expected = -machine.decision_function(project(detector.vectors(clips, clips.windows(5, 1)[0])))
    np.testing.assert_allclose(detector.window_scores(clips), expected, atol=2e-3)  # the solver's own tolerance is 1e-3


def test_the_components_are_scikit_learns():
    from sklearn.decomposition import PCA

    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48] * 2, seed=3)
    detector, _ = fit("pca", standardize=False, components=4)
    pca = PCA(4).fit(detector.vectors(training, training.windows(5, 1)[0]))
    vectors = detector.vectors(clips, clips.windows(5, 1)[0])
    expected = np.square(vectors - pca.inverse_transform(pca.transform(vectors))).mean(1)
    np.testing.assert_allclose(detector.window_scores(clips), expected, rtol=1e-3)


@pytest.mark.parametrize("vector", ["mean", "mean_and_deviation"])
def test_the_distance_is_scikit_learns(vector):
    from sklearn.covariance import LedoitWolf

    def statistics(clips):
        parts = [clips.select(n, n + 1).frames.astype(np.float64) for n in range(len(clips))]
        both = np.array([np.concatenate([part.mean(0), part.std(0)]) for part in parts])
        return both if vector == "mean_and_deviation" else both[:, :N_MELS]

    training, clips = sound(0, [48] * 60, seed=1), sound(0, [48, 40], seed=3)
    learnt, scored = statistics(training), statistics(clips)
    mean, deviation = learnt.mean(0), learnt.std(0)
    covariance = LedoitWolf().fit((learnt - mean) / deviation)
    expected = np.sqrt(covariance.mahalanobis((scored - mean) / deviation))
    detector, _ = fit("mahalanobis", training=training, vector=vector)
    np.testing.assert_allclose(detector.window_scores(clips), expected, rtol=1e-3)


def test_the_distance_of_windows_is_scikit_learns():
    from sklearn.covariance import LedoitWolf

    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48, 40], seed=3)
    detector, result = fit("mahalanobis", training=training, vector="stacked", frames=4)
    assert result.training_windows == 240
    learnt, scored = learnt_and_tested(detector, training, clips)
    assert learnt.shape == (240, 4 * N_MELS)
    expected = np.sqrt(LedoitWolf(assume_centered=True).fit(learnt).mahalanobis(scored))
    np.testing.assert_allclose(detector.window_scores(clips), expected, rtol=1e-3)


def test_mahalanobis_scores_a_clip_as_one_unless_told_otherwise():
    clips = sound(0, [48, 40], seed=3)
    assert fit("mahalanobis")[0].window_scores(clips).shape == (2,)
    assert fit("mahalanobis", frames=10)[0].window_scores(clips).shape == (8,)
    assert fit("mahalanobis", frames=10, hop_frames=2)[0].window_scores(clips).shape == (36,)


VECTORS = [name for name in CLASSICAL if issubclass(detector_class(name), clip_vectors.ClipVectorDetector)]


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("vector", ["mean_and_deviation", "sorted", "maximum"])
def test_a_clip_that_stands_still_scores_higher(name, vector):
    """Where the vector tells: of the mean of a clip, one that stands still has as usual a mean as any."""
    detector, _ = fit(name, training=sound(0, [48] * 100, seed=1), vector=vector, rank_weight=0.9)
    clips = sound(0, [48] * 8, seed=4)
    assert np.all(detector.window_scores(stand_still(clips)) > detector.window_scores(clips))


def learnt_and_tested(detector, training, clips):
    """Standardised vectors of both, in double precision."""
    return (
        detector.projected(detector.vectors(some, detector.windows(some)[0])).astype(np.float64)
        for some in (training, clips)
    )


@pytest.mark.parametrize("frames", [None, 20])
def test_the_nearest_neighbours_are_scikit_learns(frames):
    from sklearn.neighbors import NearestNeighbors

    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48, 60], seed=3)
    detector, result = fit("knn", training=training, neighbours=3, frames=frames)
    references, tested = learnt_and_tested(detector, training, clips)
    assert len(references) == result.training_windows == (20 if frames is None else 40)
    expected = NearestNeighbors(n_neighbors=3).fit(references).kneighbors(tested)[0].mean(1)
    np.testing.assert_allclose(detector.window_scores(clips), expected)


def test_neighbours_in_dense_places_count_more():
    """Against the definition of arXiv:2509.10951, vector by vector."""
    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48, 60], seed=3)
    detector, _ = fit("knn", training=training, density_neighbours=4)
    references, tested = learnt_and_tested(detector, training, clips)
    expected = []
    for vector in tested:
        rescaled = []
        for place, reference in enumerate(references):
            others = np.linalg.norm(np.delete(references, place, axis=0) - reference, axis=1)
            rescaled.append(np.linalg.norm(vector - reference) / np.sort(others)[:4].mean())
        expected.append(min(rescaled))
    np.testing.assert_allclose(detector.window_scores(clips), expected)


@pytest.mark.parametrize("vector", ["mean", "mean_and_deviation"])
def test_each_band_has_neighbours_of_its_own(vector):
    training, clips = sound(0, [48] * 20, seed=1), sound(0, [48, 60], seed=3)
    detector, _ = fit("knn", training=training, distance="by_band", vector=vector)
    references, tested = learnt_and_tested(detector, training, clips)
    statistics = 2 if vector == "mean_and_deviation" else 1
    bands = [[band + N_MELS * n for n in range(statistics)] for band in range(N_MELS)]
    expected = [
        np.mean([np.linalg.norm(references[:, band] - one[band], axis=1).min() for band in bands]) for one in tested
    ]
    np.testing.assert_allclose(detector.window_scores(clips), expected)


def test_whitened_vectors_have_distances_of_mahalanobis():
    training, clips = sound(0, [48] * 60, seed=1), sound(0, [48, 40], seed=3)
    detector, _ = fit("knn", training=training, whiten=True)
    reference, _ = fit("mahalanobis", training=training)
    centre = np.zeros((1, N_MELS), np.float32)  # the mean of the training vectors
    detector.learnt["references"] = detector._parts(centre)
    detector.learnt["banks"] = np.zeros(1, np.int64)
    np.testing.assert_allclose(detector.window_scores(clips), reference.window_scores(clips), rtol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"whiten": True}, {"density_neighbours": 4}, {"vector": "maximum"}])
@pytest.mark.parametrize("distance", ["euclidean", "cosine", "by_band"])
def test_every_way_to_the_neighbours_tells_another_sound(distance, settings):
    detector, _ = fit("knn", training=sound(0, [48] * 60, seed=1), distance=distance, **settings)
    normal, other = (detector.window_scores(sound(kind, [48] * 8, seed=3)) for kind in (0, 1))
    assert other.min() > normal.max() if distance != "cosine" else other.mean() > normal.mean()


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "by_band"])
def test_equal_training_clips_harm_no_neighbour(distance):
    once = sound(0, [48], seed=1)
    training = Clips(np.tile(once.frames, (6, 1)), np.repeat(once.lengths, 6))
    detector, _ = fit("knn", training=training, distance=distance, density_neighbours=4, whiten=True)
    scores = detector.window_scores(Clips.joined([once, sound(1, [48], seed=2)]))
    assert np.isfinite(scores).all()
    assert scores[0] < scores[1]


def test_the_density_is_scikit_learns():
    from sklearn.mixture import GaussianMixture

    training, clips = sound(0, [48] * 60, seed=1), sound(0, [48, 60], seed=3)
    detector, _ = fit("gmm", training=training, components=1)
    references, tested = learnt_and_tested(detector, training, clips)
    mixture = GaussianMixture(1, reg_covar=0.01).fit(references)
    np.testing.assert_allclose(detector.window_scores(clips), -mixture.score_samples(tested), rtol=1e-6)


def test_the_density_of_several_gaussians_is_scikit_learns():
    from sklearn.mixture import GaussianMixture

    training, clips = sound(0, [48] * 60, seed=1), sound(0, [48, 60], seed=3)
    detector, _ = fit("gmm", training=training, components=3)
    mixture = GaussianMixture(3)
    for name, value in detector.learnt.items():
        setattr(mixture, f"{name}_", value)
    _, tested = learnt_and_tested(detector, training, clips)
    np.testing.assert_allclose(detector.window_scores(clips), -mixture.score_samples(tested), rtol=1e-9)


def test_two_gaussians_find_two_states_of_a_machine():
    training = Clips.joined([sound(0, [48] * 30, seed=1), sound(1, [48] * 30, seed=2)])
    between = Clips((sound(0, [48] * 4, seed=3).frames + sound(1, [48] * 4, seed=3).frames) / 2, np.repeat(48, 4))
    detector, _ = fit("gmm", training=training)
    np.testing.assert_allclose(detector.learnt["weights"], [0.5, 0.5], atol=1e-6)
    normal = [detector.window_scores(sound(kind, [48] * 4, seed=4)) for kind in (0, 1)]
    assert detector.window_scores(between).min() > np.max(normal)


def test_more_gaussians_than_clips_are_refused():
    with pytest.raises(UserError, match="fewer than components 8"):
        fit("gmm", training=sound(0, [48] * 5, seed=1), components=8)


@pytest.mark.parametrize("name", VECTORS)
def test_one_clip_is_too_few_to_standardise(name):
    with pytest.raises(UserError, match=r"1 training vector\(s\); at least 2"):
        fit(name, training=sound(0, [48], seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simple_ae", "conv_ae"])
def test_training_needs_the_features_once_and_little_more_memory(name, project_root):
    """On a section of MIMII's size; stacked windows would be five times the features."""
    command = [sys.executable, project_root / "benchmarks" / "training.py", "--models", name, "--run", "memory"]
    peak, features = map(float, subprocess.check_output(command, text=True).split())
    assert 40 < features < peak < features + 300


@pytest.mark.parametrize("name", ["isolation_forest", "one_class_svm"])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(
    "spectrum", [np.full(N_MELS, -156.5), np.linspace(-60, -10, N_MELS)], ids=["silent", "constant"]
)
def test_a_section_in_which_nothing_changes_is_refused_in_one_message(name, standardize, spectrum):
    training = Clips(np.tile(spectrum.astype(np.float32), (20 * 48, 1)), np.full(20, 48))
    with warnings.catch_warnings(action="error"), pytest.raises(UserError, match=f"{name}: all training windows are"):
        fit(name, training=training, standardize=standardize)


def test_components_are_as_exact_far_from_zero():
    """Decibels that are not standardised may lie far from zero: in float32 their squares would drown what varies."""
    clips = sound(0, [48] * 40, seed=1)
    far = Clips(clips.frames + np.float32(4096), clips.lengths)  # exact: digits below 2**-11 are cut off in both
    near = Clips(far.frames - np.float32(4096), clips.lengths)
    chosen = {"standardize": False, "components": 4, "max_vectors": 1000}  # enough for the covariance to be used
    detectors = [fit("one_class_svm", training=some, **chosen)[0] for some in (near, far)]
    components = [np.abs(detector.learnt["components"]) for detector in detectors]
    np.testing.assert_allclose(*components, rtol=1e-3, atol=1e-5)
