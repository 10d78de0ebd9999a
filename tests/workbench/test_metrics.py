"""Figures with their intervals, held against published ones."""

import math

import numpy as np
import pytest

from detector.workbench.metrics import (
    calibration_error,
    gamma_quantile,
    percentile,
    rate_interval,
    recall_interval,
    reliability,
    zero_bound,
)


@pytest.mark.parametrize(
    ("hits", "events", "low", "high"),
    [(0, 10, 0.0, 0.2775), (9, 10, 0.5958, 0.9821), (81, 263, 0.2553, 0.3662)],
)
def test_a_share_has_wilsons_interval(hits: int, events: int, low: float, high: float) -> None:
    """The last is R. G. Newcombe's example (1998)."""
    interval = recall_interval(hits, events)
    assert interval.value == hits / events
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)]
)
def test_a_rate_has_the_exact_interval_of_poisson(count: int, low: float, high: float) -> None:
    """As in F. Garwood's table (1936)."""
    interval = rate_interval(count, 1.0)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)
    twice = rate_interval(count, 2.0)
    assert (twice.value, twice.high) == pytest.approx((count / 2, high / 2), abs=1e-4)


def test_nothing_measured_says_nothing() -> None:
    """The interval is everything."""
    assert math.isnan(recall_interval(0, 0).value)
    assert (rate_interval(0, 0.0).low, rate_interval(0, 0.0).high) == (0.0, math.inf)
    assert zero_bound(0.0) == math.inf
    assert math.isnan(percentile([], 50))


def test_no_false_alarm_bounds_the_rate_by_three_over_the_hours() -> None:
    """The rule of three."""
    assert zero_bound(1.5) == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("shape", [0.5, 1.0, 7.3, 150.0])
def test_the_gamma_quantile_has_its_share_below(shape: float) -> None:
    """By counting draws."""
    draws = np.random.default_rng(1).gamma(shape, size=40_000)
    assert np.mean(draws < gamma_quantile(0.9, shape)) == pytest.approx(0.9, abs=0.01)


def test_what_is_right_as_often_as_it_says_has_no_calibration_error() -> None:
    """And what is always wrong has all of it."""
    said = np.array([0.25] * 4 + [0.75] * 4)
    right = np.array([True, False, False, False, True, True, True, False])
    assert calibration_error(said, right) == pytest.approx(0.0)
    assert calibration_error(np.ones(5), np.zeros(5, np.bool_)) == pytest.approx(1.0)


def test_the_reliability_has_a_point_for_each_bin_that_holds_something() -> None:
    """With its mean, its share and its count."""
    found = reliability(np.array([0.1, 0.1, 0.95]), np.array([False, True, True]), bins=10)
    assert found.said.tolist() == pytest.approx([0.1, 0.95])
    assert found.right.tolist() == [0.5, 1.0]
    assert found.count.tolist() == [2.0, 1.0]
