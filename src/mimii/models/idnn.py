"""Interpolation deep neural network: tells a frame from those around it.

Idea: an edge frame of sound that comes and goes is hard to reproduce though it is normal; what lies between others can
be told from them. The network never sees the frame that it must give, so it cannot copy it.
Shapes: a window of 5 frames without the middle one, 4 x n_mels = 256 - 64 - 32 - 16 - 32 - 64 - 64 bands of the missing
frame, ReLU after every layer but the last.
Loss and score: mean squared error on the missing frame.
Published: AUC on DCASE 2020's development data, %: fan 67.7, pump 73.8, slider 86.5, valve 84.1, ToyCar 78.7,
ToyConveyor 71.1, where the challenge's autoencoder has 65.2, 72.6, 85.0, 66.5, 80.1, 72.7; which paper printed them
first is not known here. Others' code has 65.7, 71.8, 84.1, 82.1, 78.9, 70.6 (README of github.com/liuyoude/AE-ASD).
Published figures may have epochs or settings chosen by test labels, and are then optimistic.
Paper: Suefusa et al., ICASSP 2020, arXiv:2005.09234.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from mimii.detectors.autoencoder import mean_squared_error, squared_errors
from mimii.detectors.window_network import WindowNetwork


class Detector(WindowNetwork):
    """See the module."""

    def build(self) -> nn.Module:
        hidden, latent = self.settings["hidden"], self.settings["latent"]
        widths = [(self.settings["frames"] - 1) * self.n_mels, *hidden, latent, *hidden[::-1], self.n_mels]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def loss(self, batch: Tensor, epoch: int) -> Tensor:
        """The mean squared error on the batch's missing frames."""
        around, missing = self._split(batch)
        return mean_squared_error(self.network(around), missing)

    def score_batch(self, windows: Tensor) -> Tensor:
        """Mean squared error on each window's missing frame."""
        around, missing = self._split(windows)
        return squared_errors(self.network(around), missing)

    def _split(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """The frames around the middle one, (batch, (frames - 1) x n_mels), and the middle one, (batch, n_mels)."""
        middle = self.settings["frames"] // 2
        around = torch.cat([windows[:, :middle], windows[:, middle + 1 :]], dim=1)
        return around.flatten(1), windows[:, middle]
