"""What is told of a sound before it is switched on."""

from dataclasses import replace

import numpy as np
import pytest

from detector.learning.backgrounds import EVENING, none_for
from detector.learning.judging import alarms, learn, lowest_with
from tests.learning.tools import BANDS, SpectralRecogniser, cloud, heard, some_backgrounds

TAKES = [heard(5, seed) for seed in range(5)]


def test_a_sound_unlike_all_else_is_found_and_raises_nothing() -> None:
    """Each take by a classifier that has not learnt from it."""
    learnt = learn(TAKES, some_backgrounds(), {})
    verdict = learnt.verdict
    assert verdict.found == (True,) * 5
    assert verdict.versions_found == 1.0
    assert verdict.alarms == 0
    assert verdict.hours == pytest.approx(1600 * 0.48 / 3600)
    assert learnt.classifier(heard(5, 99).embeddings).min() > 0.0
    assert verdict.alarms_a_day.high == pytest.approx(24 * 3.689 / verdict.hours, rel=1e-3)


def test_of_takes_without_audio_nothing_is_said_of_other_rooms() -> None:
    """An event was heard once, as it was: there are no versions that could be found."""
    events = [replace(one, versions=np.zeros(len(one.embeddings), np.intp)) for one in TAKES]
    verdict = learn(events, some_backgrounds(), {}).verdict
    assert (verdict.recall.value, verdict.versions_found) == (1.0, None)


def test_a_sound_that_backgrounds_are_full_of_is_not_found() -> None:
    """And the kind that it is mistaken for is named first."""
    verdict = learn([heard(2, seed) for seed in range(4)], some_backgrounds(), {}).verdict
    assert verdict.recall.value < 0.5
    assert verdict.mistaken[0][0] == "kind_2"


def test_another_sound_of_ones_own_is_told_apart() -> None:
    """Where it differs; and where it does not, it is named."""
    other = {"my_other": [heard(6, seed) for seed in range(10, 15)]}
    learnt = learn(TAKES, some_backgrounds(), other)
    assert learnt.verdict.found == (True,) * 5
    assert learnt.classifier(heard(6, 99).embeddings).max() < 0.0
    same = {"my_other": [heard(5, seed) for seed in range(10, 15)]}
    verdict = learn(TAKES, some_backgrounds(), same).verdict
    assert verdict.rival == "my_other"
    assert verdict.recall.value < 0.5


def test_a_take_unlike_the_others_has_a_low_likeness() -> None:
    """By the cosine to the mean of the others."""
    verdict = learn([*TAKES, heard(9, 50)], some_backgrounds(), {}).verdict
    assert min(verdict.likeness[:5]) > 0.8
    assert verdict.likeness[5] < 0.3
    assert verdict.found == (True,) * 5 + (False,)


def test_evenings_of_ones_own_are_counted_by_themselves() -> None:
    """With their hours."""
    evening = cloud(1, 500, np.random.default_rng(8))
    backgrounds = some_backgrounds().with_evening([evening])
    assert backgrounds.kinds[-1] == EVENING
    verdict = learn(TAKES, backgrounds, {}).verdict
    assert verdict.evening_hours == pytest.approx(500 * 0.48 / 3600)
    assert verdict.evening_alarms == 0


def test_windows_near_one_another_are_one_alarm_and_recordings_part_them() -> None:
    """Five seconds at a hop of 0.48 s are ten windows."""
    backgrounds = some_backgrounds()  # recordings of 40 windows
    scores = np.zeros(1600, np.float32)
    scores[[5, 9, 19, 30, 39, 40, 41]] = 1.0
    assert alarms(scores, backgrounds, 0.5).tolist() == [5, 30, 40]


def test_the_lowest_threshold_within_the_budget_is_found() -> None:
    """And with no budget, one above everything that was reached."""
    backgrounds = some_backgrounds()
    scores = np.zeros(1600, np.float32)
    scores[[5, 200, 400]] = (3.0, 2.0, 1.0)
    assert lowest_with(scores, backgrounds, 2) == 2.0
    assert lowest_with(scores, backgrounds, 0) > 3.0


def test_one_evening_is_learnt_from_and_measured_on_in_turns() -> None:
    """Two minutes of it by what has learnt from the others; alone it would be all or nothing."""
    rng = np.random.default_rng(8)
    spec = SpectralRecogniser().spec
    backgrounds = none_for(spec, BANDS).with_evening([cloud(1, 1000, rng), cloud(2, 100, rng)])
    assert np.bincount(backgrounds.groups).tolist() == [250, 250, 250, 250, 100]
    assert np.bincount(backgrounds.recordings).tolist() == [1000, 100]
    learnt = learn(TAKES, backgrounds, {})
    assert np.isfinite(learnt.classifier.weights).all()
    assert learnt.verdict.recall.value == 1.0
