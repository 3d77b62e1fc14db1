"""Residual autoencoder.

Idea: every block adds its correction to a linear projection of its input, so depth costs no trainability.
Shapes: blocks frames x n_mels = 320 - 128 - 64 - 8 - 64 - 128 - 320 of two dense layers with ReLU between, and a
projection beside them; ReLU after a block, but for the bottleneck and the output. No skip passes by the bottleneck.
Loss and score: mean squared error of the reconstruction.
Published: no figure with a source. The original framework expects an AUC of .60 to .70 on MIMII, and does not say from
what.
Paper: He et al., CVPR 2016, arXiv:1512.03385.
"""

from itertools import pairwise

from torch import Tensor, nn

from mimii.detectors.autoencoder import AutoencoderDetector


class Block(nn.Module):
    """(batch, inputs) to (batch, outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        width = min(inputs, outputs)
        self.correction = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
        self.projection = nn.Linear(inputs, outputs, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        return self.projection(values) + self.correction(values)


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        encoder = [self.settings["frames"] * self.n_mels, *self.settings["hidden"], self.settings["latent"]]
        layers: list[nn.Module] = [nn.Flatten()]
        for widths in (encoder, encoder[::-1]):
            for inputs, outputs in pairwise(widths):
                layers += [Block(inputs, outputs), nn.ReLU()]
            layers.pop()
        return nn.Sequential(*layers)
