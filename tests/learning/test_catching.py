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


def test_the_trace_shows_where_it_was_loud() -> None:
    """In the middle, here."""
    shown = trace(recorded(tone(1000.0, 1.0)))
    assert len(shown) == 60
    assert shown[30] == "█"
    assert shown[0] == shown[-1] == "▁"
