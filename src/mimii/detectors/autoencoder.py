"""Base of the autoencoders: trained to reproduce normal windows, scored by how badly they reproduce a window."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mimii.detectors.reconstruction import ReconstructingDetector
from mimii.detectors.window_network import WindowNetwork
from mimii.features.clips import Clips


class AutoencoderDetector(ReconstructingDetector, WindowNetwork):
    """A network that maps windows (batch, frames, n_mels) to reconstructions with as many values.

    A model gives `build`, and names its bottleneck in its yaml; it may change the loss that is minimised, which is the
    mean squared error here, as is the score of a window.
    """

    def loss(self, batch: Tensor, epoch: int) -> Tensor:
        """The mean squared error of the windows' reconstructions."""
        return mean_squared_error(self.network(batch), batch)

    def score_batch(self, windows: Tensor) -> Tensor:
        """Mean squared error of each window's reconstruction."""
        return squared_errors(self.network(windows), windows)

    def mean_residuals(self, clips: Clips) -> NDArray[np.float64]:
        return self.scores_and_mean_residuals(clips)[1]

    def scores_and_mean_residuals(self, clips: Clips) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        clip_of_window = self.windows(clips)[1]
        scores = torch.empty(len(clip_of_window), device=self.device)
        shape = (len(clips), self.settings["frames"], self.n_mels)
        sums = torch.zeros(shape, dtype=torch.float64, device=self.device)
        with torch.inference_mode():
            for clip, first, batch in self.passes(clips):
                residuals = self.network(batch).flatten(1) - batch.flatten(1)
                scores[first : first + len(batch)] = residuals.square().mean(1)
                sums[clip] += residuals.sum(0).view(shape[1:])
        windows = np.bincount(clip_of_window, minlength=len(clips))[:, None]
        return scores.double().cpu().numpy(), sums.mean(1).cpu().numpy() / windows

    def learn_clip_statistics(self, training: Clips) -> None:
        super().learn_clip_statistics(training)
        domains = np.array([group.domain or "" for group in training.groups])
        if {"source", "target"} <= set(domains):
            for domain in ("source", "target"):
                covariance = self._residual_covariance(training, domains == domain)
                self.clip_statistics[f"{domain}_precision"] = np.linalg.pinv(covariance, hermitian=True)

    def _residual_covariance(self, clips: Clips, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Covariance of the residuals of all frames in all windows of the chosen clips: (n_mels, n_mels)."""
        count = 0
        sums = torch.zeros(self.n_mels, dtype=torch.float64, device=self.device)
        products = torch.zeros((self.n_mels, self.n_mels), dtype=torch.float64, device=self.device)
        with torch.inference_mode():
            for clip in np.flatnonzero(chosen).tolist():
                for _, _, batch in self.passes(clips.select(clip, clip + 1)):
                    residuals = (self.network(batch).flatten(1) - batch.flatten(1)).reshape(-1, self.n_mels).double()
                    count += len(residuals)
                    sums += residuals.sum(0)
                    products += residuals.T @ residuals
        covariance = (products - torch.outer(sums, sums) / count) / (count - 1)
        return np.asarray(covariance.cpu().numpy(), dtype=np.float64)

    def reconstructed_windows(self, clip: Clips) -> Iterator[NDArray[np.float32]]:
        self.network.eval()
        windows = self.examples(clip)
        with torch.inference_mode():
            for batch in windows.batches(windows.pass_sizes()):
                made = self.network(batch).reshape(batch.shape)
                if self.settings["standardize"]:
                    made = made * self.deviation + self.mean
                yield made.cpu().numpy()


def squared_errors(reconstructions: Tensor, windows: Tensor) -> Tensor:
    """Mean squared error of each window, (batch,)."""
    return (reconstructions.flatten(1) - windows.flatten(1)).square().mean(1)


def mean_squared_error(reconstructions: Tensor, windows: Tensor) -> Tensor:
    """The mean of `squared_errors` over the batch, a scalar, in one fused and so faster operation."""
    return nn.functional.mse_loss(reconstructions.flatten(1), windows.flatten(1))
