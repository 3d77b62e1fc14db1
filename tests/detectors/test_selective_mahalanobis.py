"""The clip score of DCASE's baseline: residuals by domain, of which the nearer one counts."""

import numpy as np
import pytest

from mimii.common.declarations import resolve
from mimii.detectors.back_ends import selective_mahalanobis
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration
from mimii.features.clips import Clips, Group

N_MELS, FRAMES = 16, 40
SCORE = "selective_mahalanobis"


def sound(seed, domains):
    """Clips of noise; those of the target domain have a louder lower half."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(FRAMES, N_MELS)) for _ in domains]
    for part, domain in zip(parts, domains, strict=True):
        part[:, : N_MELS // 2] *= 3 if domain == "target" else 1
    groups = tuple(Group("6dB/fan/id_00", domain) for domain in domains)
    return Clips(np.concatenate(parts).astype(np.float32), np.full(len(domains), FRAMES), groups)


def fitted(domains, **settings):
    declared = model_declaration("deep_ae").settings
    own = {"epochs": 1, "batch_size": 64, "latent": 4, "hidden": [16], **settings}
    detector = detector_class("deep_ae")(resolve(declared, own), N_MELS, seed=1)
    detector.fit(sound(1, domains), sound(2, [None] * 2))
    return detector


@pytest.fixture(scope="module")
def detector():
    return fitted(["source"] * 12 + ["target"] * 6)


def test_it_is_the_mean_over_all_pairs_of_a_clips_frames():
    """As the baseline computes it: the matrix of products of all residuals of a clip, its mean, the smaller of two."""
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(5, 30, N_MELS))
    precisions = [np.linalg.inv(np.cov(rng.normal(size=(100, N_MELS)).T)) for _ in range(2)]
    expected = [min((clip @ precision @ clip.T).mean() for precision in precisions) for clip in residuals]
    np.testing.assert_allclose(selective_mahalanobis(residuals.mean(1), precisions), expected)


def test_covariances_are_those_of_the_residuals_of_each_domains_frames(detector):
    domains = ["source"] * 12 + ["target"] * 6
    clips = sound(1, domains)
    for domain in ("source", "target"):
        rows = []
        for clip in np.flatnonzero(np.array(domains) == domain):
            one = clips.select(clip, clip + 1)
            windows = np.concatenate(list(detector.reconstructed_windows(one)))
            frames = detector.windows(one)[0][:, None] + np.arange(detector.settings["frames"])
            residuals = (windows - one.frames[frames]) / detector.deviation.numpy()
            rows.append(residuals.reshape(-1, N_MELS))
        expected = np.linalg.inv(np.cov(np.concatenate(rows).T))
        np.testing.assert_allclose(detector.clip_statistics[f"{domain}_precision"], expected, rtol=1e-3, atol=1e-4)


def test_it_depends_on_the_clip_alone_whatever_its_domain(detector, tmp_path):
    clips = sound(3, ["source", "target", None, "source"])
    scores = detector.clip_scores(clips, top_k=3)[SCORE]
    assert scores.shape == (4,)
    assert (scores >= 0).all()
    unknown = Clips(clips.frames, clips.lengths)
    np.testing.assert_array_equal(detector.clip_scores(unknown, top_k=3)[SCORE], scores)
    alone = [detector.clip_scores(clips.select(n, n + 1), top_k=3)[SCORE][0] for n in range(4)]
    np.testing.assert_array_equal(alone, scores)
    detector.save(tmp_path / "model")
    loaded = type(detector).load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.clip_scores(clips, top_k=3)[SCORE], scores)


def test_a_shift_of_bands_raises_it(detector):
    clips = sound(3, ["source", "target"])
    shifted = Clips(clips.frames + 5 * (np.arange(N_MELS) % 2).astype(np.float32), clips.lengths, clips.groups)
    assert (detector.clip_scores(shifted, top_k=3)[SCORE] > detector.clip_scores(clips, top_k=3)[SCORE]).all()


@pytest.mark.parametrize("domains", [["source"] * 12, ["target"] * 12, [None] * 12])
def test_without_two_domains_there_is_no_such_score(domains):
    assert list(fitted(domains).clip_scores(sound(3, domains), top_k=3))[-1] == "residual"


def test_few_clips_of_two_domains_have_it_without_the_residual_score():
    scores = fitted(["source"] * 4 + ["target"] * 4).clip_scores(sound(3, ["source"]), top_k=3)
    assert SCORE in scores
    assert "residual" not in scores
