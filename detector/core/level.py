"""Sound level in dBFS."""

import math

import numpy as np

from detector.core.audio import Samples

FLOOR_DBFS = -120.0
"""What digital silence is reported as: below the noise of any microphone."""
_PIECE_SAMPLES = 8000
"""Of a sum of squares: a longer one would be shared out among threads, and be less exact."""


def to_dbfs(amplitude: float) -> float:
    """Amplitude, 1.0 = full scale, in dB relative to full scale; never below FLOOR_DBFS."""
    if not amplitude > 0.0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, 20.0 * math.log10(amplitude))


def rms_dbfs(samples: Samples) -> float:
    """Root mean square of samples, shape (n,), in dBFS (a full-scale sine gives −3.0)."""
    if len(samples) == 0:
        return FLOOR_DBFS
    pieces = (samples[at : at + _PIECE_SAMPLES] for at in range(0, len(samples), _PIECE_SAMPLES))
    power = sum(float(np.dot(piece, piece)) for piece in pieces) / len(samples)
    if not math.isfinite(power):  # what is far beyond full scale overflows in single precision
        power = float(np.mean(np.square(samples, dtype=np.float64)))
    return to_dbfs(math.sqrt(power))


def peak_dbfs(samples: Samples) -> float:
    """Largest magnitude of samples, shape (n,), in dBFS."""
    if len(samples) == 0:
        return FLOOR_DBFS
    return to_dbfs(float(np.max(np.abs(samples))))
