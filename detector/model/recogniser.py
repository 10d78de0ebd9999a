"""Blocks become overlapping windows, and windows become class scores and what lies behind them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.errors import ModelError
from detector.core.level import rms_dbfs
from detector.core.recognition import LEVEL, Array, Observation, RecogniserSpec
from detector.model.melspectrum import MelSpectrum, MelStream
from detector.model.resting import RestingGate, can_rest

HOP_STEP_SAMPLES = SAMPLE_RATE_HZ // 100
"""The hop is a multiple of 10 ms, the step of the model's own front end."""


class ClassifierLike(Protocol):
    """What a recogniser needs of a model."""

    @property
    def window_samples(self) -> int:
        """Length of the window it looks at."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, index = column of the scores."""

    @property
    def content_hash(self) -> str:
        """SHA-256 of the model file, hexadecimal."""

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of what ``outputs`` hands out; the scores are among them."""

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """What it makes of one window, shape (window_samples,), which it must not keep."""


@runtime_checkable
class RowClassifier(ClassifierLike, Protocol):
    """A model that may look at the rows of a spectrum, which need not be made for each window."""

    @property
    def spectrum(self) -> MelSpectrum | None:
        """What makes the rows; None: it looks at whole windows only."""

    def outputs_of_rows(self, rows: Array) -> Mapping[str, Array]:
        """What it makes of the rows of one window, which it must not keep."""


class WindowRecogniser:
    """Classifies a window every hop. Owned by one thread.

    Windows begin at the first sample that is heard and then every hop.  After a gap, announced
    or not, they begin anew at the first sample that follows: none spans lost audio.  What two
    windows share is made into rows of a spectrum once, where the model looks at such.

    Raises ModelError for a hop that is not a positive multiple of 10 ms.
    """

    def __init__(
        self, classifier: ClassifierLike, *, hop_seconds: float, rests: bool = False
    ) -> None:
        self._classifier = classifier
        self._hop = _hop_samples(hop_seconds)
        self._held = _Sliding(classifier.window_samples, self._hop)
        self._look = _Look(classifier, self._hop if rests else None)
        self._next_sample: int | None = None
        """Absolute index of the sample that must come next; None: any begins a stream."""

    @property
    def spec(self) -> RecogniserSpec:
        """Model, outputs, labels, hop and window."""
        labels = self._classifier.labels
        return RecogniserSpec(
            content_hash=self._classifier.content_hash,
            outputs=MappingProxyType({**self._classifier.output_shapes, LEVEL: ()}),
            labels=labels,
            hop_samples=self._hop,
            context_samples=self._classifier.window_samples,
        )

    @property
    def mel(self) -> MelStream | None:
        """The rows of the latest window; None where the model looks at whole windows.

        They are there for whoever else listens to the same stream in this thread.
        """
        return self._look.mel

    @property
    def gate(self) -> RestingGate | None:
        """What lets the network rest, if anything does."""
        return self._look.gate

    def rouse(self) -> None:
        """Classify every window of the next seconds."""
        if self._look.gate is not None:
            self._look.gate.rouse()

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """Take the next audio; hand over the windows it completes, oldest first.

        Raises ModelError where the model fails.
        """
        if isinstance(item, Gap):
            self._begin_anew(None)
            return []
        if item.start_sample != self._next_sample:
            self._begin_anew(item.start_sample)
        return self._take(item.start_sample, item.samples)

    def fresh(self) -> "WindowRecogniser":
        """Another one over the same model that has heard nothing yet, for the same thread.

        It never rests.
        """
        return WindowRecogniser(self._classifier, hop_seconds=self._hop / SAMPLE_RATE_HZ)

    def _begin_anew(self, next_sample: int | None) -> None:
        self._held.clear()
        self._look.begin_anew()
        self._next_sample = next_sample

    def _take(self, start_sample: int, samples: Samples) -> list[Observation]:
        observations = []
        taken = 0
        while taken < len(samples):
            taken += self._held.take(samples[taken:])
            self._next_sample = start_sample + taken
            if self._held.is_whole:
                observations.append(self._observe(self._held.window, start_sample + taken))
                self._held.slide()
        return observations

    def _observe(self, window: Samples, end_sample: int) -> Observation:
        outputs = {
            **self._look.outputs(window, self._hop),
            LEVEL: np.array(rms_dbfs(window), np.float32),
        }
        return Observation(
            start_s=(end_sample - len(window)) / SAMPLE_RATE_HZ,
            end_s=end_sample / SAMPLE_RATE_HZ,
            outputs=MappingProxyType(outputs),
        )


class _Sliding:
    """A window that moves over a stream, in memory for two, so that it is seldom moved itself."""

    def __init__(self, window_samples: int, hop_samples: int) -> None:
        self._length, self._hop = window_samples, hop_samples
        self._samples: Samples = np.zeros(2 * window_samples, np.float32)
        self._begin = self._held = 0
        """Where the window begins, and how many of its samples are there already."""
        self._to_skip = 0
        """Samples between the last window and the next, with a hop longer than a window."""

    @property
    def is_whole(self) -> bool:
        return self._held == self._length

    @property
    def window(self) -> Samples:
        """A view."""
        return self._samples[self._begin : self._begin + self._length]

    def clear(self) -> None:
        self._begin = self._held = self._to_skip = 0

    def take(self, samples: Samples) -> int:
        """Skip or hold as many samples as there is use for before the next window is whole."""
        if self._to_skip:
            skipped = min(self._to_skip, len(samples))
            self._to_skip -= skipped
            return skipped
        count = min(self._length - self._held, len(samples))
        end = self._begin + self._held
        self._samples[end : end + count] = samples[:count]
        self._held += count
        return count

    def slide(self) -> None:
        """Keep of the whole window what the next one begins with."""
        self._held = max(0, self._length - self._hop)
        self._to_skip = max(0, self._hop - self._length)
        kept = self._begin + self._length - self._held
        if kept + self._length > len(self._samples):
            self._samples[: self._held] = self._samples[kept : kept + self._held]
            kept = 0
        self._begin = kept


class _Look:
    """How a model is shown window after window."""

    def __init__(self, classifier: ClassifierLike, rests_with_hop: int | None) -> None:
        self._whole, self._rows = classifier, None
        self.mel: MelStream | None = None
        self.gate: RestingGate | None = None
        if isinstance(classifier, RowClassifier) and classifier.spectrum:
            spectrum = classifier.spectrum
            self._rows, self.mel = classifier, MelStream(spectrum)
            if rests_with_hop is not None and can_rest(spectrum.front_end):
                self.gate = RestingGate(spectrum, hop_samples=rests_with_hop)
        self._is_first = True
        self._last: Mapping[str, Array] = {}
        """What was made of the last window that was classified."""

    def begin_anew(self) -> None:
        self._is_first = True
        if self.gate is not None:
            self.gate.begin_anew()

    def outputs(self, window: Samples, hop_samples: int) -> Mapping[str, Array]:
        """What the model makes of a window, ``hop_samples`` after the one before, if there is."""
        if self._rows is None or self.mel is None:
            return self._whole.outputs(window)
        rows = self.mel.follow(window, None if self._is_first else hop_samples)
        self._is_first = False
        if self.gate is not None and self.gate.may_rest(rows):
            return self._last
        self._is_first = True  # where the model fails, the same window may come again
        self._last = self._rows.outputs_of_rows(rows)
        self._is_first = False
        for output in self._last.values() if self.gate else ():
            output.flags.writeable = False  # it may be told again
        return self._last


def _hop_samples(hop_seconds: float) -> int:
    steps = hop_seconds * SAMPLE_RATE_HZ / HOP_STEP_SAMPLES
    if not (steps > 0.5 and abs(steps - round(steps)) < 1e-6):
        raise ModelError(f"a hop of {hop_seconds:g} s is not a multiple of 0.01 s")
    return round(steps) * HOP_STEP_SAMPLES
