"""Pooling, calibration and what a person reads of a sound."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.core.recognition import LEVEL, SCORES, Observation
from detector.events.calibration import Calibration, Identity, Platt, Stretched
from detector.events.gate import Gate, GateSettings
from detector.events.scorers import POOLINGS, Family, Strongest, best_classes
from detector.events.sounds import SoundDetector


def observation(*scores: float, end_s: float = 0.975) -> Observation:
    """A window with these class scores."""
    outputs = {
        SCORES: np.array(scores, np.float32),
        LEVEL: np.array(-30.0, np.float32),
    }
    return Observation(end_s - 0.975, end_s, outputs)


def columns(*indices: int) -> NDArray[np.intp]:
    """Indices of a family."""
    return np.array(indices, np.intp)


@pytest.mark.parametrize(("pooling", "expected"), [("max", 0.5), ("mean", 0.4), ("noisy_or", 0.65)])
def test_pooling_takes_the_family_only(pooling: str, expected: float) -> None:
    """The class beside the family has no say."""
    family = Family(columns(0, 2), POOLINGS[pooling], Identity())
    assert family([[observation(0.5, 0.99, 0.3)]]) == pytest.approx(expected)


def test_the_newest_window_counts() -> None:
    """A family looks at one window."""
    family = Family(columns(0), POOLINGS["max"], Identity())
    assert family([[observation(0.9), observation(0.1)]]) == pytest.approx(0.1)


def test_identity_says_that_it_is_no_calibration() -> None:
    """And passes the score on."""
    assert Identity()(0.42) == 0.42
    assert not Identity().calibrated


def test_platt_is_the_logistic_curve_of_the_logit() -> None:
    """Slope 1 and offset 0 give the score back; an offset moves the odds."""
    assert Platt(slope=1.0, offset=0.0)(0.3) == pytest.approx(0.3)
    doubled_odds = Platt(slope=1.0, offset=math.log(2.0))(0.5)
    assert doubled_odds == pytest.approx(2.0 / 3.0)


@pytest.mark.parametrize("calibration", [Identity(), Platt(2.0, -1.0), Platt(50.0, 90.0)])
def test_a_calibration_never_falls_and_stays_a_probability(calibration: Calibration) -> None:
    """At both ends too, where a logit has no value."""
    results = [calibration(score) for score in np.linspace(0.0, 1.0, 257)]
    assert results == sorted(results)
    assert results[0] >= 0.0
    assert results[-1] <= 1.0


def test_of_several_roads_the_strongest_counts_and_one_uncalibrated_taints_all() -> None:
    """A fusion is calibrated only as a whole."""
    weak = Family(columns(0), POOLINGS["max"], Platt(1.0, 0.0))
    strong = Family(columns(1), POOLINGS["max"], Identity())
    fusion = Strongest((weak, strong))
    assert fusion([[observation(0.2, 0.7)]]) == pytest.approx(0.7)
    assert not fusion.calibrated


def test_best_classes_come_best_first() -> None:
    """With their names and scores."""
    best = best_classes(np.array([0.1, 0.9, 0.5], np.float32), ("a", "b", "c"), 2)
    assert [(one.name, round(one.score, 2)) for one in best] == [("b", 0.9), ("c", 0.5)]


def test_a_reading_tells_why() -> None:
    """Below the threshold, while it is being confirmed, and while it is on."""
    gate = Gate(
        GateSettings(
            threshold=0.5,
            release_threshold=0.3,
            confirm_s=1.4,
            confirm_within_s=3.0,
            hold_s=1.0,
            refractory_s=0.0,
            max_duration_s=60.0,
        )
    )
    family = Family(columns(0), POOLINGS["max"], Identity())
    sound = SoundDetector("baby_cry", scorer=family, gate=gate)
    sound.step([[observation(0.41)]])
    assert sound.reading().why == "0.41 < 0.50"
    sound.step([[observation(0.6, end_s=1.455)]])
    assert sound.reading().why == "0.60 ≥ 0.50, 1.0 s of 1.4 s heard"
    sound.step([[observation(0.6, end_s=1.935)]])
    assert sound.reading().why == "on for 0.7 s; 0.60 ≥ release 0.30"


def test_a_stretched_score_meets_the_thresholds_where_a_score_usually_does() -> None:
    """0.5 and 0.3 fall on those in force; in between and beyond it goes straight on."""
    stretched = Stretched(threshold=0.9, release_threshold=0.6)
    found = [stretched(score) for score in (0.0, 0.15, 0.3, 0.4, 0.5, 0.75, 1.0)]
    assert found == pytest.approx([0.0, 0.3, 0.6, 0.75, 0.9, 0.95, 1.0])
    assert not stretched.calibrated


def test_a_stretch_onto_the_usual_thresholds_changes_nothing() -> None:
    """Whatever the score."""
    stretched = Stretched(threshold=0.5, release_threshold=0.3)
    for score in np.linspace(0.0, 1.0, 33):
        assert stretched(float(score)) == pytest.approx(score)
