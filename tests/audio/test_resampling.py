"""The resampler: true to time over hours, clean of aliases, the same in blocks as in one."""

import numpy as np
import pytest

from detector.audio.resampling import Resampler
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from tests.audio.tools import level_db, noise, tone

RATES = (8_000, 22_050, 32_000, 44_100, 48_000, 96_000)


def resample(samples: Samples, rate_hz: int, block: int) -> Samples:
    """Through a fresh resampler, in blocks."""
    resampler = Resampler(rate_hz)
    starts = range(0, len(samples), block)
    parts = [resampler.process(samples[start : start + block]) for start in starts]
    return np.concatenate([*parts, resampler.flush()])


def test_16_khz_passes_as_it_is() -> None:
    """Nothing is pending and nothing is changed."""
    samples = noise(0.1)
    resampler = Resampler(SAMPLE_RATE_HZ)
    assert np.array_equal(resampler.process(samples), samples)
    assert resampler.pending_seconds == 0.0
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("rate_hz", RATES)
def test_an_impulse_comes_out_at_its_own_time(rate_hz: int) -> None:
    """The filter withholds but does not shift."""
    samples = np.zeros(2 * rate_hz, np.float32)
    samples[rate_hz] = 1.0
    out = resample(samples, rate_hz, rate_hz // 10)
    assert len(out) == 2 * SAMPLE_RATE_HZ
    assert int(np.argmax(np.abs(out))) == SAMPLE_RATE_HZ


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_the_sizes_of_blocks_make_no_difference(rate_hz: int) -> None:
    """Block edges leave no trace."""
    samples = np.random.default_rng(2).uniform(-0.5, 0.5, rate_hz).astype(np.float32)
    whole = resample(samples, rate_hz, rate_hz)
    for block in (997, rate_hz // 10):
        assert np.max(np.abs(resample(samples, rate_hz, block) - whole)) < 1e-6


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_an_hour_in_blocks_has_exactly_an_hour_of_samples(rate_hz: int) -> None:
    """What is out plus what is pending is what went in, to a sample, all the way."""
    resampler = Resampler(rate_hz)
    block = np.zeros(rate_hz, np.float32)
    out = 0
    worst = 0.0
    for second in range(1, 3601):
        out += len(resampler.process(block))
        pending = resampler.pending_seconds * SAMPLE_RATE_HZ
        worst = max(worst, abs(out + pending - second * SAMPLE_RATE_HZ))
    assert worst <= 1.0
    assert out + len(resampler.flush()) == 3600 * SAMPLE_RATE_HZ


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize("frequency_hz", [10_000, 12_000])
def test_what_lies_above_8_khz_does_not_fold_back(rate_hz: int, frequency_hz: int) -> None:
    """Hiss and ultrasound must not be heard as other sounds: over 80 dB down."""
    sound = tone(frequency_hz, 2.0, rate_hz=rate_hz)
    out = resample(sound, rate_hz, rate_hz // 10)
    rejection_db = level_db(sound) - level_db(out[4000:-4000])
    print(f"alias rejection of {frequency_hz} Hz at {rate_hz} Hz: {rejection_db:.1f} dB")
    assert rejection_db > 80.0


def test_what_yamnet_listens_to_passes_unchanged() -> None:
    """125 to 7200 Hz within 0.1 dB."""
    for frequency_hz in (125, 1000, 7200):
        sound = tone(frequency_hz, 1.0, rate_hz=48_000)
        out = resample(sound, 48_000, 4800)[2000:-2000]
        assert level_db(out) == pytest.approx(level_db(sound), abs=0.1)


def test_after_a_gap_nothing_of_before_is_left() -> None:
    """A resampler that was flushed is as good as new."""
    samples = tone(1000, 0.5, rate_hz=48_000)
    resampler = Resampler(48_000)
    resampler.process(np.full(4000, 0.9, np.float32))
    resampler.flush()
    again = np.concatenate([resampler.process(samples), resampler.flush()])
    assert np.array_equal(again, resample(samples, 48_000, len(samples)))
