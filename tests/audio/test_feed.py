"""From captured blocks to the ring: time, losses and absences."""

import numpy as np
import pytest

from detector.audio.arrival import ArrivalClock
from detector.audio.capture import Captured
from detector.audio.feed import Feed
from detector.audio.format import Format
from detector.audio.ring import RingBuffer
from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, GapCause, Samples
from tests.audio.tools import tone


def captured(
    samples: Samples, arrived_s: float, *, overflowed: bool = False, dropped: int = 0
) -> Captured:
    """A mono block from a callback."""
    return Captured(samples.tobytes(), arrived_s, overflowed, dropped)


@pytest.fixture
def ring() -> RingBuffer:
    """A ring that loses nothing in these tests."""
    return RingBuffer(120.0, 16_000, 120.0)


def drain(ring: RingBuffer) -> list[Block | Gap]:
    """All that is in a ring."""
    found: list[Block | Gap] = []
    while isinstance(item := ring.read(0), Block | Gap):
        found.append(item)
    return found


def begun(ring: RingBuffer, rate_hz: int = 16_000) -> Feed:
    """A feed in its first session."""
    feed = Feed(ring, "mix")
    feed.begin(Format(rate_hz, 1), "card")
    return feed


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_audio_arrives_with_its_time(rate_hz: int, ring: RingBuffer) -> None:
    """What the resampler withholds does not shift the capture time of what it hands over."""
    feed = begun(ring, rate_hz)
    sound = tone(1000, 5.0, rate_hz=rate_hz)
    block = rate_hz // 10
    heard: list[Block | Gap] = []
    for number in range(50):
        piece = sound[number * block : (number + 1) * block]
        feed.take(captured(piece, 10.0 + (number + 1) / 10))
        heard += drain(ring)
    feed.end()
    heard += drain(ring)
    for item in heard:
        assert isinstance(item, Block)
        due_s = 10.0 + item.end_sample / SAMPLE_RATE_HZ
        assert item.captured_monotonic_s == pytest.approx(due_s, abs=0.0005)
    assert heard[-1].end_sample == 80_000


def test_an_overflow_is_a_gap_of_what_the_clock_misses(ring: RingBuffer) -> None:
    """0.7 s went by without samples; before and after stay apart."""
    feed = begun(ring, 48_000)
    block = tone(1000, 0.1, rate_hz=48_000)
    for number in range(5):
        feed.take(captured(block, 10.1 + number / 10))
    feed.take(captured(block, 11.3, overflowed=True))
    feed.end()
    before, gap, after = drain(ring)
    assert before.end_sample == 8000
    assert isinstance(gap, Gap)
    assert gap.cause is GapCause.OVERFLOW
    assert gap.samples_lost == pytest.approx(0.7 * SAMPLE_RATE_HZ, abs=2)
    assert after.end_sample - after.start_sample == 1600
    assert feed.overflows == 1


def test_an_overflow_that_cannot_be_seen_is_still_a_gap(ring: RingBuffer) -> None:
    """Never spliced: at least one sample is missing."""
    feed = begun(ring)
    feed.take(captured(tone(440, 0.1), 1.1))
    feed.take(captured(tone(440, 0.1), 1.2, overflowed=True))
    assert drain(ring)[1] == Gap(1600, 1, GapCause.OVERFLOW)


def test_an_overflow_before_the_first_block_is_none(ring: RingBuffer) -> None:
    """Sound systems often say so when they are opened; nothing was heard yet to be lost."""
    feed = begun(ring)
    feed.take(captured(tone(440, 0.1), 1.1, overflowed=True))
    assert len(drain(ring)) == 1
    assert feed.overflows == 0


def test_dropped_samples_are_a_gap_of_exactly_their_number(ring: RingBuffer) -> None:
    """We were too slow ourselves, and have counted."""
    feed = begun(ring)
    feed.take(captured(tone(440, 0.1), 1.1))
    feed.take(captured(tone(440, 0.1), 1.2, dropped=4800))
    assert drain(ring)[1] == Gap(1600, 4800, GapCause.OVERFLOW)


def test_nothing_of_before_a_gap_sounds_after_it(ring: RingBuffer) -> None:
    """The resampler begins anew."""
    feed = begun(ring, 48_000)
    feed.take(captured(np.full(4800, 0.9, np.float32), 1.1))
    feed.take(captured(np.zeros(4800, np.float32), 1.2, dropped=48_000))
    feed.end()
    assert not np.concatenate(
        [
            item.samples
            for item in drain(ring)
            if isinstance(item, Block) and item.start_sample > 1600
        ]
    ).any()


def test_an_absence_is_a_gap_of_its_length(ring: RingBuffer) -> None:
    """Away from 1.1 s to 61.1 s, and back at another rate."""
    feed = begun(ring, 48_000)
    feed.take(captured(tone(440, 0.1, rate_hz=48_000), 1.1))
    feed.end()
    feed.begin(Format(44_100, 1), "card")
    feed.take(captured(tone(440, 0.1, rate_hz=44_100), 61.2))
    feed.end()
    before, gap, after = drain(ring)
    assert before.end_sample == 1600
    assert gap == Gap(1600, 60 * SAMPLE_RATE_HZ, GapCause.SOURCE_LOST)
    assert after.end_sample == 1600 + 60 * SAMPLE_RATE_HZ + 1600


def test_blocks_that_come_in_bursts_are_placed_evenly() -> None:
    """Four callbacks at once every 0.4 s: each block was captured 0.1 s after the one before."""
    arrivals = ArrivalClock(16_000)
    placed = []
    for burst in range(10):
        placed += [arrivals.arrived(1600, 5.4 + 0.4 * burst) for _ in range(4)]
    # Until the first block of a burst was seen together with its last, all seem later.
    assert np.diff(placed[4:]) == pytest.approx(0.1)
    assert placed[7] == pytest.approx(5.8)


def test_a_device_whose_clock_drifts_is_followed() -> None:
    """After an hour at 200 ppm too slow the capture time is still that of now."""
    arrivals = ArrivalClock(16_000)
    arrived_s = placed_s = 0.0
    for _ in range(36_000):
        arrived_s += 0.1 * 1.0002
        placed_s = arrivals.arrived(1600, arrived_s)
    assert placed_s == pytest.approx(arrived_s, abs=0.005)
    assert arrivals.lost_before(1600, arrived_s + 1.1) == pytest.approx(16_000, abs=100)
