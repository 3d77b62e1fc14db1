"""Attention autoencoder: a small transformer over the frames of a window.

Idea: each frame is a token that looks at all others and is squeezed into 2 values; from these, of all frames, and the
positions a decoder tells the frames again. It never sees the input.
Shapes: 16 frames x 64 bands, tokens of 64 with learnt positions, 2 layers of 4 heads - 2 values a frame - tokens of 64
with learnt positions, 1 layer, 64 bands.
Loss and score: mean squared error of the reconstruction. With 16 values for a whole window of 32 frames that had an AUC
on real sound .16 below the dense autoencoder's (docs/quality.md).
Published: no figure with a source. The original framework expects an AUC of .65 to .75 on MIMII, and does not say from
what.
Papers: Vaswani et al., NeurIPS 2017, arXiv:1706.03762; normalisation before a layer: Xiong et al., ICML 2020,
arXiv:2002.04745.
"""

import torch
from torch import Tensor, nn

from mimii.detectors.autoencoder import AutoencoderDetector


class AttentionAutoencoder(nn.Module):
    """(batch, frames, n_mels) to the same; `latent` values of each frame pass."""

    def __init__(self, frames: int, n_mels: int, width: int, heads: int, layers: int, latent: int) -> None:
        super().__init__()
        self.tokens = nn.Linear(n_mels, width)
        self.positions = nn.Parameter(0.02 * torch.randn(frames, width))
        self.encoder = nn.Sequential(*(Layer(width, heads) for _ in range(layers)), nn.LayerNorm(width))
        self.squeeze = nn.Linear(width, latent)
        self.unsqueeze = nn.Linear(latent, width)
        self.decoder_positions = nn.Parameter(0.02 * torch.randn(frames, width))
        self.decoder = nn.Sequential(Layer(width, heads), nn.LayerNorm(width), nn.Linear(width, n_mels))

    def forward(self, windows: Tensor) -> Tensor:
        latent = self.squeeze(self.encoder(self.tokens(windows) + self.positions))
        return self.decoder(self.unsqueeze(latent) + self.decoder_positions)


class Layer(nn.Module):
    """Attention of all frames to all frames, then two dense layers; both added to their input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.projections = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dense = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        batch, frames, width = tokens.shape
        projected = self.projections(self.attention_norm(tokens)).view(batch, frames, 3, self.heads, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.output(mixed.transpose(1, 2).reshape(batch, frames, width))
        return tokens + self.dense(tokens)


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        settings = self.settings
        names = ("width", "heads", "layers", "latent")
        return AttentionAutoencoder(settings["frames"], self.n_mels, **{name: settings[name] for name in names})
