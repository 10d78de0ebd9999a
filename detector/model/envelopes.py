"""The tones of alarms over time: a recogniser that is signal processing alone.

Smoke and carbon monoxide alarms beep at about 3.1 kHz, or at 520 Hz with odd harmonics where people
sleep who hear little.  For a set of narrow bands around these, this tells every 20 ms how surely a
tone sounds in it: one that stands out from the bands beside it, and that is not merely the echo of
one that sounded before.  Levels do not enter, only their differences.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.recognition import ENVELOPES, Array, Observation, RecogniserSpec

VERSION = "1"
"""To be changed with whatever changes the envelopes: it stands for the content hash of a model."""
STEP_SAMPLES = SAMPLE_RATE_HZ // 50
"""From one value of an envelope to the next: 20 ms, five to the shortest beep."""
STEPS = 12
"""Values in an observation: 0.24 s."""
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


FADINGS = (Fading(10, 3.0, 9.0), Fading(20, 2.0, 10.0))
"""For beeps of half a second, and for those of a tenth with pauses as short."""
_MOST_STEPS = max(fading.moment_steps for fading in FADINGS)
_OVERLAP = FFT_SAMPLES - STEP_SAMPLES
_LEAST_POWER = 1e-6
"""Power of a tone of about −100 dBFS in a bin: below that there is nothing but rounding."""
_BIN_HZ = SAMPLE_RATE_HZ / FFT_SAMPLES
_LOW = tuple((middle, 1, 8) for middle in range(15, 19))  # 470 … 560 Hz: 520 Hz ± 10 %
_THIRD = tuple((3 * middle, 2, 20) for middle, _, _ in _LOW)  # their third harmonics
_HIGH = tuple((middle, 2, 20) for middle in range(80, 135, 2))  # 2.5 … 4.2 kHz
_BANDS = _LOW + _THIRD + _HIGH
"""Of each band its middle bin, how many more belong to it on either side, and how many on either
side are its surroundings: as far as the next harmonics of a child's voice where there is room."""
BAND_HZ = tuple(middle * _BIN_HZ for middle, _, _ in _BANDS)
"""The middle of each band."""
_GUARD_BINS = 2
"""What lies between a band and its surroundings."""


class ToneEnvelopes:
    """How surely a tone sounds in each band, 0 … 1, every 20 ms. Owned by one thread.

    Observations follow one another without overlap.  After a gap they begin anew at the first
    sample that follows.
    """

    def __init__(self) -> None:
        self._window = np.hanning(FFT_SAMPLES + 1)[:-1].astype(np.float32)
        self._inside, self._beside = _band_matrices()
        self._held: Samples = np.zeros(0, np.float32)
        self._tones_db = _no_tones()
        self._next_sample: int | None = None

    @property
    def spec(self) -> RecogniserSpec:
        """Bands, and the step of the envelopes; there are no classes."""
        return RecogniserSpec(
            content_hash=hashlib.sha256(f"tone envelopes {VERSION}".encode()).hexdigest(),
            outputs=MappingProxyType({ENVELOPES: (len(FADINGS), STEPS, len(_BANDS))}),
            labels=(),
            hop_samples=STEPS * STEP_SAMPLES,
            context_samples=STEPS * STEP_SAMPLES + _OVERLAP,
        )

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """Take the next audio; hand over the observations it completes, oldest first."""
        if isinstance(item, Gap):
            self._begin_anew(None)
            return []
        if item.start_sample != self._next_sample:
            self._begin_anew(item.start_sample)
        self._next_sample = item.end_sample
        self._held = np.concatenate([self._held, item.samples])
        return self._observe_whole(item.end_sample)

    def fresh(self) -> "ToneEnvelopes":
        """Another one that has heard nothing yet."""
        return ToneEnvelopes()

    def _begin_anew(self, next_sample: int | None) -> None:
        self._held = np.zeros(_OVERLAP, np.float32)
        self._tones_db = _no_tones()
        self._next_sample = next_sample

    def _observe_whole(self, end_sample: int) -> list[Observation]:
        """Observe as long as what is held makes an observation, and keep the rest."""
        observations = []
        span = STEPS * STEP_SAMPLES
        while len(self._held) >= span + _OVERLAP:
            start_sample = end_sample - len(self._held) + _OVERLAP
            outputs = {ENVELOPES: self._envelopes(self._held[: span + _OVERLAP])}
            self._held = self._held[span:]
            observations.append(
                Observation(
                    start_s=start_sample / SAMPLE_RATE_HZ,
                    end_s=(start_sample + span) / SAMPLE_RATE_HZ,
                    outputs=MappingProxyType(outputs),
                )
            )
        return observations

    def _envelopes(self, samples: Samples) -> Array:
        """Shape (fadings, STEPS, bands), of samples, shape (STEPS · STEP_SAMPLES + overlap,)."""
        views = np.lib.stride_tricks.sliding_window_view(samples, FFT_SAMPLES)[::STEP_SAMPLES]
        spectrum = np.fft.rfft(views * self._window)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        level_db = 10.0 * np.log10(power @ self._inside + _LEAST_POWER)
        contrast_db = level_db - 10.0 * np.log10(power @ self._beside + _LEAST_POWER)
        stands_out = _ramp(contrast_db, LEAST_CONTRAST_DB, FULL_CONTRAST_DB)
        self._tones_db = np.concatenate(
            [self._tones_db[-_MOST_STEPS:], np.where(stands_out > 0.0, level_db, -np.inf)]
        )
        echoes = [self._echo(level_db, fading) for fading in FADINGS]
        return np.asarray(stands_out * (1.0 - np.array(echoes)), np.float32)

    def _echo(self, level_db: NDArray[np.float64], fading: Fading) -> NDArray[np.float64]:
        """How surely each band holds an echo only, shape (STEPS, bands)."""
        past = self._tones_db[-len(level_db) - fading.moment_steps : -1]
        peak_db = np.lib.stride_tricks.sliding_window_view(past, fading.moment_steps, axis=0)
        drop_db = np.maximum(peak_db.max(axis=-1) - level_db, 0.0)
        return _ramp(drop_db, fading.least_db, fading.full_db)


def _ramp(values: NDArray[np.float64], least: float, full: float) -> NDArray[np.float64]:
    """0 up to ``least``, 1 from ``full`` on."""
    return np.clip((values - least) / (full - least), 0.0, 1.0)


def _no_tones() -> NDArray[np.float64]:
    return np.full((_MOST_STEPS, len(_BANDS)), -np.inf)


def _band_matrices() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What makes of bins the power in each band, and what it is to be compared with.

    To the surroundings of the low bands belongs the second harmonic, which a square wave lacks and
    a voice has.
    """
    inside = np.zeros((FFT_SAMPLES // 2 + 1, len(_BANDS)))
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
