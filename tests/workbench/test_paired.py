"""How far two recalls over the same events lie apart."""

import math

import numpy as np
import pytest

from detector.workbench.paired import by_groups, difference, newcombe


def pairs(both: int, ours: int, theirs: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Who found each event."""
    mine = np.repeat([1.0, 1.0, 0.0, 0.0], [both, ours, theirs, neither])
    other = np.repeat([1.0, 0.0, 1.0, 0.0], [both, ours, theirs, neither])
    return mine, other


def test_without_any_pair_that_differs_the_interval_is_not_nothing() -> None:
    """Ten events that both find do not prove that both find all."""
    interval = newcombe(*pairs(10, 0, 0, 0))
    assert interval.value == 0.0
    assert interval.low == pytest.approx(-0.2775, abs=1e-4)
    assert interval.high == pytest.approx(0.2775, abs=1e-4)


def test_the_interval_turns_with_its_sides() -> None:
    """Theirs less ours is ours less theirs with the sign changed."""
    mine, other = pairs(12, 9, 2, 7)
    there, back = newcombe(mine, other), newcombe(other, mine)
    assert (there.value, there.low, there.high) == pytest.approx(
        (-back.value, -back.high, -back.low)
    )
    assert there.value == pytest.approx(7 / 30)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 400 drawn samples of 40 pairs, the true difference of 0.2 lies in 19 of 20."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        counts = rng.multinomial(40, [0.4, 0.3, 0.1, 0.2])
        interval = newcombe(*pairs(*counts))
        covered += interval.low <= 0.2 <= interval.high
    assert 0.92 <= covered / 400 <= 0.995


def test_events_of_one_group_prove_less_than_those_of_many() -> None:
    """Five dogs barking six times each, of which ours hears three always."""
    apart = np.repeat([1.0, 1.0, 1.0, 0.0, 0.0], 6)
    alike = by_groups(apart, [f"dog {n // 6}" for n in range(30)])
    alone = by_groups(apart, [f"dog {n}" for n in range(30)])
    assert alike.value == alone.value == pytest.approx(0.6)
    assert alike.high - alike.low > 1.5 * (alone.high - alone.low)
    widest = difference(apart, np.zeros(30), [f"dog {n // 6}" for n in range(30)])
    assert widest.low <= alike.low
    assert widest.high >= alike.high


def test_without_events_nothing_is_told() -> None:
    """The interval is everything."""
    interval = difference(np.zeros(0), np.zeros(0), [])
    assert math.isnan(interval.value)
    assert (interval.low, interval.high) == (-1.0, 1.0)
