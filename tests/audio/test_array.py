"""Audio in memory, and with it the pace and the blocks of all sources that are pulled."""

import numpy as np
import pytest

from detector.audio.array import ArraySource
from detector.core.audio import Block, End
from detector.core.errors import AudioError
from tests.audio.tools import hear, noise, tone
from tests.clocks import HandClock


def test_it_is_heard_as_it_is(clock: HandClock) -> None:
    """16 kHz mono passes sample for sample, and the last block may be short."""
    samples = noise(2.34)
    source = ArraySource(samples, realtime=False, clock=clock)
    assert np.array_equal(hear(source), samples)
    assert source.duration_s == pytest.approx(2.34)


def test_the_array_stays_its_givers(clock: HandClock) -> None:
    """Blocks are read-only; the array is not made so, nor kept."""
    samples = noise(0.5)
    hear(ArraySource(samples, realtime=False, clock=clock))
    samples[:] = 0.0


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_integers_channels_and_rates_are_brought_to_16_khz_mono(
    kind: type[np.signedinteger], clock: HandClock
) -> None:
    """Stereo integers at 48 kHz."""
    sound = tone(1000, 1.0, rate_hz=48_000)
    full_scale = -float(np.iinfo(kind).min)
    frames = np.stack([sound * full_scale, 0 * sound], axis=1).astype(kind)
    heard = hear(ArraySource(frames, rate_hz=48_000, realtime=False, clock=clock))
    assert len(heard) == 16_000
    assert np.max(np.abs(heard - tone(1000, 1.0, amplitude=0.25))[500:-500]) < 1e-3


def test_in_real_time_each_block_comes_when_it_is_due(clock: HandClock) -> None:
    """The last sample of a block was captured when the block was due: neither sooner nor later."""
    source = ArraySource(noise(1.0), realtime=True, clock=clock, sleep=clock.advance)
    source.start()
    began_s = clock.now_s
    while isinstance(block := source.read(1.0), Block):
        assert clock.now_s == pytest.approx(began_s + block.end_sample / 16_000)
        assert block.captured_monotonic_s == pytest.approx(clock.now_s)
    assert isinstance(block, End)


def test_in_real_time_what_is_not_due_is_none(clock: HandClock) -> None:
    """A short timeout comes first, and costs nothing of the audio."""
    source = ArraySource(noise(0.2), realtime=True, clock=clock, sleep=clock.advance)
    source.start()
    assert [source.read(0.04), source.read(0.04)] == [None, None]
    assert isinstance(source.read(0.04), Block)


def test_a_slow_reader_misses_nothing(clock: HandClock) -> None:
    """It is not live: what is overdue is still all there, and says how old it is."""
    samples = noise(1.0)
    source = ArraySource(samples, realtime=True, clock=clock, sleep=clock.advance)
    source.start()
    first = source.read(1.0)
    assert isinstance(first, Block)
    clock.advance(100.0)
    late = source.read(1.0)
    assert isinstance(late, Block)
    assert late.start_sample == first.end_sample
    assert late.captured_monotonic_s == pytest.approx(first.captured_monotonic_s + 0.1)


def test_the_end_is_told_for_good(clock: HandClock) -> None:
    """Reading on after the end gives the end again."""
    source = ArraySource(noise(0.1), realtime=False, clock=clock)
    source.start()
    assert isinstance(source.read(0), Block)
    assert [source.read(0), source.read(0)] == [End(), End()]


def test_stopping_ends_it(clock: HandClock) -> None:
    """Stop and start twice do no harm; a stopped source is not available."""
    source = ArraySource(noise(60.0), realtime=True, clock=clock)
    source.start()
    source.start()
    assert source.status.available
    assert source.status.description == "audio in memory at 16000 Hz, 1 channel"
    source.stop()
    source.stop()
    assert source.read(60.0) == End("stopped")
    assert not source.status.available


def test_no_samples_are_refused(clock: HandClock) -> None:
    """Nothing to hear is an error, not an end."""
    source = ArraySource(np.zeros(0, np.float32), realtime=False, clock=clock)
    with pytest.raises(AudioError, match="holds no audio"):
        source.start()


def test_reading_before_the_start_is_a_bug_that_is_named(clock: HandClock) -> None:
    """Not an expected failure."""
    with pytest.raises(RuntimeError, match="read before start"):
        ArraySource(noise(0.1), realtime=False, clock=clock).read(0)
