"""A take at the microphone: caught from its first sound until it is quiet again."""

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ
from detector.learning.catching import Catcher, trace
from tests.learning.tools import quiet, recorded, tone


def test_a_sound_is_caught_with_a_little_before_it() -> None:
    """Once a second of quiet has followed it."""
    catcher = Catcher()
    catcher.hear(quiet(1.0, np.random.default_rng(0)))
    assert catcher.is_listening
    catcher.hear(recorded(tone(1000.0, 0.6), around_s=1.2))
    assert catcher.caught is not None
    assert 1.8 < len(catcher.caught) / SAMPLE_RATE_HZ < 2.3


def test_without_a_sound_it_gives_up() -> None:
    """After its patience."""
    catcher = Catcher(patience_s=2.0)
    catcher.hear(quiet(2.9, np.random.default_rng(0)))
    assert not catcher.gave_up
    catcher.hear(quiet(0.2, np.random.default_rng(1)))
    assert catcher.gave_up


def test_a_sound_that_does_not_end_is_cut() -> None:
    """A kettle goes on."""
    catcher = Catcher()
    catcher.hear(np.concatenate([quiet(1.0, np.random.default_rng(0)), tone(1000.0, 9.0)]))
    assert catcher.caught is not None
    assert len(catcher.caught) / SAMPLE_RATE_HZ < 7.0


def test_the_next_take_waits_until_it_is_as_quiet_as_before() -> None:
    """A kettle that was cut still whistles: that is neither the room's noise nor another take."""
    first = Catcher()
    first.hear(quiet(1.0, np.random.default_rng(0)))
    following = Catcher(quiet_dbfs=first.noise_dbfs)
    following.hear(tone(1000.0, 4.0))
    assert (following.is_listening, following.is_kept_waiting) == (False, True)
    following.hear(quiet(1.1, np.random.default_rng(1)))
    assert following.is_listening
    assert following.noise_dbfs < first.noise_dbfs + 1.0
    following.hear(recorded(tone(1000.0, 0.6), around_s=1.2))
    assert following.caught is not None
    assert len(following.caught) / SAMPLE_RATE_HZ < 2.3


def test_what_goes_on_is_the_room_after_a_while() -> None:
    """A fan was switched on: the takes go on in its noise."""
    catcher = Catcher(quiet_dbfs=-70.0)
    catcher.hear(quiet(9.9, np.random.default_rng(0), 0.02))
    assert not catcher.is_listening
    catcher.hear(quiet(0.2, np.random.default_rng(1), 0.02))
    assert catcher.is_listening


def test_what_lost_audio_parts_is_no_take() -> None:
    """The room's noise is still known: nobody is asked again."""
    catcher = Catcher()
    catcher.hear(quiet(1.0, np.random.default_rng(0)))
    catcher.hear(tone(1000.0, 0.3))
    catcher.interrupted()
    assert catcher.is_listening
    catcher.hear(quiet(1.5, np.random.default_rng(1)))
    assert catcher.caught is None


def test_the_trace_shows_where_it_was_loud() -> None:
    """In the middle, here."""
    shown = trace(recorded(tone(1000.0, 1.0)))
    assert len(shown) == 60
    assert shown[30] == "█"
    assert shown[0] == shown[-1] == "▁"
