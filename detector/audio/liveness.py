"""Whether a microphone really hears: a small state machine, fed with audio and its absence."""

import math
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, MicState, Samples
from detector.core.level import rms_dbfs

PIECE_SECONDS = 0.1
"""Audio is judged in pieces of this length, whatever the length of the blocks."""
STALLED_AFTER_S = 8.0
ZEROS_AFTER_S = 9.0
"""These leave time to be told in: 10 s after the sound has ceased, everybody is to know."""
QUIET_AFTER_S = 30.0
STUCK_AFTER_S = 9.0
CLIPPING_SPAN_S = 10.0
GOOD_AFTER_S = 1.0
GATED_ZEROS_AFTER_S = 300.0
"""Zeros from a microphone that is known to gate its noise: a quiet night must not be a fault."""

QUIET_DBFS = -90.0
FULL_SCALE = 0.99
CLIPPED_SHARE = 0.01
SAME_WITHIN = 1e-5
"""Pieces differ by less where a buffer repeats; a third of what 16 bits can tell apart."""
LONGEST_LOOP_PIECES = 10
GATE_SHORTEST_S = 0.3
GATE_TIMES = 5
GATE_FORGOTTEN_S = 86_400.0
"""Sound without a gated pause after which a microphone is no longer taken for one that gates."""
LONGEST_LOOK_S = 1.0
"""More time between two looks says that we were stopped, not that the microphone was mute."""

_PIECE_SAMPLES = round(PIECE_SECONDS * SAMPLE_RATE_HZ)
_MOST_CLIPPED = CLIPPED_SHARE * CLIPPING_SPAN_S * SAMPLE_RATE_HZ
_SURELY_LOUD = 10.0 ** (QUIET_DBFS / 20.0) * (2 * _PIECE_SAMPLES) ** 0.5
"""A piece whose samples differ by more cannot be quiet: the two that do would be enough."""
_DEAF = (MicState.MISSING, MicState.STALLED, MicState.SILENT, MicState.STUCK)


class _Kind(Enum):
    ZEROS = auto()
    QUIET = auto()
    STUCK = auto()
    AUDIBLE = auto()


class Liveness:
    """Tells a microphone's state from what it delivers. Owned by one thread.

    ========  ==========================================================  ====================
    state     entered when                                                left when
    ========  ==========================================================  ====================
    missing   at first, and at once when the source says it is away       1 s of good sound
    stalled   no block for 8 s                                            1 s of good sound
    silent    exact zeros for 9 s, or below −90 dBFS for 30 s; 300 s      1 s of audible sound
              each where the microphone gates its noise
    stuck     one constant value, or a loop of up to 1 s, for 9 s         1 s of audible sound
    clipping  more than 1 % of 10 s at full scale                         1 s without
    ok        any of the last column                                      any of the middle one
    ========  ==========================================================  ====================

    *Audible* is all that is neither quiet nor stuck.  Each state can also turn straight into
    another.  A microphone *gates* when it gives exact zeros in quiet rooms; it is taken for one
    after 5 runs of zeros of 0.3 s to 9 s that ended by themselves, until it was heard for a day
    without one.  *Good* is what is audible, and the zeros of one that gates.  ``muted`` is not
    told here.

    Deaf seconds count from the beginning of what was noticed: a microphone that is found silent
    has been deaf for those 9 s already.
    """

    def __init__(self) -> None:
        self._state = MicState.MISSING
        self._deaf_s = dict.fromkeys(_DEAF, 0.0)
        self._last_fed_s: float | None = None
        self._absent_s = 0.0  # since the last block
        self._left_over: Samples = np.zeros(0, np.float32)
        self._earlier = _Earlier()
        self._clipped: deque[int] = deque(maxlen=_pieces(CLIPPING_SPAN_S))  # samples of each piece
        self._runs = dict.fromkeys(_Kind, 0)  # pieces in a row, in the present state
        self._good = 0  # the same
        self._unclipped = 0
        self._zeros = 0  # pieces in a row, in whatever states
        self.forget()

    def forget(self) -> None:
        """Another microphone: nothing is known of it."""
        self.gated_times = 0
        self.heard_since_gate_s = 0.0

    @property
    def gates_noise(self) -> bool:
        """Whether this microphone is known to give exact zeros in a quiet room."""
        return self.gated_times >= GATE_TIMES

    @property
    def state(self) -> MicState:
        """The state as of what was fed last."""
        return self._state

    @property
    def deaf_seconds(self) -> Mapping[MicState, float]:
        """Seconds in which nothing could be heard, by cause: missing, stalled, silent, stuck."""
        return MappingProxyType(self._deaf_s)

    def block(self, samples: Samples, now_s: float) -> None:
        """A block came, shape (n,) of any length."""
        audio = np.concatenate((self._left_over, samples))
        count = len(audio) // _PIECE_SAMPLES
        self._left_over = audio[count * _PIECE_SAMPLES :]
        self._absent_s = 0.0
        if count:
            piece_s = self._elapsed(now_s) / count
            for piece in audio[: count * _PIECE_SAMPLES].reshape(count, _PIECE_SAMPLES):
                self._judge(piece, piece_s)

    def unjudged_block(self, now_s: float) -> None:
        """A block came from a file or a pipe: its silence is nobody's fault."""
        self._count_deaf(self._elapsed(now_s))
        self._absent_s = 0.0
        self._enter(MicState.OK, 0.0)

    def no_block(self, now_s: float) -> None:
        """No block came lately, though the source says that it is there."""
        elapsed_s = self._elapsed(now_s)
        self._count_deaf(elapsed_s)
        self._absent_s += min(elapsed_s, LONGEST_LOOK_S)
        if self._absent_s >= STALLED_AFTER_S:
            self._enter(MicState.STALLED, self._absent_s)
            self._break_off()

    def unavailable(self, now_s: float) -> None:
        """The source says that the device is away."""
        self._enter(MicState.MISSING, self._absent_s)
        self._count_deaf(self._elapsed(now_s))
        self._absent_s = 0.0
        self._break_off()

    def _break_off(self) -> None:
        """What comes after an absence is not joined to what came before."""
        self._left_over = np.zeros(0, np.float32)
        self._earlier.clear()
        self._zeros = 0

    def _elapsed(self, now_s: float) -> float:
        """Seconds since this was last asked."""
        before_s, self._last_fed_s = self._last_fed_s, now_s
        return 0.0 if before_s is None else now_s - before_s

    def _count_deaf(self, seconds: float) -> None:
        if self._state in self._deaf_s:
            self._deaf_s[self._state] += seconds

    def _enter(self, state: MicState, deaf_already_s: float) -> None:
        if state is self._state:
            return
        if self._state not in self._deaf_s and state in self._deaf_s:
            self._deaf_s[state] += deaf_already_s
        self._state = state
        self._runs = dict.fromkeys(_Kind, 0)
        self._good = 0
        self._clipped.clear()

    def _judge(self, piece: Samples, piece_s: float) -> None:
        lowest, highest = float(piece.min()), float(piece.max())
        kind = self._kind(piece, lowest, highest)
        good = self._is_good(kind)
        if not good:
            self._count_deaf(piece_s)
        self._earlier.add(piece)
        self._count(kind)
        self._count_clipped(piece, clips=max(-lowest, highest) >= FULL_SCALE)
        self._good = self._good + 1 if good else 0
        recovered = self._unclipped if self._state is MicState.CLIPPING else self._good
        if good and recovered >= _pieces(GOOD_AFTER_S):
            self._enter(MicState.OK, 0.0)
        self._find_fault()

    def _is_good(self, kind: _Kind) -> bool:
        """Whether a piece speaks for a microphone that hears, in its present state."""
        gated = self.gates_noise and self._state in (MicState.MISSING, MicState.STALLED)
        return kind is _Kind.AUDIBLE or (kind is _Kind.ZEROS and gated)

    def _kind(self, piece: Samples, lowest: float, highest: float) -> _Kind:
        if lowest == highest == 0.0:
            return _Kind.ZEROS
        if highest - lowest < _SURELY_LOUD:
            offset = piece.mean()  # many microphones have one; it is no sound
            if highest - lowest < SAME_WITHIN <= abs(offset):
                return _Kind.STUCK
            if rms_dbfs(piece - offset) < QUIET_DBFS:
                return _Kind.QUIET
        if self._earlier.hold(piece):
            return _Kind.STUCK
        return _Kind.AUDIBLE

    def _count(self, kind: _Kind) -> None:
        if kind is _Kind.ZEROS:
            self._zeros += 1
        else:
            self._learn_gate(self._zeros)
            self._zeros = 0
            self._unlearn_gate()
        # Zeros are quiet too: a microphone may waver between the two.
        going_on = {_Kind.ZEROS, _Kind.QUIET} if kind is _Kind.ZEROS else {kind}
        self._runs = {each: self._runs[each] + 1 if each in going_on else 0 for each in _Kind}

    def _count_clipped(self, piece: Samples, *, clips: bool) -> None:
        clipped = int(np.count_nonzero(np.abs(piece) >= FULL_SCALE)) if clips else 0
        self._clipped.append(clipped)
        self._unclipped = 0 if clipped > CLIPPED_SHARE * len(piece) else self._unclipped + 1

    def _learn_gate(self, zero_pieces: int) -> None:
        """A run of zeros has ended."""
        if _pieces(GATE_SHORTEST_S) <= zero_pieces < _pieces(ZEROS_AFTER_S):
            self.gated_times = min(self.gated_times + 1, GATE_TIMES)
            self.heard_since_gate_s = 0.0

    def _unlearn_gate(self) -> None:
        """Another piece that is no zeros."""
        self.heard_since_gate_s += PIECE_SECONDS
        if self.heard_since_gate_s >= GATE_FORGOTTEN_S:
            self.forget()

    def _find_fault(self) -> None:
        zeros_after_s = GATED_ZEROS_AFTER_S if self.gates_noise else ZEROS_AFTER_S
        quiet_after_s = GATED_ZEROS_AFTER_S if self.gates_noise else QUIET_AFTER_S
        limits = (
            (_Kind.ZEROS, zeros_after_s, MicState.SILENT),
            (_Kind.QUIET, quiet_after_s, MicState.SILENT),
            (_Kind.STUCK, STUCK_AFTER_S, MicState.STUCK),
        )
        for kind, limit_s, state in limits:
            if self._runs[kind] >= _pieces(limit_s):
                self._enter(state, self._runs[kind] * PIECE_SECONDS)
        full = len(self._clipped) == self._clipped.maxlen
        if self._state is MicState.OK and full and sum(self._clipped) > _MOST_CLIPPED:
            self._enter(MicState.CLIPPING, 0.0)


def _pieces(seconds: float) -> int:
    return round(seconds / PIECE_SECONDS)


class _Earlier:
    """The latest pieces, to find whether one comes again."""

    def __init__(self) -> None:
        self._pieces: Samples = np.full((LONGEST_LOOP_PIECES, _PIECE_SAMPLES), np.nan, np.float32)
        self._firsts = [math.nan] * LONGEST_LOOP_PIECES
        self._next = 0

    def clear(self) -> None:
        """Forget them: what is not a number is like nothing."""
        self._firsts = [math.nan] * LONGEST_LOOP_PIECES

    def add(self, piece: Samples) -> None:
        """Keep one in place of the oldest."""
        self._pieces[self._next] = piece
        self._firsts[self._next] = float(piece[0])
        self._next = (self._next + 1) % len(self._pieces)

    def hold(self, piece: Samples) -> bool:
        """Whether one of them is the same; most differ in their first sample already."""
        first = float(piece[0])
        alike = [at for at, one in enumerate(self._firsts) if abs(one - first) < SAME_WITHIN]
        return any(np.abs(self._pieces[at] - piece).max() < SAME_WITHIN for at in alike)
