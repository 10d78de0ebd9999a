"""Rooms and microphones."""

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from detector.learning.rooms import Surroundings, impulse_response
from detector.learning.sounding import rms
from tests.workbench.conftest import noise


def test_nothing_in_the_way_changes_nothing() -> None:
    """The identity."""
    samples = noise(0.5, 1)
    heard = Surroundings().heard(samples, np.random.default_rng(1))
    assert np.allclose(heard, samples)


def test_a_room_decays_in_its_time() -> None:
    """By 60 dB, from an early part of the tail to a late one."""
    response = impulse_response(Surroundings(rt60_s=0.6), np.random.default_rng(1))
    step = SAMPLE_RATE_HZ // 10
    early, late = rms(response[step : 2 * step]), rms(response[4 * step : 5 * step])
    assert 20 * np.log10(early / late) == pytest.approx(30.0, abs=2.0)


def test_a_narrow_band_lacks_what_lies_above_4_khz() -> None:
    """As on a telephone."""
    samples = noise(1.0, 1, level=0.1)
    heard = Surroundings(is_narrow=True).heard(samples, np.random.default_rng(1))
    spectrum = np.abs(np.fft.rfft(heard))
    above, below = spectrum[4_100:].mean(), spectrum[:3_500].mean()
    assert above < 0.001 * below


def test_a_gain_clips_at_full_scale() -> None:
    """As a converter does."""
    heard = Surroundings(gain_db=60.0).heard(noise(0.1, 1), np.random.default_rng(1))
    assert float(np.abs(heard).max()) == 1.0
