"""Mel-frequency cepstral coefficients of a clip: the classic features, in numpy alone.

They are what librosa makes of the same samples at its defaults and 16 kHz (``feature.mfcc``, and
``feature.delta`` of orders 1 and 2), which a test holds.  A clip of any length becomes one vector:
of each coefficient, its change and the change of that, the mean, the variance and the maximum.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples

COEFFICIENTS = 20
"""As they are usually taught."""
WINDOW_SAMPLES = 2048
HOP_SAMPLES = 512
BANDS = 128
DELTA_WIDTH = 9
"""Steps that a difference is fitted over."""
SHORTEST_S = (DELTA_WIDTH - 1) * HOP_SAMPLES / SAMPLE_RATE_HZ
"""Less audio has no differences: 0.256 s."""

_LOWEST_POWER = 1e-10
_RANGE_DB = 80.0
"""What is fainter than the clip's loudest band by more counts as so much fainter."""
_STATISTICS = 3
_ORDERS = 3

Matrix = NDArray[np.float64]


def summary(samples: Samples, coefficients: int = COEFFICIENTS) -> NDArray[np.float32]:
    """One vector for a clip of shape (n,): shape (``summary_size(coefficients)``,).

    All means, all variances, all maxima; within each, the coefficients, their first and their
    second differences.  Raises ValueError for less than ``SHORTEST_S`` of audio.
    """
    plain = mfcc(samples, coefficients)
    if plain.shape[1] < DELTA_WIDTH:
        raise ValueError(f"{len(samples) / SAMPLE_RATE_HZ:.4f} s is less than {SHORTEST_S:g} s")
    rows = np.concatenate([plain, delta(plain, 1), delta(plain, 2)])
    statistics = [rows.mean(axis=1), rows.var(axis=1), rows.max(axis=1)]
    return np.concatenate(statistics).astype(np.float32)


def summary_size(coefficients: int) -> int:
    """How many numbers ``summary`` gives: 180 for 20 coefficients."""
    return coefficients * _ORDERS * _STATISTICS


def mfcc(samples: Samples, coefficients: int = COEFFICIENTS) -> Matrix:
    """Coefficients of a clip of shape (n,), shape (coefficients, 1 + n // HOP_SAMPLES)."""
    loudness_db = _decibels(_bands() @ _power(samples))
    return np.asarray(_cosines(coefficients) @ loudness_db)


def delta(rows: Matrix, order: int) -> Matrix:
    """The difference of order 1 or 2 along rows of shape (rows, steps), of the same shape.

    The derivative of a polynomial of that order, fitted to nine steps about each; near either end,
    to the first or last nine.  Raises ValueError for fewer steps.
    """
    if rows.shape[1] < DELTA_WIDTH:
        raise ValueError(f"{rows.shape[1]} steps are fewer than {DELTA_WIDTH}")
    windows = np.lib.stride_tricks.sliding_window_view(rows, DELTA_WIDTH, axis=1)
    reach = DELTA_WIDTH // 2
    return np.pad(windows @ _slope(order), ((0, 0), (reach, reach)), mode="edge")


def _power(samples: Samples) -> Matrix:
    """Power spectra, shape (bins, steps): the clip stands amid silence, half a window each side."""
    around = np.zeros(WINDOW_SAMPLES // 2)
    whole = np.concatenate([around, np.asarray(samples, np.float64), around])
    pieces = np.lib.stride_tricks.sliding_window_view(whole, WINDOW_SAMPLES)[::HOP_SAMPLES]
    return np.asarray(np.abs(np.fft.rfft(pieces * _hann(), axis=1)) ** 2).T


def _decibels(power: Matrix) -> Matrix:
    decibels = 10.0 * np.log10(np.maximum(_LOWEST_POWER, power))
    return np.asarray(np.maximum(decibels, decibels.max() - _RANGE_DB))


@cache
def _hann() -> Matrix:
    """Periodic."""
    return np.hanning(WINDOW_SAMPLES + 1)[:-1]


@cache
def _bands() -> Matrix:
    """Triangles on Slaney's mel scale, each of area 1, shape (bands, bins)."""
    bins_hz = np.arange(WINDOW_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / WINDOW_SAMPLES
    corners = np.linspace(0.0, _to_mel(SAMPLE_RATE_HZ / 2.0), BANDS + 2)
    edges_hz = np.array([_to_hz(mel) for mel in corners])
    widths_hz = np.diff(edges_hz)
    ramps = edges_hz[:, None] - bins_hz
    rising = -ramps[:-2] / widths_hz[:-1, None]
    falling = ramps[2:] / widths_hz[1:, None]
    area = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * area[:, None])


_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BEND_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0


def _to_mel(hertz: float) -> float:
    """Slaney's scale: straight up to 1 kHz, logarithmic above."""
    if hertz < _BEND_HZ:
        return hertz / _LINEAR_HZ_PER_MEL
    return float(_BEND_HZ / _LINEAR_HZ_PER_MEL + np.log(hertz / _BEND_HZ) / _LOG_STEP)


def _to_hz(mel: float) -> float:
    above = mel - _BEND_HZ / _LINEAR_HZ_PER_MEL
    if above < 0.0:
        return mel * _LINEAR_HZ_PER_MEL
    return float(_BEND_HZ * np.exp(_LOG_STEP * above))


@cache
def _cosines(coefficients: int) -> Matrix:
    """The orthonormal discrete cosine transform of type II, shape (coefficients, bands)."""
    k, n = np.arange(coefficients)[:, None], np.arange(BANDS)
    table = np.cos(np.pi * k * (2 * n + 1) / (2 * BANDS)) * np.sqrt(2.0 / BANDS)
    table[0] /= np.sqrt(2.0)
    return np.asarray(table)


@cache
def _slope(order: int) -> Matrix:
    """Weights of nine steps, shape (9,), that give the derivative of the polynomial through them.

    Of the order of the polynomial itself, it is the same at each of them.
    """
    places = np.arange(DELTA_WIDTH) - DELTA_WIDTH // 2
    fitted = np.linalg.pinv(np.vander(places, order + 1, increasing=True))
    return np.asarray(fitted[order] * math.factorial(order))
