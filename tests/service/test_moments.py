"""Moments: what is remembered of the sounds' evidence, and at which threshold it is told."""

import numpy as np
import pytest

from detector.core.audio import Gap, GapCause
from detector.core.errors import ControlError
from detector.events.gate import GateSettings
from detector.service.build import build_pipeline, gate_settings
from detector.service.moments import MOST_EVENTS, MOST_WINDOWS, Moment
from tests.clocks import HandClock
from tests.service.bench import LABELS, YAML, bark, configured
from tests.service.fakes import ToldRecogniser, second
from tests.service.wrongness import moment

TWICE = GateSettings(
    threshold=0.5,
    release_threshold=0.3,
    confirm_s=1.4,
    confirm_within_s=3.0,
    hold_s=5.0,
    refractory_s=0.0,
    max_duration_s=60.0,
)


def test_a_moment_is_told_up_to_the_level_that_its_gate_lets_through() -> None:
    """Two windows are asked for: the second best counts, if it is near enough."""
    assert moment(0.1, 0.9, 0.7, 0.2).level(TWICE) == 0.7
    assert moment(0.9, *[0.1] * 8, 0.7).level(TWICE) == pytest.approx(0.1)


def test_a_moment_of_silence_is_told_at_no_threshold() -> None:
    """Nor is one of which nothing is known."""
    assert moment(0.0, 0.0).level(TWICE) == 0.0
    nothing = np.zeros(0)
    assert Moment(nothing, nothing, nothing, np.zeros((0, 0), np.float16)).level(TWICE) == 0.0


def test_an_event_is_remembered_with_what_it_rests_on() -> None:
    """And with what follows it, as far as there is."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    told = [one for i, p in enumerate((0.1, 0.8, 0.7, 0.1)) for one in line.feed(bark(i, p))]
    found, sound, kept = line.moments.of_event(None, None)
    assert (found, sound) == (told[0].id, "dog_bark")
    assert [round(one, 2) for one in kept.probabilities] == [0.1, 0.8, 0.7, 0.1]
    assert kept.level(gate_settings(configured().sounds["dog_bark"])) == pytest.approx(0.8)


def test_an_event_outlives_the_windows_that_it_rests_on() -> None:
    """Somebody comes home an hour later."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    told = line.feed(bark(0, 0.9))
    line.feed(Gap(16_000, 3_600 * 16_000, GapCause.SOURCE_LOST))
    line.feed(bark(3_601, 0.0))
    _, _, kept = line.moments.of_event(told[0].id, "dog_bark")
    assert kept.probabilities.max() == pytest.approx(0.9)


def test_only_so_many_events_are_remembered() -> None:
    """The oldest goes first, and who asks for it is told so."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    scores = [score for _ in range(MOST_EVENTS + 1) for score in (0.9, 0.0, 0.0, 0.0)]
    told = [one for i, p in enumerate(scores) for one in line.feed(bark(i, p))]
    assert line.moments.ids("dog_bark") == [one.id for one in told[2::2]]
    with pytest.raises(
        ControlError, match="is not remembered: the latest events of each sound are"
    ):
        line.moments.of_event(told[0].id, None)


def test_what_was_not_told_cannot_be_right_or_wrong() -> None:
    """With the sound, if one was named; nor can another sound's event."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    with pytest.raises(ControlError, match=r"^nothing was told since the last start or reload"):
        line.moments.of_event(None, None)
    told = line.feed(bark(0, 0.9))
    with pytest.raises(ControlError, match=r"^no baby_cry was told"):
        line.moments.of_event(None, "baby_cry")
    with pytest.raises(ControlError, match="is an event of dog_bark, not of baby_cry"):
        line.moments.of_event(told[0].id, "baby_cry")


def test_what_was_missed_is_looked_for_where_it_came_nearest_in_the_last_minute() -> None:
    """An earlier and better moment was another one's."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    scores = [0.45] + [0.1] * 30 + [0.4] + [0.1] * 40
    for index, score in enumerate(scores):
        line.feed(bark(index, score))
    kept = line.moments.missed("dog_bark", TWICE)
    assert kept.probabilities.max() == pytest.approx(0.4)
    assert len(kept.probabilities) <= MOST_WINDOWS
    assert kept.starts_s[0] <= 31.0 < kept.ends_s[-1]


def test_before_anything_was_heard_nothing_was_missed() -> None:
    """No invented moment."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    with pytest.raises(ControlError, match="nothing was heard yet that could have been dog_bark"):
        line.moments.missed("dog_bark", TWICE)
    line.feed(second(0, 0.0, 0.2))
    assert line.moments.missed("dog_bark", TWICE).probabilities.tolist() == pytest.approx([0.2])


def test_a_sound_that_is_told_often_leaves_others_their_events() -> None:
    """A cry at noon is remembered after an afternoon of barks."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    cry = line.feed(second(0, 0.0, 0.0, 0.9))[0]
    for index in range(1, 8 * MOST_EVENTS):
        line.feed(bark(index, 0.9 if index % 4 == 0 else 0.0))
    assert line.moments.of_event(None, "baby_cry")[0] == cry.id
    assert len(line.moments.ids("dog_bark")) == MOST_EVENTS - 1


def test_a_moment_is_as_long_as_its_gate_takes() -> None:
    """A snore that is told after a quarter of a minute: at its threshold, its moment is told."""
    slow = "confirm_seconds: 3\n    confirm_within_seconds: 15\n    hold_seconds: 2"
    config = configured(YAML.replace("confirm_seconds: 0\n    hold_seconds: 2", slow))
    line = build_pipeline(config, [ToldRecogniser(LABELS)], clock=HandClock())
    gate = gate_settings(config.sounds["dog_bark"])
    for index in range(14):
        line.feed(bark(index, 0.9 if index in (0, 6, 12) else 0.0))
    assert line.moments.of_event(None, "dog_bark")[2].level(gate) == pytest.approx(0.9)
    for index in range(14, 60):
        line.feed(bark(index, 0.4 if index in (40, 46, 52) else 0.0))
    missed = line.moments.missed("dog_bark", gate)
    assert missed.level(gate) == pytest.approx(0.4)


def test_while_a_sound_is_told_it_is_not_missed() -> None:
    """Neither in an event that goes on, nor in one that has ended."""
    line = build_pipeline(configured(), [ToldRecogniser(LABELS)], clock=HandClock())
    for index in range(70):
        line.feed(bark(index, 0.9))
    with pytest.raises(ControlError, match="dog_bark was told all through the last minute"):
        line.moments.missed("dog_bark", TWICE)
