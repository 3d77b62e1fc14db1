"""LSTM autoencoder on sequences of frames.

Idea: one LSTM reads the frames one after the other and passes on 2 values of each; from these, and from what it
remembers of those before, another tells the frame again.
Shapes: 16 frames x 64 bands; of each frame a state of 64 - 2 values - a state of 64 - 64 bands.
Loss and score: mean squared error of the reconstruction.
Departs from Malhotra et al., who squeeze a whole sequence into the encoder's last state, from which the decoder tells
it backwards, each frame from the one before. Few values for a whole window tell little more than its mean, and what is
left is noise: on real sound that had an AUC .08 to .12 below the dense autoencoder's (docs/quality.md).
Published: no figure with a source. The original framework expects an AUC of .60 to .70 on MIMII, and does not say from
what.
Papers: Malhotra et al., arXiv:1607.00148; Srivastava et al., ICML 2015, arXiv:1502.04681.
"""

from torch import Tensor, nn

from mimii.detectors.autoencoder import AutoencoderDetector


class LSTMAutoencoder(nn.Module):
    """(batch, frames, n_mels) to the same; `latent` values of each frame pass."""

    def __init__(self, n_mels: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.LSTM(n_mels, hidden, batch_first=True)
        self.squeeze = nn.Linear(hidden, latent)
        self.decoder = nn.LSTM(latent, hidden, batch_first=True)
        self.output = nn.Linear(hidden, n_mels)

    def forward(self, windows: Tensor) -> Tensor:
        states, _ = self.encoder(windows)
        steps, _ = self.decoder(self.squeeze(states))
        return self.output(steps)


class Detector(AutoencoderDetector):
    """See the module."""

    def build(self) -> nn.Module:
        return LSTMAutoencoder(self.n_mels, self.settings["hidden"], self.settings["latent"])
