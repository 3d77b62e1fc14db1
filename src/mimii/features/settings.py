"""Settings of the log-mel features, and what they say together: planning checks it, extraction computes with it."""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mimii.common.declarations import Declarations, read_declarations

# Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above. As in librosa, whose import takes
# longer than planning.
LINEAR_HZ_PER_MEL = 200 / 3
LOG_FROM_HZ = 1000.0
LOG_FROM_MEL = LOG_FROM_HZ / LINEAR_HZ_PER_MEL
LOG_STEP = math.log(6.4) / 27


@cache
def feature_declarations() -> Declarations:
    """Settings of the log-mel features, from `settings.yaml`."""
    return read_declarations(Path(__file__).with_suffix(".yaml"))["settings"]


def hz_to_mel(hz: float) -> float:
    """Slaney's mel scale."""
    if hz < LOG_FROM_HZ:
        return hz / LINEAR_HZ_PER_MEL
    return LOG_FROM_MEL + math.log(hz / LOG_FROM_HZ) / LOG_STEP


def mel_to_hz(mel: float) -> float:
    """The inverse of `hz_to_mel`."""
    if mel < LOG_FROM_MEL:
        return mel * LINEAR_HZ_PER_MEL
    return LOG_FROM_HZ * math.exp(LOG_STEP * (mel - LOG_FROM_MEL))


def highest_hz(settings: Mapping[str, Any]) -> float:
    """Upper edge of the highest mel band: `f_max`, or half the sample rate."""
    return float(settings["sample_rate"] / 2 if settings["f_max"] is None else settings["f_max"])


def band_edges(settings: Mapping[str, Any]) -> list[float]:
    """Hz, n_mels + 2 values, evenly spaced in mel: band m rises from value m to m + 1 and falls to m + 2."""
    low, high = hz_to_mel(settings["f_min"]), hz_to_mel(highest_hz(settings))
    steps = settings["n_mels"] + 1
    return [mel_to_hz(low + (high - low) * step / steps) for step in range(steps + 1)]


def check_feature_settings(settings: Mapping[str, Any]) -> list[str]:
    """Contradictions between settings that are each in range, a sentence each; empty where there are none."""
    nyquist = settings["sample_rate"] / 2
    high = highest_hz(settings)
    contradictions = []
    if settings["hop_length"] > settings["n_fft"]:
        contradictions.append(
            f"hop_length {settings['hop_length']} exceeds n_fft {settings['n_fft']}, "
            "so some samples would be in no frame; lower hop_length"
        )
    if high > nyquist:
        contradictions.append(
            f"f_max {high:g} Hz is above half of sample_rate ({nyquist:g} Hz); lower f_max, or set it to null"
        )
    elif settings["f_min"] >= high:
        contradictions.append(f"f_min {settings['f_min']:g} Hz is not below the upper edge {high:g} Hz; lower f_min")
    elif empty := empty_bands(settings):
        contradictions.append(
            f"{len(empty)} of {settings['n_mels']} mel bands (the first is band {empty[0]}) hold no "
            f"frequency of a Fourier transform of n_fft {settings['n_fft']} samples; lower n_mels or raise n_fft"
        )
    return contradictions


def empty_bands(settings: Mapping[str, Any]) -> list[int]:
    """Mel bands, counted from 0, between whose edges no frequency of the Fourier transform lies."""
    edges = band_edges(settings)
    spacing = settings["sample_rate"] / settings["n_fft"]
    # The highest frequency of the transform below the band's upper edge must lie above its lower one.
    return [
        band
        for band in range(settings["n_mels"])
        if (math.ceil(edges[band + 2] / spacing) - 1) * spacing <= edges[band]
    ]
