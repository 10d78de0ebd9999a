"""When the network may rest: in a room where nothing rises above its own noise.

The rows of a window are always computed; what costs is the network behind them.  Where the newest
rows hold nothing but the floor that was learnt from the last minute, neither did those before, and
no sound is on or near its threshold, the next windows are told as the last one that was classified.
So it is never an absolute level that decides, and never for long: at the latest after two seconds
the network looks again.

A sound that comes is heard at its first window, which is classified like any other: its rows are
there.  One that rises so slowly that the floor follows is heard by those looks.
"""

import math

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.recognition import Array
from detector.model.floor import BAND_STEP, NOTHING, PIECE_ROWS, Floor, Scales, Steady
from detector.model.melspectrum import FrontEnd, MelSpectrum

LEARN_S = 30.0
"""No rest before so much has been heard since the start, a gap, or a change of device."""
MEMORY_S = 60.0
"""Out of which the floor is learnt: what is on for three quarters of it becomes part of it."""
REST_S = 2.0
"""The longest without a look."""
AWAKE_S = 1.0
"""After something stood out, and after the window that held it: pauses in a sound are no quiet."""
SIGMAS = 4.5
"""By so many standard deviations of steady noise must a mean rise before it can stand out."""
SWING_DB = 3.0
"""By so much more may a room swing, which is never quite as steady as noise.

Of the sounds that the detector finds in the scenes of tests/benchmarks/rest.py, down to -3 dB, in
noise that is as steady as any, the least stands out by 6 dB in its clearest piece.
"""
LOW_DB = 3.0
"""As far below the floor the whole piece is another room, whose floor is not known yet."""
_LOWEST = 10.0 ** (-LOW_DB / 20.0)
_ANEW = 4
"""Pieces from one computation of the floor to the next: it changes over a minute."""


def can_rest(front_end: FrontEnd) -> bool:
    """Whether the rows of a model can be judged here."""
    return front_end.rows >= PIECE_ROWS and len(front_end.mel) % BAND_STEP == 0


class RestingGate:
    """Tells of each window whether the network may rest. Owned by one thread.

    For a front end that ``can_rest``.
    """

    def __init__(self, spectrum: MelSpectrum, *, hop_samples: int) -> None:
        front_end, hop_s = spectrum.front_end, hop_samples / SAMPLE_RATE_HZ
        self._spectrum = spectrum
        self._scales = Scales(len(front_end.mel))
        self._less = NOTHING - front_end.offset
        self._hop_rows = hop_samples // front_end.step_samples
        self._fresh_rows = min(max(self._hop_rows, PIECE_ROWS), front_end.rows)
        piece_s = max(hop_s, PIECE_ROWS * front_end.step_samples / SAMPLE_RATE_HZ)
        self._pieces = math.ceil(LEARN_S / piece_s), math.ceil(MEMORY_S / piece_s)
        window_s = front_end.window_samples / SAMPLE_RATE_HZ
        self._awake_windows = math.ceil((window_s + AWAKE_S) / hop_s)
        self._most_rested = int(REST_S / hop_s)
        self._steady: Steady | None = None
        self._limits: Array = np.empty(0, np.float32)
        self._floor = self._new_floor()
        self._over_floor: Array | None = None
        self._unlearnt_rows = self._unused_pieces = self._rested_in_a_row = 0
        self._awake = self._awake_windows
        self.windows = 0
        """So many it has been asked about."""
        self.rested = 0
        """On so many of them the network rested."""

    def begin_anew(self) -> None:
        """Forget the room: what comes next may be another one."""
        self._floor, self._over_floor = self._new_floor(), None
        self._unlearnt_rows = self._unused_pieces = self._rested_in_a_row = 0
        self.rouse()

    def rouse(self) -> None:
        """Let no window of the next seconds rest."""
        self._awake = self._awake_windows

    def may_rest(self, rows: Array) -> bool:
        """Whether the network may rest on the window of these rows, the next of its stream."""
        energies = rows[-self._fresh_rows :] + self._less
        with np.errstate(invalid="ignore", over="ignore"):  # samples may be anything
            if self._stands_out(energies):
                self.rouse()
            self._learn(energies[-PIECE_ROWS:])
        rests = self._awake == 0 and self._rested_in_a_row < self._most_rested
        self._awake = max(0, self._awake - 1)
        self._rested_in_a_row = self._rested_in_a_row + 1 if rests else 0
        self.windows += 1
        self.rested += rests
        return rests

    def _stands_out(self, energies: Array) -> bool:
        """Whether rows, shape (n, bands), the new ones among them, hold more than the floor.

        Or much less.
        """
        over_floor = self._over_floor
        if over_floor is None:
            return True
        ends = range(len(energies), 0, -PIECE_ROWS)
        pieces = (
            energies[(first := max(0, end - PIECE_ROWS)) : first + PIECE_ROWS] for end in ends
        )
        return not all(self._is_floor(piece * over_floor) for piece in pieces)

    def _is_floor(self, relative: Array) -> bool:
        means = self._scales.of(relative)
        # What is not a number is neither below nor above anything.
        return bool((means < self._limits).all()) and bool(
            means[self._scales.broad].min() > _LOWEST
        )

    def _learn(self, energies: Array) -> None:
        self._unlearnt_rows += self._hop_rows
        if self._unlearnt_rows < PIECE_ROWS:
            return
        self._unlearnt_rows = 0
        self._floor.learn(energies)
        self._unused_pieces += 1
        if self._floor.is_known and (self._over_floor is None or self._unused_pieces >= _ANEW):
            self._unused_pieces = 0
            self._over_floor = 1.0 / self._floor.energies(self._steadiness())

    def _steadiness(self) -> Steady:
        """Measured when it is first needed: it takes as long as fifty windows' rows."""
        if self._steady is None:
            self._steady = Steady.by(self._spectrum)
            self._limits = self._steady.limits(SIGMAS, SWING_DB)
        return self._steady

    def _new_floor(self) -> Floor:
        fewest, most = self._pieces
        return Floor(len(self._less), fewest=fewest, most=most)
