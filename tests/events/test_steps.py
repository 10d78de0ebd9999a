"""Where a sound began that a model tells step by step."""

import numpy as np
import pytest

from detector.core.recognition import SCORES, STEPS, Observation
from detector.events.calibration import Identity
from detector.events.scorers import POOLINGS
from detector.events.steps import SteppedFamily, first_step

LOUD, QUIET = 0.9, 0.05


def steps(pattern: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """``..##`` as steps."""
    return np.array([LOUD if one == "#" else QUIET for one in pattern], np.float32)


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("....########", 4),
        ("############", 0),
        ("....#.......", 4),
        ("..##..##....", 2),
        ("#.....##....", 6),
        ("..#...##....", 6),
        ("...........#", 11),
    ],
)
def test_it_begins_where_the_steps_hang_together(pattern: str, first: int) -> None:
    """A short pause is within the sound, a longer one lies before it."""
    told = steps(pattern)
    told[pattern.rindex("#")] += 0.01  # the loudest is the last
    assert first_step(told) == first


def test_a_family_tells_when_it_began() -> None:
    """Of its own classes alone, on the source's clock; the probability is that of its scores."""
    told = np.stack([steps("........####"), steps("##..........")], axis=1)
    window = Observation(4.8, 6.1, {SCORES: told.max(axis=0), STEPS: told})
    family = SteppedFamily(np.array([0], np.intp), POOLINGS["max"], Identity())
    assert family([[window]]) == pytest.approx(LOUD)
    assert family.began_s([[window]]) == pytest.approx(4.8 + 8 * 0.08)
