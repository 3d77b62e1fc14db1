"""Convolutional autoencoder on patches of the spectrogram.

Idea: small filters learn local shapes in time and frequency, wherever they occur; a dense bottleneck keeps the whole.
Shapes: 1 x 32 x 64 - 16 x 16 x 32 - 32 x 8 x 16 - 64 x 4 x 8 - 64 values and back; 3 x 3 filters of stride 2, batch
normalisation, ReLU. A layer halves a side rounding up, and its mirror restores that very size, for any frames and
n_mels.
Loss and score: mean squared error of the reconstruction.
Paper: Masci et al., ICANN 2011.
"""

from itertools import pairwise

from torch import nn

from mimii.detectors.autoencoder import AutoencoderDetector


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        channels, latent = [1, *self.settings["channels"]], self.settings["latent"]
        sizes = [(self.settings["frames"], self.n_mels)]
        for _ in channels[1:]:
            frames, bands = sizes[-1]
            sizes.append(((frames + 1) // 2, (bands + 1) // 2))

        layers: list[nn.Module] = [nn.Unflatten(1, (1, sizes[0][0]))]
        for inputs, outputs in pairwise(channels):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        last = (channels[-1], *sizes[-1])
        values = last[0] * last[1] * last[2]
        layers += [nn.Flatten(), nn.Linear(values, latent), nn.Linear(latent, values), nn.ReLU(), nn.Unflatten(1, last)]
        for (inputs, outputs), size in zip(pairwise(channels[::-1]), sizes[-2::-1], strict=True):
            # An odd side needs nothing added after doubling, an even side one row.
            added = (1 - size[0] % 2, 1 - size[1] % 2)
            layers += [nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=added)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers[:-2])
