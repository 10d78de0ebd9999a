"""Probabilities against the truth, window by window."""

import numpy as np
import pytest

from detector.workbench.dataset import LabelledSound
from detector.workbench.windows import Windows, inside_s


def test_windows_are_chosen_by_what_is_said_and_never_by_what_is_true() -> None:
    """Else the silent ones that hold the sound would be counted without those that do not."""
    windows = Windows()
    said = np.array([0.9, 0.9, 0.01, 0.01, 0.01])
    inside = np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    windows.add(np.array([0.5, 0.0, 0.0, 0.0, 0.0]), said, inside, np.zeros(5, np.bool_))
    errors = windows.errors()
    assert errors is not None
    everywhere, evident = errors
    assert (everywhere.windows, everywhere.holding) == (5, 2)
    assert (evident.windows, evident.holding) == (2, 1)
    assert evident.after == pytest.approx(0.4)
    assert evident.before == pytest.approx(0.25)


def test_windows_of_which_the_truth_is_not_known_are_left_out() -> None:
    """Those half in a sound, and those in which it may be unlabelled."""
    windows = Windows()
    inside, unsure = np.array([1.0, 0.2, 0.0]), np.array([False, False, True])
    windows.add(np.ones(3), np.ones(3), inside, unsure)
    errors = windows.errors()
    assert errors is not None
    assert errors[0].windows == 1
    silent = Windows()
    silent.add(np.ones(1), np.ones(1), np.zeros(1), np.zeros(1, np.bool_))
    assert silent.errors() is None


def test_a_window_holds_as_much_as_lies_in_it() -> None:
    """Of the sound that is asked for."""
    events = [LabelledSound(1.5, 2.2, "dog_bark"), LabelledSound(0.0, 9.0, "siren")]
    held = inside_s(events, "dog_bark", np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert held.tolist() == pytest.approx([0.0, 0.5, 0.2])
