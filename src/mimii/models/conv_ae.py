"""Convolutional autoencoder over time.

Idea: filters over a few frames and all bands learn what follows what in time; a bottleneck of 2 values a frame keeps
the whole from passing. Mel bands are channels, which keeps their resolution: what is unusual often lies in few bands.
Shapes: 16 frames x 64 bands - 64 - 64 - 2 - 64 - 64 - 64 channels, each of 16 frames; filters of 3 frames, ReLU.
Loss and score: mean squared error of the reconstruction.
Filters of 3 x 3 that halve time and frequency, with 64 values for a window of 32 frames, had an AUC on real sound .07
to .08 below the dense autoencoder's (docs/quality.md).
Published: no figure with a source. The original framework expects an AUC of .65 to .75 on MIMII, and does not say from
what.
Paper: Masci et al., ICANN 2011.
"""

from itertools import pairwise

from torch import Tensor, nn

from mimii.detectors.autoencoder import AutoencoderDetector


class Swap(nn.Module):
    """(batch, frames, bands) to (batch, bands, frames), and back."""

    def forward(self, values: Tensor) -> Tensor:
        return values.transpose(1, 2)


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        encoder = [self.n_mels, *self.settings["channels"]]
        latent = self.settings["latent"]
        layers: list[nn.Module] = [Swap()]
        for inputs, outputs in pairwise(encoder):
            layers += [nn.Conv1d(inputs, outputs, 3, padding=1), nn.ReLU()]
        layers.append(nn.Conv1d(encoder[-1], latent, 1))
        for inputs, outputs in pairwise([latent, *encoder[:0:-1]]):
            layers += [nn.Conv1d(inputs, outputs, 3, padding=1), nn.ReLU()]
        return nn.Sequential(*layers, nn.Conv1d(encoder[1], self.n_mels, 1), Swap())
