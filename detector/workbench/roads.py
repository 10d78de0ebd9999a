"""Several roads from audio to a sound, over the same audio, each on a scale of its own.

What a road tells of a window is a number that only has to grow with the likeliness of the sound:
roads are compared at equal false alarms (``detector.workbench.roadtable``).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.config.sounds import shipped_sounds
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import LOGITS, STEP_S, STEPS, Observation, Recogniser
from detector.events.mfcc import summary
from detector.events.refit import logit
from detector.events.steps import first_step
from detector.service.headfile import HeadFile
from detector.workbench.lessons import Outputs, outputs_of
from detector.workbench.observe import observe, padded
from detector.workbench.trials import Levels

Spans = NDArray[np.float64]
"""Beginning and end of each window, shape (windows, 2)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a road makes of some audio."""

    spans_s: Spans
    values: Mapping[str, Levels]
    """By sound, shape (windows,)."""
    began_s: Mapping[str, Levels] = field(default_factory=dict)
    """By sound, where the road can tell: when it began that is heard in a window."""


class Road(Protocol):
    """One way to tell sounds."""

    @property
    def name(self) -> str:
        """For the table."""

    @property
    def size_bytes(self) -> int:
        """Of all files that it needs."""

    @property
    def sounds(self) -> frozenset[str]:
        """That it tells, of those that were held out from it."""

    def hear(self, samples: Samples) -> Told:
        """Some audio from its beginning on, shape (n,)."""


@dataclass
class Timed:
    """A road, and the processor time that it has taken. For one thread."""

    road: Road
    spent_s: float = 0.0
    heard_s: float = 0.0

    def hear(self, samples: Samples) -> Told:
        """As the road."""
        began_s = time.process_time()
        told = self.road.hear(samples)
        self.spent_s += time.process_time() - began_s
        self.heard_s += len(samples) / SAMPLE_RATE_HZ
        return told

    @property
    def ms_per_second(self) -> float:
        """Processor time for a second of audio."""
        return 1000.0 * self.spent_s / max(self.heard_s, 1e-9)


@dataclass(frozen=True)
class Families:
    """The largest score of a sound's classes; with heads, these where there is one."""

    name: str
    recogniser: Recogniser
    sounds: frozenset[str]
    heads: Mapping[str, HeadFile]
    size_bytes: int

    def hear(self, samples: Samples) -> Told:
        """Log-odds, of the score or of the head."""
        (heard,) = observe(samples, [self.recogniser])
        outputs = outputs_of(heard)
        return Told(spans_of(heard), {s: self._values(s, outputs) for s in sorted(self.sounds)})

    def _values(self, sound: str, outputs: Outputs) -> Levels:
        if sound in self.heads:
            return head_log_odds(self.heads[sound], outputs)
        labels = self.recogniser.spec.labels
        columns = [labels.index(one) for one in shipped_sounds()[sound].evidence[0].classes]
        return np.asarray(outputs[LOGITS][:, columns].astype(np.float64).max(axis=1))


def head_log_odds(head: HeadFile, outputs: Outputs) -> Levels:
    """Of every window, before the curve; shape (windows,)."""
    given = np.concatenate([trunk.rows(outputs) for trunk in head.trunks], axis=1)
    odds = np.asarray(given @ head.weights + head.bias, np.float64)
    kept = np.ones(head.averaged) / head.averaged
    return np.convolve(odds, kept)[: len(odds)]


@dataclass(frozen=True)
class Network:
    """A model of steps."""

    recogniser: Recogniser
    sounds: frozenset[str]
    size_bytes: int
    name: str = "CRNN"

    def hear(self, samples: Samples) -> Told:
        """Log-odds of the largest step, and where the steps begin that hang together with it."""
        (heard,) = observe(samples, [self.recogniser])
        labels = self.recogniser.spec.labels
        logits = np.stack([one.outputs[LOGITS] for one in heard]).astype(np.float64)
        places = {sound: labels.index(sound) for sound in sorted(self.sounds)}
        return Told(
            spans_of(heard),
            {sound: logits[:, place] for sound, place in places.items()},
            {sound: _began_s(heard, place) for sound, place in places.items()},
        )


def _began_s(heard: Sequence[Observation], place: int) -> Levels:
    return np.array(
        [one.start_s + STEP_S * first_step(one.outputs[STEPS][:, place]) for one in heard]
    )


@dataclass(frozen=True)
class Cepstral:
    """MFCC of every window, and a clip classifier on them, with the windows of the model."""

    classify: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    """From features (windows, numbers) to probabilities (windows, labels)."""
    labels: tuple[str, ...]
    sounds: frozenset[str]
    size_bytes: int
    like: Recogniser
    """Whose windows and hop these are."""
    name: str = "MFCC + logistic regression"

    def hear(self, samples: Samples) -> Told:
        """Log-odds of the label against all others."""
        spec = self.like.spec
        features, spans_s = windowed(samples, spec)
        odds = logit(self.classify(features), 1e-9)
        places = {sound: self.labels.index(sound) for sound in sorted(self.sounds)}
        return Told(spans_s, {sound: odds[:, place] for sound, place in places.items()})


def windowed(samples: Samples, spec: Any) -> tuple[NDArray[np.float32], Spans]:
    """Features of every window, shape (windows, numbers), and where these lie."""
    whole = padded(samples, spec)
    starts = np.arange(0, len(whole) - spec.context_samples + 1, spec.hop_samples)
    features = np.stack([summary(whole[at : at + spec.context_samples]) for at in starts])
    spans = np.stack([starts, starts + spec.context_samples], axis=1) / SAMPLE_RATE_HZ
    return features, np.asarray(spans, np.float64)


def spans_of(heard: Sequence[Observation]) -> Spans:
    """Where observations lie."""
    return np.array([(one.start_s, one.end_s) for one in heard], np.float64)


def bytes_of(*paths: Path) -> int:
    """Of files together."""
    return sum(path.stat().st_size for path in paths)
