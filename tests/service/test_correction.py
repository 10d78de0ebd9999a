"""What becomes of a sound after people have said where it was right, wrong, or missed."""

from dataclasses import replace

import numpy as np
import pytest

from detector.core.events import Judgement
from detector.events.gate import GateSettings
from detector.service.correction import (
    MOST_UNPROVEN,
    Example,
    Setting,
    bounds_of,
    fit_veto,
    settle,
    tally,
    told_change,
)
from tests.service.wrongness import backgrounds, moment, said, towards

GATE = GateSettings(
    threshold=0.6,
    release_threshold=0.3,
    confirm_s=0.0,
    confirm_within_s=1.0,
    hold_s=5.0,
    refractory_s=0.0,
    max_duration_s=60.0,
)
ALLOWED = (0.05, 0.99)


def settled(*examples: Example, with_backgrounds: bool = False) -> Setting:
    """By these."""
    veto = fit_veto(examples, GATE, backgrounds() if with_backgrounds else None, "bell")
    return settle(examples, GATE, bounds=bounds_of(GATE.threshold, ALLOWED), veto=veto)


def test_what_was_wrong_stays_below_and_what_was_right_above() -> None:
    """Where a threshold can part them, a small step of it does."""
    examples = said("wrong", 0.65), said("wrong", 0.63), said("right", 0.9), said("right", 0.95)
    after = settled(*examples)
    assert 0.65 < after.threshold < 0.75
    before = Setting(GATE.threshold)
    assert told_change(tally(examples, GATE, before), tally(examples, GATE, after)) == (
        "wrong examples raised: 2 of 2 → 0 of 2; right examples told: 2 of 2 → 2 of 2"
    )


def test_what_was_missed_lowers_the_threshold_to_below_it() -> None:
    """As little as it takes."""
    assert 0.4 < settled(said("missed", 0.5)).threshold < 0.5


def test_the_threshold_goes_no_lower_than_half_and_no_higher_than_its_cap() -> None:
    """However often it is said."""
    low = settled(*[said("missed", 0.2)] * 20)
    high = settled(*[said("wrong", 0.97)] * 20)
    assert (low.threshold, high.threshold) == (0.6, 0.6)
    assert bounds_of(0.6, ALLOWED)[0] == 0.3
    assert bounds_of(0.6, ALLOWED)[1] == pytest.approx(0.71, abs=0.01)
    assert bounds_of(0.06, ALLOWED)[0] == 0.05


def test_one_word_moves_a_threshold_less_far_than_two() -> None:
    """What was shipped rests on more than one moment."""
    far = replace(GATE, threshold=0.3)
    bounds = (0.05, 0.99)
    once = settle([said("wrong", 0.8)], far, bounds=bounds, veto=None)
    twice = settle([said("wrong", 0.8)] * 2, far, bounds=bounds, veto=None)
    assert once.threshold == 0.3
    assert twice.threshold > 0.8


def test_what_was_right_weighs_as_much_as_what_was_wrong() -> None:
    """Where they cannot be parted, and nothing else is known, all stays as it was."""
    assert settled(said("wrong", 0.8), said("right", 0.7)).threshold == 0.6


def test_where_a_threshold_would_cost_much_what_is_like_it_is_passed_over() -> None:
    """And all the rest stays as it was."""
    examples = said("wrong", 0.95, of=3), said("right", 0.7, of=1)
    after = settled(*examples, with_backgrounds=True)
    assert after.threshold == 0.6
    assert after.veto is not None
    assert tally(examples, GATE, after).errors == 0
    assert after.veto.likeness(towards(3))[0] >= after.veto.at
    assert after.veto.likeness(towards(1))[0] < after.veto.at


def test_a_small_step_is_preferred_to_passing_over() -> None:
    """It is the simpler of two that do as well."""
    after = settled(said("wrong", 0.61, of=3), with_backgrounds=True)
    assert after.veto is None
    assert after.threshold > 0.61


def test_nothing_is_passed_over_that_cannot_be_told_from_what_was_right() -> None:
    """The same sound, once right and once wrong."""
    examples = [said("wrong", 0.95, of=3), said("right", 0.95, of=3)]
    assert fit_veto(examples, GATE, backgrounds(), "bell") is None


def test_what_backgrounds_hold_of_the_sound_itself_is_spared() -> None:
    """A moment that was wrong, and is as the sound is: passing it over would pass over that."""
    wrong = [said("wrong", 0.95, of=1)]
    assert fit_veto(wrong, GATE, backgrounds(), "bell") is not None
    assert fit_veto(wrong, GATE, backgrounds(own="bell"), "bell") is None


def test_what_is_rather_like_the_sound_is_passed_over_once_enough_was_right() -> None:
    """Only then is it known how far the sound itself reaches."""
    near = moment(0.95, embeddings=towards(1) + 0.4 * towards(3))
    wrong = [Example(Judgement.WRONG, "", "", near)]
    right = [said("right", 0.9, of=1)] * 3
    known = backgrounds(own="bell")
    assert fit_veto(wrong, GATE, known, "bell") is None
    assert fit_veto([*wrong, *right[:2]], GATE, known, "bell") is None
    veto = fit_veto([*wrong, *right], GATE, known, "bell")
    assert veto is not None
    assert veto.likeness(towards(1))[0] < veto.at


def test_a_moment_that_stays_told_costs_no_recall() -> None:
    """Its windows point this way and that: none of them is passed over for nothing."""
    split = np.concatenate([towards(5, 2), towards(6, 2), towards(7, 2)])
    stays = Example(Judgement.WRONG, "", "", moment(*[0.95] * 6, embeddings=split))
    goes = said("wrong", 0.95, of=3)
    assert fit_veto([stays], GATE, backgrounds(), "bell") is None
    veto = fit_veto([goes, stays], GATE, backgrounds(), "bell")
    assert veto is not None
    assert len(veto.directions) == 1
    assert veto.likeness(towards(3))[0] >= veto.at


def test_before_enough_was_right_only_the_latest_wrong_ones_are_passed_over() -> None:
    """Real ones called wrong by mistake cost others: how many, only what was right can show."""
    wrong = [said("wrong", 0.95, of=direction) for direction in range(2, 8)]
    veto = fit_veto(wrong, GATE, backgrounds(), "bell")
    assert veto is not None
    assert len(veto.directions) == MOST_UNPROVEN
    assert veto.likeness(towards(7))[0] >= veto.at > veto.likeness(towards(2))[0]
    proven = fit_veto([*wrong, *[said("right", 0.9, of=1)] * 3], GATE, backgrounds(), "bell")
    assert proven is not None
    assert len(proven.directions) == len(wrong)


def test_without_embeddings_or_backgrounds_only_the_threshold_moves() -> None:
    """Another model than the one that the backgrounds were heard by."""
    assert fit_veto([said("wrong", 0.95)], GATE, None, "bell") is None
    assert fit_veto([said("right", 0.95)], GATE, backgrounds(), "bell") is None
