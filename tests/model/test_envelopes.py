"""Envelopes of alarm tones, from sounds made by code."""

import numpy as np
import pytest

from detector.core.audio import Block, Gap, GapCause, Samples
from detector.core.recognition import ENVELOPES, Array
from detector.model.envelopes import BAND_HZ, FADINGS, STEPS, ToneEnvelopes
from tests.alarms import Alarm, alarm, at_level, beeping, in_a_room, square

LONG = 0
"""The envelopes for long beeps."""


def envelopes(samples: Samples, *, block: int = 1600) -> Array:
    """All of them, shape (fadings, steps, bands)."""
    recogniser, found = ToneEnvelopes(), list[Array]()
    for start in range(0, len(samples), block):
        for observation in recogniser.feed(Block(start, samples[start : start + block], 0.0)):
            found.append(observation.outputs[ENVELOPES])
    return np.concatenate(found, axis=1)


def band(hertz: float) -> int:
    """The band nearest to a tone."""
    return int(np.argmin(np.abs(np.array(BAND_HZ) - hertz)))


def test_a_beep_is_on_in_its_band_while_it_lasts() -> None:
    """Half a second of 3.1 kHz, after half a second of nothing."""
    found = envelopes(beeping([(0.48, 0.5)], 1.92, 3100.0))[LONG][:, band(3100.0)]
    assert found[27:46].min() > 0.95
    assert max(found[:22].max(), found[52:].max()) == 0.0


def test_a_beep_has_its_times_wherever_an_observation_ends() -> None:
    """What of it an observation lacks is in the next; what went before is remembered."""
    for shift in (0.0, 0.1, 0.2, 0.3, 0.4):
        found = envelopes(beeping([(0.5 + shift, 0.5)], 2.4, 3100.0))[LONG][:, band(3100.0)]
        on = np.flatnonzero(found > 0.5) * 0.02
        assert (on[0], on[-1]) == pytest.approx((0.5 + shift, 0.98 + shift), abs=0.03)


@pytest.mark.parametrize("dbfs", [-60.0, -30.0, 0.0, 12.0])
def test_the_level_does_not_matter(dbfs: float) -> None:
    """From a whisper to clipping."""
    samples = at_level(beeping([(0.0, 1.92)], 1.92, 520.0, square), dbfs)
    assert envelopes(samples)[LONG][20:, band(520.0)].min() > 0.9


def test_a_square_wave_is_heard_in_its_harmonics_too() -> None:
    """520, 1560 and 2600 Hz, so that one may be drowned."""
    found = envelopes(beeping([(0.0, 1.92)], 1.92, 520.0, square))[LONG][20:-4]
    for hertz in (520.0, 1560.0, 2600.0):
        assert found[:, band(hertz)].min() > 0.9


def test_a_voice_is_no_alarm() -> None:
    """Its second harmonic is there, as an alarm's is not."""
    t = np.arange(30_720) / 16_000
    voice = sum(np.sin(2 * np.pi * 520.0 * k * t) / k for k in range(1, 10))
    found = envelopes(np.asarray(0.1 * voice, np.float32))[LONG]
    assert found[:, band(520.0)].mean() < 0.5


def test_noise_and_silence_are_nothing() -> None:
    """On the whole: now and then a band of noise stands out for a moment."""
    noise = np.random.default_rng(1).standard_normal(160_000).astype(np.float32)
    assert envelopes(0.05 * noise).mean() < 0.01
    assert envelopes(np.zeros(160_000, np.float32)).max() == 0.0


def test_an_echo_is_not_the_beep() -> None:
    """A quarter of a second after it, in a room that rings for one."""
    dry = beeping([(0.48, 0.5)], 1.92, 3100.0)
    wet = in_a_room(dry, 1.0, np.random.default_rng(3))
    found = envelopes(wet)[LONG][:, band(3100.0)]
    assert found[62:].mean() < 0.2
    assert found[28:46].mean() > 0.7


def test_blocks_of_any_length_make_the_same() -> None:
    """One sample less than needed included."""
    samples = alarm(Alarm(cycles=1))
    whole = envelopes(samples, block=len(samples))
    assert np.allclose(envelopes(samples, block=777), whole, atol=1e-6)


def test_observations_follow_one_another_and_tell_their_times() -> None:
    """0.48 s each, from the first sample on."""
    recogniser = ToneEnvelopes()
    seen = recogniser.feed(Block(16_000, np.zeros(32_000, np.float32), 0.0))
    assert [one.start_s for one in seen] == pytest.approx([1.0, 1.48, 1.96, 2.44])
    assert [one.end_s for one in seen] == pytest.approx([1.48, 1.96, 2.44, 2.92])
    shape = recogniser.spec.outputs[ENVELOPES]
    assert shape == seen[0].outputs[ENVELOPES].shape == (len(FADINGS), STEPS, len(BAND_HZ))


def test_after_a_gap_it_begins_anew() -> None:
    """Nothing held from before is joined to what follows."""
    recogniser = ToneEnvelopes()
    recogniser.feed(Block(0, np.ones(3000, np.float32), 0.0))
    assert recogniser.feed(Gap(3000, 7000, GapCause.OVERFLOW)) == []
    (one,) = recogniser.feed(Block(10_000, np.zeros(7680, np.float32), 0.0))
    assert (one.start_s, one.end_s) == pytest.approx((0.625, 1.105))
    assert one.outputs[ENVELOPES].max() == 0.0
    assert len(recogniser.fresh().feed(Block(0, np.zeros(7680, np.float32), 0.0))) == 1
