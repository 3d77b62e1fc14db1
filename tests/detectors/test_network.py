"""The training loop is apart from what a network learns."""

import numpy as np
import pytest
import torch
from torch import nn

from mimii.common.declarations import resolve
from mimii.detectors.declaration import model_declaration
from mimii.detectors.network import KeptEpoch, NetworkDetector, seeded
from mimii.detectors.window_network import WindowNetwork
from mimii.features.clips import Clips

NO_CLIPS = Clips(np.zeros((0, 8), np.float32), np.zeros(0, np.int64))


def made(cls, **given):
    settings = {"epochs": 30, "batch_size": 16, "latent": 2, "learning_rate": 0.01, **given}
    return cls(resolve(model_declaration("simple_ae").settings, settings), 8, seed=1)


def clips(kind, count, seed):
    """Clips of 20 frames that slowly move around the kind's own spectrum."""
    spectrum = 3 * np.random.default_rng([7, kind]).normal(size=8)
    moving = np.random.default_rng(seed).normal(size=(20 * count + 6, 8)).cumsum(0)
    return Clips((spectrum + moving[6:] - moving[:-6]).astype(np.float32), np.full(count, 20))


class CentreFrame(WindowNetwork):
    """Tells the frame in the middle of a window from the others."""

    name = classmethod(lambda cls: "simple_ae")

    def build(self):
        return nn.Linear((self.settings["frames"] - 1) * self.n_mels, self.n_mels)

    def score_batch(self, windows):
        centre = self.settings["frames"] // 2
        others = torch.cat([windows[:, :centre], windows[:, centre + 1 :]], dim=1)
        return (self.network(others.flatten(1)) - windows[:, centre]).square().mean(1)

    def loss(self, batch, epoch):
        return self.score_batch(batch).mean()


class Labelled:
    """Whole clips, as the mean of their frames, each with the machine that it is of."""

    def __init__(self, values, labels):
        self.values, self.labels = values, labels

    def __len__(self):
        return len(self.labels)

    def sizes(self, size, *, least=1):
        whole, rest = divmod(len(self), size)
        return [size] * whole + [rest] * (rest >= least)

    def pass_sizes(self):
        return [len(self)]

    def batches(self, sizes, order=None):
        order = torch.arange(len(self)) if order is None else order
        for part in order[: sum(sizes)].split(sizes):
            yield self.values[part], self.labels[part]


class Classifier(NetworkDetector):
    """Tells two machines apart from whole clips: the first half of the clips is of the one."""

    name = classmethod(lambda cls: "simple_ae")

    def build(self):
        return nn.Linear(self.n_mels, 2)

    def examples(self, clips):
        values = self.standardized(clips).view(len(clips), -1, self.n_mels).mean(1)
        return Labelled(values, (torch.arange(len(clips)) >= len(clips) / 2).long())

    def loss(self, batch, epoch):
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def window_scores(self, clips):
        with torch.inference_mode():
            return self.network(self.examples(clips).values).softmax(1)[:, 1].double().numpy()


def test_a_network_may_predict_a_frame_that_it_does_not_see(tmp_path):
    detector = made(CentreFrame)
    result = detector.fit(clips(0, 30, 1), clips(0, 3, 2))
    assert result.losses[-1]["training_loss"] < 0.5 * result.losses[0]["training_loss"]
    test = clips(0, 5, 3)
    noise = np.random.default_rng(4).normal(size=test.frames.shape).astype(np.float32)
    normal, noisy = detector.window_scores(test), detector.window_scores(Clips(test.frames + 3 * noise, test.lengths))
    assert np.median(noisy) > 2 * np.median(normal)
    detector.save(tmp_path / "model.pth")
    np.testing.assert_array_equal(CentreFrame.load(tmp_path / "model.pth").window_scores(clips(0, 5, 3)), normal)


def test_a_network_may_learn_labels_of_whole_clips():
    both = [np.concatenate([clips(kind, 10, seed).frames for kind in (0, 1)]) for seed in (1, 2)]
    training, test = (Clips(frames, np.full(20, 20)) for frames in both)
    detector = made(Classifier)
    result = detector.fit(training, test)
    assert result.training_windows == 20
    assert result.losses[-1]["validation_loss"] < 0.5 * result.losses[0]["validation_loss"]
    np.testing.assert_array_equal(detector.window_scores(test) > 0.5, np.arange(20) >= 10)
    assert not detector.reconstructs


@pytest.mark.parametrize(
    ("best", "patience", "stopped", "kept"),
    [(True, 2, 4, 2), (False, 2, 4, 4), (True, None, 6, 2), (False, None, 6, 6), (True, 1, 3, 2)],
)
def test_the_kept_epoch(best, patience, stopped, kept):
    network, choice = nn.Linear(1, 1), KeptEpoch(best, patience)
    for epoch, loss in enumerate([3.0, 2.0, 2.5, 2.1, 2.2, 2.3], 1):
        nn.init.constant_(network.weight, epoch)
        if choice.update(epoch, loss, network):
            break
    choice.restore(network)
    assert (epoch, choice.epoch, float(network.weight.detach())) == (stopped, kept, kept)


def test_without_validation_clips_the_last_epoch_is_kept():
    choice = KeptEpoch(True, 1)
    assert not any(choice.update(epoch, None, nn.Linear(1, 1)) for epoch in (1, 2, 3))
    assert choice.epoch == 3


def test_what_is_drawn_comes_from_the_seed_and_leaves_no_trace():
    before = torch.get_rng_state()
    with seeded(5):
        drawn = torch.rand(3)
    np.testing.assert_array_equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    np.testing.assert_array_equal(torch.rand(3), drawn)
    with pytest.raises(RuntimeError), seeded(6):
        raise RuntimeError
