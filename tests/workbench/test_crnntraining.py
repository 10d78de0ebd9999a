"""Learning without the network itself, which ``python -m tests.training`` has."""

import numpy as np
import pytest

from detector.workbench.crnntraining import Epoch, _is_over, average_precision, windows_of


def test_average_precision_is_that_of_the_ranking() -> None:
    """By hand: right at ranks 1 and 3."""
    scores = np.array([0.9, 0.8, 0.7, 0.1], np.float32)
    truths = np.array([1, 0, 1, 0], np.int8)
    assert average_precision(scores, truths) == pytest.approx((1 + 2 / 3) / 2)


def test_windows_of_which_nobody_can_tell_count_for_nothing() -> None:
    """However high they score."""
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert average_precision(scores, np.array([-1, 1, 0], np.int8)) == 1.0
    assert np.isnan(average_precision(scores, np.array([-1, 0, 0], np.int8)))


def test_windows_are_the_largest_of_twelve_steps() -> None:
    """One that is unsure somewhere is true if it is true somewhere."""
    logits = np.arange(30, dtype=np.float32)[:, None]
    truths = np.zeros((30, 1), np.int8)
    truths[3], truths[4], truths[14] = 1, -1, -1
    told, true = windows_of(logits, truths)
    assert told[:, 0].tolist() == [11.0, 23.0, 29.0]
    assert true[:, 0].tolist() == [1, -1, 0]


def test_it_is_over_once_nothing_gets_better() -> None:
    """After so many epochs, and not before."""
    epochs = [Epoch(n, 9, 1.0, 0.5, n == 2, 1.0) for n in range(1, 6)]
    assert _is_over(epochs, 3)
    assert not _is_over(epochs[:4], 3)
    assert not _is_over(epochs[:1], 3)
