"""Log-mel frames of one clip.

log_mel = 20 / power * log10(mel bands of |STFT|**power + eps), with librosa's mel filters (Slaney mel scale, area
normalisation), a periodic Hann window and centred frames.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import librosa.filters
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.features.extractor import FeatureExtractor
from mimii.features.settings import check_feature_settings

EPSILON = np.float32(sys.float_info.epsilon)
SAMPLES_AT_ONCE = 1 << 17  # of all frames together: what a core holds near, and a bound of memory
BANDS_AT_ONCE = 8


class Extractor(FeatureExtractor):
    """Computes log-mel frames with one set of settings."""

    libraries = ("librosa", "numpy", "scipy")

    def __init__(
        self, settings: Mapping[str, Any], *, checkpoint: str | Path | None = None, device: str = "cpu"
    ) -> None:
        problems = check_feature_settings(settings)
        if problems:
            raise UserError(f"features: {'; '.join(problems)}")
        self.sample_rate = settings["sample_rate"]
        self.n_mels: int = settings["n_mels"]
        self.n_fft: int = settings["n_fft"]
        self.hop_length: int = settings["hop_length"]
        self.power: float = settings["power"]
        self.padding: str = settings["padding"]
        phase = 2 * np.pi * np.arange(self.n_fft) / self.n_fft
        self._window = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
        # A mel band spans few frequencies: neighbouring bands are computed from their own part of the spectrum.
        filters = librosa.filters.mel(
            sr=settings["sample_rate"],
            n_fft=self.n_fft,
            n_mels=self.n_mels,
            fmin=settings["f_min"],
            fmax=settings["f_max"],
        )
        self._bands = []
        for first in range(0, self.n_mels, BANDS_AT_ONCE):
            some = filters[first : first + BANDS_AT_ONCE]
            used = np.flatnonzero(some.any(axis=0))
            span = slice(int(used[0]), int(used[-1]) + 1)
            self._bands.append((slice(first, first + len(some)), span, np.ascontiguousarray(some[:, span].T)))

    @staticmethod
    def refusal(settings: Mapping[str, Any], samples: int, rate: int) -> str | None:
        sample_rate, half = settings["sample_rate"], settings["n_fft"] // 2
        if rate != sample_rate and not settings["resample"]:
            return (
                f"{rate} Hz, but features.sample_rate is {sample_rate} Hz; "
                f"set features.resample: true, or features.sample_rate: {rate}"
            )
        if settings["padding"] == "reflect" and samples * sample_rate // rate <= half:
            return (
                f"too short ({samples} samples at {rate} Hz; reflecting half a frame at the edges needs more than "
                f"{half} at {sample_rate} Hz); lower features.n_fft, or set features.padding: constant"
            )
        return None

    def frames(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return [self.log_mel(samples) for samples in clips]

    def log_mel(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel of (n,) samples: (frames, n_mels) in dB."""
        half = self.n_fft // 2
        padding: Any = self.padding
        padded = np.pad(samples, half, mode=padding)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        mel = np.empty((len(frames), self.n_mels), dtype=np.float32)
        step = SAMPLES_AT_ONCE // self.n_fft
        for first in range(0, len(frames), step):
            some = slice(first, first + step)
            spectrum = np.abs(scipy.fft.rfft(frames[some] * self._window))
            if self.power == 2:
                spectrum *= spectrum
            elif self.power != 1:
                spectrum **= self.power
            for bands, span, weights in self._bands:
                np.matmul(spectrum[:, span], weights, out=mel[some, bands])
        mel += EPSILON
        np.log10(mel, out=mel)
        mel *= np.float32(20 / self.power)
        return mel
