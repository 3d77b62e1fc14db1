"""Variational autoencoder.

Idea: the latent variable of normal sound is held to a standard normal distribution, so an unusual sound has no code.
Shapes: frames x n_mels = 320 - 128 - 64 - (mean and log variance of 16) and 16 - 64 - 128 - 320, ReLU.
Loss: the negative evidence lower bound, minus the logarithm of the decoder's density + beta * KL divergence, both in
nats, summed over a window and divided by its number of values. The decoder is a Gaussian whose variance, one for all
values, is learnt beside the weights (sigma-VAE): with a variance of 1, where the residual's is about .5, the divergence
would weigh twice as much as the bound says. The weight of the divergence rises linearly to beta, but the validation
loss has the whole of it, and the latent mean in place of a drawn value: the two losses are not alike until then. Where
the residual is small a density is above 1, and the loss below 0.
Score: mean squared error of the reconstruction from the latent mean, so nothing is drawn.
Published: AUC of another variational autoencoder on DCASE 2020's development data, %: fan 60.0, pump 70.4, slider 76.6,
valve 52.9, ToyCar 75.0, ToyConveyor 63.5, where the same code's autoencoder has 63.9, 70.8, 81.6, 55.6, 77.4, 67.9
(README of github.com/liuyoude/AE-ASD; what chose the settings is not told). The original framework expects .60 to .70
on MIMII, and does not say from what.
Papers: Kingma and Welling, ICLR 2014, arXiv:1312.6114; variance: Rybkin, Daniilidis and Levine, ICML 2021,
arXiv:2006.13202; beta: Higgins et al., ICLR 2017; warm-up: Bowman et al., CoNLL 2016, arXiv:1511.06349.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from mimii.detectors.autoencoder import AutoencoderDetector, mean_squared_error


class VariationalAutoencoder(nn.Module):
    """Windows (batch, frames, n_mels) to (batch, frames x n_mels), by way of the latent mean."""

    def __init__(self, values: int, hidden: list[int], latent: int) -> None:
        super().__init__()
        widths = [values, *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.encoder = nn.Sequential(*layers, nn.Linear(widths[-1], 2 * latent))
        layers = []
        for inputs, outputs in pairwise([latent, *reversed(widths)]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.decoder = nn.Sequential(*layers[:-1])
        self.log_variance = nn.Parameter(torch.zeros(()))  # of the decoder, about its reconstruction

    def encode(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent variable, (batch, latent) each."""
        mean, log_variance = self.encoder(windows).chunk(2, dim=1)
        return mean, log_variance

    def forward(self, windows: Tensor) -> Tensor:
        return self.decoder(self.encode(windows)[0])


class Detector(AutoencoderDetector):
    """See the module."""

    network: VariationalAutoencoder

    def build(self) -> nn.Module:
        settings = self.settings
        return VariationalAutoencoder(settings["frames"] * self.n_mels, settings["hidden"], settings["latent"])

    def loss(self, batch: Tensor, epoch: int) -> Tensor:
        mean, log_variance = self.network.encode(batch)
        latent, beta = mean, self.settings["beta"]
        if self.network.training:
            latent = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            beta *= min(1.0, epoch / (self.settings["warmup_epochs"] + 1))
        error = mean_squared_error(self.network.decoder(latent), batch)
        spread = self.network.log_variance
        surprise = 0.5 * (error * (-spread).exp() + spread + math.log(2 * math.pi))  # minus the log density
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return surprise + beta * divergence / batch[0].numel()
