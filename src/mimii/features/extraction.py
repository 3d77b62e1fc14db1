"""Log-mel features of a section: each clip read once, its frames stored unstacked."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.common.provenance import versions
from mimii.data.audio import BadClipError, read_clip, resample
from mimii.data.recordings import Clip
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.data.split import check_counts
from mimii.features.file import FeatureWriter
from mimii.features.log_mel import LogMel

MOST_ERRORS = 20
FULL_SCALE = 32767 / 32768

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipFeatures:
    """What extraction learns of one clip. log_mel: (frames, n_mels) dB. rate: of the recording, Hz."""

    log_mel: NDArray[np.float32]
    rate: int
    clipped: bool


def extract_features(
    source: DatasetSource,
    section: Section,
    settings: Mapping[str, Any],
    output: Path,
    *,
    on_bad_clip: str = "stop",
    **metadata: Any,
) -> None:
    """Write the features of a section: a row per clip, in memory never more than a group of rows.

    settings: every setting of settings.yaml. on_bad_clip: "stop", or "skip" clips that cannot be used and say so in
    their row. metadata: plain values kept in the file.
    Raises UserError, and writes nothing, where clips cannot be used (all of them are named, up to MOST_ERRORS) or too
    few are left.
    """
    log_mel = LogMel(settings)
    bad: list[str] = []
    clipped: list[str] = []
    rates: Counter[int] = Counter()
    kept: Counter[tuple[str, str]] = Counter()
    libraries = ["librosa", "numpy", "scipy", "soundfile", "pyarrow", *(["soxr"] if settings["resample"] else [])]
    described = {
        **metadata,
        "section": section.path,
        "settings": dict(settings),
        "on_bad_clip": on_bad_clip,
        "versions": versions(*libraries),
    }
    with written_whole(output) as temporary, FeatureWriter(temporary, described) as writer:
        for clip in source.clips(section):
            try:
                features = clip_features(source, clip, settings, log_mel)
            except BadClipError as error:
                bad.append(str(error))
                writer.add(clip.path, clip.label, clip.split, None, str(error))
                if on_bad_clip == "stop" and len(bad) == MOST_ERRORS:
                    break
            else:
                kept[clip.split, clip.label] += 1
                rates[features.rate] += 1
                clipped += [clip.path] if features.clipped else []
                writer.add(clip.path, clip.label, clip.split, features.log_mel, None)
        if bad and on_bad_clip == "stop":
            listed = "\n".join(f"  - {line}" for line in bad)
            raise UserError(
                f"section {section}: {len(bad)}{' or more' if len(bad) == MOST_ERRORS else ''} clip(s) cannot be used "
                f"(dataset.on_bad_clip: skip leaves such clips out):\n{listed}"
            )
        if len(rates) > 1:
            counts = ", ".join(f"{count} clip(s) of {rate} Hz" for rate, count in rates.most_common())
            raise UserError(
                f"section {section}: mixed sample rates ({counts}), which a detector would hear; convert them to one"
            )
        check_counts(
            section,
            kept["train", "normal"],
            kept["test", "normal"],
            kept["test", "abnormal"],
            f"{len(bad)} clip(s) could not be used{f', the first: {bad[0]}' if bad else ''}",
        )
    for line in bad:
        log.warning("skipped %s", line)
    if clipped:
        log.warning("section %s: %d clip(s) reach full scale, the first: %s", section, len(clipped), clipped[0])


def clip_features(source: DatasetSource, clip: Clip, settings: Mapping[str, Any], log_mel: LogMel) -> ClipFeatures:
    """Read one clip and compute its log-mel. Raises BadClipError."""
    opened = source.open(clip)
    name = opened if isinstance(opened, str) else clip.path
    try:
        samples, rate = read_clip(opened, settings["channel"], name=name)
    finally:
        if not isinstance(opened, str):
            opened.close()
    clipped = bool(samples.max() >= FULL_SCALE or samples.min() <= -1)
    return ClipFeatures(samples_features(samples, rate, settings, log_mel, name=name), rate, clipped)


def samples_features(
    samples: NDArray[np.float32], rate: int, settings: Mapping[str, Any], log_mel: LogMel, *, name: str
) -> NDArray[np.float32]:
    """Log-mel of (n,) samples at `rate` Hz: (frames, n_mels) dB. name: for messages. Raises BadClipError."""
    wanted = settings["sample_rate"]
    if rate != wanted:
        if not settings["resample"]:
            raise BadClipError(
                f"{name}: {rate} Hz, but features.sample_rate is {wanted} Hz; "
                f"set features.resample: true, or features.sample_rate: {rate}"
            )
        samples = resample(samples, rate, wanted)
    try:
        return log_mel(samples)
    except ValueError as error:
        raise BadClipError(
            f"{name}: too short ({error}); lower features.n_fft, or set features.padding: constant"
        ) from None
