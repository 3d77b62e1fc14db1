"""Deep autoencoder of dense layers with batch normalisation: the architecture of DCASE 2020 task 2's baseline.

Idea: as the simple autoencoder; batch normalisation makes twice the depth trainable.
Shapes: frames x n_mels = 320 - 4 x 128 - 8 - 4 x 128 - 320, batch normalisation and ReLU after every layer but the
last. The baseline itself sees 128 bands, not standardised, in batches of 512 for 100 epochs, and has Keras' batch
normalisation.
Loss and score: mean squared error of the reconstruction.
Published: AUC of the baseline on DCASE 2020's development data, %: fan 65.2, pump 72.6, slider 85.0, valve 66.5, ToyCar
80.1, ToyConveyor 72.7 (its README, github.com/y-kawagu/dcase2020_task2_baseline). Of MLPerf Tiny's reference
model, which is made after it and trained on about 1,000 clips of each of ToyCar's IDs together: AUC .890, .914, .711,
.943 and pAUC .752, .825, .582, .829 on IDs 01 to 04 (github.com/mlcommons/tiny, benchmark/training/anomaly_detection).
What chose the settings is not told.
Paper: Koizumi et al., "Description and Discussion on DCASE2020 Challenge Task 2", arXiv:2006.05822.
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
        for inputs, outputs in pairwise(encoder + encoder[-2:0:-1]):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(encoder[1], values))
