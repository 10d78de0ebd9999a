"""From interleaved channels of any kind to sound mono samples."""

import logging

import numpy as np
import pytest

from detector.audio.format import check_channel
from detector.audio.intake import Intake
from detector.audio.mixing import sanitise, to_float32, to_mono
from detector.core.errors import AudioError
from tests.audio.tools import tone


def test_mix_averages_and_a_number_takes_that_channel() -> None:
    """The first channel is 1."""
    frames = np.array([[0.2, 0.6], [-0.4, 0.0]], np.float32)
    assert to_mono(frames, "mix") == pytest.approx([0.4, -0.2])
    assert to_mono(frames, 1) == pytest.approx([0.2, -0.4])
    assert to_mono(frames, 2) == pytest.approx([0.6, 0.0])
    assert to_mono(frames, "mix").dtype == np.float32


def test_one_channel_passes_unchanged() -> None:
    """Mono needs no mixing."""
    frames = tone(440, 0.1)[:, np.newaxis]
    assert np.array_equal(to_mono(frames, "mix"), frames[:, 0])


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_integers_are_scaled_by_their_own_full_scale(kind: type[np.signedinteger]) -> None:
    """The most negative integer is −1; the most positive stays below 1 or rounds to it."""
    limits = np.iinfo(kind)
    scaled = to_float32(np.array([limits.min, 0, limits.max // 2 + 1], kind))
    assert scaled.tolist() == [-1.0, 0.0, 0.5]
    assert scaled.dtype == np.float32


def test_good_samples_pass_as_they_are() -> None:
    """Full scale itself is not beyond full scale."""
    samples = np.array([1.0, -1.0, 0.3], np.float32)
    clean, not_finite = sanitise(samples)
    assert clean is samples
    assert not_finite == 0
    assert sanitise(np.zeros(0, np.float32)).not_finite == 0


def test_what_is_not_a_number_becomes_zero_and_what_is_too_large_is_clipped() -> None:
    """The former are counted."""
    samples = np.array([np.nan, np.inf, -np.inf, 1.5, -7.0, 0.25], np.float32)
    clean, not_finite = sanitise(samples)
    assert clean.tolist() == [0.0, 0.0, 0.0, 1.0, -1.0, 0.25]
    assert not_finite == 3


def test_one_bad_channel_does_not_spoil_the_others() -> None:
    """NaN is taken out before channels are averaged."""
    intake = Intake(rate_hz=16_000, channel="mix", name="x")
    assert intake.take(np.array([[np.nan, 0.5]], np.float32)).tolist() == [0.25]


def test_samples_that_are_not_numbers_are_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broken device must not fill the log."""
    intake = Intake(rate_hz=16_000, channel=1, name="cheap card")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            intake.take(np.array([[np.nan], [2.0]], np.float32))
    assert [record.getMessage() for record in caplog.records] == [
        "cheap card holds samples that are not numbers; heard as silence"
    ]


def test_a_channel_that_is_not_there_is_named_with_those_that_are() -> None:
    """One line: what was asked, and what would be right."""
    with pytest.raises(AudioError, match=r"^cat\.wav has no channel 3: .*1 to 2, or mix$"):
        check_channel(3, 2, "cat.wav")
    check_channel(2, 2, "cat.wav")
    check_channel("mix", 1, "cat.wav")
