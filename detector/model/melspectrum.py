"""The front end of a model in numpy: rows of mel energies, each computed once.

A model of YAMNet's kind looks at its window step by step: 400 samples every 160, tapered, as a
spectrum of 512, as magnitudes, summed in 64 bands.  Windows overlap, so what one of them has made
of a step serves all the others that hold it.

A row is what the graph has before its logarithm: linear energies with the offset already added,
which is how the graph computes them.  Sums and logarithm are left to the interpreter, each in its
own order and way of rounding, and what is done here rounds where the interpreter's front end does:
so what the network sees is the same to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detector.core.audio import Samples
from detector.core.recognition import Array

Energies = Callable[[Array], Array]
"""Makes of magnitudes, shape (n, used bins), the energies of n rows, shape (n, bands)."""

_BATCH_ROWS = 48
"""Rows that are computed at once: those of YAMNet's usual hop; more would only take memory."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A model's own parameters."""

    window_samples: int
    step_samples: int
    rows: int
    """Steps in a window."""
    taper: Array
    """What the samples of a step are multiplied by, shape (n,)."""
    fft_samples: int
    """n is filled up with zeros to this many."""
    mel: Array
    """Share of each bin of the spectrum in each band, shape (bands, bins)."""
    offset: Array
    """Added to the energies, shape (bands,): the logarithm of silence must be finite."""

    @property
    def used(self) -> slice:
        """The bins that have a share in any band."""
        used = np.flatnonzero(self.mel.any(axis=0))
        return slice(int(used[0]), int(used[-1]) + 1)

    def energies(self, magnitudes: Array) -> Array:
        """As ``Energies``; the interpreter may round otherwise."""
        return magnitudes @ self.mel[:, self.used].T + self.offset


class MelSpectrum:
    """Makes rows of mel energies of samples.

    Not thread-safe: it works in memory of its own.
    """

    def __init__(self, front_end: FrontEnd, energies: Energies) -> None:
        self.front_end = front_end
        self._energies = energies
        self._bins = front_end.used
        batch = min(_BATCH_ROWS, front_end.rows)
        self._tapered = np.zeros((batch, front_end.fft_samples), np.float64)
        self._magnitudes = np.empty((batch, self._bins.stop - self._bins.start), np.float32)

    def rows(self, window: Samples) -> Array:
        """All rows of one window, shape (window_samples,); a new array of shape (rows, bands)."""
        rows = np.empty((self.front_end.rows, len(self.front_end.mel)), np.float32)
        samples = np.ascontiguousarray(window, np.float32)
        self.fill(rows, samples.reshape(self.front_end.window_samples), 0)
        return rows

    def fill(self, rows: Array, samples: Samples, first_sample: int) -> None:
        """Fill rows, shape (n, bands), from the steps that begin at ``first_sample``.

        Samples are contiguous.  What is not finite gives rows that are not, as in the interpreter.
        """
        step, batch = self.front_end.step_samples, len(self._tapered)
        with np.errstate(invalid="ignore", over="ignore"):
            for at in range(0, len(rows), batch):
                self._fill(rows[at : at + batch], samples, first_sample + at * step)

    def _fill(self, rows: Array, samples: Samples, first_sample: int) -> None:
        count, length = len(rows), len(self.front_end.taper)
        stride, itemsize = self.front_end.step_samples, samples.itemsize
        steps: Samples = np.ndarray(  # as_strided, without its ten times higher price
            (count, length),
            np.float32,
            samples,
            first_sample * itemsize,
            (stride * itemsize, itemsize),
        )
        tapered = self._tapered[:count]
        np.multiply(steps, self.front_end.taper, out=tapered[:, :length])  # in single precision
        spectrum = np.fft.rfft(tapered)[:, self._bins].astype(np.complex64)
        magnitudes = self._magnitudes[:count]
        magnitudes[:] = np.abs(spectrum.astype(np.complex128))
        rows[:] = self._energies(magnitudes)


class MelStream:
    """The rows of window after window of one stream. For the thread that owns the spectrum."""

    def __init__(self, spectrum: MelSpectrum) -> None:
        front_end = spectrum.front_end
        self._spectrum = spectrum
        self._count, self._step = front_end.rows, front_end.step_samples
        self._kept = np.zeros((2 * self._count, len(front_end.mel)), np.float32)
        self._begin = 0

    @property
    def rows(self) -> Array:
        """Those of the latest window, shape (rows, bands), oldest first; a view, not to be kept."""
        return self._kept[self._begin : self._begin + self._count]

    def follow(self, window: Samples, moved_samples: int | None) -> Array:
        """The rows of the next window, shape (window_samples,), as ``rows`` has them.

        ``moved_samples``, whole steps, tells how much later it begins than the one before; None
        where it follows none.
        """
        fresh = self._count if moved_samples is None else moved_samples // self._step
        fresh = min(fresh, self._count)
        self._begin += fresh
        if self._begin + self._count > len(self._kept):
            kept = self._count - fresh
            self._kept[:kept] = self._kept[self._begin : self._begin + kept]
            self._begin = 0
        first = self._count - fresh
        self._spectrum.fill(self.rows[first:], window, first * self._step)
        return self.rows
