"""Stand-ins that are injected: a clock that is moved by hand, and a recogniser that is told."""

from collections.abc import Sequence

import numpy as np

from detector.core.audio import Block, Gap
from detector.core.recognition import LEVEL, LOGITS, SCORES, Observation, RecogniserSpec


class ToldRecogniser:
    """Makes one window of each second of audio; its scores are the second's first samples."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self.fed: list[Block | Gap] = []

    @property
    def spec(self) -> RecogniserSpec:
        """One window a second."""
        return RecogniserSpec(
            content_hash="0" * 64,
            outputs={SCORES: (len(self._labels),), LOGITS: (len(self._labels),), LEVEL: ()},
            labels=self._labels,
            hop_samples=16_000,
            context_samples=16_000,
        )

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """One observation for each second of a block."""
        self.fed.append(item)
        if isinstance(item, Gap):
            return []
        starts = range(0, len(item.samples), 16_000)
        return [self._observation(item, start) for start in starts]

    def fresh(self) -> "ToldRecogniser":
        """Another one."""
        return ToldRecogniser(self._labels)

    def _observation(self, block: Block, start: int) -> Observation:
        scores = block.samples[start : start + len(self._labels)].copy()
        inside = np.clip(scores, 1e-3, 1 - 1e-3)
        outputs = {
            SCORES: scores,
            LOGITS: np.log(inside / (1 - inside)),
            LEVEL: np.array(-20.0, np.float32),
        }
        start_s = (block.start_sample + start) / 16_000
        return Observation(start_s, start_s + 1.0, outputs)


def second(index: int, *scores: float, captured_s: float | None = None) -> Block:
    """The second number ``index``, captured as it ended, with these class scores in it."""
    samples = np.zeros(16_000, np.float32)
    samples[: len(scores)] = scores
    captured = 101.0 + index if captured_s is None else captured_s
    return Block(index * 16_000, samples, captured)
