"""Alarms made by code, for want of recordings: T3 and T4, at 3.1 kHz and at 520 Hz.

T3 (ISO 8201, smoke): 0.5 s on, 0.5 s off, three times, then 1.5 s of silence.  T4 (carbon
monoxide): four pulses of 0.1 s, 0.1 s apart, then 5 s of silence.  Timings drift by up to 10 % from
one alarm to the next, and tones by 8 %.  Good for showing what a pattern does, no evidence of how
real alarms are heard.
"""

from collections.abc import Callable, Mapping

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples

SYNTHETIC_GROUP = "synthetic"


def smoke_alarm(rng: np.random.Generator) -> Samples:
    """Three cycles of T3, about 12 s; shape (n,)."""
    drift = rng.uniform(0.9, 1.1)
    cycle = [(0.5, 0.5), (0.5, 0.5), (0.5, 1.5)]
    return _alarm([(on * drift, off * drift) for on, off in 3 * cycle], rng)


def co_alarm(rng: np.random.Generator) -> Samples:
    """Three cycles of T4, about 17 s; shape (n,)."""
    drift = rng.uniform(0.9, 1.1)
    cycle = [(0.1, 0.1), (0.1, 0.1), (0.1, 0.1), (0.1, 5.0)]
    return _alarm([(on * drift, off * drift) for on, off in 3 * cycle], rng)


MAKERS: Mapping[str, Callable[[np.random.Generator], Samples]] = {
    "smoke_alarm": smoke_alarm,
    "co_alarm": co_alarm,
}
"""By sound: what stands in for recordings where there are none."""


def _alarm(times_s: list[tuple[float, float]], rng: np.random.Generator) -> Samples:
    """Pulses of one tone; the last silence is left out."""
    low = rng.random() < 0.5
    frequency_hz = (520.0 if low else 3_100.0) * rng.uniform(0.92, 1.08)
    overtones = rng.uniform(0.0, 0.3, 3)
    parts = []
    for on_s, off_s in times_s:
        parts.append(_pulse(frequency_hz, on_s, is_square=low, overtones=overtones))
        parts.append(np.zeros(int(off_s * SAMPLE_RATE_HZ), np.float32))
    return np.concatenate(parts[:-1])


def _pulse(
    frequency_hz: float, seconds: float, *, is_square: bool, overtones: np.ndarray
) -> Samples:
    """A square wave has odd harmonics alone; a piezo disc has a few of any kind."""
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    if is_square:
        strengths = {n: 1.0 / n for n in (1, 3, 5, 7, 9, 11, 13)}
    else:
        strengths = {1: 1.0, **dict(zip((2, 3, 4), overtones, strict=True))}
    tone = np.zeros(len(time_s))
    for number, strength in strengths.items():
        if number * frequency_hz < 0.49 * SAMPLE_RATE_HZ:
            tone += strength * np.sin(2 * np.pi * number * frequency_hz * time_s)
    edge = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.004)
    return np.asarray(0.3 * edge * tone, np.float32)
