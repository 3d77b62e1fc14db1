"""Features of a section: each clip read once, its frames stored unstacked."""

import io
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import BadClipError, UserError
from mimii.common.files import written_whole
from mimii.common.process import prepare_process
from mimii.common.provenance import Stopwatch, host, machine_load, versions
from mimii.data.audio import heard_checksum, reaches_full_scale, read_bytes, read_clip, resample
from mimii.data.recordings import Clip, Recordings, TrainedSounds, checksum, content_of
from mimii.data.sections import Section
from mimii.data.source import DatasetSource
from mimii.data.split import check_counts
from mimii.features.extractor import FeatureExtractor, extractor_class
from mimii.features.file import FeaturesMetadata, FeatureWriter
from mimii.features.record import ExtractionRecord

MOST_ERRORS = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sound:
    """What extraction reads of one clip. samples: (n,), at the extractor's rate. rate: of the recording, Hz. checksum:
    of its bytes; of a part of a recording, of the samples as they were decoded. heard: of the channel that is read,
    None where it is silent.
    """

    samples: NDArray[np.float32]
    rate: int
    clipped: bool
    checksum: int
    heard: int | None


@dataclass
class Tally:
    """What a section's clips turned out to be.

    usable: how many clips of each (split, label) have features. rates: Hz. clipped: paths. bad: a sentence each.
    checksums: of each clip by its path, None where it cannot be read.
    """

    usable: Counter[tuple[str, str]] = field(default_factory=Counter)
    rates: Counter[int] = field(default_factory=Counter)
    clipped: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    checksums: list[tuple[str, int | None]] = field(default_factory=list)

    def add(self, clip: Clip, sound: Sound) -> None:
        """Count a clip that has features."""
        self.usable[clip.split, clip.label] += 1
        self.rates[sound.rate] += 1
        self.clipped += [clip.path] if sound.clipped else []
        self.checksums.append((clip.path, sound.checksum))

    def add_bad(self, clip: Clip, error: BadClipError, checksum: int | None) -> None:
        """Count a clip that cannot be used; checksum: None where it cannot be read."""
        self.bad.append(str(error))
        self.checksums.append((clip.path, checksum))

    def refuse_bad(self, section: Section) -> None:
        """Raise UserError where clips cannot be used."""
        if self.bad:
            lines = "\n".join(f"  - {line}" for line in self.bad)
            raise UserError(
                f"section {section}: {len(self.bad)}{' or more' if len(self.bad) >= MOST_ERRORS else ''} clip(s) "
                f"cannot be used (dataset.on_bad_clip: skip leaves such clips out):\n{lines}"
            )

    def check(self, section: Section, *, settable: bool) -> None:
        """Raise UserError on mixed sample rates, and where too few clips are left.

        settable: whether another `dataset.split` may help.
        """
        if len(self.rates) > 1:
            counts = ", ".join(f"{count} clip(s) of {rate} Hz" for rate, count in self.rates.most_common())
            raise UserError(
                f"section {section}: mixed sample rates ({counts}), which a detector would hear; convert them to one"
            )
        check_counts(
            section,
            self.usable["train", "normal"],
            self.usable["test", "normal"],
            self.usable["test", "abnormal"],
            f"{len(self.bad)} clip(s) could not be used{f', the first: {self.bad[0]}' if self.bad else ''}",
            settable=settable,
        )

    def warn(self, section: Section) -> None:
        """Log what is left out, and what may spoil the results."""
        for line in self.bad:
            log.warning("skipped %s", line)
        if self.clipped:
            log.warning(
                "section %s: %d clip(s) reach full scale, the first: %s", section, len(self.clipped), self.clipped[0]
            )


def extract_features(
    source: DatasetSource,
    section: Section,
    settings: Mapping[str, Any],
    output: Path,
    *,
    on_bad_clip: str = "stop",
    listed: str = "",
    code: str = "",
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    threads: int = 1,
) -> ExtractionRecord:
    """Write the features of a section: a row per clip, in memory never more than a group of rows.

    settings: every setting of the extractor. on_bad_clip: "stop", or "skip" clips that cannot be used and say so in
    their row. listed: fingerprint of the recordings as they were listed while planning. code: fingerprint of this code.
    checkpoint, device, threads: folder of a pretrained network, and what computes with it; others need none of them.
    Returns what extraction cost.
    Raises UserError, and writes nothing, where clips cannot be used (all of them are named, up to MOST_ERRORS) or too
    few are left.
    """
    make = extractor_class(settings["extractor"])
    if make.uses_network:
        prepare_process(threads=threads, hide=False)
    extractor = make(settings, checkpoint=checkpoint, device=device)
    libraries = [*extractor.libraries, "soundfile", "pyarrow", *(["soxr"] if settings.get("resample", True) else [])]
    metadata = FeaturesMetadata(
        section.path,
        dict(settings),
        on_bad_clip,
        code=code,
        versions=versions(*libraries),
        checkpoint=dict(extractor.checkpoint_sha256s),
    )
    tally, stopwatch = Tally(), Stopwatch()
    with written_whole(output) as temporary, FeatureWriter(temporary, metadata) as writer:
        _write_clips(writer, tally, source, section, extractor)
        if on_bad_clip == "stop":
            tally.refuse_bad(section)
        tally.check(section, settable=source.config.get("clip_seconds") is not None)
        writer.metadata = replace(metadata, recordings=Recordings(listed, content_of(tally.checksums)))
    tally.warn(section)
    return ExtractionRecord(
        section.path,
        clips=sum(tally.usable.values()),
        extraction_time_sec=stopwatch.wall_s,
        extraction_cpu_sec=stopwatch.cpu_s,
        load=machine_load(),
        device=device if make.uses_network else "cpu",
        threads=threads,
        host=host(),
    )


def _write_clips(
    writer: FeatureWriter, tally: Tally, source: DatasetSource, section: Section, extractor: FeatureExtractor
) -> None:
    """Write and count every clip of a section; where bad clips are to stop it, up to MOST_ERRORS of those."""
    metadata, clips, trained = writer.metadata, iter(source.clips(section)), TrainedSounds()
    while some := list(islice(clips, extractor.clips_at_once)):
        for clip, sound, frames in clips_features(source, some, metadata.settings, extractor):
            if isinstance(sound, BadClipError):
                tally.add_bad(clip, sound, None)
                writer.add(clip, None, str(sound))
            elif fault := trained.fault(clip, sound.heard):
                tally.add_bad(clip, fault, sound.checksum)
                writer.add(clip, None, str(fault))
            else:
                tally.add(clip, sound)
                writer.add(clip, frames)
        if metadata.on_bad_clip == "stop" and len(tally.bad) >= MOST_ERRORS:
            break


def clips_features(
    source: DatasetSource, clips: Sequence[Clip], settings: Mapping[str, Any], extractor: FeatureExtractor
) -> Iterator[tuple[Clip, Sound | BadClipError, NDArray[np.float32] | None]]:
    """Each clip, its sound or why it cannot be used, and its frames (frames, values) where it can."""
    sounds: list[Sound | BadClipError] = []
    for clip in clips:
        try:
            sounds.append(read_sound(source, clip, settings, extractor.sample_rate))
        except BadClipError as error:
            sounds.append(error)
    usable = [sound.samples for sound in sounds if isinstance(sound, Sound)]
    frames = iter(extractor.frames(usable) if usable else [])
    for clip, sound in zip(clips, sounds, strict=True):
        yield clip, sound, next(frames) if isinstance(sound, Sound) else None


def read_sound(source: DatasetSource, clip: Clip, settings: Mapping[str, Any], sample_rate: int | None) -> Sound:
    """Read one clip, at the extractor's sample rate in Hz (None: as it is). Raises BadClipError."""
    if clip.seconds is None:
        # Read once, for the samples and for the checksum.
        content, name = _whole(source, clip)
        samples, rate = read_clip(io.BytesIO(content), settings["channel"], name=name)
    else:
        samples, rate, name = _part(source, clip, settings["channel"])
        content = samples.tobytes()
    clipped, summed, heard = reaches_full_scale(samples), checksum(content), heard_checksum(samples)
    return Sound(at_rate(samples, rate, settings, sample_rate, name=name), rate, clipped, summed, heard)


def clip_checksum(source: DatasetSource, clip: Clip, channel: int | str) -> int:
    """`Sound.checksum` without the features. Raises BadClipError where the clip cannot be read."""
    return checksum(_whole(source, clip)[0] if clip.seconds is None else _part(source, clip, channel)[0].tobytes())


def _whole(source: DatasetSource, clip: Clip) -> tuple[bytes, str]:
    """All bytes of a recording, and its name for messages."""
    opened = source.open(clip)
    name = opened if isinstance(opened, str) else clip.path
    return read_bytes(opened, name=name), name


def _part(source: DatasetSource, clip: Clip, channel: int | str) -> tuple[NDArray[np.float32], int, str]:
    """Samples and rate of a part of a recording, and its name for messages."""
    opened = source.open(clip)
    name = opened if isinstance(opened, str) else clip.path
    try:
        return *read_clip(opened, channel, name=name, start=clip.start, seconds=clip.seconds), name
    finally:
        if not isinstance(opened, str):
            opened.close()


def at_rate(
    samples: NDArray[np.float32], rate: int, settings: Mapping[str, Any], sample_rate: int | None, *, name: str
) -> NDArray[np.float32]:
    """(n,) samples of `rate` Hz at the extractor's sample rate (None: as they are). name: for messages.

    Raises BadClipError where the extractor cannot use them.
    """
    if refusal := extractor_class(settings["extractor"]).refusal(settings, len(samples), rate):
        raise BadClipError(f"{name}: {refusal}")
    return samples if sample_rate is None or rate == sample_rate else resample(samples, rate, sample_rate, name=name)
