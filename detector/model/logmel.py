"""Log-mel energies for models of our own: YAMNet's front end by its published figures, in numpy.

Training and listening call the same code: what a model learnt on is what it hears.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import Array
from detector.model.melspectrum import FrontEnd, MelSpectrum

BANDS = 64
ROW_SAMPLES = 160
"""A row every 10 ms …"""
SPAN_SAMPLES = 400
"""… of so many samples."""
_FFT_SAMPLES = 512
_LOWEST_HZ, _HIGHEST_HZ = 125.0, 7_500.0
_OFFSET = 0.001
SILENCE = float(np.log(np.float32(_OFFSET)))
"""What a row of nothing holds."""
_BATCH_ROWS = 48


@cache
def front_end() -> FrontEnd:
    """Hann, FFT, magnitudes, 64 triangular bands on the mel scale from 125 to 7500 Hz."""
    at = np.arange(SPAN_SAMPLES)
    return FrontEnd(
        window_samples=(_BATCH_ROWS - 1) * ROW_SAMPLES + SPAN_SAMPLES,
        step_samples=ROW_SAMPLES,
        rows=_BATCH_ROWS,
        taper=(0.5 - 0.5 * np.cos(2 * np.pi * at / SPAN_SAMPLES)).astype(np.float32),
        fft_samples=_FFT_SAMPLES,
        mel=_bands().astype(np.float32),
        offset=np.full(BANDS, _OFFSET, np.float32),
    )


def _mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """As HTK has it (S. Young et al., "The HTK Book")."""
    return np.asarray(1127.0 * np.log1p(frequency_hz / 700.0))


def _bands() -> NDArray[np.float64]:
    """Share of each bin in each band, shape (bands, bins); triangles that are even in mel."""
    bins = _mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, _FFT_SAMPLES // 2 + 1))
    lowest, highest = _mel(np.array([_LOWEST_HZ, _HIGHEST_HZ]))
    edges = np.linspace(lowest, highest, BANDS + 2)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    shares = np.maximum(0.0, np.minimum(rising, falling))
    shares[:, 0] = 0.0  # no band holds what does not move
    return np.asarray(shares)


class LogMel:
    """The rows of a stream, each made once. Owned by one thread."""

    def __init__(self) -> None:
        made = front_end()
        self._spectrum = MelSpectrum(made, made.energies)
        self._held: Samples = np.zeros(0, np.float32)

    def clear(self) -> None:
        """Begin anew: what comes next follows nothing."""
        self._held = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> Array:
        """The rows that these samples, shape (n,), complete; a new array of shape (rows, 64)."""
        held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        count = max(0, (len(held) - SPAN_SAMPLES) // ROW_SAMPLES + 1)
        energies = np.empty((count, BANDS), np.float32)
        if count:
            self._spectrum.fill(energies, held, 0)
        self._held = held[count * ROW_SAMPLES :]
        return np.log(energies)
