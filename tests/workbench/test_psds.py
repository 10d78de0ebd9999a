"""The field's own score, by its own library."""

import numpy as np
import pytest

from detector.workbench.dataset import LabelledSound
from detector.workbench.psds import SCENARIOS, Scenario, Traced, psds

EVENTS = (LabelledSound(2.0, 4.0, "dog_bark"), LabelledSound(10.0, 12.0, "cat_meow"))


SOUNDS = tuple(event.sound for event in EVENTS)


def traced(*, is_right: bool) -> Traced:
    """Ten minutes in which everything is known, or each sound is taken for the other."""
    starts_s = np.arange(0.0, 599.0, 0.48)
    ends_s = starts_s + 0.975
    middle_s = 0.5 * (starts_s + ends_s)
    scores = {
        sound: np.where((middle_s > event.onset_s) & (middle_s < event.offset_s), 0.9, 0.1)
        for sound, event in zip(SOUNDS if is_right else SOUNDS[::-1], EVENTS, strict=True)
    }
    return Traced(600.0, EVENTS, starts_s, ends_s, scores)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_who_knows_everything_has_all_of_it(scenario: Scenario) -> None:
    """And who confuses them much less; a sound that never occurs is left out."""
    pytest.importorskip("sed_scores_eval", reason="the extra `workbench` is not installed")
    sounds = (*SOUNDS, "siren")
    assert psds([traced(is_right=True)], sounds, scenario) == pytest.approx(1.0)
    assert psds([traced(is_right=False)], sounds, scenario) < 0.5
