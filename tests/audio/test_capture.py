"""PortAudio's callback, called by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from detector.audio.capture import Capture, Captured
from detector.core.audio import Samples
from tests.audio.tools import noise
from tests.clocks import HandClock


def call(capture: Capture, samples: Samples, *, overflow: bool = False) -> None:
    """As PortAudio does."""
    status = SimpleNamespace(input_overflow=overflow)
    capture(samples.data.cast("B"), len(samples), None, status)


def taken(capture: Capture) -> Captured:
    """The next block, which must be there."""
    captured = capture.next(0)
    assert captured is not None
    return captured


def stereo(seed: int) -> Samples:
    """100 frames of two channels."""
    return noise(200 / 16_000, seed=seed).reshape(100, 2)


@pytest.fixture
def capture(clock: HandClock) -> Capture:
    """Room for two blocks."""
    return Capture(slots=2, block_frames=100, channels=2, now=clock.monotonic)


def test_a_block_is_copied_with_its_time_of_arrival(capture: Capture, clock: HandClock) -> None:
    """PortAudio uses its buffer again as soon as the callback returns, and we our slot."""
    buffer = stereo(1)
    call(capture, buffer)
    clock.advance(1.0)
    buffer[:] = 0.0
    first = taken(capture)
    for seed in range(5):
        call(capture, stereo(seed))
        capture.next(0)
    assert first.data == stereo(1).tobytes()
    assert first.arrived_s == 100.0


def test_without_a_free_slot_frames_are_counted_and_told_with_the_next_block(
    capture: Capture,
) -> None:
    """The callback waits for nobody."""
    for seed in range(5):
        call(capture, stereo(seed))
    assert [taken(capture).dropped for _ in range(2)] == [0, 0]
    assert capture.next(0) is None
    call(capture, stereo(5))
    last = taken(capture)
    assert last.dropped == 300
    assert last.data == stereo(5).tobytes()
    call(capture, stereo(6))
    assert taken(capture).dropped == 0


def test_an_overflow_in_a_dropped_block_is_not_forgotten(capture: Capture) -> None:
    """It is told with the next block that finds room."""
    for overflow in (False, False, True):
        call(capture, stereo(1), overflow=overflow)
    assert [taken(capture).overflowed for _ in range(2)] == [False, False]
    call(capture, stereo(1))
    assert taken(capture).overflowed
    call(capture, stereo(1))
    assert not taken(capture).overflowed


@pytest.mark.parametrize("wrong", [np.zeros((200, 2), np.float32), np.zeros((100, 3), np.float32)])
def test_an_exception_is_noted_and_costs_no_slot(wrong: Samples, capture: Capture) -> None:
    """However often it happens, good blocks still find room."""
    for _ in range(10):
        call(capture, wrong)
    assert capture.error.startswith("ValueError('memoryview assignment")
    call(capture, stereo(1))
    assert taken(capture).dropped == 10 * len(wrong)
