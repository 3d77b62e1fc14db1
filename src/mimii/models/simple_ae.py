"""Autoencoder of dense layers, the official baseline of MIMII.

Idea: a network that must squeeze normal sound through 8 values learns to reproduce normal sound alone.
Shapes: frames x n_mels = 320 - 64 - 64 - 8 - 64 - 64 - 320, ReLU after every layer but the last.
Loss and score: mean squared error of the reconstruction.
Published: AUC on MIMII at 6 / 0 / -6 dB, mean over IDs: fan .920 / .805 / .681, pump .799 / .734 / .670, slider .857 /
.783 / .733, valve .679 / .600 / .558 (one run of the official code, one seed; the last of 50 epochs, so no test label
chose one; docs/reproducing_mimii.md).
Paper: Purohit et al., "MIMII Dataset", DCASE Workshop 2019, arXiv:1909.09347. The official code differs from the
defaults here by batch_size 512, standardize false, initialization keras and adam_epsilon 1e-7.
"""

from itertools import pairwise

from torch import nn

from mimii.detectors.autoencoder import AutoencoderDetector


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        values = self.settings["frames"] * self.n_mels
        encoder = [values, *self.settings["hidden"], self.settings["latent"]]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(encoder + encoder[-2::-1]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
