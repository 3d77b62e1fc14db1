"""What a classifier of clips learns to tell apart, what it keeps of each section, and how a clip is scored by that."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch import nn

from mimii.common.declarations import resolve
from mimii.common.errors import UserError
from mimii.detectors.contract import detector_class
from mimii.detectors.declaration import model_declaration
from mimii.features.clips import Clips, Group
from mimii.models.id_classifier import Detector, ResidualNetwork, SubClusterAdaCos

N_MELS, FRAMES = 16, 20
NO_CLIPS = Clips(np.zeros((0, N_MELS), np.float32), np.zeros(0, np.int64))


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def settings(**changes):
    return resolve(model_declaration("id_classifier").settings, {"epochs": 1, "batch_size": 8, **changes})


def clips(groups, seed=1, lengths=None):
    """Noise, at a level of each group's own."""
    lengths = np.array(lengths or [FRAMES] * len(groups))
    generator = np.random.default_rng(seed)
    levels = [len(group.section) + len(group.attributes) for group in groups]
    frames = generator.normal(-40, 5, (lengths.sum(), N_MELS)) + np.repeat(levels, lengths)[:, None]
    return Clips(frames.astype(np.float32), lengths, tuple(groups))


def section(name, count=12, **changes):
    return [Group(f"6dB/{name}", **changes)] * count


@pytest.fixture(scope="module")
def two_sections():
    """A detector of two sections, the second of which has two domains, and the clips that it was fitted on."""
    groups = [*section("fan/id_00"), *section("pump/id_00", 10, domain="source")]
    groups += section("pump/id_00", 2, domain="target")
    training = clips(groups)
    detector = Detector(settings(neighbours=3), N_MELS, seed=1)
    detector.fit(training, NO_CLIPS)
    return detector, training


def test_a_clip_is_scored_by_the_nearest_of_its_own_section_in_the_nearer_domain(two_sections):
    detector, training = two_sections
    for name, groups in (("fan", [Group("6dB/fan/id_00")]), ("pump", [Group("6dB/pump/id_00", "target")])):
        tested = clips(groups, seed=5)
        own = detector.embeddings(tested)[0]
        references = detector.embeddings(training)
        expected = []
        for domain in {group.domain for group in training.groups if name in group.section}:
            rows = [n for n, group in enumerate(training.groups) if name in group.section and group.domain == domain]
            expected.append(np.sort(1 - references[rows] @ own)[:3].mean())
        assert detector.window_scores(tested) == pytest.approx([min(expected)], abs=1e-6)
        assert detector.clip_scores(tested, top_k=1)["mean"] == pytest.approx([min(expected)], abs=1e-6)


def test_the_distance_from_the_mean_is_scikit_learns(two_sections):
    detector, training = two_sections
    learnt = detector.embeddings(training.select(0, 12))
    centre, spread = learnt.mean(0), learnt.std(0)
    covariance = LedoitWolf(assume_centered=True).fit((learnt - centre) / spread)
    tested = clips(section("fan/id_00", 2), seed=6)
    expected = np.sqrt(covariance.mahalanobis((detector.embeddings(tested) - centre) / spread))
    np.testing.assert_allclose(detector.clip_scores(tested, top_k=1)["mahalanobis"], expected, rtol=1e-3)


def test_what_is_trained_on_is_no_copy_of_the_clips_and_leaves_them_as_they_are(two_sections):
    detector, training = two_sections
    before = training.frames.copy()
    examples = detector.examples(training)
    assert examples.view.data_ptr() == training.frames.ctypes.data
    for stretches, _ in examples.batches(examples.pass_sizes()):
        detector.standardize(stretches)
    np.testing.assert_array_equal(training.frames, before)


def test_clips_of_several_sections_score_as_alone(two_sections):
    detector, _ = two_sections
    mixed = clips([Group("6dB/pump/id_00"), Group("6dB/fan/id_00"), Group("6dB/pump/id_00")], lengths=[20, 31, 9])
    alone = [detector.clip_scores(mixed.select(n, n + 1), top_k=1) for n in range(3)]
    for name, values in detector.clip_scores(mixed, top_k=1).items():
        np.testing.assert_array_equal(values, np.concatenate([one[name] for one in alone]))


def test_a_section_that_was_not_trained_on_is_refused(two_sections):
    with pytest.raises(UserError, match="id_classifier: was not trained on clips of 6dB/valve/id_00"):
        two_sections[0].window_scores(clips(section("valve/id_00", 1)))


def test_a_file_keeps_what_belongs_to_each_section(two_sections, tmp_path):
    detector, training = two_sections
    detector.save(tmp_path / "model.pth")
    loaded = Detector.load(tmp_path / "model.pth")
    for name, values in detector.clip_scores(training, top_k=1).items():
        np.testing.assert_array_equal(loaded.clip_scores(training, top_k=1)[name], values)


def test_a_section_with_few_clips_is_scored_by_neighbours_alone(caplog):
    detector = Detector(settings(), N_MELS, seed=1)
    training = clips([*section("fan/id_00", 12), *section("pump/id_00", 5)])
    detector.fit(training, NO_CLIPS)
    assert "no mahalanobis (6dB/pump/id_00) score: 5 clips" in caplog.text
    assert list(detector.clip_scores(training.select(0, 2), top_k=1)) == ["mean", "mahalanobis"]
    assert list(detector.clip_scores(training.select(13, 14), top_k=1)) == ["mean"]


@pytest.mark.parametrize(
    ("groups", "classes"),
    [
        (section("fan/id_00"), 1),
        ([*section("fan/id_00"), *section("pump/id_00")], 2),
        ([*section("fan/id_00", 6, attributes="speed_1"), *section("fan/id_00", 6, attributes="speed_2")], 2),
        ([*section("fan/id_00", 6, domain="source"), *section("fan/id_00", 6, domain="target")], 1),
        ([group for n in range(8) for group in section(f"fan/id_0{n}", 2)], 8),
    ],
    ids=["one section", "two sections", "attributes", "domains", "enough"],
)
def test_classes_are_sections_and_attributes_and_few_are_said(groups, classes, caplog):
    detector = Detector(settings(), N_MELS, seed=1)
    detector.fit(clips(groups), NO_CLIPS)
    assert len(detector.classes) == classes
    assert (f"{classes} class(es) to tell apart" in caplog.text) == (classes < 8)
    assert np.isfinite(detector.window_scores(clips(groups, seed=2))).all()


def test_held_out_clips_of_a_class_that_is_not_trained_on_have_no_loss():
    training = clips([*section("fan/id_00"), *section("pump/id_00")])
    unknown = clips(section("fan/id_00", 3, attributes="another"))
    losses = [
        Detector(settings(), N_MELS, seed=1).fit(training, validation).losses[0]["validation_loss"]
        for validation in (unknown, Clips.joined([unknown, training]), training)
    ]
    assert losses[0] is None
    assert losses[1] == pytest.approx(losses[2])


def test_shorter_clips_are_repeated_and_longer_ones_cut_where_training_has_mixed_lengths():
    lengths = [12, 20, 20, 50]
    training = clips(section("fan/id_00", 4), lengths=lengths)
    detector = Detector(settings(standardize=False), N_MELS, seed=1)
    detector.fit(training, NO_CLIPS)
    assert detector.stretch == 20
    examples = detector.examples(training)
    torch.manual_seed(1)
    seen = [next(examples.batches([4], order))[0].numpy() for order in (None, torch.arange(4), torch.arange(4))]
    for stretches in seen:
        assert stretches.shape == (4, 20, N_MELS)
        first = training.select(0, 1).frames
        np.testing.assert_array_equal(stretches[0], np.concatenate([first, first])[:20])
        last = training.select(3, 4).frames
        assert any(np.array_equal(stretches[3], last[start : start + 20]) for start in range(31))
    assert not np.array_equal(seen[1][3], seen[2][3])


def test_the_loss_is_sub_cluster_adacos():
    torch.manual_seed(1)
    head, embeddings = SubClusterAdaCos(3, 2, 5), torch.randn(4, 5)
    shares = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.3, 0, 0.7], [0, 0, 1]])
    losses = []
    for one, share in zip(embeddings, shares, strict=True):
        scaled = [
            [math.exp(math.sqrt(2) * math.log(5) * float(nn.functional.cosine_similarity(one, c, dim=0))) for c in own]
            for own in head.centres.detach()
        ]
        total = sum(map(sum, scaled))
        losses.append(-sum(float(s) * math.log(sum(own) / total) for s, own in zip(share, scaled, strict=True)))
    assert head(embeddings, shares).item() == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("mixup", [0, 1])
def test_clips_and_classes_are_mixed_by_the_same_share(mixup):
    detector = Detector(settings(mixup=mixup), N_MELS, seed=1)
    stretches, shares = torch.randn(6, FRAMES, N_MELS), torch.eye(6)
    mixed, classes = detector.mixed(stretches, shares)
    np.testing.assert_allclose(mixed, torch.einsum("bc,cfm->bfm", classes, stretches), atol=1e-5)
    np.testing.assert_allclose(classes.sum(1), 1, rtol=1e-6)
    assert torch.equal(classes, shares) != bool(mixup)


def test_the_network_has_the_size_that_was_published():
    network = ResidualNetwork(64, 128)
    assert 730_000 < sum(parameter.numel() for parameter in network.parameters()) < 760_000
    assert network(torch.zeros(2, 313, 64)).shape == (2, 128)
    biased = {type(layer) for layer in network.modules() if getattr(layer, "bias", None) is not None}
    assert biased == {nn.BatchNorm1d, nn.BatchNorm2d}


def test_stretches_are_scored_and_pooled_where_they_are_asked_for():
    detector = Detector(settings(frames=10), N_MELS, seed=1)
    training = clips([*section("fan/id_00"), *section("pump/id_00")])
    detector.fit(training, NO_CLIPS)
    tested = replace(clips(section("fan/id_00", 2), seed=3, lengths=[25, 40]))
    scores, windows = detector.clip_scores(tested, top_k=2), detector.window_scores(tested)
    assert windows.shape == (6,)
    assert list(scores) == ["mean", "max", "top_k", "mahalanobis"]
    np.testing.assert_allclose(scores["mean"], [windows[:2].mean(), windows[2:].mean()])


def test_neighbours_in_each_domain_count_by_themselves():
    """Of `knn`: far from the source's clips and near the target's two is near."""
    generator = np.random.default_rng(1)
    source, target = generator.normal(-40, 1, (20, N_MELS)), generator.normal(-10, 1, (3, N_MELS))
    frames = np.concatenate([source, target]).astype(np.float32)
    groups = (*section("fan/id_00", 20, domain="source"), *section("fan/id_00", 3, domain="target"))
    training = Clips(frames, np.ones(23, np.int64), groups)
    tested = Clips(generator.normal(-10, 1, (4, N_MELS)).astype(np.float32), np.ones(4, np.int64))
    scores = {}
    for name, known, changes in (
        ("domains", training, {}),
        ("one", replace(training, groups=(Group(),) * 23), {}),
        ("more", training, {"oversample_target": True}),
    ):
        chosen = resolve(model_declaration("knn").settings, {"neighbours": 5, **changes})
        detector = detector_class("knn")(chosen, N_MELS, seed=1)
        assert detector.fit(known, NO_CLIPS).training_windows == 23
        scores[name] = detector.window_scores(tested)
        references = detector.learnt["references"][0]
        assert len(references) == (23 + 3 if name == "more" else 23)  # three points have three halfway between them
    assert np.all(scores["domains"] < scores["one"])
    assert np.all(scores["more"] <= scores["domains"])
    halfway = (references[20] + references[21]) / 2
    assert np.isclose(references[23:], halfway, atol=1e-5).all(axis=1).sum() == 1
