"""Denoising autoencoder.

Idea: from a window with noise on it, the network must give the clean one, so it learns where normal sound lies.
Shapes: frames x n_mels = 320 - 128 - 64 - 16 - 64 - 128 - 320, ReLU after every layer but the bottleneck and the last.
Loss: mean squared error against the clean window; Gaussian noise on the standardised input, in training only.
Score: mean squared error of the reconstruction of the window as it is.
Published: no figure with a source. The original framework expects an AUC of .65 to .75 on MIMII, and does not say from
what.
Paper: Vincent et al., ICML 2008.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from mimii.detectors.autoencoder import AutoencoderDetector, mean_squared_error


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        encoder = [self.settings["frames"] * self.n_mels, *self.settings["hidden"], self.settings["latent"]]
        layers: list[nn.Module] = [nn.Flatten()]
        for widths in (encoder, encoder[::-1]):
            for inputs, outputs in pairwise(widths):
                layers += [nn.Linear(inputs, outputs), nn.ReLU()]
            layers.pop()
        return nn.Sequential(*layers)

    def loss(self, batch: Tensor, epoch: int) -> Tensor:
        noisy = batch
        if self.network.training:
            noisy = batch + self.settings["noise"] * torch.randn_like(batch)
        return mean_squared_error(self.network(noisy), batch)
