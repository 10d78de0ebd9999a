"""Blocks become overlapping windows, and windows become class scores and what lies behind them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.errors import ModelError
from detector.core.level import rms_dbfs
from detector.core.recognition import LEVEL, Array, Observation, RecogniserSpec

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


class WindowRecogniser:
    """Classifies a window every hop. Owned by one thread.

    Windows begin at the first sample that is heard and then every hop.  After a gap, announced
    or not, they begin anew at the first sample that follows: none spans lost audio.

    Raises ModelError for a hop that is not a positive multiple of 10 ms.
    """

    def __init__(self, classifier: ClassifierLike, *, hop_seconds: float) -> None:
        self._classifier = classifier
        self._hop = _hop_samples(hop_seconds)
        self._window: Samples = np.zeros(classifier.window_samples, np.float32)
        self._held = 0
        """Samples at the beginning of the window that are there already."""
        self._to_skip = 0
        """Samples between the last window and the next, with a hop longer than a window."""
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
            context_samples=len(self._window),
        )

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
        """Another one over the same model that has heard nothing yet, for the same thread."""
        return WindowRecogniser(self._classifier, hop_seconds=self._hop / SAMPLE_RATE_HZ)

    def _begin_anew(self, next_sample: int | None) -> None:
        self._held = self._to_skip = 0
        self._next_sample = next_sample

    def _take(self, start_sample: int, samples: Samples) -> list[Observation]:
        observations = []
        taken = 0
        while taken < len(samples):
            taken += self._take_some(samples[taken:])
            self._next_sample = start_sample + taken
            if self._held == len(self._window):
                observations.append(self._observe(start_sample + taken))
                self._slide()
        return observations

    def _take_some(self, samples: Samples) -> int:
        """Skip or hold as many samples as there is use for before the next window is whole."""
        if self._to_skip:
            skipped = min(self._to_skip, len(samples))
            self._to_skip -= skipped
            return skipped
        count = min(len(self._window) - self._held, len(samples))
        self._window[self._held : self._held + count] = samples[:count]
        self._held += count
        return count

    def _slide(self) -> None:
        """Keep of the whole window what the next one begins with."""
        self._held = max(0, len(self._window) - self._hop)
        self._to_skip = max(0, self._hop - len(self._window))
        self._window[: self._held] = self._window[len(self._window) - self._held :]

    def _observe(self, end_sample: int) -> Observation:
        outputs = {
            **self._classifier.outputs(self._window),
            LEVEL: np.array(rms_dbfs(self._window), np.float32),
        }
        return Observation(
            start_s=(end_sample - len(self._window)) / SAMPLE_RATE_HZ,
            end_s=end_sample / SAMPLE_RATE_HZ,
            outputs=MappingProxyType(outputs),
        )


def _hop_samples(hop_seconds: float) -> int:
    steps = hop_seconds * SAMPLE_RATE_HZ / HOP_STEP_SAMPLES
    if not (steps > 0.5 and abs(steps - round(steps)) < 1e-6):
        raise ModelError(f"a hop of {hop_seconds:g} s is not a multiple of 0.01 s")
    return round(steps) * HOP_STEP_SAMPLES
