"""Counts of what was found, missed and falsely told."""

import math

import numpy as np
import pytest

from detector.workbench.dataset import LabelledSound
from detector.workbench.matching import LATE_S, Decision
from detector.workbench.soundscape import Scene
from detector.workbench.tally import Tally

SOUNDS = ("dog_bark", "cat_meow")


def scene(*events: LabelledSound, unsure: tuple[LabelledSound, ...] = ()) -> Scene:
    """A minute at 10 dB."""
    return Scene("a", np.zeros(960_000, np.float32), events, unsure, 10.0)


def test_runs_from_several_beginnings_are_averaged() -> None:
    """One of two that finds an event is half a hit."""
    tally = Tally()
    event = LabelledSound(10.0, 12.0, "dog_bark")
    runs = ([Decision("dog_bark", 11.0)], [Decision("cat_meow", 11.0)])
    tally.add("others", "scenes", scene(event), runs, SOUNDS)
    for snr_db in (10.0, None):
        dogs, everything = (tally.at("others", "scenes", s, snr_db) for s in ("dog_bark", "all"))
        assert (dogs.events, dogs.hits, dogs.false_alarms) == (1.0, 0.5, 0.0)
        assert (everything.hits, everything.false_alarms) == (0.5, 0.5)
    assert tally.at("others", "scenes", "cat_meow").false_alarms == 0.5
    assert tally.at("others", "scenes").hours == pytest.approx(1 / 60)


def test_time_in_which_a_sound_may_be_there_is_not_counted_for_it() -> None:
    """Else a rate would be too small."""
    tally = Tally()
    unsure = (LabelledSound(0.0, 30.0, "dog_bark"), LabelledSound(20.0, 57.0, "dog_bark"))
    tally.add("ours", "evenings", scene(unsure=unsure), [[]], SOUNDS)
    assert tally.at("ours", "evenings", "dog_bark").hours == pytest.approx(0.0)
    assert tally.at("ours", "evenings", "cat_meow").hours == pytest.approx(1 / 60)


def test_what_is_told_of_an_event_that_is_left_out_is_not_false() -> None:
    """Nor is it right: nobody can say which of two dogs was meant."""
    tally = Tally()
    barking, unsure = (LabelledSound(*span, "dog_bark") for span in ((10.0, 30.0), (0.0, 12.0)))
    told = [[Decision("dog_bark", 20.0), Decision("dog_bark", 50.0)]]
    tally.add("ours", "scenes", scene(barking, unsure=(unsure,)), told, SOUNDS)
    dogs = tally.at("ours", "scenes", "dog_bark")
    assert (dogs.events, dogs.hits, dogs.false_alarms) == (0.0, 0.0, 1.0)
    assert dogs.hours * 3600.0 == pytest.approx(60.0 - 30.0 - LATE_S)


def test_one_cause_that_is_told_of_two_sounds_is_one_false_alarm() -> None:
    """And none at all where it is right of one of them."""
    tally = Tally()
    wrong = [Decision(sound, 30.0, "people") for sound in SOUNDS]
    right = [Decision(sound, 11.0, "people 2") for sound in SOUNDS]
    event = LabelledSound(10.0, 12.0, "dog_bark")
    tally.add("groups", "scenes", scene(event), [[*wrong, *right]], SOUNDS)
    assert tally.at("groups", "scenes").false_alarms == 1.0
    assert tally.at("groups", "scenes", "cat_meow").false_alarms == 2.0
    assert tally.at("groups", "scenes", "dog_bark").false_alarms == 1.0


def test_audio_that_is_repeated_proves_no_more() -> None:
    """The interval rests on what is distinct, the rate does not change."""
    tally = Tally()
    for _ in range(120):
        tally.add("ours", "evenings", scene(), [[Decision("dog_bark", 1.0)]], SOUNDS)
    count = tally.at("ours", "evenings", "dog_bark")
    all_distinct, half = count.rate(), count.rate(1.0)
    assert half.value == pytest.approx(all_distinct.value) == pytest.approx(60.0)
    assert half.high - half.low > 1.3 * (all_distinct.high - all_distinct.low)
    assert math.isnan(tally.at("ours", "clips").rate().value)
