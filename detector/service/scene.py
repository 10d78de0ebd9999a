"""A scene made by code: a quiet room, a telephone, a siren, and a smoke alarm.

The alarm is the standard temporal-three pattern (ISO 8201, ANSI S3.41): 0.5 s on, 0.5 s off,
three times, then 1.5 s of silence, at the 3.1 kHz of common piezo sounders.  It is synthetic: good
for showing that everything works, no evidence of how real alarms are heard.
"""

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples

SCENE_SOUNDS = ("phone_ring", "siren", "smoke_alarm")
"""The sounds in it, in their order."""
ALARM_HZ = 3_100.0
ALARM_CYCLES = 3
ALARM_BEGINS_S = 11.0


def alarm_scene() -> Samples:
    """The scene, shape (n,), 25 s at 16 kHz; the alarm begins at ALARM_BEGINS_S."""
    samples = _room(25.0, np.random.default_rng(20260101))
    _add(samples, _ringtone(), at_s=1.5)
    _add(samples, _siren(3.0), at_s=5.5)
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
