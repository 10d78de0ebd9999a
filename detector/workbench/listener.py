"""The daemon's own pipeline over what its recognisers have made of some audio."""

import math
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
from detector.service.pipeline import REMEMBERED_S, Pipeline, Snapshot
from detector.workbench.matching import Decision
from detector.workbench.observe import Observed, Replayed

_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
BLOCK_S = _BLOCK_SAMPLES / SAMPLE_RATE_HZ
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
    starts_s: NDArray[np.float64]
    """Beginning of each window, shape (windows,)."""
    began_s: dict[str, NDArray[np.float64]]
    """By sound, shape (windows,): where it began, if its evidence can tell; else not a number."""


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
        self._began: list[dict[str, float]] = []
        self._pipeline = build_pipeline(
            config, self._replayed, clock=self._clock, on_snapshot=self._note
        )
        self._next_sample = 0

    @property
    def pipeline(self) -> Pipeline:
        """What decides."""
        return self._pipeline

    @property
    def uncalibrated(self) -> frozenset[str]:
        """Sounds whose probability is a bare score."""
        detectors = self._pipeline.detectors.items()
        return frozenset(sound for sound, detector in detectors if not detector.calibrated)

    def listen(self, observed: Observed) -> Told:
        """Decide on a scene, by what the recognisers made of it, each in its place."""
        begin = self._next_sample
        begin_s = begin / SAMPLE_RATE_HZ
        for replayed, observations in zip(self._replayed, observed, strict=True):
            replayed.load([_later(one, begin_s) for one in observations])
        self._snapshots.clear()
        self._began.clear()
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

    def _note(self, snapshot: Snapshot) -> None:
        began = {sound: one.began_s for sound, one in self._pipeline.detectors.items()}
        self._snapshots.append(snapshot)
        self._began.append({s: math.nan if at is None else at for s, at in began.items()})

    def _pause(self) -> None:
        self._pipeline.close(OffsetReason.STOPPED)
        lost = _PAUSE_S * SAMPLE_RATE_HZ + -self._next_sample % SAMPLE_RATE_HZ
        self._pipeline.feed(Gap(self._next_sample, lost, GapCause.SOURCE_LOST))
        self._next_sample += lost

    def _told(self, decisions: tuple[Decision, ...], begin_s: float) -> Told:
        spans_s = np.array([(one.start_s, one.end_s) for one in self._snapshots], np.float64)
        starts_s, ends_s = spans_s.reshape(-1, 2).T - begin_s
        probabilities: dict[str, list[float]] = {}
        for snapshot in self._snapshots:
            for reading in snapshot.sounds:
                probabilities.setdefault(reading.sound, []).append(reading.probability)
        began_s = {s: np.array([one[s] for one in self._began]) - begin_s for s in probabilities}
        arrays = {sound: np.array(given) for sound, given in probabilities.items()}
        return Told(decisions, ends_s, arrays, starts_s, began_s)


def _later(observation: Observation, seconds: float) -> Observation:
    return replace(
        observation,
        start_s=observation.start_s + seconds,
        end_s=observation.end_s + seconds,
    )
