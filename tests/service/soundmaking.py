"""Sounds of one's own for tests: learnt from takes that stand out in one band."""

from detector.core.recognition import RecogniserSpec
from detector.service.ownsounds import KeptTake, OwnSound
from detector.service.teaching import Classroom
from tests.learning.tools import SpectralRecogniser, heard, some_backgrounds

SPEC: RecogniserSpec = SpectralRecogniser().spec


def kept(middle: int, count: int = 4, first: int = 0) -> list[KeptTake]:
    """Takes of a sound."""
    return [
        KeptTake(f"{number}.wav", f"{middle:02x}{number:02x}" * 16, heard(middle, number))
        for number in range(first, first + count)
    ]


def classroom() -> Classroom:
    """With backgrounds of four kinds."""
    return Classroom(SPEC, some_backgrounds())


def own_sound(name: str, middle: int = 5) -> OwnSound:
    """One that was learnt."""
    return classroom().teach(name, kept(middle), []).sound
