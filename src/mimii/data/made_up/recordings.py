"""Made-up recordings in MIMII's layout: machines of four types under factory noise, heard by a circular array.

As in the MIMII paper (arXiv 1909.09347): the recording of a machine is the same at every SNR; the noise of a clip is
scaled against the average power of its machine ID, not of the clip. Everything follows from (seed, names, clip number).
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mimii.common.errors import UserError
from mimii.common.files import written_whole
from mimii.data.made_up.folder import MARK, RECORD, SAMPLE_RATE, recorded_files, refuse_recordings
from mimii.data.made_up.machines import (
    MACHINES,
    Signal,
    add_hits,
    band,
    coloured,
    decibels,
    low_pass,
    shaped_noise,
    slow,
    uneven,
)
from mimii.data.sections import Section

MACHINE_RMS = 0.01  # of full scale, about what MIMII's recordings have
REFERENCE_CLIPS = 24  # normal clips whose mean power is the machine's power
SNR_RANGE = (-20, 40)  # dB; below, the noise would not fit into 16 bits
SHORTEST = 0.5  # seconds
ARRAY_RADIUS = 0.035  # metres
SPEED_OF_SOUND = 343.0  # metres per second
MICROPHONE_GAINS = (0.0, -0.4, 0.3, -0.2, 0.5, -0.3, 0.2, -0.5)  # dB
# From clip to clip, standard deviations in dB, such that clip means of the log-mel vary as those of MIMII's fans do.
GAIN_SPREAD = 0.4  # of the machine's level
MACHINE_COLOUR = 0.7  # of its spectrum
NOISE_COLOUR = 2.5  # of the noise's
SEVERITY = (0.6, 1.0)  # of a fault, from clip to clip, as a share of the machine's own
WORST = (0.7, 1.0)  # severity of the worst fault, from machine to machine: MIMII's IDs differ in how easy they are


def make_section(
    folder: Path,
    section: Section,
    *,
    normal_clips: int,
    abnormal_clips: int,
    seconds: float,
    channels: int,
    seed: int,
) -> None:
    """Write `folder`/normal/00000000.wav ... and `folder`/abnormal/00000000.wav ..., 16 kHz, PCM 16, and `RECORD` last,
    which says what is wrong in each abnormal clip.

    folder: the section's own folder, `<root>/<snr>/<machine>/<id>`; what was made up there before is replaced.
    seconds: length of each clip.
    Raises UserError, before anything is written, for a machine type or an SNR that cannot be made, for counts or a
    length out of range, and where the folder holds recordings that were not made up.
    """
    snr = snr_in_decibels(section.snr)
    for name, number in (("normal clips", normal_clips), ("abnormal clips", abnormal_clips), ("channels", channels)):
        if number < 1:
            raise UserError(f"{section}: {name}: {number} is not possible, give at least 1")
    if not seconds >= SHORTEST or seconds * SAMPLE_RATE * channels * 2 >= 2**32 - 128:
        raise UserError(
            f"{section}: clips of {seconds} s x {channels} channels: give at least {SHORTEST} s, below 4 GiB"
        )
    counts = {"normal": normal_clips, "abnormal": abnormal_clips}
    names = {label: [f"{number:08d}.wav" for number in range(count)] for label, count in counts.items()}
    refuse_recordings(folder)
    machine = MachineID(section.machine, section.id, seed)

    clear_folder(folder, names)
    for label in names:
        for number, name in enumerate(names[label]):
            sound = machine.signal(label, number, round(seconds * SAMPLE_RATE))
            noise = NoiseField(random_generator(seed, section.path, label, number), len(sound))
            with written_whole(folder / label / name) as path:
                write_wav(path, record(sound, noise, machine.azimuth, snr, channels))
    made = {
        "section": section.path,
        **counts,
        "seconds": seconds,
        "channels": channels,
        "seed": seed,
        "faults": {name: machine.fault("abnormal", number) for number, name in enumerate(names["abnormal"])},
        "files": recorded_files(folder, names),
    }
    with written_whole(folder / RECORD) as path:
        path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def clear_folder(folder: Path, names: Mapping[str, Sequence[str]]) -> None:
    """Mark a section's folder as made up, and take away the clips of before that no new one will replace.

    names: of the clips to come, by label.
    """
    with written_whole(folder / MARK) as path:
        path.touch()
    for label, wanted in names.items():
        for path in (folder / label).glob("*.wav"):
            if path.name not in wanted:
                path.unlink()


def snr_in_decibels(name: str) -> int:
    """`6dB` -> 6, `min6dB` -> -6. Raises UserError for other names, and for an SNR outside of `SNR_RANGE`."""
    match = re.fullmatch(r"(min)?(\d{1,3})dB", name)
    if match is None:
        raise UserError(f"SNR {name!r}: cannot be made up, write it as in MIMII: 6dB, 0dB, min6dB")
    snr = int(match[2]) * (-1 if match[1] else 1)
    lowest, highest = SNR_RANGE
    if not lowest <= snr <= highest:
        raise UserError(f"SNR {name!r}: choose one from min{-lowest}dB to {highest}dB")
    return snr


def random_generator(*key: object) -> np.random.Generator:
    """A generator that follows from `key` alone; names hold no "/", so two keys never look alike."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


class MachineID:
    """One machine: what it sounds like at every SNR, and from where (`azimuth`, radians)."""

    def __init__(self, machine: str, id: str, seed: int) -> None:
        if machine not in MACHINES:
            raise UserError(f"machine type {machine!r}: can be made up are {', '.join(MACHINES)}")
        self.key = (seed, machine, id)
        rng = random_generator(*self.key)
        self.machine = MACHINES[machine](rng)
        self.azimuth = rng.uniform(0.0, 2 * np.pi)
        self.worst = rng.uniform(*WORST)
        # Of a fixed number of clips of a fixed length: the level must not depend on how many clips are asked for.
        generators = [random_generator(*self.key, "reference", number) for number in range(REFERENCE_CLIPS)]
        reference = [self.machine.signal(generator, 4 * SAMPLE_RATE, None, 0.0) for generator in generators]
        self.scale = MACHINE_RMS / np.sqrt(np.mean(np.square(reference)))

    def signal(self, label: str, number: int, samples: int) -> Signal:
        """The machine alone in clip `number`, (samples,) float32, full scale 1."""
        rng = random_generator(*self.key, label, number)
        gain = decibels(rng.normal(0.0, GAIN_SPREAD))
        colour = uneven(rng, MACHINE_COLOUR)
        fault = self.fault(label, number)
        severity = self.worst * rng.uniform(*SEVERITY) if fault else 0.0
        sound = coloured(self.machine.signal(rng, samples, fault, severity), colour)
        return sound * np.float32(gain * self.scale)

    def fault(self, label: str, number: int) -> str | None:
        """What is wrong in clip `number`: of abnormal clips each kind in its turn, so that there are equally many."""
        return self.machine.faults[number % len(self.machine.faults)] if label == "abnormal" else None


class NoiseField:
    """Factory noise of RMS 1 at a microphone: one part from afar out of one direction, one part from everywhere.

    afar: (samples,) ventilation and distant blows on metal; azimuth: where from, radians.
    around: (samples,) what is reflected by the walls; far-apart stretches of it serve as independent recordings.
    """

    def __init__(self, rng: np.random.Generator, samples: int) -> None:
        self.azimuth = rng.uniform(0.0, 2 * np.pi)
        fall = low_pass(rng.uniform(150.0, 250.0), rng.uniform(0.85, 1.0))
        bump, height = band(rng.uniform(300.0, 4000.0), 2.0), rng.uniform(0.0, 0.8)
        colour = uneven(rng, NOISE_COLOUR)

        def hall(f: NDArray[np.float64]) -> NDArray[np.float64]:
            return fall(f) * (1.0 + height * bump(f)) * colour(f)

        afar = shaped_noise(rng, samples, hall) * (1.0 + 0.2 * slow(rng, samples)).astype(np.float32)
        time = np.arange(int(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
        blow = shaped_noise(rng, len(time), band(rng.uniform(800.0, 2500.0), 1.5)) * np.exp(-time / 0.06).astype(
            np.float32
        )
        blows = rng.poisson(0.3 * samples / SAMPLE_RATE)
        add_hits(afar, rng.uniform(0.0, samples / SAMPLE_RATE, blows), rng.gamma(2.0, 0.5, blows), blow)
        self.afar = 0.8 * unit_rms(afar)
        self.around = 0.6 * unit_rms(shaped_noise(rng, samples, hall))

    def around_microphone(self, channel: int, channels: int) -> Signal:
        """What comes from everywhere, as microphone `channel` hears it."""
        return np.roll(self.around, channel * (len(self.around) // channels))


def unit_rms(signal: Signal) -> Signal:
    """`signal`, scaled to RMS 1."""
    return signal / np.sqrt(np.mean(np.square(signal)))


def record(sound: Signal, noise: NoiseField, azimuth: float, snr: float, channels: int) -> NDArray[np.int16]:
    """What the array hears, (samples, channels).

    The first microphone is the reference: there the machine is `sound` itself and the noise is `snr` dB below
    `MACHINE_RMS`. Machine and distant noise reach the others earlier or later; every microphone has its own gain.
    """
    level = np.float32(MACHINE_RMS / decibels(snr))
    frames = np.empty((len(sound), channels), dtype="<i2")
    for channel in range(channels):
        position = 2 * np.pi * channel / channels
        heard = level * (delayed(noise.afar, noise.azimuth, position) + noise.around_microphone(channel, channels))
        heard += delayed(sound, azimuth, position)
        heard *= np.float32(32768 * decibels(MICROPHONE_GAINS[channel % len(MICROPHONE_GAINS)]))
        np.rint(heard, out=heard)
        frames[:, channel] = np.clip(heard, -32768, 32767, out=heard)
    return frames


def delayed(signal: Signal, azimuth: float, position: float) -> Signal:
    """A plane wave from `azimuth`, as the microphone at angle `position` hears it; the one at angle 0 hears `signal`.

    Fractions of a sample by cubic Lagrange interpolation; the array is so small that whole delays stay below 4 samples.
    """
    delay = ARRAY_RADIUS / SPEED_OF_SOUND * SAMPLE_RATE * (np.cos(azimuth) - np.cos(azimuth - position))
    if delay == 0.0:
        return signal.copy()
    whole = int(np.floor(delay))
    d = delay - whole + 1.0  # between taps 1 and 2 of the four
    taps = (
        -(d - 1) * (d - 2) * (d - 3) / 6,
        d * (d - 2) * (d - 3) / 2,
        -d * (d - 1) * (d - 3) / 2,
        d * (d - 1) * (d - 2) / 6,
    )
    margin = 8
    padded = np.pad(signal, margin, mode="reflect")
    first = margin - whole + 1
    heard = np.zeros_like(signal)
    for n, tap in enumerate(taps):
        heard += np.float32(tap) * padded[first - n : first - n + len(signal)]
    return heard


def write_wav(path: Path, frames: NDArray[np.int16]) -> None:
    """PCM 16 at 16 kHz under the 80 bytes of MIMII's own header: WAVE_FORMAT_EXTENSIBLE and a fact chunk.

    frames: (samples, channels), little-endian.
    """
    samples, channels = frames.shape
    size = samples * channels * 2
    mask = {1: 0x4, 2: 0x3, 8: 0x63F}.get(channels, 0)  # loudspeakers that the channels are meant for; 0: none
    header = struct.pack("<4sI4s", b"RIFF", 72 + size, b"WAVE")
    header += struct.pack(
        "<4sIHHIIHH", b"fmt ", 40, 0xFFFE, channels, SAMPLE_RATE, SAMPLE_RATE * channels * 2, channels * 2, 16
    )
    header += struct.pack("<HHI16s", 22, 16, mask, bytes.fromhex("0100000000001000800000aa00389b71"))
    header += struct.pack("<4sII4sI", b"fact", 4, samples, b"data", size)
    with path.open("wb") as file:
        file.write(header)
        file.write(frames.data)
