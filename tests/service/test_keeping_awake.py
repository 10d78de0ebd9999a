"""A model that may rest does not while it matters."""

import pytest

from detector.config.loader import parse_config
from detector.core.recognition import Resting
from detector.service.build import build_pipeline
from detector.service.pipeline import STIRRING, Pipeline
from tests.clocks import HandClock
from tests.service.fakes import ToldRecogniser, second

YAML = """
node: nursery
sounds:
  dog_bark:
    evidence: [{classes: [Bark]}]
    threshold: 0.8
    release_threshold: 0.6
    confirm_seconds: 2
    confirm_within_seconds: 4
    hold_seconds: 3
    refractory_seconds: 60
"""
LABELS = ("Bark", "Rain")


class Roused(ToldRecogniser):
    """Counts how often it is roused."""

    def __init__(self) -> None:
        super().__init__(LABELS)
        self.roused = 0

    def rouse(self) -> None:
        """Once more."""
        self.roused += 1


def pipeline(recogniser: ToldRecogniser) -> Pipeline:
    """For one sound that takes two windows."""
    config = parse_config(YAML, "test.yaml")
    return build_pipeline(config, [recogniser], clock=HandClock())


def roused_by(*barks: float) -> list[bool]:
    """Of each second with this score, whether it was roused by it."""
    recogniser = Roused()
    line = pipeline(recogniser)
    roused = []
    for index, bark in enumerate(barks):
        before = recogniser.roused
        line.feed(second(index, bark, 0.9))
        roused.append(recogniser.roused > before)
    return roused


def test_quiet_does_not_rouse_it() -> None:
    """Nor do classes that no sound is told by."""
    assert roused_by(0.0, 0.1, STIRRING * 0.8 - 0.01) == [False, False, False]


def test_a_probability_on_the_way_to_its_threshold_rouses_it() -> None:
    """What one window says must not be told again as if the next had said it too."""
    assert roused_by(0.0, STIRRING * 0.8, 0.0) == [False, True, False]


def test_it_is_kept_awake_while_a_sound_is_confirmed_or_on() -> None:
    """Until its offset: three seconds of nothing after the last window that held it."""
    assert roused_by(0.9, 0.9, 0.0, 0.0, 0.0, 0.0) == [True, True, True, True, False, False]


def test_it_is_kept_awake_while_somebody_hears_along() -> None:
    """A self-test wants to know what the model makes of its tone."""
    recogniser = Roused()
    line = pipeline(recogniser)
    line.listener = lambda _item: None
    line.feed(second(0, 0.0, 0.0))
    line.listener = None
    line.feed(second(1, 0.0, 0.0))
    assert recogniser.roused == 1


@pytest.mark.parametrize("armed", [True, False])
def test_it_is_roused_while_disarmed_too(armed: bool) -> None:  # noqa: FBT001 - parametrized
    """Whoever arms again finds what is heard as it is."""
    recogniser = Roused()
    line = pipeline(recogniser)
    line.set_armed(armed=armed)
    line.feed(second(0, 0.5, 0.0))
    assert recogniser.roused == 1


def test_a_recogniser_that_never_rests_is_left_alone() -> None:
    """It need not know of this."""
    recogniser = ToldRecogniser(LABELS)
    assert not isinstance(recogniser, Resting)
    assert pipeline(recogniser).feed(second(0, 0.9, 0.0)) == []
