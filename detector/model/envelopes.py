"""The tones of alarms over time: a recogniser that is signal processing alone.

Smoke and carbon monoxide alarms beep at about 3.1 kHz, or at 520 Hz with odd harmonics where people
sleep who hear little.  For a set of narrow bands around these, this tells every 20 ms how surely a
tone sounds in it: one that stands out from the bands beside it, and that is not merely the echo of
one that sounded before.  Levels do not enter, only their differences.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.lib.stride_tricks import as_strided

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.recognition import ENVELOPES, Array, Observation, RecogniserSpec

VERSION = "4"
"""To be changed with whatever changes the envelopes: it stands for the content hash of a model."""
STEP_SAMPLES = SAMPLE_RATE_HZ // 50
"""From one value of an envelope to the next: 20 ms, five to the shortest beep."""
STEPS = 24
"""Values in an observation: 0.48 s, as YAMNet's hop, so that both end together."""
FFT_SAMPLES = 512
"""32 ms: bins of 31 Hz, which tell a tone, and less than a third of the shortest beep."""
LEAST_CONTRAST_DB, FULL_CONTRAST_DB = 5.0, 11.0
"""How far a tone stands above its surroundings where it begins to count, and where it counts whole.

Noise in a band stays below the first, voices mostly; a tone as loud as all else together is far
above the second."""


@dataclass(frozen=True, slots=True)
class Fading:
    """How a tone that falls below what it was a moment ago becomes an echo."""

    moment_steps: int
    least_db: float
    """Where it begins to count as one."""
    full_db: float
    """Where it is one: the most that 1.2 s of reverberation leaves after the moment."""


FADINGS = (Fading(10, 3.0, 9.0), Fading(10, 2.0, 10.0))
"""For beeps of half a second, and for those of a tenth with pauses as short."""
_MOST_STEPS = FADINGS[-1].moment_steps
_SPAN = STEPS * STEP_SAMPLES
_OVERLAP = FFT_SAMPLES - STEP_SAMPLES
_SILENCE = np.float32(-1000.0)
_PER_DB = math.log(10.0) / 10.0
"""Levels are natural logarithms of power, which are quicker to come by."""
_LEAST_CONTRAST = np.array(_PER_DB * LEAST_CONTRAST_DB, np.float32)
_PER_CONTRAST = np.array(1.0 / (_PER_DB * (FULL_CONTRAST_DB - LEAST_CONTRAST_DB)), np.float32)
_ECHO = np.array([-_PER_DB * fading.full_db for fading in FADINGS], np.float32)[:, None, None]
"""Relative to the moment before, where a tone is one, shape (fadings, 1, 1)."""
_PER_NEW = np.array([1.0 / (fading.full_db - fading.least_db) for fading in FADINGS], np.float32)
_PER_NEW = (_PER_NEW / np.float32(_PER_DB))[:, None, None]
_LEAST_POWER = 1e-6
"""Power of a tone of about −100 dBFS in a bin: below that there is nothing but rounding."""
_BIN_HZ = SAMPLE_RATE_HZ / FFT_SAMPLES
_LOW = tuple((middle, 1, 8) for middle in range(15, 19))  # 470 … 560 Hz: 520 Hz ± 10 %
_THIRD = tuple((3 * middle, 2, 20) for middle, _, _ in _LOW)  # their third harmonics
_HIGH = tuple((middle, 2, 20) for middle in range(80, 125, 2))  # 2.5 … 3.9 kHz
_BANDS = _LOW + _THIRD + _HIGH
"""Of each band its middle bin, how many more belong to it on either side, and how many on either
side are its surroundings: as far as the next harmonics of a child's voice where there is room."""
BAND_HZ = tuple(middle * _BIN_HZ for middle, _, _ in _BANDS)
"""The middle of each band."""
_GUARD_BINS = 2
"""What lies between a band and its surroundings."""
_BINS = max(middle + reach + _GUARD_BINS + wide for middle, reach, wide in _BANDS) + 1
"""As many as belong to any band or its surroundings, from the lowest on."""


class ToneEnvelopes:
    """How surely a tone sounds in each band, 0 … 1, every 20 ms. Owned by one thread.

    Observations follow one another without overlap.  After a gap they begin anew at the first
    sample that follows.
    """

    def __init__(self) -> None:
        self._window = np.hanning(FFT_SAMPLES + 1)[:-1].astype(np.float32)
        self._windowed = np.empty((STEPS, FFT_SAMPLES), np.float32)
        self._bands = np.hstack(_band_matrices())
        self._held = np.zeros(_OVERLAP + _SPAN, np.float32)
        self._views = _stepwise(self._held)
        self._filled = _OVERLAP
        self._tones = np.zeros((_MOST_STEPS + STEPS, len(_BANDS)), np.float32)
        self._next_sample: int | None = None

    @property
    def spec(self) -> RecogniserSpec:
        """Bands, and the step of the envelopes; there are no classes."""
        return RecogniserSpec(
            content_hash=hashlib.sha256(f"tone envelopes {VERSION}".encode()).hexdigest(),
            outputs=MappingProxyType({ENVELOPES: (len(FADINGS), STEPS, len(_BANDS))}),
            labels=(),
            hop_samples=_SPAN,
            context_samples=_SPAN + _OVERLAP,
        )

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """Take the next audio; hand over the observations it completes, oldest first."""
        if isinstance(item, Gap):
            self._begin_anew(None)
            return []
        if item.start_sample != self._next_sample:
            self._begin_anew(item.start_sample)
        self._next_sample = item.end_sample
        observations, taken = [], 0
        while taken < len(item.samples):
            taken += self._take(item.samples[taken:])
            if self._filled == len(self._held):
                observations.append(self._observe(item.start_sample + taken))
        return observations

    def fresh(self) -> "ToneEnvelopes":
        """Another one that has heard nothing yet."""
        return ToneEnvelopes()

    def _begin_anew(self, next_sample: int | None) -> None:
        self._held[:_OVERLAP] = 0.0
        self._filled = _OVERLAP
        self._tones[:] = _SILENCE
        self._next_sample = next_sample

    def _take(self, samples: Samples) -> int:
        """Hold as many as there is room for, and tell how many."""
        count = min(len(samples), len(self._held) - self._filled)
        self._held[self._filled : self._filled + count] = samples[:count]
        self._filled += count
        return count

    def _observe(self, end_sample: int) -> Observation:
        """Observe what is held, and keep what the next observation needs of it."""
        envelopes = self._envelopes()
        self._held[:_OVERLAP] = self._held[_SPAN:]
        self._filled = _OVERLAP
        return Observation(
            start_s=(end_sample - _SPAN) / SAMPLE_RATE_HZ,
            end_s=end_sample / SAMPLE_RATE_HZ,
            outputs=MappingProxyType({ENVELOPES: envelopes}),
        )

    def _envelopes(self) -> Array:
        """Of what is held, shape (fadings, STEPS, bands)."""
        np.multiply(self._views, self._window, out=self._windowed)
        power = np.abs(np.fft.rfft(self._windowed)[:, :_BINS]).astype(np.float32, copy=False)
        power *= power
        levels = power @ self._bands
        levels += _LEAST_POWER
        np.log(levels, out=levels)
        level = levels[:, : len(_BANDS)]
        contrast = level - levels[:, len(_BANDS) :]
        self._tones[:_MOST_STEPS] = self._tones[STEPS:]
        self._tones[_MOST_STEPS:] = _SILENCE
        np.copyto(self._tones[_MOST_STEPS:], level, where=contrast > _LEAST_CONTRAST)
        envelopes = np.empty((len(FADINGS), STEPS, len(_BANDS)), np.float32)
        for envelope, peaks in zip(envelopes, self._peaks(), strict=True):
            np.subtract(level, peaks, out=envelope)
        _ramp(envelopes, _ECHO, _PER_NEW)
        envelopes *= _ramp(contrast, _LEAST_CONTRAST, _PER_CONTRAST)
        return envelopes

    def _peaks(self) -> Iterator[Array]:
        """For each fading, how loud the tone was at most in the moment before each step."""
        peaks, steps = self._tones[:-1], 1
        for fading in FADINGS:
            while steps < fading.moment_steps:
                more = min(steps, fading.moment_steps - steps)
                peaks, steps = np.maximum(peaks[more:], peaks[:-more]), steps + more
            yield peaks[-STEPS:]


def _stepwise(held: Samples) -> Samples:
    """A view of samples, shape (STEPS, FFT_SAMPLES), that begins anew at every step."""
    stride = held.itemsize
    return as_strided(held, (STEPS, FFT_SAMPLES), (STEP_SAMPLES * stride, stride), writeable=False)


def _ramp(values: Array, least: Array, slope: Array) -> Array:
    """0 up to ``least``, then so steep as far as 1; in place."""
    values -= least
    values *= slope
    np.maximum(values, 0.0, out=values)
    return np.minimum(values, 1.0, out=values)


def _band_matrices() -> tuple[Array, Array]:
    """What makes of bins the power in each band, and what it is to be compared with.

    Each of shape (bins, bands).  To the surroundings of the low bands belongs the second harmonic,
    which a square wave lacks and a voice has.
    """
    inside = np.zeros((_BINS, len(_BANDS)), np.float32)
    beside = np.zeros_like(inside)
    for column, (middle, reach, wide) in enumerate(_BANDS):
        near = reach + _GUARD_BINS
        inside[middle - reach : middle + reach + 1, column] = 1.0
        beside[max(2, middle - near - wide) : middle - near, column] = 1.0
        beside[middle + near + 1 : middle + near + 1 + wide, column] = 1.0
    beside *= inside.sum(axis=0) / beside.sum(axis=0)
    for column, (middle, _, _) in enumerate(_LOW):
        beside[2 * middle - 2 : 2 * middle + 3, column] += 1.0
    return inside, beside
