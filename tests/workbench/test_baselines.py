"""What others decide by, on scores that are made up."""

from collections.abc import Sequence

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from detector.workbench.baselines import CLASSES, FAMILIES, baselines, eager
from detector.workbench.grid import EAGER_SAMPLES, QUARTER_SAMPLES, Grid, score_grid
from detector.workbench.matching import Decision
from detector.workbench.observe import Cache

CRY, SPEECH = 20, 0
WINDOW_S = 0.975


def grid(windows: dict[int, dict[int, float]], count: int, level: float = 1000.0) -> Grid:
    """Windows without overlap, in which classes have scores; the quarters between hold the same."""
    scores = np.zeros((4 * count, CLASSES), np.float32)
    for window, classes in windows.items():
        for index, score in classes.items():
            scores[4 * window : 4 * window + 4, index] = score
    return Grid(QUARTER_SAMPLES, scores, np.full(4 * count, level))


def first_run(name: str, heard: Grid, sounds: Sequence[str] = ("baby_cry",)) -> list[Decision]:
    """From the first beginning."""
    (baseline,) = (one for one in baselines() if one.name == name)
    return list(baseline.decide(heard, sounds)[0])


@pytest.mark.parametrize(
    ("name", "score", "level", "told"),
    [
        ("Frigate 0.18, as shipped", 0.8125, 500.0, 1),
        ("Frigate 0.18, as shipped", 0.75, 500.0, 0),  # its threshold is 0.8
        ("Frigate 0.18, as shipped", 0.875, 499.0, 0),  # and its gate 500
        ("Frigate 0.18, tuned to its floor", 0.5625, 200.0, 1),
        ("Frigate 0.18, tuned to its floor", 0.5, 200.0, 0),  # more than 0.5, not 0.5
    ],
)
def test_frigate_asks_for_a_score_and_a_level(
    name: str, score: float, level: float, told: int
) -> None:
    """Told at the end of the window."""
    decisions = first_run(name, grid({2: {CRY: score}}, 5, level))
    assert [round(one.told_s, 3) for one in decisions] == [round(3 * WINDOW_S, 3)] * told


def test_frigate_is_on_until_half_a_minute_after_the_last_window() -> None:
    """What comes within it is no new event."""
    name = "Frigate 0.18, as shipped"
    near, far = ({0: {CRY: 0.9}, later: {CRY: 0.9}} for later in (30, 32))
    assert len(first_run(name, grid(near, 40))) == 1
    assert len(first_run(name, grid(far, 40))) == 2


def test_frigate_looks_at_the_twenty_best_classes_only() -> None:
    """A cry under twenty louder classes is not seen."""
    loud = dict.fromkeys(range(100, 120), 0.95)
    assert first_run("Frigate 0.18, as shipped", grid({0: {**loud, CRY: 0.9}}, 2)) == []
    del loud[100]
    assert len(first_run("Frigate 0.18, as shipped", grid({0: {**loud, CRY: 0.9}}, 2))) == 1


@pytest.mark.parametrize(
    ("hits", "starts"), [((3, 4), [4]), ((3, 7), [7]), ((3, 8), []), ((3,), [])]
)
def test_yamcam_starts_with_two_windows_of_five(hits: tuple[int, ...], starts: list[int]) -> None:
    """As its simulation in the description says."""
    decisions = first_run("YamCam3, regrouped", grid({hit: {CRY: 0.9} for hit in hits}, 12))
    assert [round(one.told_s / WINDOW_S) - 1 for one in decisions] == starts


def test_yamcam_goes_on_as_long_as_two_of_five_or_ten_windows_are_heard() -> None:
    """Hits at 3 and 4 end at 17: one pair at 16 is the same event, at 18 another."""
    name = "YamCam3, regrouped"
    same, another = ({hit: {CRY: 0.9} for hit in (3, 4, 16 + d, 17 + d)} for d in (0, 2))
    assert len(first_run(name, grid(same, 25))) == 1
    assert len(first_run(name, grid(another, 25))) == 2


def test_yamcam_helps_a_group_along_by_its_other_classes() -> None:
    """Two of 0.3 make 0.5, one alone does not."""
    name = "YamCam3, regrouped"
    both, one = ({w: dict.fromkeys(of, 0.3125) for w in (0, 1)} for of in ((19, 20), (20,)))
    assert len(first_run(name, grid(both, 4))) == 1
    assert first_run(name, grid(one, 4)) == []


def test_yamcam_as_shipped_tells_groups() -> None:
    """Speech starts ``people``, which is all that a person who waits for a cry is told."""
    heard = grid({0: {SPEECH: 0.9}, 1: {SPEECH: 0.9}}, 4)
    decisions = first_run("YamCam3, as shipped", heard, ("baby_cry", "speech", "dog_bark"))
    assert {one.sound for one in decisions} == {"baby_cry", "speech"}
    assert len({one.cause for one in decisions}) == 1


def test_the_plain_loop_tells_each_rise() -> None:
    """Two windows in a row are one."""
    heard = grid({1: {CRY: 0.5}, 2: {CRY: 0.9}, 5: {CRY: 0.5}}, 8)
    assert len(first_run("half overlap, 0.5", heard)) == 2


def test_the_eager_loop_rests_for_five_seconds() -> None:
    """At 0.3."""
    scores = np.zeros((200, CLASSES), np.float32)
    scores[[0, 50, 90], CRY] = 0.3125
    heard = Grid(EAGER_SAMPLES, scores, np.full(200, 1000.0))
    told = [one.told_s for one in eager(heard, ["baby_cry"])]
    assert told == pytest.approx([WINDOW_S, WINDOW_S + 90 * EAGER_SAMPLES / SAMPLE_RATE_HZ])


def test_the_grid_scores_what_a_16_bit_microphone_hears() -> None:
    """On whole windows; the rest is dropped; levels are in its units."""
    heard: list[np.ndarray] = []

    def score(window: np.ndarray) -> np.ndarray:
        heard.append(window)
        return np.zeros(CLASSES, np.float32)

    samples = np.full(40_000, 0.1, np.float32)
    made = score_grid(samples, score, 15_600, cache=Cache(None), model="m")
    assert made.scores.shape == (2, CLASSES)
    assert made.level == pytest.approx([3276.8, 3276.8])
    assert set(np.unique(heard[0] * 32_768)) == {3277.0}


def test_every_family_is_of_classes_that_there_are() -> None:
    """Of YAMNet's 521."""
    assert all(0 <= index < CLASSES for family in FAMILIES.values() for index in family)
