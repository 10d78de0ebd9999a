"""Threshold after threshold."""

import numpy as np
import pytest

from detector.config import CalibrationConfig, Config, EvidenceConfig, SoundConfig
from detector.core.audio import Samples
from detector.service.build import gate_settings
from detector.workbench.grid import Grid
from detector.workbench.ladder import THRESHOLDS, loop_ladder, our_ladder, replay
from detector.workbench.listener import Listener
from detector.workbench.observe import observe
from tests.service.fakes import ToldRecogniser, second

SCORES = (0.0, 0.3, 0.3, 0.0, 0.0, 0.0, 0.9, 0.9, 0.9, 0.0, 0.0, 0.0, 0.6, 0.6, 0.0)


def knocks(*scores: float) -> Samples:
    """A second of audio for each score."""
    return np.concatenate([second(0, score).samples for score in scores])


def sound() -> SoundConfig:
    """One that needs two seconds."""
    evidence = EvidenceConfig(classes=("knock",), calibration=CalibrationConfig())
    return SoundConfig(
        evidence=(evidence,),
        threshold=0.5,
        release_threshold=0.3,
        confirm_seconds=2.0,
        confirm_within_seconds=3.0,
        hold_seconds=1.0,
        refractory_seconds=0.0,
    )


HALF = THRESHOLDS.index(0.5)


def test_rungs_go_from_the_strictest_on() -> None:
    """By steps of a quarter of the logit."""
    thresholds = np.array(THRESHOLDS)
    logits = np.log(thresholds / (1.0 - thresholds))
    assert np.diff(logits) == pytest.approx(-0.25)


def test_as_configured_the_replay_tells_what_the_pipeline_told() -> None:
    """At the same moments: at the end of the block in which the window ends."""
    recogniser = ToldRecogniser(["knock"])
    listener = Listener(Config(sounds={"knock": sound()}), [recogniser.spec])
    told = listener.listen(observe(knocks(*SCORES), [recogniser]))
    times = [one.told_s for one in replay(told, "knock", gate_settings(sound()))]
    assert len(told.decisions) == 2
    assert times == pytest.approx([one.told_s for one in told.decisions])


def test_lower_thresholds_tell_more_and_higher_ones_less() -> None:
    """Three knocks of 0.3, 0.9 and 0.6."""
    recogniser = ToldRecogniser(["knock"])
    listener = Listener(Config(sounds={"knock": sound()}), [recogniser.spec])
    told = listener.listen(observe(knocks(*SCORES), [recogniser]))
    counts = [len(run) for run in our_ladder(told, "knock", sound())]
    assert [counts[HALF + steps] for steps in (-16, -4, 0, 4)] == [0, 1, 2, 3]


def test_the_loop_has_a_rung_for_every_threshold() -> None:
    """The one at 0.5 is the plain loop."""
    scores = np.zeros((12, 521), np.float32)
    scores[4, 353], scores[8, 353] = 0.4, 0.7
    rungs = loop_ladder(Grid(3_900, scores, np.zeros(12)), ["door_knock"])
    told = [sum(len(run) for run in runs) for runs in rungs]
    assert told[0] == 0
    assert told[HALF] == 1
    assert told[HALF + 4] == 2
