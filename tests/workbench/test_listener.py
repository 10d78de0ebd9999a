"""The daemon's own pipeline over scene after scene."""

import numpy as np
import pytest

from detector.config import CalibrationConfig, Config, EvidenceConfig, SoundConfig
from detector.core.audio import Samples
from detector.workbench.listener import Listener
from detector.workbench.observe import observe
from tests.service.fakes import ToldRecogniser, second


def seconds(*scores: float) -> Samples:
    """A second of audio for each score."""
    return np.concatenate([second(0, score).samples for score in scores])


def listener(confirm_s: float = 0.0) -> tuple[Listener, ToldRecogniser]:
    """One sound that needs so many seconds."""
    evidence = EvidenceConfig(classes=("knock",), calibration=CalibrationConfig())
    sound = SoundConfig(evidence=(evidence,), confirm_seconds=confirm_s, confirm_within_seconds=3.0)
    recogniser = ToldRecogniser(["knock"])
    return Listener(Config(sounds={"knock": sound}), [recogniser.spec]), recogniser


def test_a_sound_is_told_when_the_daemon_would_tell_it() -> None:
    """At the end of the window that confirms it, not at its onset."""
    ours, recogniser = listener(confirm_s=2.0)
    told = ours.listen(observe(seconds(0.0, 0.9, 0.9, 0.9), [recogniser]))
    assert [one.sound for one in told.decisions] == ["knock"]
    assert told.decisions[0].told_s == pytest.approx(3.0)
    assert told.ends_s.tolist() == pytest.approx([1.0, 2.0, 3.0, 4.0])
    assert told.probabilities["knock"].tolist() == pytest.approx([0.0, 0.9, 0.9, 0.9])


def test_what_was_heard_in_one_scene_is_forgotten_in_the_next() -> None:
    """Neither a sound that is on nor evidence that is not enough goes over."""
    ours, recogniser = listener(confirm_s=2.0)
    first = ours.listen(observe(seconds(0.9, 0.9, 0.9), [recogniser]))
    half = ours.listen(observe(seconds(0.0, 0.9), [recogniser]))
    other_half = ours.listen(observe(seconds(0.9, 0.0), [recogniser]))
    again = ours.listen(observe(seconds(0.9, 0.9, 0.9), [recogniser]))
    assert [len(told.decisions) for told in (first, half, other_half, again)] == [1, 0, 0, 1]
    assert again.decisions[0].told_s == pytest.approx(first.decisions[0].told_s)
