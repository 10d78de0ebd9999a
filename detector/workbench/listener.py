"""The daemon's own pipeline over what its recognisers have made of some audio."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from detector.config import Config
from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, GapCause
from detector.core.events import EventKind, OffsetReason, Phase
from detector.core.recognition import Observation, Recogniser, RecogniserSpec
from detector.model.envelopes import ToneEnvelopes
from detector.service.build import build_pipeline
from detector.service.pipeline import REMEMBERED_S, Snapshot
from detector.workbench.matching import Decision
from detector.workbench.observe import Observed, Replayed

_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
"""As often as a microphone hands over: a decision is told at the end of a block."""
_PAUSE_S = round(REMEMBERED_S) + 30
"""Between two scenes: what was heard in one is forgotten in the next."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one scene."""

    decisions: tuple[Decision, ...]
    ends_s: NDArray[np.float64]
    """End of each window, shape (windows,)."""
    probabilities: dict[str, NDArray[np.float64]]
    """By sound, shape (windows,)."""


def all_recognisers(first: Recogniser) -> list[Recogniser]:
    """Those of the daemon: the model, and the tones of alarms beside it.

    Named here, since a pipeline that is given the model alone adds its own, which would hear
    nothing of what is replayed.
    """
    return [first, ToneEnvelopes()]


class SceneClock:
    """Time as it goes by in the audio. For one thread."""

    boot_id = "scene"

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Seconds of audio heard so far."""
        return self.now_s

    def wall(self) -> datetime:
        """The same, as a time of day."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now_s)

    def synchronised(self) -> bool | None:
        """Nobody can tell."""
        return None


class Listener:
    """One configuration's pipeline, built as the daemon builds it, for scene after scene.

    Not thread-safe.  Raises ConfigError as ``build_pipeline`` does.
    """

    def __init__(self, config: Config, specs: Sequence[RecogniserSpec]) -> None:
        self._replayed = [Replayed(spec, ()) for spec in specs]
        self._clock = SceneClock()
        self._snapshots: list[Snapshot] = []
        self._pipeline = build_pipeline(
            config, self._replayed, clock=self._clock, on_snapshot=self._snapshots.append
        )
        self._next_sample = 0

    def listen(self, observed: Observed) -> Told:
        """Decide on a scene, by what the recognisers made of it, each in its place."""
        begin = self._next_sample
        begin_s = begin / SAMPLE_RATE_HZ
        for replayed, observations in zip(self._replayed, observed, strict=True):
            replayed.load([_later(one, begin_s) for one in observations])
        self._snapshots.clear()
        ends_s = max((one.end_s for of_one in observed for one in of_one), default=0.0)
        decisions = self._feed(begin, int(np.ceil(ends_s * SAMPLE_RATE_HZ)))
        self._pause()
        told = tuple(replace(one, told_s=one.told_s - begin_s) for one in decisions)
        return self._told(told, begin_s)

    def _feed(self, begin: int, count: int) -> list[Decision]:
        """Blocks of silence: what would be heard in them is replayed."""
        decisions: list[Decision] = []
        for start in range(begin, begin + count, _BLOCK_SAMPLES):
            end = min(start + _BLOCK_SAMPLES, begin + count)
            self._clock.now_s = end / SAMPLE_RATE_HZ
            block = Block(start, np.zeros(end - start, np.float32), self._clock.now_s)
            decisions += [
                Decision(event.sound, self._clock.now_s)
                for event in self._pipeline.feed(block)
                if event.kind is EventKind.SOUND and event.phase is Phase.ONSET and event.sound
            ]
            self._next_sample = end
        return decisions

    def _pause(self) -> None:
        self._pipeline.close(OffsetReason.STOPPED)
        lost = _PAUSE_S * SAMPLE_RATE_HZ + -self._next_sample % SAMPLE_RATE_HZ
        self._pipeline.feed(Gap(self._next_sample, lost, GapCause.SOURCE_LOST))
        self._next_sample += lost

    def _told(self, decisions: tuple[Decision, ...], begin_s: float) -> Told:
        ends_s = np.array([one.end_s - begin_s for one in self._snapshots], np.float64)
        probabilities: dict[str, list[float]] = {}
        for snapshot in self._snapshots:
            for reading in snapshot.sounds:
                probabilities.setdefault(reading.sound, []).append(reading.probability)
        return Told(decisions, ends_s, {s: np.array(p) for s, p in probabilities.items()})


def _later(observation: Observation, seconds: float) -> Observation:
    return replace(
        observation,
        start_s=observation.start_s + seconds,
        end_s=observation.end_s + seconds,
    )
