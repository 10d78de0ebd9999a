"""A model that looks at the rows of a front end as YAMNet's, and what is heard through it."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

from detector.core.audio import Block, Samples
from detector.core.errors import ModelError
from detector.core.recognition import SCORES, Array, Observation
from detector.model.melspectrum import MelSpectrum
from detector.model.recogniser import WindowRecogniser
from tests.model.rooms import WINDOW, front_end, spectrum


class Listening:
    """A model that looks at rows, and keeps those it was shown."""

    window_samples = WINDOW
    labels = ("loudness", "place")
    content_hash = "ab" * 32
    output_shapes: Mapping[str, tuple[int, ...]] = {SCORES: (2,)}

    def __init__(self) -> None:
        self.looks = 0

    @property
    def spectrum(self) -> MelSpectrum | None:
        """That of ``rooms``."""
        return spectrum()

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """As of its rows."""
        return self.outputs_of_rows(spectrum().rows(window))

    def outputs_of_rows(self, rows: Array) -> Mapping[str, Array]:
        """Two numbers of the first row and the last."""
        self.looks += 1
        return {SCORES: rows[[0, -1], [0, -1]].copy()}


class FailingOnce(Listening):
    """Fails on one window."""

    def __init__(self, look: int) -> None:
        super().__init__()
        self._fails_at = look

    def outputs_of_rows(self, rows: Array) -> Mapping[str, Array]:
        """As it was, but for that one."""
        outputs = super().outputs_of_rows(rows)
        if self.looks == self._fails_at:
            raise ModelError("the model failed")
        return outputs


class Wide(Listening):
    """Of more bands than can be parted in groups."""

    @property
    def spectrum(self) -> MelSpectrum | None:
        """With 63 bands."""
        own = front_end()
        fewer = replace(own, mel=own.mel[:63], offset=own.offset[:63])
        return MelSpectrum(fewer, fewer.energies)


def blocks(samples: Samples, start: int = 0) -> Iterator[Block]:
    """As a microphone hands over."""
    for at in range(0, len(samples), 1600):
        yield Block(start + at, samples[at : at + 1600], 0.0)


def hear(recogniser: WindowRecogniser, samples: Samples, start: int = 0) -> list[Observation]:
    """What it makes of them."""
    heard = (recogniser.feed(block) for block in blocks(samples, start))
    return list(itertools.chain.from_iterable(heard))
