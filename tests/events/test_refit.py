"""A curve fitted near the one that was there before."""

import numpy as np
import pytest

from detector.events.refit import Line, balanced, logit, refit

RNG = np.random.default_rng(4)


def drawn(line: Line, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and truths that came about as the line says."""
    logits = RNG.uniform(-6.0, 6.0, count)
    return logits, RNG.random(count) < line(logits)


def test_much_evidence_brings_the_line_that_made_it() -> None:
    """Whatever was there before."""
    made = Line(0.6, -1.2)
    logits, truths = drawn(made, 40_000)
    found = refit(logits, truths, np.ones(len(logits)), before=Line(3.0, 4.0), worth=1.0)
    assert (found.slope, found.offset) == pytest.approx((0.6, -1.2), abs=0.05)


def test_little_evidence_leaves_it_nearly_as_it_was() -> None:
    """A handful of recordings cannot outweigh what rests on hundreds."""
    before = Line(1.0, -1.0)
    logits, truths = np.array([-1.0, 2.0]), np.array([True, False])
    found = refit(logits, truths, np.full(2, 0.5), before=before, worth=200.0)
    assert (found.slope, found.offset) == pytest.approx((1.0, -1.0), abs=0.05)


def test_more_evidence_goes_further_from_what_was_before() -> None:
    """Between the two extremes, in the right order."""
    made, before = Line(2.0, 2.0), Line(0.5, -2.0)
    logits, truths = drawn(made, 4_000)
    offsets = [
        refit(
            logits, truths, np.full(len(logits), total / len(logits)), before=before, worth=4.0
        ).offset
        for total in (1.0, 10.0, 1000.0)
    ]
    assert before.offset < offsets[0] < offsets[1] < offsets[2] < made.offset + 0.3


def test_truths_that_are_told_apart_wholly_do_not_run_away() -> None:
    """What was before keeps the slope finite."""
    logits = np.linspace(-3.0, 3.0, 20)
    found = refit(logits, logits > 0, np.ones(20), before=Line(), worth=4.0)
    assert 1.0 < found.slope < 20.0


def test_every_group_counts_once_and_both_sides_alike() -> None:
    """However long its recordings are."""
    truths = np.array([True] * 10 + [True] + [False] * 5)
    groups = np.array([0] * 10 + [1] + [2] * 5)
    weights = balanced(truths, groups)
    assert weights[:10].sum() == pytest.approx(weights[10])
    assert weights[truths].sum() == pytest.approx(weights[~truths].sum())
    assert weights.sum() == pytest.approx(2 * 2.0 / (1.0 / 2 + 1.0 / 1))


def test_a_logit_stays_finite_and_a_line_of_it_is_a_probability() -> None:
    """At 0 and 1 too."""
    logits = logit(np.array([0.0, 0.5, 1.0]), 1e-3)
    assert logits == pytest.approx([-6.9, 0.0, 6.9], abs=0.01)
    assert Line()(np.array([-1e6, 0.0, 1e6])) == pytest.approx([0.0, 0.5, 1.0])
