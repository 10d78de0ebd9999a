"""A scene made by code: a quiet room, a crying baby, a telephone, a siren, and a smoke alarm.

The alarm is the standard temporal-three pattern (ISO 8201, ANSI S3.41): 0.5 s on, 0.5 s off,
three times, then 1.5 s of silence, at the 3.1 kHz of common piezo sounders.  All is synthetic:
good for showing that everything works, no evidence of how the real things are heard.
"""

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples

SCENE_SOUNDS = ("baby_cry", "phone_ring", "siren", "smoke_alarm")
"""The sounds in it, in their order."""
ALARM_HZ = 3_100.0
ALARM_CYCLES = 3
ALARM_BEGINS_S = 19.0

_CRY_HZ = 380.0
_RESONANCES = ((1_100.0, 250.0, 1.0), (3_200.0, 500.0, 0.6), (4_800.0, 700.0, 0.3))
"""Of an infant's throat and mouth: hertz, width and strength."""


def alarm_scene() -> Samples:
    """The scene, shape (n,), 33 s at 16 kHz; the alarm begins at ALARM_BEGINS_S."""
    samples = _room(33.0, np.random.default_rng(20260101))
    for wail in range(4):
        _add(samples, _wail(1.3, _CRY_HZ), at_s=1.5 + 1.75 * wail)
    _add(samples, _ringtone(), at_s=9.5)
    _add(samples, _siren(3.0), at_s=13.5)
    for cycle in range(ALARM_CYCLES):
        _add(samples, temporal_three(), at_s=ALARM_BEGINS_S + 4.0 * cycle)
    return np.clip(samples, -1.0, 1.0)


def temporal_three(pulse_hz: float = ALARM_HZ) -> Samples:
    """Three pulses of a smoke alarm, shape (n,), 2.5 s."""
    return np.concatenate([_pulse(pulse_hz), _rest(), _pulse(pulse_hz), _rest(), _pulse(pulse_hz)])


def _room(seconds: float, rng: np.random.Generator) -> Samples:
    """The murmur of a quiet room, about −56 dBFS, its power falling with frequency."""
    count = int(seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20.0 * seconds))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(0.0015 * noise / noise.std(), np.float32)


def _pulse(frequency_hz: float) -> Samples:
    t = np.arange(int(0.5 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    edge = np.minimum(1.0, np.minimum(t, 0.5 - t) / 0.005)
    tone = np.sin(2 * np.pi * frequency_hz * t) + 0.1 * np.sin(4 * np.pi * frequency_hz * t)
    return np.asarray(0.3 * edge * tone, np.float32)


def _rest() -> Samples:
    return np.zeros(int(0.5 * SAMPLE_RATE_HZ), np.float32)


def _ringtone() -> Samples:
    """Two struck strings, a major third apart, twice."""
    notes = np.concatenate([_string(1319.0, 0.7), _string(1047.0, 0.9)])
    return np.concatenate([notes, notes])


def _string(frequency_hz: float, seconds: float) -> Samples:
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    partials = ((1.0, 1.0), (2.0, 0.5), (3.0, 0.3), (4.0, 0.2))
    tone = sum(
        gain * np.exp(-2.0 * ratio**0.5 * t) * np.sin(2 * np.pi * ratio * frequency_hz * t)
        for ratio, gain in partials
    )
    return np.asarray(0.15 * np.minimum(1.0, t / 0.002) * tone, np.float32)


def _wail(seconds: float, frequency_hz: float) -> Samples:
    """One breath of crying: the voice rises, trembles and falls."""
    count = int(seconds * SAMPLE_RATE_HZ)
    t = np.arange(count) / count
    tremble = 1.0 + 0.012 * np.sin(2 * np.pi * 6.0 * seconds * t)
    voice_hz = (
        frequency_hz * tremble * (0.75 + 0.5 * np.sin(np.pi * np.minimum(1.15 * t, 1.0) ** 0.7))
    )
    phase = 2 * np.pi * np.cumsum(voice_hz) / SAMPLE_RATE_HZ
    tone = 0.03 * np.random.default_rng(count).standard_normal(count)  # its breath
    for k in range(1, int(7_800.0 / voice_hz.max()) + 1):
        tone += np.sin(k * phase + k * k) * _resonance(k * voice_hz) / k**0.25
    edge = np.minimum(1.0, np.minimum(t / 0.08, (1.0 - t) / 0.15))
    return np.asarray(0.4 * edge * tone / np.abs(tone).max(), np.float32)


def _resonance(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    parts = (gain / (1.0 + ((frequency_hz - at) / width) ** 2) for at, width, gain in _RESONANCES)
    return np.asarray(0.02 + sum(parts), np.float64)


def _siren(seconds: float) -> Samples:
    """A wail, 600 to 1350 Hz and back in 4 s, with three harmonics."""
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    frequency_hz = 600.0 + 750.0 * (1.0 - np.cos(2 * np.pi * t / 4.0)) / 2.0
    phase = 2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE_HZ
    tone = sum(np.sin(k * phase) / k for k in (1, 2, 3, 4))
    edge = np.minimum(1.0, np.minimum(t, seconds - t) / 0.05)
    return np.asarray(0.2 * edge * tone, np.float32)


def _add(scene: Samples, sound: Samples, *, at_s: float) -> None:
    start = int(at_s * SAMPLE_RATE_HZ)
    scene[start : start + len(sound)] += sound
