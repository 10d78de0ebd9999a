"""What is like something that was told to be wrong is passed over."""

import numpy as np
import pytest

from detector.core.recognition import EMBEDDING, SCORES, Heard, Observation
from detector.events.gate import Gate, GateSettings
from detector.events.heads import Sphere
from detector.events.sounds import SoundDetector
from detector.events.veto import Veto

GATE = GateSettings(
    threshold=0.5,
    release_threshold=0.3,
    confirm_s=0.0,
    confirm_within_s=1.0,
    hold_s=1.0,
    refractory_s=0.0,
    max_duration_s=60.0,
)
VETO = Veto(
    Sphere(np.zeros(2, np.float32), np.ones(2, np.float32)),
    np.array([[1.0, 0.0], [0.0, -1.0]], np.float32),
    0.9,
)


class Sure:
    """Always the same."""

    calibrated = True

    def __call__(self, heard: Heard) -> float:
        """Nine in ten."""
        del heard
        return 0.9

    def began_s(self, heard: Heard) -> float | None:
        """Nobody can tell."""
        del heard
        return None


def window(*embedding: float) -> list[list[Observation]]:
    """A second of which the model made this."""
    outputs = {SCORES: np.zeros(1, np.float32)}
    if embedding:
        outputs[EMBEDDING] = np.array(embedding, np.float32)
    return [[Observation(0.0, 1.0, outputs)]]


def detector() -> SoundDetector:
    """One that passes over what is like the veto's moments."""
    made = SoundDetector("bell", scorer=Sure(), gate=Gate(GATE))
    made.set_veto(VETO)
    return made


@pytest.mark.parametrize(
    ("embedding", "passed_over"),
    [((5.0, 0.1), True), ((0.1, -2.0), True), ((1.0, 1.0), False), ((-1.0, 0.0), False)],
)
def test_what_points_the_same_way_is_passed_over(
    embedding: tuple[float, ...], *, passed_over: bool
) -> None:
    """As any of the moments does; how loud it is counts for nothing."""
    assert VETO.passes_over(window(*embedding)) is passed_over
    made = detector()
    assert (made.step(window(*embedding)) is None) is passed_over
    assert made.probability == (0.0 if passed_over else 0.9)
    assert made.evidence == 0.9


def test_a_model_without_embeddings_passes_nothing_over() -> None:
    """Rather than failing."""
    assert VETO.passes_over(window()) is False


def test_who_watches_is_told_why_it_did_not_fire() -> None:
    """The probability alone would look like a defect."""
    made = detector()
    made.step(window(1.0, 0.0))
    assert made.reading().why == "0.90, passed over: like what was told to be wrong"


def test_a_fresh_one_passes_the_same_over() -> None:
    """As the gate's numbers go along."""
    assert detector().fresh().veto is VETO


def test_nothing_is_passed_over_once_the_veto_is_gone() -> None:
    """Taken back."""
    made = detector()
    made.set_veto(None)
    assert made.step(window(1.0, 0.0)) is not None
