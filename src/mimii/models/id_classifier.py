"""Classifier of machines and IDs, whose embeddings are compared with those of normal clips.

Idea: all machines of an SNR teach one network what is each one's own; it is trained to tell machine types, IDs and,
where there are some, attributes apart, from normal clips alone.
Shapes: whole clips, frames x n_mels = 313 x 64; batch normalisation of each band; a 7 x 7 convolution of stride 2 with
16 channels, maxima of 3 x 3 with stride 2; four stages of 16, 32, 64 and 128 channels, two residual blocks of 3 x 3
convolutions each, the channels weighed by squeeze and excitation, stride 2 from the second stage on; the maximum over
time, batch normalisation, 128 values. No biases in convolutions and linear layers.
Loss: sub-cluster AdaCos with `centres` trainable centres for each class and the fixed scale sqrt(2) x
ln(classes x centres - 1); with probability `mixup` a clip is mixed with another one, and its class with that one's.
The weights are those of the last epoch: no test label chooses one.
Score: cosine distance to the nearest embedding of the section's training clips, in the domain where it is smaller; of
the same embeddings the score `mahalanobis`, the Mahalanobis distance from their mean, which is in metrics.csv.
`neighbours` is a setting of the model: with another number it is trained again.
Published: mean of AUC and pAUC over the machine types of DCASE 2020, %: discriminative models, other ones than this,
89.2 to 91.7, where an autoencoder has 65.3 (ASDKit: Fujimura et al., DCASE Workshop 2025, arXiv:2507.10264). AUC on its
development data, %, fan, pump, slider, valve, ToyCar, ToyConveyor: STgram-MFN 94.0, 91.9, 99.6, 99.6, 94.4, 74.6 (its
authors' README, github.com/liuyoude/STgram-MFN); MobileNetV2 80.2, 82.5, 95.3, 88.7, 87.7, 69.7 and Glow_Aff, a flow
that learns from other IDs too, 74.9, 83.4, 94.6, 91.4, 92.2, 71.5 (where these two stood first is not known here).
Published figures may have epochs or settings chosen by test labels, and are then optimistic. Where there are few
classes, such as the IDs of one machine type alone, they are told apart at once, and little is learnt.
Papers: Wilkinghoff, IJCNN 2021 (sub-cluster AdaCos); He et al., CVPR 2016; Hu et al., CVPR 2018; Zhang et al., ICLR
2018 (mixup).
"""

import math

import torch
from torch import Tensor, nn

from mimii.detectors.clip_classifier import ClipClassifier


class Detector(ClipClassifier):
    """See the module."""

    def build(self) -> nn.Module:
        return ResidualNetwork(self.n_mels, self.settings["embedding"])

    def head(self, classes: int) -> nn.Module:
        return SubClusterAdaCos(classes, self.settings["centres"], self.settings["embedding"])

    def mixed(self, stretches: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Each with the one at its place from the end; a batch is in random order."""
        drawn = torch.rand(2, len(stretches), 1, device=stretches.device)
        share = torch.where(drawn[0] < self.settings["mixup"], drawn[1], torch.ones_like(drawn[1]))
        mixed = share[..., None] * stretches + (1 - share[..., None]) * stretches.flip(0)
        return mixed, share * shares + (1 - share) * shares.flip(0)


class SubClusterAdaCos(nn.Module):
    """Cross-entropy of the classes, each the sum over its centres, of scaled cosines between embedding and centres."""

    def __init__(self, classes: int, centres: int, size: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, centres, size))
        self.scale = math.sqrt(2) * math.log(max(classes * centres - 1, 2))

    def forward(self, embeddings: Tensor, shares: Tensor) -> Tensor:
        """embeddings: (batch, size). shares: (batch, classes), of each class in a clip. Returns a scalar."""
        unit, centres = nn.functional.normalize(embeddings), nn.functional.normalize(self.centres, dim=2)
        logits = self.scale * (unit @ centres.flatten(0, 1).T)
        of_classes = logits.unflatten(1, centres.shape[:2]).logsumexp(2)
        return -(shares * (of_classes - logits.logsumexp(1, keepdim=True))).sum(1).mean()


class ResidualNetwork(nn.Module):
    """From (batch, frames, n_mels) to embeddings (batch, size)."""

    def __init__(self, n_mels: int, size: int) -> None:
        super().__init__()
        self.bands = nn.BatchNorm1d(n_mels)
        layers = [nn.Conv2d(1, 16, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        layers += [nn.MaxPool2d(3, stride=2, padding=1)]
        channels, height = 16, math.ceil(math.ceil(n_mels / 2) / 2)
        for width, stride in ((16, 1), (32, 2), (64, 2), (128, 2)):
            layers += [Block(channels, width, stride), Block(width, width, 1)]
            channels, height = width, math.ceil(height / stride)
        self.layers = nn.Sequential(*layers)
        self.embedding = nn.Sequential(
            nn.BatchNorm1d(channels * height), nn.Linear(channels * height, size, bias=False)
        )

    def forward(self, stretches: Tensor) -> Tensor:
        """stretches: (batch, frames, n_mels)."""
        bands = self.bands(stretches.transpose(1, 2))[:, None]
        # Values of all channels side by side: a step of training takes a sixth less time.
        maps = self.layers(torch.empty_like(bands, memory_format=torch.channels_last).copy_(bands))
        embeddings: Tensor = self.embedding(maps.amax(3).flatten(1))
        return embeddings


class Block(nn.Module):
    """Two convolutions beside a shortcut, the channels weighed by squeeze and excitation."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.weights = nn.Sequential(
            nn.Linear(outputs, outputs // 4, bias=False),
            nn.ReLU(),
            nn.Linear(outputs // 4, outputs, bias=False),
            nn.Sigmoid(),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """maps: (batch, channels, bands, frames)."""
        made = self.convolutions(maps)
        weights = self.weights(made.mean((2, 3)))[..., None, None]
        return torch.relu(self.shortcut(maps) + made * weights)
