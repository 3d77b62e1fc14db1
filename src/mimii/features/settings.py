"""Settings of the features, and what they say together: planning checks it, extraction computes with it.

What every extractor has stands in `settings.yaml`, what one of them has in the file beside it, such as `log_mel.yaml`.
Resolved settings are those of one extractor, without the others'.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mimii.common.declarations import Declarations, Settings, read_declarations, resolve

# Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above. As in librosa, whose import takes
# longer than planning.
LINEAR_HZ_PER_MEL = 200 / 3
LOG_FROM_HZ = 1000.0
LOG_FROM_MEL = LOG_FROM_HZ / LINEAR_HZ_PER_MEL
LOG_STEP = math.log(6.4) / 27


@cache
def declared_in(name: str) -> Declarations:
    """Settings of one file beside this one: `settings`, or an extractor's name."""
    declared: Declarations = read_declarations(Path(__file__).with_name(f"{name}.yaml"))["settings"]
    return declared


def extractor_names() -> list[str]:
    """Every extractor."""
    return list(declared_in("settings")["extractor"]["enum"])


def declarations_of(extractor: str) -> Declarations:
    """Settings of one extractor, those first that every extractor has."""
    return {**declared_in("settings"), **declared_in(extractor)}


@cache
def feature_declarations() -> Declarations:
    """Settings of every extractor."""
    return {key: schema for name in extractor_names() for key, schema in declarations_of(name).items()}


def resolve_features(*overrides: Settings) -> dict[str, Any]:
    """Every setting of one extractor: its default, or the last override that has it; the other extractors' left out.

    Overrides must be valid, and may hold settings of models, which are left out too.
    """
    known = feature_declarations()
    values = resolve(known, *({key: value for key, value in given.items() if key in known} for given in overrides))
    return {key: values[key] for key in declarations_of(values["extractor"])}


def extractor_of(*given: Mapping[str, Any]) -> str:
    """The extractor that settings name, the last that has it; the default where none names one that there is."""
    named = [values["extractor"] for values in given if values.get("extractor") in extractor_names()]
    return str(named[-1] if named else declared_in("settings")["extractor"]["default"])


def foreign_settings(given: Iterable[str], extractor: str) -> list[str]:
    """A sentence for each of the given names that is a setting of other extractors alone."""
    own = declarations_of(extractor)
    return [
        f"{key} is no setting of the extractor {extractor}; leave it out"
        for key in given
        if key in feature_declarations() and key not in own
    ]


def frame_values(settings: Mapping[str, Any]) -> int | None:
    """Values of a frame; None where the checkpoint decides it."""
    return settings.get("n_mels")


def frame_step(settings: Mapping[str, Any]) -> float:
    """Seconds from one frame to the next."""
    if settings["extractor"] == "log_mel":
        return float(settings["hop_length"] / settings["sample_rate"])
    return float(settings["frame_seconds"])


def frame_count(settings: Mapping[str, Any], samples: int, rate: int) -> int:
    """Frames of a clip of so many samples at `rate` Hz."""
    if settings["extractor"] == "log_mel":
        return 1 + math.ceil(samples * settings["sample_rate"] / rate) // int(settings["hop_length"])
    return max(1, int(samples / rate / frame_step(settings) + 1e-6))  # a rest that fills no frame is left out


def features_in_words(settings: Mapping[str, Any]) -> str:
    """One line for a page: `log-mel, 64 bands, ...`. Results of versions that knew log-mels alone name no extractor."""
    if settings.get("extractor", "log_mel") == "log_mel":
        return (
            f"log-mel, {settings['n_mels']} bands, n_fft {settings['n_fft']}, hop {settings['hop_length']}, "
            f"channel {settings['channel']}, {settings['sample_rate']} Hz"
        )
    layer = "the last layer" if settings["layer"] is None else f"layer {settings['layer']}"
    return (
        f"embeddings of {settings['checkpoint']}, {layer}, mean over {settings['frame_seconds']:g} s, "
        f"channel {settings['channel']}"
    )


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
    """Contradictions between settings that are each in range, a sentence each; empty where there are none.

    settings: all of one extractor's.
    """
    if settings["extractor"] == "log_mel":
        return _log_mel_contradictions(settings)
    if settings["checkpoint"] is None:
        return [f"extractor {settings['extractor']} needs a checkpoint; set checkpoint: to the folder that holds it"]
    return []


def _log_mel_contradictions(settings: Mapping[str, Any]) -> list[str]:
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
