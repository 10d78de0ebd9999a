"""How levels, times and events look to a person."""

import pytest

from detector.cli.show import classes, event_line, level_bar, level_text, seconds
from detector.core.events import ClassScore, EventKind
from detector.core.level import FLOOR_DBFS
from tests.alerts.tools import DETECTION, offset, onset


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0:00.0"),
        (-1.0, "0:00.0"),
        (61.26, "1:01.3"),
        (599.94, "9:59.9"),
        (3599.99, "1:00:00.0"),
        (59.96, "1:00.0"),
        (3723.4, "1:02:03.4"),
        (90_000.0, "25:00:00.0"),
    ],
)
def test_times_are_minutes_and_seconds(value: float, shown: str) -> None:
    """With hours where there are some; sixty seconds are a minute."""
    assert seconds(value) == shown


def test_levels_are_told_in_decibels_and_digital_silence_as_such() -> None:
    """Silence is not full scale."""
    assert level_text(-42.04) == "−42.0 dBFS"
    assert level_text(0.0) == "0.0 dBFS"
    assert level_text(FLOOR_DBFS) == "digital silence"


@pytest.mark.parametrize(
    ("level_dbfs", "filled"), [(FLOOR_DBFS, 0), (-80.0, 0), (-40.0, 5), (0.0, 10), (3.0, 10)]
)
def test_a_level_bar_is_never_longer_than_its_width(level_dbfs: float, filled: int) -> None:
    """From the noise of a common microphone to full scale."""
    assert level_bar(level_dbfs, 10) == "█" * filled + "·" * (10 - filled)


def test_the_best_classes_come_with_their_scores() -> None:
    """As many as there is room for."""
    best = (ClassScore("Dog", 0.891), ClassScore("Bark", 0.414))
    assert classes(best) == "Dog 0.89, Bark 0.41"
    assert classes(best, 1) == "Dog 0.89"
    assert classes(()) == ""


def test_an_onset_shows_why_and_an_offset_how_long() -> None:
    """On the source's own time."""
    began, over = event_line(onset()), event_line(offset())
    assert began.split()[:5] == ["0:12.0", "baby_cry", "0.93", "≥", "0.40"]
    assert "[Baby cry, infant cry 0.91, Crying, sobbing 0.72, Babbling 0.20]" in began
    assert "uncalibrated" not in began
    assert DETECTION.calibrated
    assert " ".join(over.split()) == "0:20.2 baby_cry_ended after 8.2 s, peak 0.97 (data)"


def test_an_event_without_a_sound_is_its_type_and_reason() -> None:
    """As when somebody disarms it."""
    event = onset(None, kind=EventKind.DISARMED, detection=None, reason="by hand")
    assert event_line(event).split() == ["disarmed", "by", "hand"]
