"""Ours against others at equal false alarms."""

import numpy as np
import pytest

from detector.workbench.alarms import SYNTHETIC_GROUP
from detector.workbench.contest import Contest, Record, at_equal, the_other_way, together
from detector.workbench.dataset import LabelledSound
from detector.workbench.matching import LATE_S, Decision
from detector.workbench.soundscape import Scene

DOG = LabelledSound(10.0, 12.0, "dog_bark")
RIGHT, WRONG = Decision("dog_bark", 11.0), Decision("dog_bark", 40.0)


def scene(group: str = "rex", name: str = "a") -> Scene:
    """A minute in which a dog barks."""
    return Scene(name, np.zeros(960_000, np.float32), (DOG,), (), 10.0, event_groups=(group,))


def contest() -> Contest:
    """Ours finds the dog at the price of a false alarm; another at none, in one of two runs."""
    made = Contest()
    made.add(
        "dog_bark",
        scene(),
        {
            "ours": [[[RIGHT, WRONG]]],
            "our ladder": [[[]], [[RIGHT, WRONG]]],
            "other": [[[RIGHT], []]],
            "other ladder": [[[RIGHT], []], [[RIGHT, WRONG], [RIGHT]]],
        },
    )
    return made


def test_with_no_false_alarm_of_theirs_ours_has_none_either() -> None:
    """Though it would find more with one."""
    duel = at_equal(contest(), "our ladder", "other")
    assert (duel.theirs.recall, duel.theirs.false_alarms) == (0.5, 0.0)
    assert (duel.ours.recall, duel.ours.false_alarms) == (0.0, 0.0)
    assert duel.difference.value == pytest.approx(-0.5)
    assert duel.hours == pytest.approx(1 / 60)


def test_the_other_way_round_theirs_is_chosen() -> None:
    """Theirs may tell as much falsely as ours does, and need not."""
    duel = the_other_way(contest(), "ours", "other ladder")
    assert (duel.ours.recall, duel.ours.false_alarms) == (1.0, 1.0)
    assert (duel.theirs.recall, duel.theirs.false_alarms) == (1.0, 0.5)
    assert duel.verdict == "="


def test_the_best_rung_lies_before_the_first_that_is_too_loud() -> None:
    """Beyond it, fewer false alarms are those of a gate that never closes."""
    found = [np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])]
    record = Record(found, np.array([0.0, 1.0, 3.0, 1.0]))
    assert record.best_rung(0.0) == 0
    assert record.best_rung(1.0) == 1
    assert record.best_rung(5.0) == 3
    loud = Record(found, np.array([2.0, 2.0, 3.0, 4.0]))
    assert loud.best_rung(1.0) is None
    assert loud.at(None).recall == 0.0
    assert loud.at(None).false_alarms == 0.0


def test_what_code_has_made_is_never_of_one_group() -> None:
    """Two alarms are two."""
    made = Contest()
    for name in ("a", "b"):
        made.add("dog_bark", scene(SYNTHETIC_GROUP, name), {"ours": [[[]]]})
    made.add("dog_bark", scene("rex", "c"), {"ours": [[[]]]})
    made.add("dog_bark", scene("rex", "d"), {"ours": [[[]]]})
    assert len(set(made.groups)) == 3


def test_all_together_adds_up_events_and_false_alarms() -> None:
    """Of every sound in its own setting."""
    both = [contest(), contest()]
    duel = together(both, [the_other_way(one, "ours", "other ladder") for one in both])
    assert (len(duel.ours.found), duel.ours.false_alarms, duel.theirs.false_alarms) == (2, 2.0, 1.0)


def test_what_is_told_of_an_event_that_is_left_out_is_not_false() -> None:
    """Another dog may be heard when it begins, so it cannot be told; but it barks all the same."""
    made, barking = Contest(), LabelledSound(10.0, 30.0, "dog_bark")
    unsure = (LabelledSound(0.0, 12.0, "dog_bark"),)
    around = Scene("a", np.zeros(960_000, np.float32), (barking,), unsure, 10.0)
    made.add("dog_bark", around, {"ours": [[[Decision("dog_bark", 20.0), WRONG]]]})
    standing = made.records["ours"].at(0)
    assert (len(standing.found), standing.false_alarms) == (0, 1.0)
    assert made.hours * 3600.0 == pytest.approx(60.0 - 30.0 - LATE_S)
