"""Alarms and what resembles them, made by code: beeps in patterns, in rooms, in noise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.events.cadence import PATTERNS, Cadence
from detector.events.gate import Gate, GateSettings
from detector.events.sounds import SoundDetector

GATES = {"t3": (5.6, 10.0), "t4": (6.5, 13.0)}
"""Seconds that confirm, and within which: as shipped for smoke_alarm and co_alarm."""

T3_BEEPS = tuple((start, 0.5) for start in (0.0, 1.0, 2.0))
"""Onset and length of the beeps of one cycle, in seconds."""
T4_BEEPS = tuple((start, 0.1) for start in (0.0, 0.2, 0.4, 0.6))
CYCLE_S = {"t3": 4.0, "t4": 5.7}
BEEPS = {"t3": T3_BEEPS, "t4": T4_BEEPS}
Turns = NDArray[np.float64]
Voice = Callable[[Turns, float], Samples]
"""A wave of unit amplitude for a phase in turns, of about so many hertz."""


def _partials(turns: Turns, hertz: float, amplitudes: dict[int, float]) -> Samples:
    """Harmonics as far as the sample rate holds them."""
    held = {k: a for k, a in amplitudes.items() if k * hertz < 0.49 * SAMPLE_RATE_HZ}
    waves = [a * np.sin(2 * np.pi * k * turns) for k, a in held.items()]
    return np.asarray(np.sum(waves, axis=0), np.float32)


def sine(turns: Turns, hertz: float) -> Samples:
    """A pure tone."""
    return _partials(turns, hertz, {1: 1.0})


def piezo(turns: Turns, hertz: float) -> Samples:
    """A tone with a weak octave, as piezo sounders have."""
    return _partials(turns, hertz, {1: 1.0, 2: 0.2})


def square(turns: Turns, hertz: float) -> Samples:
    """A square wave: odd harmonics alone."""
    return _partials(turns, hertz, {k: 4 / np.pi / k for k in range(1, 31, 2)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """How an alarm sounds."""

    pattern: str = "t3"
    hertz: float = 3100.0
    voice: Voice = piezo
    pace: float = 1.0
    """Factor on all times."""
    drift: float = 0.0
    """Relative change of the tone over the whole."""
    cycles: int = 4


def alarm(kind: Alarm) -> Samples:
    """An alarm, shape (n,), at half of full scale; it begins with its first beep."""
    cycle_s = CYCLE_S[kind.pattern] * kind.pace
    beeps = [
        (cycle * cycle_s + at * kind.pace, length * kind.pace)
        for cycle in range(kind.cycles)
        for at, length in BEEPS[kind.pattern]
    ]
    total_s = kind.cycles * cycle_s
    return beeping(beeps, total_s, kind.hertz, kind.voice, drift=kind.drift)


def beeping(
    beeps: list[tuple[float, float]],
    total_s: float,
    hertz: float,
    voice: Voice = piezo,
    *,
    drift: float = 0.0,
) -> Samples:
    """Beeps, given by onset and length, at half of full scale; shape (n,)."""
    t = np.arange(round(total_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    envelope = np.zeros(len(t))
    for at, length in beeps:
        inside = (t >= at) & (t < at + length)
        edge_s = np.minimum(t[inside] - at, at + length - t[inside])
        envelope[inside] = np.clip(edge_s / 0.004, 0.0, 1.0)
    turns = np.asarray(hertz * (t + 0.5 * drift * t * t / total_s), np.float64)
    return np.asarray(0.5 * envelope * voice(turns, hertz), np.float32)


def in_a_room(dry: Samples, rt60_s: float, rng: np.random.Generator) -> Samples:
    """With exponentially decaying echoes as loud, together, as the direct sound."""
    if rt60_s <= 0.0:
        return dry
    count = round(rt60_s * SAMPLE_RATE_HZ)
    t = np.arange(count) / SAMPLE_RATE_HZ
    echo = rng.standard_normal(count) * 10.0 ** (-3.0 * t / rt60_s)
    echo[: SAMPLE_RATE_HZ // 200] = 0.0
    echo /= np.sqrt(np.sum(np.square(echo)))
    size = len(dry) + count
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(echo, size), size)[: len(dry)]
    return np.asarray(dry + wet, np.float32)


def mixed(
    sound: Samples, background: Samples, snr_db: float, *, active: NDArray[np.bool_]
) -> Samples:
    """The sound over the background: RMS over what sounds against RMS of the background there."""
    loud = np.sqrt(np.mean(np.square(sound[active])))
    noise = np.sqrt(np.mean(np.square(background))) + 1e-9
    return np.asarray(sound * (noise / loud) * 10.0 ** (snr_db / 20.0) + background, np.float32)


def at_level(samples: Samples, dbfs: float) -> Samples:
    """With its peak at a level; above 0 dBFS it is clipped."""
    peak = float(np.abs(samples).max()) + 1e-12
    return np.asarray(np.clip(samples / peak * 10.0 ** (dbfs / 20.0), -1, 1), np.float32)


def telephone_band(samples: Samples) -> Samples:
    """Without what lies above 4 kHz."""
    spectrum = np.fft.rfft(samples)
    spectrum[int(4000 * len(samples) / SAMPLE_RATE_HZ) :] = 0.0
    return np.asarray(np.fft.irfft(spectrum, len(samples)), np.float32)


def cadence_detector(name: str) -> SoundDetector:
    """What decides of a pattern's alarm by its beeps alone, heard by a second recogniser."""
    confirm_s, within_s = GATES[name]
    settings = GateSettings(
        threshold=0.5,
        release_threshold=0.3,
        confirm_s=confirm_s,
        confirm_within_s=within_s,
        hold_s=30.0,
        refractory_s=0.0,
        max_duration_s=600.0,
        possible_s=2.5,
    )
    return SoundDetector(name, scorer=Cadence(PATTERNS[name], place=1), gate=Gate(settings))
