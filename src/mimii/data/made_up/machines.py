"""Sounds of made-up machines: what a fan, a pump, a slider and a valve emit, whole or with a fault of MIMII's kind.

A machine's parameters (blades, nominal speed, body resonances ...) are drawn once per machine ID, load and speed for
every clip, and a fault has a severity between 0 and 1. Signals are float32, in arbitrary units of sound pressure.

Sines and exponentials are taken in double precision, and products and sums element by element, without BLAS: rounded to
16 bits, the result does not depend on the processor's vector instructions or on the number of threads.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mimii.data.made_up.folder import SAMPLE_RATE

TABLE_SIZE = 8192  # points of one revolution's waveform
OCTAVES = np.log2(62.5) + np.arange(8.0)  # 62.5 Hz, 125 Hz ... 8 kHz

Signal = NDArray[np.float32]
Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # amplitude over frequency in Hz


# --- building blocks -------------------------------------------------------------------------------------------------


def shaped_noise(rng: np.random.Generator, samples: int, curve: Curve) -> Signal:
    """Gaussian noise whose amplitude spectrum follows `curve` (Hz -> amplitude); RMS 1 on average."""
    bins = samples // 2 + 1
    # A grid is enough for a smooth curve, and costs a fraction of evaluating it at every bin.
    grid = np.linspace(0.0, SAMPLE_RATE / 2, 513)
    amplitude = curve(grid)
    amplitude = amplitude / np.sqrt(np.mean(amplitude**2))
    amplitude[0] = 0.0
    spectrum = rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)
    spectrum *= np.interp(np.arange(bins), grid * (bins - 1) / grid[-1], amplitude).astype(np.float32)
    noise: Signal = np.fft.irfft(spectrum, samples).astype(np.float32, copy=False)
    noise *= np.float32(np.sqrt(samples / 2))
    return noise


def rotating(revolutions: NDArray[np.float64], orders: NDArray[np.float64], rng: np.random.Generator) -> Signal:
    """A sound that repeats with every turn of a shaft.

    revolutions: (samples,) turns since the start.
    orders: amplitude of the 0th, 1st, 2nd ... multiple of the shaft's frequency; phases are drawn.
    """
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex128)
    spectrum[: len(orders)] = orders * np.exp(2j * np.pi * rng.random(len(orders)))
    spectrum[0] = 0.0
    turn = np.fft.irfft(spectrum, TABLE_SIZE) * (TABLE_SIZE / 2)
    steps = np.append(np.diff(turn), turn[0] - turn[-1]).astype(np.float32)
    place = revolutions * TABLE_SIZE
    index = place.astype(np.int64)
    fraction = (place - index).astype(np.float32)
    index &= TABLE_SIZE - 1
    return turn.astype(np.float32)[index] + fraction * steps[index]


def turns(
    speed: NDArray[np.float64] | float, samples: int, rng: np.random.Generator, wander: float
) -> NDArray[np.float64]:
    """Revolutions since the start at `speed` (turns per second), which wanders slowly by the fraction `wander`."""
    drift = 1.0 + wander * slow(rng, samples)
    return rng.random() + np.cumsum(speed * drift) / SAMPLE_RATE


def slow(rng: np.random.Generator, samples: int, rate: float = 2.0) -> NDArray[np.float64]:
    """A slow random curve around 0 with a spread of about 1, one knot every 1 / `rate` seconds."""
    knots = rng.standard_normal(int(samples / SAMPLE_RATE * rate) + 2)
    return np.interp(np.arange(samples), np.arange(len(knots)) * (SAMPLE_RATE / rate), knots)


def add_hits(signal: Signal, starts: NDArray[np.float64], strengths: NDArray[np.float64], ring: Signal) -> None:
    """Add `ring`, the answer of the body to one blow, at each of `starts` (seconds), in place; not those outside."""
    for start, strength in zip((starts * SAMPLE_RATE).astype(np.int64), strengths, strict=True):
        if 0 <= start < len(signal):
            stretch = signal[start : start + len(ring)]
            stretch += np.float32(strength) * ring[: len(stretch)]


def decibels(value: float) -> float:
    """A level in dB as a factor of amplitude."""
    return float(10.0 ** (value / 20.0))


def low_pass(knee: float, slope: float) -> Curve:
    """Flat up to `knee` Hz, then falling by `slope` powers of frequency."""
    return lambda f: 1.0 / (1.0 + (f / knee) ** slope)


def band(centre: float, octaves: float) -> Curve:
    """A bell around `centre` Hz, `octaves` wide."""
    return lambda f: np.exp(-0.5 * (np.log2(np.maximum(f, 1.0) / centre) / (octaves / 2)) ** 2)


def uneven(rng: np.random.Generator, spread: float) -> Curve:
    """How the way to the microphone colours a sound, another from clip to clip: a smooth curve around 1.

    spread: standard deviation in dB. Student's t with 4 degrees of freedom, for some real clips lie far from the rest.
    """
    knots = spread / np.sqrt(2.0) * np.clip(rng.standard_t(4.0, len(OCTAVES)), -6.0, 6.0)
    return lambda f: 10.0 ** (np.interp(np.log2(np.maximum(f, 1.0)), OCTAVES, knots) / 20.0)


def coloured(signal: Signal, curve: Curve) -> Signal:
    """`signal` with the amplitude of each frequency multiplied by `curve` (Hz -> factor)."""
    spectrum = np.fft.rfft(signal)
    grid = np.linspace(0.0, SAMPLE_RATE / 2, 513)
    place = np.arange(len(spectrum)) * (SAMPLE_RATE / len(signal))
    spectrum *= np.interp(place, grid, curve(grid)).astype(np.float32)
    return np.fft.irfft(spectrum, len(signal)).astype(np.float32, copy=False)


class Body:
    """The resonances through which everything inside a machine is heard."""

    def __init__(self, rng: np.random.Generator, lowest: float, highest: float, modes: int = 5) -> None:
        edges = np.geomspace(lowest, highest, modes + 1)
        self.frequencies = rng.uniform(edges[:-1], edges[1:])
        self.widths = self.frequencies * rng.uniform(0.04, 0.12, modes)
        self.gains = rng.uniform(0.6, 2.0, modes)

    def response(self, f: NDArray[np.floating]) -> NDArray[np.float64]:
        """Amplitude at `f` Hz: 0.4 away from all resonances."""
        bells = self.gains[:, None] / (1.0 + ((f - self.frequencies[:, None]) / self.widths[:, None]) ** 2)
        return 0.4 + bells.sum(axis=0)

    def through(self, curve: Curve) -> Curve:
        """`curve`, heard through the body."""
        return lambda f: curve(f) * self.response(f)

    def ring(self, brightness: float = 1.0, seconds: float = 0.06) -> Signal:
        """The decaying answer to a blow, peak about 1. brightness: weight of each mode against the one below."""
        time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        weights = self.gains * brightness ** np.arange(len(self.gains))
        waves = np.sin(2 * np.pi * self.frequencies[:, None] * time) * np.exp(-np.pi * self.widths[:, None] * time)
        return ((weights / weights.sum())[:, None] * waves).sum(axis=0).astype(np.float32)


class Machine(ABC):
    """One machine, its parameters drawn from `rng`."""

    faults: ClassVar[tuple[str, ...]]

    @abstractmethod
    def __init__(self, rng: np.random.Generator) -> None: ...

    @abstractmethod
    def signal(self, rng: np.random.Generator, samples: int, fault: str | None, severity: float) -> Signal:
        """One recording, (samples,) float32. fault: None or one of `faults`; severity: 0 (just not there) to 1."""


# --- the four machines -----------------------------------------------------------------------------------------------


class Fan(Machine):
    """Blade-pass harmonics over the turbulence of the air.

    unbalance: the shaft's own frequency grows, with sidebands beside every blade-pass harmonic, and the mount rattles.
    clogging: less air, blades stall: tones fade, turbulence turns into low rumble that comes and goes.
    voltage: slower than any load explains, and the motor hums.
    """

    faults = ("unbalance", "clogging", "voltage")

    def __init__(self, rng: np.random.Generator) -> None:
        self.blades = int(rng.integers(5, 9))
        self.speed = rng.uniform(22.0, 30.0)
        self.knee = rng.uniform(500.0, 1000.0)
        self.body = Body(rng, 250.0, 5000.0)

    def signal(self, rng: np.random.Generator, samples: int, fault: str | None, severity: float) -> Signal:
        load = rng.uniform()
        speed = self.speed * (0.92 + 0.16 * load + 0.01 * rng.standard_normal())
        knee = self.knee * (0.8 + 0.4 * load)
        sideband, shaft, tones, rumble, rattle, hum = 0.06, 0.15, 0.8 + 0.4 * load, 0.0, 0.0, 0.0
        air = 0.7 + 0.5 * load
        if fault == "unbalance":
            sideband += 0.6 * severity
            shaft += 0.6 * severity
            tones *= 1.0 - 0.3 * severity  # what the sidebands take
            rattle = 6.0 * severity
        elif fault == "clogging":
            tones *= 1.0 - 0.5 * severity
            knee *= 1.0 - 0.4 * severity
            rumble = 1.2 * severity
        elif fault == "voltage":
            speed *= 1.0 - 0.2 * severity
            air *= (1.0 - 0.2 * severity) ** 2.5  # a fan's sound power goes with the fifth power of its speed
            hum = 0.7 * severity

        harmonics = np.arange(1, 13)
        strengths = tones * harmonics**-0.9 * np.exp(0.15 * rng.standard_normal(12))
        orders = np.zeros(12 * self.blades + 2)
        orders[1:4] = shaft * np.array([1.0, 0.5, 0.3])
        orders[harmonics * self.blades] = strengths
        for beside in (-1, 1):
            orders[harmonics * self.blades + beside] += sideband * strengths
        orders *= self.body.response(np.arange(len(orders)) * speed)
        revolutions = turns(speed, samples, rng, wander=0.003)
        signal = rotating(revolutions, orders, rng)

        turbulence = shaped_noise(rng, samples, self.body.through(low_pass(knee, 1.6))) * np.float32(air)
        blade_pass = np.zeros(self.blades + 1)
        blade_pass[self.blades] = 0.3
        signal += turbulence * (np.float32(1.0) + rotating(revolutions, blade_pass, rng))
        if hum:
            mains = np.zeros(7)
            mains[2::2] = hum  # a motor hums at twice the mains' frequency
            signal += rotating(turns(50.0, samples, rng, wander=0.0), mains, rng)
        if rattle:
            # One knock a turn, whenever the shaft passes the same angle.
            passing = np.flatnonzero(np.diff(np.floor(revolutions))) / SAMPLE_RATE
            add_hits(signal, passing, rattle * rng.gamma(2.0, 0.5, len(passing)), self.body.ring(brightness=1.2))
        if rumble:
            stall = shaped_noise(rng, samples, band(180.0, 2.0))
            signal += stall * (rumble * np.maximum(0.2, 0.6 + 0.5 * slow(rng, samples))).astype(np.float32)
        return signal


class Pump(Machine):
    """Impeller tones and the noise of the flow.

    leakage: a hiss of escaping water, fluttering.
    contamination: particles strike the casing, which rings.
    clogging: the flow dies down, and cavitation crackles in bursts.
    """

    faults = ("leakage", "contamination", "clogging")

    def __init__(self, rng: np.random.Generator) -> None:
        self.vanes = int(rng.integers(4, 8))
        self.speed = rng.uniform(36.0, 48.0)
        self.flow = rng.uniform(700.0, 1500.0)
        self.hiss = rng.uniform(3500.0, 5500.0)
        self.body = Body(rng, 300.0, 6000.0)

    def signal(self, rng: np.random.Generator, samples: int, fault: str | None, severity: float) -> Signal:
        load = rng.uniform()
        speed = self.speed * (1.03 - 0.06 * load + 0.008 * rng.standard_normal())
        flow, hiss, particles, cavitation = 0.6 + 0.6 * load, 0.0, 0.0, 0.0
        if fault == "leakage":
            hiss = 0.4 * severity
        elif fault == "contamination":
            particles = severity
        elif fault == "clogging":
            flow *= 1.0 - 0.5 * severity
            cavitation = 0.5 * severity

        harmonics = np.arange(1, 11)
        orders = np.zeros(10 * self.vanes + 1)
        orders[1:7] = 0.25 / np.arange(1, 7)
        orders[harmonics * self.vanes] += harmonics**-1.0 * np.exp(0.15 * rng.standard_normal(10))
        orders *= self.body.response(np.arange(len(orders)) * speed)
        revolutions = turns(speed, samples, rng, wander=0.002)
        signal = rotating(revolutions, orders, rng)
        centre = self.flow * (0.85 + 0.3 * load)
        stream = shaped_noise(rng, samples, self.body.through(lambda f: band(centre, 2.5)(f) + 0.05))
        signal += stream * (flow * (1.0 + 0.15 * slow(rng, samples))).astype(np.float32)
        if hiss:
            escaping = shaped_noise(rng, samples, band(self.hiss, 1.0))
            signal += escaping * (hiss * np.maximum(0.3, 1.0 + 0.3 * slow(rng, samples, rate=8.0))).astype(np.float32)
        if particles:
            count = rng.poisson((4.0 + 20.0 * particles) * samples / SAMPLE_RATE)
            starts = rng.uniform(0.0, samples / SAMPLE_RATE, count)
            add_hits(signal, starts, rng.gamma(2.0, 4.0 * particles, count), self.body.ring(brightness=1.4))
        if cavitation:
            crackle = shaped_noise(rng, samples, band(2.0 * self.flow, 1.5))
            bursts = np.maximum(0.0, slow(rng, samples, rate=12.0))
            signal += crackle * (cavitation * bursts).astype(np.float32)
        return signal


class Slider(Machine):
    """A carriage that runs to and fro: it speeds up, glides, brakes, knocks against its end and rests.

    rail damage: balls knock whenever the carriage passes the damaged stretch of the rail.
    belt: a loose belt flutters while it pulls and slaps when the carriage starts.
    dry rail: without grease the carriage drags itself along, scrapes and squeals.
    """

    faults = ("rail damage", "belt", "dry rail")

    def __init__(self, rng: np.random.Generator) -> None:
        self.stroke = rng.uniform(0.8, 1.2)  # seconds for one way
        self.rest = rng.uniform(0.1, 0.25)
        self.ramp = rng.uniform(0.15, 0.3)  # part of a stroke spent on speeding up, and on braking
        self.teeth = rng.uniform(350.0, 600.0)  # Hz of the belt's teeth in full motion
        self.rolling = rng.uniform(1200.0, 2200.0)
        self.damage = rng.uniform(0.3, 0.7)  # place on the rail
        self.body = Body(rng, 300.0, 6000.0)

    def signal(self, rng: np.random.Generator, samples: int, fault: str | None, severity: float) -> Signal:
        load = rng.uniform()
        stroke = self.stroke * (0.9 + 0.2 * load + 0.02 * rng.standard_normal())
        if fault == "dry rail":
            stroke *= 1.0 + 0.15 * severity
        period = stroke + self.rest
        clock = np.arange(samples) / SAMPLE_RATE + rng.uniform(0.0, 2 * period)
        passed, within = np.divmod(clock, period)
        part = within / stroke  # above 1: at rest
        speed = np.clip(np.minimum(part, 1.0 - part) / self.ramp, 0.0, 1.0)

        teeth = np.zeros(6)
        teeth[1:] = 0.5 / np.arange(1, 6)
        teeth *= self.body.response(np.arange(6) * self.teeth)
        signal = rotating(turns(self.teeth * speed, samples, rng, wander=0.01), teeth, rng) * speed.astype(np.float32)
        centre = self.rolling * (0.9 + 0.2 * load)
        friction = shaped_noise(rng, samples, self.body.through(lambda f: band(centre, 3.0)(f) + 0.03))
        glide = speed * np.sqrt(speed) * (0.8 + 0.4 * load)
        if fault == "belt":
            flutter = np.sin(2 * np.pi * rng.uniform(9.0, 14.0) * clock)
            glide *= 1.0 + 0.6 * severity * flutter
        elif fault == "dry rail":
            glide *= 1.0 - 0.35 * severity
        signal += friction * glide.astype(np.float32)

        # When the strokes of this clip begin and end, in seconds from its start; one more on either side.
        numbers = np.arange(passed[0] - 1, passed[-1] + 2)
        begin = numbers * period - clock[0]
        knocks = np.exp(0.3 * rng.standard_normal(len(begin)))
        add_hits(signal, begin + stroke, 2.5 * knocks, self.body.ring(brightness=0.6))
        if fault == "rail damage":
            way = np.where(numbers % 2 == 0, self.damage, 1.0 - self.damage)
            self._add_knocks_of_rail(signal, rng, begin + stroke * way, severity)
        elif fault == "belt":
            slaps = 6.0 * severity * np.exp(0.3 * rng.standard_normal(len(begin)))
            add_hits(signal, begin + rng.uniform(0.01, 0.04, len(begin)), slaps, self.body.ring(brightness=0.9))
        elif fault == "dry rail":
            self._add_squeal(signal, rng, speed, severity)
        return signal

    def _add_knocks_of_rail(
        self, signal: Signal, rng: np.random.Generator, passing: NDArray[np.float64], severity: float
    ) -> None:
        """Balls knock, one after the other, each time that the carriage passes the spot. passing: when, in seconds."""
        balls = int(3 + 9 * severity)
        starts = passing[:, None] + 0.012 * np.arange(balls) + rng.normal(0, 0.002, (len(passing), balls))
        strengths = 9.0 * severity * np.exp(0.4 * rng.standard_normal(starts.size))
        add_hits(signal, starts.ravel(), strengths, self.body.ring(brightness=1.3, seconds=0.03))

    def _add_squeal(
        self, signal: Signal, rng: np.random.Generator, speed: NDArray[np.float64], severity: float
    ) -> None:
        """The carriage squeals where it grips the dry rail, and scrapes while it moves. speed: (samples,), 0 to 1."""
        squeal = np.zeros(4)
        squeal[1:] = 0.6 * severity * np.array([1.0, 0.5, 0.3])
        pitch = self.body.frequencies[3] * rng.uniform(0.9, 1.1)
        gripping = np.maximum(0.0, slow(rng, len(signal), rate=6.0)) * speed
        signal += rotating(turns(pitch, len(signal), rng, wander=0.01), squeal, rng) * gripping.astype(np.float32)
        scraping = shaped_noise(rng, len(signal), band(4500.0, 1.5))
        signal += scraping * (0.4 * severity * speed).astype(np.float32)


class Valve(Machine):
    """A solenoid valve: the plunger's knock when it opens, air while it is open, another knock when it closes.

    contamination: dirt lets the plunger bounce and seat softly, and narrows the passage: the air whistles higher.
    late: it closes late, or not at all before the next opening, or misses an opening.
    leakage: air escapes while it is closed.
    """

    faults = ("contamination", "late", "leakage")

    def __init__(self, rng: np.random.Generator) -> None:
        self.period = rng.uniform(0.7, 1.1)
        self.open = rng.uniform(0.18, 0.3)
        self.air = rng.uniform(1800.0, 3000.0)
        self.leak = rng.uniform(4000.0, 5500.0)
        self.body = Body(rng, 500.0, 6500.0)

    def signal(self, rng: np.random.Generator, samples: int, fault: str | None, severity: float) -> Signal:
        pressure = rng.uniform()
        period = self.period * (0.85 + 0.3 * rng.uniform())
        seconds = samples / SAMPLE_RATE
        count = int(seconds / period) + 3
        opens = period * (np.arange(count) - 1 + rng.uniform()) + 0.02 * rng.standard_normal(count)
        lasts = self.open * (0.8 + 0.4 * rng.uniform()) * np.exp(0.05 * rng.standard_normal(count))
        centre = self.air * (0.9 + 0.2 * pressure)
        if fault == "late":
            lasts += severity * rng.exponential(0.25, count)
            lasts[rng.random(count) < 0.4 * severity] = period
            lasts = np.minimum(lasts, period)
            kept = rng.random(count) >= 0.35 * severity
            opens, lasts = opens[kept], lasts[kept]
            count = len(opens)
        elif fault == "contamination":
            centre *= 1.0 + 0.5 * severity

        clock = np.arange(samples) / SAMPLE_RATE
        flow = np.zeros(samples)
        for start, last in zip(opens, lasts, strict=True):
            first, end = (max(0, min(samples, int(edge * SAMPLE_RATE))) for edge in (start, start + last))
            flow[first:end] = 1.0 - np.exp(-(clock[first:end] - start) / 0.01)
        air = shaped_noise(rng, samples, self.body.through(lambda f: band(centre, 2.0)(f) + 0.03))
        strength = 0.5 + 0.4 * pressure
        if fault == "leakage":
            strength *= 1.0 - 0.35 * severity  # the pressure that the leak takes
        signal = air * (flow * strength).astype(np.float32)

        knock = np.exp(0.2 * rng.standard_normal((2, count)))
        dullness = 1.0 - 0.5 * severity if fault == "contamination" else 1.0
        add_hits(signal, opens, 6.0 * knock[0], self.body.ring(brightness=1.2))
        add_hits(signal, opens + lasts, 4.0 * dullness * knock[1], self.body.ring(brightness=0.8 * dullness))
        if fault == "contamination":
            for bounce in range(1, 5):
                starts = opens + lasts + 0.03 * bounce + 0.005 * rng.standard_normal(count)
                add_hits(signal, starts, 3.0 * severity * 0.75**bounce * knock[1], self.body.ring(brightness=0.9))
        elif fault == "leakage":
            escaping = shaped_noise(rng, samples, band(self.leak, 1.2))
            signal += escaping * (0.2 * severity * (1.0 - flow)).astype(np.float32)
        return signal


MACHINES: dict[str, type[Machine]] = {"fan": Fan, "pump": Pump, "slider": Slider, "valve": Valve}
