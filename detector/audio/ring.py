"""Between the thread that hears and the thread that recognises: 16 kHz audio with its gaps."""

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import TypeVar

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Gap, GapCause, Samples

BLOCK_SAMPLES = SAMPLE_RATE_HZ
"""The longest block that is handed over: 1 s."""

_Item = TypeVar("_Item", Block, Gap)


@dataclass(slots=True)
class _Run:
    """Samples of one write that wait in the store."""

    start_sample: int
    length: int
    captured_s: float
    """Capture time of the last of them."""

    def cut(self, count: int) -> float:
        """Take ``count`` samples off the front; the capture time of the last of those."""
        self.start_sample += count
        self.length -= count
        return self.captured_s - self.length / SAMPLE_RATE_HZ


class RingBuffer:
    """Blocks and gaps on one absolute sample index; a slow reader is taken to the newest audio.

    For one writer thread and one reader thread; ``close`` from any thread.  Memory is bounded by
    the capacity, whatever the reader does.

    Args:
        capacity_seconds: Audio that fits; at least ``max_lag_seconds``.
        keep_samples: What a reader who fell behind finds: the newest window's worth.
        max_lag_seconds: Unread audio at which a reader counts as behind.
    """

    def __init__(self, capacity_seconds: float, keep_samples: int, max_lag_seconds: float) -> None:
        capacity = round(capacity_seconds * SAMPLE_RATE_HZ)
        self._max_lag = round(max_lag_seconds * SAMPLE_RATE_HZ)
        if not 0 < keep_samples <= self._max_lag <= capacity:
            raise ValueError(
                f"a ring keeps some samples ({keep_samples}), no more than its greatest lag "
                f"({self._max_lag}), and that no more than its capacity ({capacity})"
            )
        self._keep = keep_samples
        self._store = np.zeros(capacity, np.float32)
        self._head = 0  # where in the store the first unread sample lies
        self._unread = 0
        self._pending: deque[_Run | Gap] = deque()
        self._next_write = 0  # absolute sample index
        self._next_read = 0
        self._end: End | None = None
        self._changed = Condition()

    def write(self, samples: Samples, captured_monotonic_s: float) -> None:
        """Append samples, shape (n,); the time is that of the last one. Never blocks for room."""
        with self._changed:
            if self._end is not None or len(samples) == 0:
                return
            for start in range(0, len(samples), len(self._store)):
                piece = samples[start : start + len(self._store)]
                after = len(samples) - start - len(piece)
                self._append(piece, captured_monotonic_s - after / SAMPLE_RATE_HZ)
            self._changed.notify_all()

    def lose(self, samples_lost: int, cause: GapCause) -> None:
        """Record that samples never arrived: the index goes on without them."""
        with self._changed:
            if self._end is not None or samples_lost <= 0:
                return
            gap = Gap(self._next_write, samples_lost, cause)
            last = self._pending[-1] if self._pending else None
            if isinstance(last, Gap) and last.cause is cause:
                self._pending.pop()
                gap = Gap(last.start_sample, last.samples_lost + samples_lost, cause)
            self._pending.append(gap)
            self._next_write = gap.end_sample
            self._changed.notify_all()

    def close(self, reason: str) -> None:
        """Nothing more will come; the reader gets what is left, then End. Only the first counts."""
        with self._changed:
            self._end = self._end or End(reason)
            self._changed.notify_all()

    def read(self, timeout_s: float) -> Block | Gap | End | None:
        """Hand over what comes next; None when nothing came within ``timeout_s``.

        A block is at most 1 s long and never spans a gap.  A reader that is more than the greatest
        lag behind gets one gap (cause BEHIND), after which exactly the newest samples are left.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._end, timeout_s)
            if self._unread > self._max_lag:
                self._drop(self._unread - self._keep)
            return self._next() if self._pending else self._end

    def _append(self, piece: Samples, captured_s: float) -> None:
        overrun = self._unread + len(piece) - len(self._store)
        if overrun > 0:
            self._drop(overrun)
        self._put(piece)
        self._pending.append(_Run(self._next_write, len(piece), captured_s))
        self._next_write += len(piece)

    def _put(self, piece: Samples) -> None:
        capacity = len(self._store)
        tail = (self._head + self._unread) % capacity
        before_edge = min(len(piece), capacity - tail)
        self._store[tail : tail + before_edge] = piece[:before_edge]
        self._store[: len(piece) - before_edge] = piece[before_edge:]
        self._unread += len(piece)

    def _drop(self, count: int) -> None:
        """Forget the oldest ``count`` samples.

        The gap that this leaves is not recorded: ``_next`` sees that the index has jumped, so that
        however often this happens between two reads, the reader gets one gap.
        """
        self._forget(count)
        while count > 0:
            first = self._pending[0]
            if isinstance(first, _Run):
                cut = min(count, first.length)
                first.cut(cut)
                count -= cut
            if isinstance(first, Gap) or first.length == 0:
                self._pending.popleft()
        while self._pending and isinstance(self._pending[0], Gap):
            self._pending.popleft()

    def _next(self) -> Block | Gap:
        first = self._pending[0]
        if first.start_sample > self._next_read:
            skipped = first.start_sample - self._next_read
            return self._advance(Gap(self._next_read, skipped, GapCause.BEHIND))
        if isinstance(first, Gap):
            self._pending.popleft()
            return self._advance(first)
        return self._advance(self._take_block())

    def _advance(self, item: _Item) -> _Item:
        self._next_read = item.end_sample
        return item

    def _take_block(self) -> Block:
        length, captured_s = 0, 0.0
        while self._pending and length < BLOCK_SAMPLES:
            run = self._pending[0]
            if isinstance(run, Gap) or (length and length + run.length > BLOCK_SAMPLES):
                break
            count = min(run.length, BLOCK_SAMPLES - length)
            captured_s = run.cut(count)
            length += count
            if run.length == 0:
                self._pending.popleft()
        return Block(self._next_read, self._copy(length), captured_s)

    def _copy(self, count: int) -> Samples:
        positions = slice(self._head, self._head + count)
        samples = np.concatenate(
            (self._store[positions], self._store[: max(0, positions.stop - len(self._store))])
        )
        samples.flags.writeable = False
        self._forget(count)
        return samples

    def _forget(self, count: int) -> None:
        self._head = (self._head + count) % len(self._store)
        self._unread -= count
