"""LSTM autoencoder on sequences of frames.

Idea: one LSTM reads the frames one after the other; another must tell them again from what little the first
remembered.
Shapes: 32 frames x 64 bands, the encoder's last state of 64 - 32 values - at every step the decoder's input - 64 - 64
bands.
Loss and score: mean squared error of the reconstruction.
Papers: Malhotra et al., arXiv:1607.00148; Srivastava et al., ICML 2015, arXiv:1502.04681.
"""

from torch import Tensor, nn

from mimii.detectors.autoencoder import AutoencoderDetector


class LSTMAutoencoder(nn.Module):
    """(batch, frames, n_mels) to the same."""

    def __init__(self, n_mels: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.LSTM(n_mels, hidden, batch_first=True)
        self.squeeze = nn.Linear(hidden, latent)
        self.decoder = nn.LSTM(latent, hidden, batch_first=True)
        self.output = nn.Linear(hidden, n_mels)

    def forward(self, windows: Tensor) -> Tensor:
        _, (state, _) = self.encoder(windows)
        latent = self.squeeze(state[-1])
        steps, _ = self.decoder(latent.unsqueeze(1).expand(-1, windows.shape[1], -1))
        return self.output(steps)


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        return LSTMAutoencoder(self.n_mels, self.settings["hidden"], self.settings["latent"])
