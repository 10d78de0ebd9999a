"""A model of steps at the thresholds of its own file."""

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import Telling
from detector.workbench.dataset import LabelledSound
from detector.workbench.filetable import file_table, score_of
from detector.workbench.trials import Trial

HOP_S = 0.48
EVENTS = (LabelledSound(20.0, 22.0, "glass_breaking"), LabelledSound(60.0, 62.0, "glass_breaking"))


def trial(part: str = "scenes", events: tuple[LabelledSound, ...] = EVENTS) -> Trial:
    """An hour."""
    ends_s = np.asarray(0.96 + HOP_S * np.arange(int(3600.0 / HOP_S)), np.float64)
    return Trial(part, 0, 10.0 if events else None, events, (), {}, ends_s, 0.96)


def scores(one: Trial, high: dict[float, float]) -> NDArray[np.float64]:
    """Log-odds of -5, but at some times."""
    values = np.full(len(one.ends_s), -5.0)
    for at_s, value in high.items():
        values[np.searchsorted(one.ends_s, at_s)] = value
    return values


def test_a_threshold_is_taken_back_through_its_curve() -> None:
    """Probability 0.5 is where the curve is nought."""
    assert score_of(Telling(2.0, -3.0, 0.5, 0.3, HOP_S)) == 1.5


def test_found_and_false_are_counted_at_the_threshold_of_the_file() -> None:
    """One of two is found; one false alarm in the scene, and one in the evening."""
    scene, evening = trial(), trial("evenings", ())
    told = {
        "glass_breaking": [
            scores(scene, {21.0: 2.0, 61.0: 1.0, 600.0: 2.0, 900.0: 1.0}),
            scores(evening, {600.0: 1.6}),
        ]
    }
    tellings = {"glass_breaking": Telling(2.0, -3.0, 0.5, 0.3, HOP_S)}
    cells = [
        cell.strip()
        for cell in file_table([scene, evening], told, tellings, HOP_S).splitlines()[2].split("|")
    ]
    assert cells[1:4] == ["glass_breaking", "0.5", "– / 0.50 / –"]
    assert [cell.split(" ")[0] for cell in cells[4:7]] == ["0.50", "1.00", "1.00"]


def test_a_sound_that_nobody_heard_has_no_row() -> None:
    """It was learnt whole: nothing is known of it."""
    tellings = {"doorbell": Telling(1.0, 0.0, 0.5, 0.3, HOP_S)}
    assert "doorbell" not in file_table([trial()], {}, tellings, HOP_S)
