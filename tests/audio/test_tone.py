"""The self-test's tone, and whether a microphone carried it."""

import numpy as np
import pytest

from detector.audio.tone import (
    SLICE_SAMPLES,
    TONE_HZ,
    TONE_SECONDS,
    Carried,
    judge,
    tone_dbfs,
    tone_samples,
)
from detector.core.audio import SAMPLE_RATE_HZ, Block, Samples
from tests.audio.tools import noise, tone

BEGAN_S = 500.0
"""Capture time of the first sample of a recording."""


def recorded(samples: Samples, block_samples: int = 1_600) -> list[Block]:
    """Samples as a microphone hands them over."""
    starts = range(0, len(samples), block_samples)
    pieces = [samples[start : start + block_samples] for start in starts]
    return [
        Block(start, piece, BEGAN_S + (start + len(piece)) / SAMPLE_RATE_HZ)
        for start, piece in zip(starts, pieces, strict=True)
    ]


def room(*, played: Samples, amplitude: float = 0.001) -> Samples:
    """A second of a quiet room, what is played in it, and another second."""
    samples = noise(2.0 + len(played) / SAMPLE_RATE_HZ, amplitude=amplitude)
    samples[SAMPLE_RATE_HZ : SAMPLE_RATE_HZ + len(played)] += played
    return samples


def judged(samples: Samples, block_samples: int = 1_600) -> Carried:
    """What was carried of a tone that begins after almost a second."""
    carried = judge(recorded(samples, block_samples), begins_s=BEGAN_S + 0.9)
    assert carried is not None
    return carried


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_the_tone_has_its_length_its_pitches_and_soft_edges(rate_hz: int) -> None:
    """At any rate; nothing clips, and it does not begin with a click."""
    samples = tone_samples(rate_hz)
    spectrum = np.abs(np.fft.rfft(samples))
    hertz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    strongest = sorted(hertz[np.argsort(spectrum)[-2:]])
    assert strongest == pytest.approx(TONE_HZ, abs=0.5)
    assert len(samples) / rate_hz == TONE_SECONDS
    assert 0.28 < np.max(np.abs(samples)) <= 0.3
    assert np.max(np.abs(samples[: rate_hz // 1000])) < 0.01


@pytest.mark.parametrize("amplitude", [0.001, 0.01, 0.5])
def test_the_level_at_the_tones_frequencies_is_measured(amplitude: float) -> None:
    """In dB of the amplitude; neither the other part nor another pitch disturbs."""
    both = tone(350, 0.1, amplitude=amplitude) + tone(440, 0.1, amplitude=amplitude / 10)
    assert tone_dbfs(both) == pytest.approx(20 * np.log10(amplitude), abs=0.3)
    assert tone_dbfs(tone(1000, 0.1, amplitude=amplitude)) < 20 * np.log10(amplitude) - 55


@pytest.mark.parametrize("gain_db", [0, -20, -40])
@pytest.mark.parametrize("block_samples", [480, 1_600, 16_000])
def test_a_tone_that_is_carried_is_recognised_at_any_level(
    gain_db: float, block_samples: int
) -> None:
    """However the microphone cuts its blocks."""
    played = tone_samples() * np.float32(10 ** (gain_db / 20))
    carried = judged(room(played=played), block_samples)
    assert carried.passed
    assert carried.seconds == pytest.approx(TONE_SECONDS, abs=0.21)
    assert carried.tone_level_dbfs == pytest.approx(-16.5 + gain_db, abs=1.0)
    assert carried.clearance_db == pytest.approx(43.5 + gain_db, abs=2.0)


@pytest.mark.parametrize(
    "played",
    [
        np.zeros(40_000, np.float32),
        tone(1000, 2.5),
        tone_samples()[:16_000],
        np.tile(tone_samples(), 3),
        noise(2.5, amplitude=0.002, seed=2),
    ],
    ids=["nothing", "another pitch", "too short", "too long", "noise"],
)
def test_what_is_not_the_tone_does_not_pass(played: Samples) -> None:
    """The microphone hears something else, or nothing."""
    assert not judged(room(played=played)).passed


def test_a_tone_that_was_there_before_proves_nothing() -> None:
    """It does not come from us."""
    assert not judged(tone(350, 4.5)).passed


def test_after_digital_silence_the_least_noise_is_no_tone() -> None:
    """Some microphones gate what is soft: then the tone is measured against itself."""
    samples = np.zeros(5 * SAMPLE_RATE_HZ, np.float32)
    samples[16_000:] = noise(4.0, amplitude=1e-4)
    samples[16_000:56_000] += tone_samples()
    assert judged(samples).seconds == pytest.approx(TONE_SECONDS, abs=0.21)


def test_too_little_to_tell_is_said() -> None:
    """A microphone that delivers nothing, or not for long enough."""
    blocks = recorded(room(played=tone_samples()))
    assert judge([], begins_s=BEGAN_S) is None
    assert judge(blocks, begins_s=BEGAN_S) is None
    assert judge(blocks[:20], begins_s=BEGAN_S + 0.9) is None


def test_lost_audio_is_not_spliced() -> None:
    """A slice never spans a gap; the rest still tells."""
    blocks = recorded(room(played=tone_samples()), SLICE_SAMPLES // 2)
    del blocks[50:57]
    carried = judge(blocks, begins_s=BEGAN_S + 0.9)
    assert carried is not None
    assert carried.passed
    assert carried.seconds == pytest.approx(TONE_SECONDS - 0.4, abs=0.21)


def test_it_is_told_in_half_a_line() -> None:
    """For a person."""
    assert str(Carried(2.5, -31.2, -88.4, 30.0)) == "-31 dBFS for 2.5 s, -88 dBFS before"
