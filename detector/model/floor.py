"""The noise floor of a room, learnt from what its own windows hold, band by band.

Nothing here knows an absolute level: all is relative to the quieter quarter of the last minute.
"""

import math
from dataclasses import dataclass

import numpy as np

from detector.core.recognition import Array
from detector.model.melspectrum import MelSpectrum
from detector.model.noise import white_noise

PIECE_ROWS = 48
"""Rows that are judged together, 0.48 s; what is looked for is shorter, or as long."""
BAND_STEP = 16
"""Into groups of so many bands the spectrum is parted; the bands must be a multiple."""
_SHARE = 0.25
"""What is on for less than three quarters of the memory is no part of the floor."""
_SIGMAS_OF_SHARE = 0.674
"""So far below the median lies that share of what varies as noise does."""
NOTHING = np.float32(1e-9)
"""Added to energies, so that digital silence has a floor: what the rows themselves round to."""
_NOISE_PIECES = 96


class Scales:
    """A piece averaged in several ways, for sounds that are short or long, narrow or broad.

    40 ms of 4 bands and of 16, 160 ms of each band, the whole piece in each band and in 16.  Not
    thread-safe: it works in memory of its own.
    """

    def __init__(self, bands: int) -> None:
        self._short, self._longer = _means(PIECE_ROWS, 4), _means(12, 4)
        self._few = np.ascontiguousarray(_means(bands, 4).T)
        self._many = np.ascontiguousarray(_means(bands // 4, BAND_STEP // 4).T)
        self._whole = _means(3, 3)
        self._shorts = np.empty((12, bands), np.float32)
        groups = bands // BAND_STEP
        shapes = (12, bands // 4), (12, groups), (3, bands), (1, bands), (1, groups)
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        self._flat = np.empty(int(ends[-1]), np.float32)
        cut = np.split(self._flat, ends[:-1])
        views = [part.reshape(shape) for part, shape in zip(cut, shapes, strict=True)]
        self._knock, self._thud, self._chirp, self._tone, self._hiss = views
        self.bands = slice(int(ends[2]), int(ends[3]))
        """Where the means of the whole piece stand, band by band."""
        self.broad = slice(int(ends[3]), int(ends[4]))
        """And those of its groups of 16 bands."""

    def of(self, piece: Array) -> Array:
        """All means of energies, shape (PIECE_ROWS, bands): shape (n,), until it is asked again.

        As products of small matrices, which takes a fifth of the time of sums.
        """
        np.dot(self._short, piece, out=self._shorts)
        np.dot(self._shorts, self._few, out=self._knock)
        np.dot(self._knock, self._many, out=self._thud)
        np.dot(self._longer, self._shorts, out=self._chirp)
        np.dot(self._whole, self._chirp, out=self._tone)
        groups = self._tone.reshape(-1, BAND_STEP)
        np.mean(groups, axis=1, out=self._hiss[0])
        return self._flat


def _means(count: int, step: int) -> Array:
    """Makes means of ``step`` rows each of ``count``, shape (count / step, count)."""
    return (np.repeat(np.eye(count // step), step, axis=1) / step).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Steady:
    """How the scales vary in noise that is as steady as any."""

    spreads: Array
    """Standard deviations of their logarithms, shape (n,)."""
    of_bands: Array
    """Those of whole pieces band by band, shape (bands,)."""

    @classmethod
    def by(cls, spectrum: MelSpectrum) -> "Steady":
        """Measured on white noise: bands are narrow enough for the colour not to matter."""
        front_end = spectrum.front_end
        scales = Scales(len(front_end.mel))
        noise = white_noise(front_end.window_samples * _NOISE_PIECES // 2).astype(np.float32)
        windows = noise.reshape(-1, front_end.window_samples)
        rows = [spectrum.rows(window) - front_end.offset for window in windows]
        pieces = np.stack(
            [piece for one in rows for piece in (one[:PIECE_ROWS], one[-PIECE_ROWS:])]
        )
        pieces /= pieces.mean(axis=(0, 1))
        spreads = np.log([scales.of(piece).copy() for piece in pieces]).std(axis=0)
        return cls(spreads.astype(np.float32), spreads[scales.bands].astype(np.float32))

    def limits(self, sigmas: float, swing_db: float) -> Array:
        """What the scales may come to before something stands out, shape (n,)."""
        return np.asarray(np.exp(sigmas * self.spreads) * np.float32(10.0 ** (swing_db / 20.0)))


class Floor:
    """What each band has when nothing sounds. Owned by one thread."""

    def __init__(self, bands: int, *, fewest: int, most: int) -> None:
        """It is known from ``fewest`` pieces on, and forgets all but the last ``most``."""
        self._fewest = fewest
        self._levels: Array = np.empty((most, bands), np.float32)
        """Logarithms of the energies of pieces, in a ring."""
        self._heard = 0

    @property
    def is_known(self) -> bool:
        """Whether enough has been heard."""
        return self._heard >= self._fewest

    def learn(self, energies: Array) -> None:
        """Take a piece, shape (n, bands); what is not finite is passed over."""
        level = np.log(np.add.reduce(energies) / len(energies))
        if math.isfinite(float(level.sum())):
            self._levels[self._heard % len(self._levels)] = level
            self._heard += 1

    def energies(self, steady: Steady) -> Array:
        """The floor, shape (bands,)."""
        heard = self._levels[: self._heard]
        place = int(_SHARE * (len(heard) - 1))
        quiet = np.partition(heard, place, axis=0)[place]
        return np.asarray(np.exp(quiet + _SIGMAS_OF_SHARE * steady.of_bands))
