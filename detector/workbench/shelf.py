"""Recordings at hand: which are for what, and their audio, read once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.workbench.alarms import MAKERS
from detector.workbench.dataset import Recording
from detector.workbench.sounding import read_samples

_FEWEST_BACKGROUND_S = 4.0
"""A shorter recording makes no background: its repetition would be heard."""

Read = Callable[[Path], Samples]
Maker = Callable[[np.random.Generator], Samples]


@dataclass(slots=True)
class Shelf:
    """Recordings at hand, read once; for one split."""

    recordings: Sequence[Recording]
    read: Read = read_samples
    makers: Mapping[str, Maker] = field(default_factory=lambda: MAKERS)
    """By sound: what stands in for recordings where there are none."""
    _read: dict[Path, Samples] = field(default_factory=dict)

    def samples(self, recording: Recording) -> Samples:
        """A recording's audio, shape (n,)."""
        if recording.path not in self._read:
            self._read[recording.path] = self.read(recording.path)
        return self._read[recording.path]

    def seconds(self, recording: Recording) -> float:
        """Its length."""
        if recording.seconds is not None:
            return recording.seconds
        return len(self.samples(recording)) / SAMPLE_RATE_HZ

    def of_sound(self, sound: str) -> list[Recording]:
        """Recordings that hold it."""
        return [
            one
            for one in self.recordings
            if any(event.sound == sound for event in one.events)
            or (not one.is_strong and one.meaning.sound == sound)
        ]

    def is_synthetic(self, sound: str) -> bool:
        """Whether code has to stand in for recordings of it."""
        return sound in self.makers and not self.of_sound(sound)

    def backgrounds(self) -> list[Recording]:
        """Recordings that are long enough to mix into."""
        return [
            one
            for one in self.recordings
            if not one.is_strong
            and one.meaning.is_background
            and self.seconds(one) >= _FEWEST_BACKGROUND_S
        ]

    def household(self) -> list[Recording]:
        """Short noises that nothing should answer to."""
        return [one for one in self.recordings if not one.is_strong and one.meaning.is_household]
