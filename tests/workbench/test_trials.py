"""What a threshold would do on scenes, and how one is chosen."""

from dataclasses import replace

import numpy as np
import pytest

from detector.config.sounds import shipped_sounds
from detector.core.events import Phase
from detector.core.recognition import EMBEDDING, LOGITS
from detector.events.gate import Gate
from detector.workbench.dataset import LabelledSound
from detector.workbench.settling import Budget, Road, settle
from detector.workbench.thresholds import gate_settings
from detector.workbench.trials import Outcome, Trial, gate_levels, outcome

HOP_S, WINDOW_S = 0.48, 0.975
AT_ONCE = shipped_sounds()["glass_breaking"]


def trial(
    events: tuple[LabelledSound, ...] = (), part: str = "scenes", windows: int = 200
) -> Trial:
    """A scene of which nothing is known but what is in it."""
    ends_s = np.asarray(WINDOW_S + HOP_S * np.arange(windows), np.float64)
    outputs = {name: np.zeros((windows, 1), np.float16) for name in (LOGITS, EMBEDDING)}
    return Trial(part, 0, 10.0, events, (), outputs, ends_s, WINDOW_S)


@pytest.mark.parametrize("sound", ["glass_breaking", "baby_cry", "siren"])
def test_a_level_is_the_highest_threshold_at_which_the_gate_opens(sound: str) -> None:
    """Held against the gate itself, on chance."""
    config = shipped_sounds()[sound]
    values = np.random.default_rng(5).random(120)
    levels = gate_levels(values, config, hop_s=HOP_S, window_s=WINDOW_S)
    for threshold in (0.3, 0.6, 0.8, 0.95):
        gate, opened = Gate(gate_settings(config, threshold)), None
        for place, value in enumerate(values):
            begins_s = HOP_S * place
            told = gate.step(float(value), begins_s, begins_s + WINDOW_S)
            if told is not None and told.phase is Phase.ONSET:
                opened = place
                break
        reached = np.flatnonzero(levels >= threshold)
        assert opened == (int(reached[0]) if len(reached) else None)


def test_an_event_is_found_up_to_its_largest_level_and_all_else_is_false() -> None:
    """What is evident shortly after the event is still of it."""
    event = LabelledSound(20.0, 22.0, "glass_breaking")
    values = np.zeros(200)
    values[42], values[47], values[120], values[122] = 0.7, 0.9, 0.6, 0.5
    told = outcome([trial((event,))], [values], "glass_breaking", AT_ONCE, HOP_S)
    assert told.found.tolist() == [0.9]
    assert told.recall(0.8) == (1, 1)
    assert told.recall(0.8, 3.0) == (0, 0)
    assert [one for one in told.false.tolist() if one > 0.0] == [0.6]  # 0.5 lies within its hold
    assert told.causes[0] == "scenes"


def test_a_threshold_lets_as_many_false_alarms_through_as_are_allowed() -> None:
    """Half-way between the last that it lets through and the first that it does not."""
    levels = np.array([0.9, 0.8, 0.4])
    told = Outcome(np.zeros(0), np.zeros(0), levels, np.array([0.4]), ("a", "b", "c"), 10.0, 4.0)
    assert told.threshold(0.1, 0.1) == pytest.approx(0.85)
    assert told.threshold(0.2, 0.1) == pytest.approx(0.6)
    assert told.threshold(1.0, 0.1) == pytest.approx(0.45)  # an evening allows none
    assert told.false_alarms(0.6) == 2


def test_what_an_evening_may_raise_is_told_by_the_tail_of_its_levels() -> None:
    """An exponential tail of scale 1: a tenth as often is 2.3 higher."""
    levels = np.sort(np.random.default_rng(2).exponential(1.0, 4000))[::-1]
    told = Outcome(np.zeros(0), np.zeros(0), levels[:1], levels, ("a",), 1e9, 4000.0)
    seldom, often = (told.threshold(1e9, rate) for rate in (1e-6, 1e-5))
    assert seldom - often == pytest.approx(np.log(10.0), rel=0.4)
    assert often == pytest.approx(np.log(1e5), abs=2.5)


def test_a_curve_and_a_threshold_are_settled_on_trials() -> None:
    """The curve says how often it was right; the threshold lies beyond what was false."""
    rng = np.random.default_rng(1)
    trials, scores = [], []
    for number in range(8):
        event = LabelledSound(20.0, 24.0, "glass_breaking")
        one = trial((event,))
        values = rng.normal(-3.0, 0.5, 200)
        values[one.truths("glass_breaking") == 1] += 6.0
        values[150] = 1.0 if number == 0 else -3.0
        trials.append(one)
        scores.append(values)
    road = Road("glass_breaking", AT_ONCE, lambda _fold, _left_out: [])
    settled = settle(road, trials, scores, Budget(per_hour=0.0), HOP_S)
    assert settled.line.slope > 0.5
    assert 0.5 < settled.threshold < 0.995
    assert settled.score > 1.0
    assert settled.release_threshold < settled.threshold
    bare = settle(replace(road, has_curve=False), trials, scores, Budget(per_hour=0.0), HOP_S)
    assert (bare.line.slope, bare.line.offset) == (1.0, 0.0)
