"""The ring buffer against a model of it that is too simple to be wrong."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from detector.audio.ring import BLOCK_SAMPLES, RingBuffer
from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Gap, GapCause, Samples


def numbered(start: int, count: int) -> Samples:
    """Samples that tell their own place on the index."""
    return (np.arange(start, start + count) % 100_003).astype(np.float32)


def ring(*, capacity: int = 64_000, keep: int = 16_000, lag: int = 48_000) -> RingBuffer:
    """A ring measured in samples."""
    return RingBuffer(capacity / SAMPLE_RATE_HZ, keep, lag / SAMPLE_RATE_HZ)


def block(buffer: RingBuffer) -> Block:
    """The next item, which must be a block."""
    item = buffer.read(0)
    assert isinstance(item, Block)
    return item


def test_what_is_written_is_read_with_its_place_and_time() -> None:
    """Index, samples and capture time of the last sample arrive as they were given."""
    buffer = ring()
    buffer.write(numbered(0, 1600), 10.0)
    read = block(buffer)
    assert (read.start_sample, read.end_sample) == (0, 1600)
    assert read.captured_monotonic_s == pytest.approx(10.0)
    assert np.array_equal(read.samples, numbered(0, 1600))


def test_a_block_is_the_readers_own_and_cannot_be_changed() -> None:
    """Later writes do not reach into a block that was handed over."""
    buffer = ring(capacity=3200, keep=100, lag=3200)
    buffer.write(numbered(0, 1600), 1.0)
    read = block(buffer)
    buffer.write(numbered(5000, 3200), 2.0)
    assert np.array_equal(read.samples, numbered(0, 1600))
    with pytest.raises(ValueError, match="read-only"):
        read.samples[0] = 1.0


def test_nothing_within_the_timeout_is_none() -> None:
    """An empty ring makes the reader wait no longer than it asked for."""
    assert ring().read(0.01) is None


def test_a_block_is_at_most_one_second_and_its_time_is_that_of_its_own_end() -> None:
    """A long write comes in pieces, each with the capture time of its last sample."""
    buffer = ring()
    buffer.write(numbered(0, 40_000), 100.0)
    pieces = [block(buffer) for _ in range(3)]
    assert [len(piece.samples) for piece in pieces] == [BLOCK_SAMPLES, BLOCK_SAMPLES, 8000]
    assert [piece.captured_monotonic_s for piece in pieces] == pytest.approx([98.5, 99.5, 100.0])


def test_small_writes_are_read_together() -> None:
    """What has gathered is one block, and ends when its last piece was captured."""
    buffer = ring()
    buffer.write(numbered(0, 1600), 1.0)
    buffer.write(numbered(1600, 1600), 1.1)
    read = block(buffer)
    assert np.array_equal(read.samples, numbered(0, 3200))
    assert read.captured_monotonic_s == pytest.approx(1.1)


def test_a_gap_is_never_spliced_over() -> None:
    """Audio before and after a gap comes in two blocks with the gap between."""
    buffer = ring()
    buffer.write(numbered(0, 800), 1.0)
    buffer.lose(200, GapCause.OVERFLOW)
    buffer.write(numbered(1000, 800), 2.0)
    assert block(buffer).end_sample == 800
    assert buffer.read(0) == Gap(800, 200, GapCause.OVERFLOW)
    assert block(buffer).start_sample == 1000


def test_losses_in_a_row_are_one_gap_unless_their_causes_differ() -> None:
    """Two overflows join; an absence after them stands for itself."""
    buffer = ring()
    buffer.lose(100, GapCause.OVERFLOW)
    buffer.lose(50, GapCause.OVERFLOW)
    buffer.lose(7, GapCause.SOURCE_LOST)
    assert buffer.read(0) == Gap(0, 150, GapCause.OVERFLOW)
    assert buffer.read(0) == Gap(150, 7, GapCause.SOURCE_LOST)


def test_a_reader_at_the_greatest_lag_loses_nothing() -> None:
    """Exactly the greatest lag is not behind yet."""
    buffer = ring()
    buffer.write(numbered(0, 48_000), 3.0)
    assert block(buffer).start_sample == 0


def test_a_reader_who_is_behind_gets_one_gap_and_then_the_newest_samples() -> None:
    """Exactly the samples to keep remain, so that the next window is the newest one."""
    buffer = ring()
    for number in range(31):
        buffer.write(numbered(1600 * number, 1600), number / 10)
    assert buffer.read(0) == Gap(0, 49_600 - 16_000, GapCause.BEHIND)
    read = block(buffer)
    assert (read.start_sample, read.end_sample) == (33_600, 49_600)
    assert np.array_equal(read.samples, numbered(33_600, 16_000))
    assert buffer.read(0) is None


def test_older_gaps_are_part_of_the_one_that_a_slow_reader_gets() -> None:
    """One gap, not three, and what follows is whole."""
    buffer = ring()
    buffer.write(numbered(0, 40_000), 2.5)
    buffer.lose(500, GapCause.OVERFLOW)
    buffer.write(numbered(40_500, 16_000), 3.6)
    assert buffer.read(0) == Gap(0, 40_500, GapCause.BEHIND)
    assert block(buffer).start_sample == 40_500


def test_a_gap_among_the_newest_samples_is_still_told() -> None:
    """What is kept is the newest audio, wherever gaps lie in it."""
    buffer = ring()
    buffer.write(numbered(0, 50_000), 3.0)
    buffer.lose(500, GapCause.OVERFLOW)
    buffer.write(numbered(50_500, 6000), 4.0)
    assert buffer.read(0) == Gap(0, 40_000, GapCause.BEHIND)
    assert block(buffer).end_sample == 50_000
    assert buffer.read(0) == Gap(50_000, 500, GapCause.OVERFLOW)
    assert block(buffer).end_sample == 56_500


def test_hours_away_take_no_room_and_do_not_make_the_reader_late() -> None:
    """A gap of three hours is one item; the audio around it survives."""
    buffer = ring()
    three_hours = 3 * 3600 * SAMPLE_RATE_HZ
    buffer.write(numbered(0, 1600), 1.0)
    buffer.lose(three_hours, GapCause.SOURCE_LOST)
    buffer.write(numbered(0, 1600), 2.0)
    assert block(buffer).end_sample == 1600
    assert buffer.read(0) == Gap(1600, three_hours, GapCause.SOURCE_LOST)
    assert block(buffer).start_sample == 1600 + three_hours


def test_more_than_the_capacity_in_one_write_keeps_the_newest() -> None:
    """A write that does not fit is not an error."""
    buffer = ring(capacity=10_000, keep=1000, lag=10_000)
    buffer.write(numbered(0, 25_000), 2.0)
    assert buffer.read(0) == Gap(0, 15_000, GapCause.BEHIND)
    assert np.array_equal(block(buffer).samples, numbered(15_000, 10_000))


def test_after_closing_the_reader_gets_the_rest_and_then_the_end_for_good() -> None:
    """Nothing that was heard is lost by stopping; the first reason counts."""
    buffer = ring()
    buffer.write(numbered(0, 100), 1.0)
    buffer.close("unplugged")
    buffer.close("stopped")
    buffer.write(numbered(100, 100), 2.0)
    buffer.lose(10, GapCause.OVERFLOW)
    assert block(buffer).end_sample == 100
    assert [buffer.read(0), buffer.read(1.0)] == [End("unplugged")] * 2


def test_a_waiting_reader_wakes_for_audio_and_for_the_end() -> None:
    """The reader's wait ends with what arrives, long before its timeout."""
    buffer = ring()
    read: list[Block | Gap | End | None] = []

    def wait_twice() -> None:
        read.extend([buffer.read(60.0), buffer.read(60.0)])

    reader = threading.Thread(target=wait_twice)
    reader.start()
    buffer.write(numbered(0, 10), 1.0)
    buffer.close("stopped")
    reader.join(10)
    assert not reader.is_alive()
    assert isinstance(read[0], Block)
    assert read[1] == End("stopped")


@pytest.mark.parametrize(("capacity", "keep", "lag"), [(100, 50, 200), (100, 80, 60), (100, 0, 50)])
def test_sizes_that_cannot_work_are_refused(capacity: int, keep: int, lag: int) -> None:
    """What is kept must fit into the lag, and the lag into the capacity."""
    with pytest.raises(ValueError, match="a ring keeps"):
        ring(capacity=capacity, keep=keep, lag=lag)


@dataclass
class Model:
    """The same ring, said with one Python list: one entry for each unread sample or gap."""

    capacity: int
    keep: int
    lag: int
    unread: list[int | Gap] = field(default_factory=list)
    at: int = 0
    read_to: int = 0

    def write(self, count: int) -> None:
        """Append; what does not fit pushes out the oldest."""
        self.unread += range(self.at, self.at + count)
        self.at += count
        self.shorten(self.capacity)

    def lose(self, count: int) -> None:
        """Record a gap; one that follows another joins it."""
        last = self.unread[-1] if self.unread else None
        if isinstance(last, Gap):
            count += last.samples_lost
            self.at = last.start_sample
            self.unread.pop()
        self.unread.append(Gap(self.at, count, GapCause.OVERFLOW))
        self.at += count

    def shorten(self, longest: int) -> None:
        """Keep the newest samples, and gaps between them."""
        excess = sum(isinstance(one, int) for one in self.unread) - longest
        while excess > 0:
            excess -= isinstance(self.unread.pop(0), int)
            while excess <= 0 and self.unread and isinstance(self.unread[0], Gap):
                self.unread.pop(0)

    def read(self) -> list[int] | Gap | None:
        """What the ring should hand over."""
        if sum(isinstance(one, int) for one in self.unread) > self.lag:
            self.shorten(self.keep)
        if not self.unread:
            return None
        first = self.unread[0]
        begins = first.start_sample if isinstance(first, Gap) else first
        if begins > self.read_to:
            gap = Gap(self.read_to, begins - self.read_to, GapCause.BEHIND)
            self.read_to = begins
            return gap
        if isinstance(first, Gap):
            self.unread.pop(0)
            self.read_to = first.end_sample
            return first
        return self._take_run()

    def _take_run(self) -> list[int]:
        run: list[int] = []
        while self.unread and isinstance(self.unread[0], int) and len(run) < BLOCK_SAMPLES:
            run.append(self.unread[0])
            self.unread.pop(0)
        self.read_to = run[-1] + 1
        return run


def compare(buffer: RingBuffer, model: Model) -> None:
    """Read once from both."""
    got, expected = buffer.read(0), model.read()
    if not isinstance(got, Block):
        assert got == expected
        return
    assert isinstance(expected, list)
    assert got.start_sample == expected[0]
    assert np.array_equal(got.samples, numbered(expected[0], len(expected)))
    # Every sample is written with its own index as its capture time, in sample periods.
    assert got.captured_monotonic_s * SAMPLE_RATE_HZ == pytest.approx(expected[-1], abs=0.01)


@pytest.mark.parametrize("seed", range(60))
def test_any_order_of_writes_losses_and_reads_agrees_with_the_model(seed: int) -> None:
    """Random interleavings, with sizes around the capacity, the lag and what is kept."""
    generator = np.random.default_rng(seed)
    keep = int(generator.integers(1, 60))
    lag = keep + int(generator.integers(0, 60))
    capacity = lag + int(generator.integers(0, 60))
    buffer, model = ring(capacity=capacity, keep=keep, lag=lag), Model(capacity, keep, lag)

    def write() -> None:
        count = int(generator.integers(0, 2 * capacity))
        buffer.write(numbered(model.at, count), (model.at + count - 1) / SAMPLE_RATE_HZ)
        model.write(count)

    def lose() -> None:
        count = int(generator.integers(1, 300))
        buffer.lose(count, GapCause.OVERFLOW)
        model.lose(count)

    actions: list[Callable[[], None]] = [write, write, lose, lambda: compare(buffer, model)]
    for choice in generator.choice([0, 0, 1, 2, 3, 3, 3], 400):
        actions[choice]()
    while model.unread:
        compare(buffer, model)
    assert buffer.read(0) is None


def test_two_threads_lose_no_sample_and_no_order() -> None:
    """A writer and a reader at full speed: blocks and gaps tile the index."""
    buffer = ring(capacity=8000, keep=1000, lag=6000)

    def write_all() -> None:
        at = 0
        for count in np.random.default_rng(3).integers(1, 900, 2000):
            buffer.write(numbered(at, int(count)), 0.0)
            at += int(count)
        buffer.close(str(at))

    writer = threading.Thread(target=write_all)
    writer.start()
    at = 0
    while not isinstance(item := buffer.read(10.0), End):
        assert item is not None
        assert item.start_sample == at
        if isinstance(item, Block):
            assert np.array_equal(item.samples, numbered(at, len(item.samples)))
        at = item.end_sample
    writer.join()
    assert item == End(str(at))
