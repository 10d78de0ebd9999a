"""The classifier, and the sphere that it stands on."""

import numpy as np

from detector.learning.classifier import fit, sphere_of
from tests.learning.tools import BANDS, cloud

RNG = np.random.default_rng(3)
POSITIVES, NEGATIVES = cloud(5, 30, RNG), np.concatenate([cloud(n, 200, RNG) for n in range(4)])


def ones(count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """All alike."""
    return np.ones(count, np.float32)


def test_what_stands_out_is_told_from_the_rest() -> None:
    """Also what was not learnt from."""
    found = fit(
        sphere_of(NEGATIVES), POSITIVES, NEGATIVES,
        positive_weights=ones(30), negative_weights=ones(800),
    )  # fmt: skip
    fresh = np.random.default_rng(4)
    assert found(cloud(5, 50, fresh)).min() > found(cloud(2, 50, fresh)).max()


def test_a_threshold_becomes_zero_and_the_slope_is_taken() -> None:
    """So that a probability of 0.5 is the threshold."""
    found = fit(
        sphere_of(NEGATIVES), POSITIVES, NEGATIVES,
        positive_weights=ones(30), negative_weights=ones(800),
    )  # fmt: skip
    moved = found.moved(1.5, 2.0)
    assert np.allclose(moved(POSITIVES), 2.0 * (found(POSITIVES) - 1.5), atol=1e-4)


def test_on_the_sphere_only_the_direction_counts() -> None:
    """Not how far from the usual; and the centre itself is no division by zero."""
    sphere = sphere_of(NEGATIVES)
    apart = POSITIVES[0] - sphere.centre
    assert np.allclose(sphere(sphere.centre + apart), sphere(sphere.centre + 3 * apart), atol=1e-5)
    assert np.array_equal(sphere(sphere.centre), np.zeros(BANDS, np.float32))
    assert np.isclose(np.linalg.norm(sphere(POSITIVES[0])), 1.0)
