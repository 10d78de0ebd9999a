"""How much audio is handed over at a time."""

import numpy as np
import pytest

from detector.audio.blocks import fitted_to_hop, surplus
from detector.audio.capture import Captured
from detector.audio.feed import Feed
from detector.audio.format import Format
from detector.audio.ring import RingBuffer
from detector.config.schema import AudioConfig
from detector.core.audio import Block

CONTEXT = 15_600


@pytest.mark.parametrize(
    ("hop_s", "most_s", "block_s"),
    [
        (0.48, 0.24, 0.24),
        (0.48, 0.1, 0.096),
        (0.48, 1.0, 0.48),
        (0.1, 0.24, 0.1),
        (0.97, 0.24, 0.194),
        (0.5, 0.24, 0.125),
        (0.01, 0.24, 0.01),
        (10.0, 1.0, 1.0),
    ],
)
def test_blocks_are_the_largest_fraction_of_the_hop(
    hop_s: float, most_s: float, block_s: float
) -> None:
    """Of whole milliseconds, and no longer than is allowed."""
    fitted = fitted_to_hop(AudioConfig(block_seconds=most_s), hop_s)
    assert fitted.block_seconds == pytest.approx(block_s)
    assert fitted == AudioConfig(block_seconds=fitted.block_seconds)


@pytest.mark.parametrize("first", [3840, 4 * 3840])
def test_windows_end_with_blocks(first: int) -> None:
    """Also where several came at once."""
    begin = surplus(first, CONTEXT, 3840)
    ends = {(begin + CONTEXT + hop * 7680 - first) % 3840 for hop in range(5)}
    assert ends == {0}


@pytest.mark.parametrize("rate_hz", [48_000, 44_100, 32_000, 22_050])
@pytest.mark.parametrize("waiting", [0, 3])
def test_windows_end_just_before_the_blocks_of_a_resampler(rate_hz: int, waiting: int) -> None:
    """It hands over sometimes more and sometimes less; none waits for the next block."""
    ring, got = RingBuffer(13.0, CONTEXT, 3.0), list[tuple[int, int]]()
    feed = Feed(ring, "mix")
    feed.begin(Format(rate_hz, 1), "a microphone")
    frames = round(0.24 * rate_hz)
    noise = np.random.default_rng(1).normal(0.0, 0.1, frames).astype(np.float32).tobytes()
    for number in range(1, 100):
        feed.take(Captured(noise, 0.24 * number, overflowed=False, dropped=0))
        while number > waiting and (item := ring.read(0)) is not None:
            assert isinstance(item, Block)
            got.append((number, item.end_sample))
    first = got[0][1]
    ends = range(surplus(first, CONTEXT, 3840) + CONTEXT, got[-1][1], 7680)
    arrived_s = [0.24 * next(n for n, reached in got if reached >= end) for end in ends]
    waits_s = [at - end / 16_000 for at, end in zip(arrived_s, ends, strict=True)]
    assert max(waits_s[2:]) < 0.12
