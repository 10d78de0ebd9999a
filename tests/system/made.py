"""Sounds made by code, for tests of the whole that show no model's ear."""

from dataclasses import dataclass
from pathlib import Path

import soundfile

from detector.core.audio import SAMPLE_RATE_HZ
from tests.alarms import Alarm, alarm
from tests.audio.tools import noise


@dataclass(frozen=True, slots=True)
class Sounds:
    """Files to be played."""

    quiet: Path
    """A minute of a quiet room: a sink that nothing plays into gives digital zeros."""
    beeps: Path
    """Eight seconds of a smoke alarm, which is told by its times whatever the model is."""


def made_sounds(folder: Path) -> Sounds:
    """Write them into a folder."""
    made = Sounds(folder / "quiet.wav", folder / "beeps.wav")
    for path, samples in (
        (made.quiet, noise(60.0, amplitude=0.0005)),
        (made.beeps, alarm(Alarm(cycles=2))),
    ):
        soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    return made
