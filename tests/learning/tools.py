"""What the tests of learning share: a recogniser that hears spectra, and sounds to learn."""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.recognition import (
    EMBEDDING,
    LOGITS,
    SCORES,
    Array,
    Observation,
    RecogniserSpec,
)
from detector.learning.augmenting import Heard
from detector.learning.backgrounds import Backgrounds

BANDS = 16
WINDOW = 15_600
HOP = 7_680
LABELS = ("Speech", "Bell", "Noise")
HASH = "5" * 64


class SpectralRecogniser:
    """Gives how much lies in each of 16 bands as an embedding; a tone below 500 Hz is "speech"."""

    def __init__(self) -> None:
        self._held: Samples = np.zeros(0, np.float32)
        self._start = 0

    @property
    def spec(self) -> RecogniserSpec:
        """As a model's."""
        outputs = {SCORES: (3,), LOGITS: (3,), EMBEDDING: (BANDS,)}
        return RecogniserSpec(HASH, MappingProxyType(outputs), LABELS, HOP, WINDOW)

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """A window every hop."""
        assert isinstance(item, Block)
        self._held = np.concatenate([self._held, item.samples])
        found = []
        while len(self._held) >= WINDOW:
            found.append(self._observed(self._held[:WINDOW]))
            self._held = self._held[HOP:]
            self._start += HOP
        return found

    def fresh(self) -> "SpectralRecogniser":
        """Another one."""
        return SpectralRecogniser()

    def _observed(self, window: Samples) -> Observation:
        power = np.abs(np.fft.rfft(window)) ** 2
        bands = np.array([part.sum() for part in np.array_split(power[1:], BANDS)])
        embedding = np.asarray(np.log1p(1e3 * bands / len(window)), np.float32)
        logits = np.array([bands[0], bands[1:].sum(), 0.0], np.float32)
        outputs = {EMBEDDING: embedding, LOGITS: logits, SCORES: logits}
        start_s = self._start / SAMPLE_RATE_HZ
        return Observation(start_s, start_s + WINDOW / SAMPLE_RATE_HZ, MappingProxyType(outputs))


def tone(frequency_hz: float, seconds: float = 0.6, *, phase: float = 0.0) -> Samples:
    """A tone with a soft begin and end; shape (n,)."""
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    fade = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.02)
    wave = 0.3 * fade * np.sin(2.0 * np.pi * frequency_hz * time_s + phase)
    return np.asarray(wave, np.float32)


def quiet(seconds: float, rng: np.random.Generator, level: float = 1e-4) -> Samples:
    """A quiet room."""
    made = rng.standard_normal(round(seconds * SAMPLE_RATE_HZ)) * level
    return np.asarray(made, np.float32)


def recorded(piece: Samples, seed: int = 0, *, around_s: float = 1.0) -> Samples:
    """A sound in a quiet room."""
    rng = np.random.default_rng(seed)
    silence = quiet(around_s, rng)
    noisy = piece + quiet(len(piece) / SAMPLE_RATE_HZ, rng)[: len(piece)]
    return np.concatenate([silence, noisy, quiet(around_s, rng)])


def cloud(middle: int, count: int, rng: np.random.Generator, numbers: int = BANDS) -> Array:
    """Embeddings that one band stands out of, shape (count, numbers)."""
    made = rng.random((count, numbers)) * 0.3
    made[:, middle] += 2.0
    return np.asarray(made, np.float32)


def heard(middle: int, seed: int, versions: int = 5) -> Heard:
    """A take of a sound that stands out in one band."""
    rng = np.random.default_rng(seed)
    embeddings = cloud(middle, versions, rng)
    around = np.asarray(rng.random((4, BANDS)) * 0.3, np.float32)
    logits = np.array([0.0, 1.0, 0.0], np.float32)
    return Heard(embeddings, np.arange(versions), around, logits)


def some_backgrounds(middles: Sequence[int] = (0, 1, 2, 3), windows: int = 400) -> Backgrounds:
    """Backgrounds of several kinds, each standing out in its own band; ten recordings each."""
    rng = np.random.default_rng(7)
    embeddings = np.concatenate([cloud(middle, windows, rng) for middle in middles])
    recordings = np.repeat(np.arange(10 * len(middles)), windows // 10)
    kinds = tuple(f"kind_{middle}" for middle in middles)
    kind_of = np.repeat(np.arange(len(middles)), windows)
    return Backgrounds(embeddings, recordings, recordings, kinds, kind_of, 0.48)
