"""The three steps of a self-test: that the microphone, the model and the broker do their part."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from detector.alerts.messages import SelfTestStep
from detector.audio.ring import RingBuffer
from detector.audio.tone import (
    LEAD_SECONDS,
    TONE_CLASSES,
    TONE_SECONDS,
    Carried,
    judge,
    tone_samples,
)
from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, MicState
from detector.core.clock import Clock
from detector.core.errors import AudioError, ControlError
from detector.core.events import ClassScore
from detector.core.recognition import SCORES, Observation, Recogniser
from detector.events.scorers import best_classes
from detector.service.outputs import Outputs
from detector.service.pipeline import Pipeline
from detector.service.worker import Worker

_Result = TypeVar("_Result")

RECOGNISED = 0.3
"""The least score for the tone that counts: half of the worst that was measured."""
CLEAR_DB = 30.0
"""A tone that stands out so far must be recognised through the room; one softer may be drowned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the steps may take, in seconds; together with the player's own, under 15."""

    settle_s: float = 0.8
    """From the end of the tone until the microphone has brought all of it."""
    model_s: float = 2.5
    broker_s: float = 3.0
    poll_s: float = 0.05


class BrokenOffError(ControlError):
    """The daemon stops, or takes another configuration, in the middle of a self-test."""


class Player(Protocol):
    """Plays the tone through an output; see ``detector.audio.speaker.play_tone``."""

    def __call__(
        self, output: str, *, playing: Callable[[], None], cancelled: Callable[[], bool]
    ) -> None:
        """Return when it has been played. Raises AudioError."""


def passed(detail: str) -> SelfTestStep:
    """A step that found nothing wrong."""
    return SelfTestStep(passed=True, detail=detail)


def failed(detail: str) -> SelfTestStep:
    """A step that did."""
    return SelfTestStep(passed=False, detail=detail)


@dataclass(slots=True)
class _Heard:
    """What the microphone and the model made of the tone through the room."""

    carried: Carried
    observations: Sequence[Observation]


@dataclass(slots=True)
class Proofs:
    """The steps, in the order in which they stand here. For one self-test, on one thread."""

    output: str | None
    """The loudspeaker; None: there is none."""
    worker: Worker
    outputs: Outputs
    clock: Clock
    play: Player
    stopping: threading.Event
    limits: Limits = field(default_factory=Limits)
    _heard: _Heard | None = None

    def microphone(self) -> SelfTestStep:
        """It carries a tone that is played, or, without a loudspeaker, is in order."""
        if self.output is None:
            return self._state_of_microphone()
        carried, observations = self._listen_to(self.output)
        if carried is None:
            state = self.worker.mic_state
            return failed(f"{state}: too little was heard to tell")
        if not carried.passed:
            why = f"the tone played through {self.output} did not come back: {carried}"
            return failed(why)
        self._heard = _Heard(carried, observations)
        return passed(f"carried the tone played through {self.output}: {carried}")

    def model(self) -> SelfTestStep:
        """Its scores answer to the tone: through the room, or given to it directly."""
        heard = self._heard
        best = _best(heard.observations, self._labels()) if heard else None
        if heard is not None and best is not None:
            through = f"{best.name} {best.score:.2f} through the room"
            if best.score >= RECOGNISED:
                return passed(through)
            if heard.carried.clearance_db >= CLEAR_DB:
                return failed(f"the tone was clear, but not recognised: {through}")
        step = self._directly()
        if step.passed and best is not None:
            note = "through the room other sounds drowned the tone"
            return passed(f"{step.detail}; {note}")
        return step

    def broker(self, event_id: str) -> SelfTestStep:
        """Everybody who is to be told has acknowledged an event."""
        for polls in range(round(self.limits.broker_s / self.limits.poll_s)):
            if self.outputs.is_delivered(event_id):
                within_s = polls * self.limits.poll_s
                how = f"acknowledged within {within_s + self.limits.poll_s:.1f} s"
                return passed(f"{how} ({self.outputs.description})")
            self._pause(self.limits.poll_s)
        why = self.outputs.last_error or self.outputs.description
        limit = f"not acknowledged within {self.limits.broker_s:g} s"
        return failed(f"{limit}: {why}")

    def _state_of_microphone(self) -> SelfTestStep:
        state = self.worker.mic_state
        level = f"level {self.worker.statistics.level[0]:.0f} dBFS"
        described = f"{state}: {self.worker.source.status.description}, {level}"
        untried = "no loudspeaker is set (selftest.output), so no tone was played"
        verdict = passed if state in (MicState.OK, MicState.CLIPPING) else failed
        return verdict(f"{described}; {untried}")

    def _listen_to(self, output: str) -> tuple[Carried | None, list[Observation]]:
        """Play the tone and hear it; what came of it, and what the model saw meanwhile."""
        heard: list[Block | Gap] = []
        begun: list[float] = []

        def playing() -> None:
            # Half of the silence is left to clocks that do not quite agree.
            begun.append(self.clock.monotonic() + LEAD_SECONDS / 2)

        try:
            self._ask(lambda pipeline: _listen(pipeline, heard.append))
            self.play(output, playing=playing, cancelled=self.stopping.is_set)
            self._pause(self.limits.settle_s)
        finally:
            self.worker.submit(lambda pipeline: _listen(pipeline, None))
        return self._ask(lambda pipeline: _judged(heard, begun[0], pipeline))

    def _directly(self) -> SelfTestStep:
        """Give the tone to a recogniser that has heard nothing, over the same model."""
        observations: list[Observation] = []
        recogniser = self._ask(lambda pipeline: pipeline.fresh_recogniser())
        ring = RingBuffer(2 * TONE_SECONDS, SAMPLE_RATE_HZ, 2 * TONE_SECONDS)
        ring.write(tone_samples(), self.clock.monotonic())
        ring.close("the tone is over")
        while isinstance(block := ring.read(0.0), Block):
            observations += self._ask(_fed(recogniser, block))
        if not observations or not all(_finite(one) for one in observations):
            return failed("it gave no scores for the tone")
        best = _best(observations, recogniser.spec.labels)
        if best is None:
            return passed("it answered; it has no class for the tone")
        answer = f"{best.name} {best.score:.2f} for the tone, given to it directly"
        return passed(answer) if best.score >= RECOGNISED else failed(answer)

    def _labels(self) -> tuple[str, ...]:
        return self._ask(lambda pipeline: pipeline.fresh_recogniser().spec.labels)

    def _ask(self, request: Callable[[Pipeline], _Result]) -> _Result:
        """Have something done between two blocks: audio waits in the ring meanwhile."""
        future: Future[_Result] = self.worker.submit(request)
        for _ in range(max(1, round(self.limits.model_s / self.limits.poll_s))):
            wait([future], self.limits.poll_s)
            if future.done():
                return future.result()
            self._pause(0.0)
        future.cancel()
        raise AudioError("the worker does not answer: nothing is being heard")

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise BrokenOffError("the self-test was broken off")


def _fed(recogniser: Recogniser, block: Block) -> Callable[[Pipeline], Sequence[Observation]]:
    return lambda _pipeline: recogniser.feed(block)


def _listen(pipeline: Pipeline, listener: Callable[[Block | Gap], None] | None) -> None:
    pipeline.listener = listener


def _judged(
    heard: Sequence[Block | Gap], begins_s: float, pipeline: Pipeline
) -> tuple[Carried | None, list[Observation]]:
    """What was carried, and the windows that hold some of what was heard from then on."""
    blocks = [item for item in heard if isinstance(item, Block)]
    if not blocks:
        return None, []
    last = blocks[-1]
    since_s = last.end_sample / SAMPLE_RATE_HZ - (last.captured_monotonic_s - begins_s)
    return judge(blocks, begins_s=begins_s), [o for o in pipeline.recent if o.end_s > since_s]


def _best(observations: Sequence[Observation], labels: Sequence[str]) -> ClassScore | None:
    """The best score of any of the tone's classes; None where the model has none of them."""
    columns = [labels.index(name) for name in TONE_CLASSES if name in labels]
    if not columns or not observations:
        return None
    names = [labels[column] for column in columns]
    loudest = np.stack([one.outputs[SCORES][columns] for one in observations]).max(axis=0)
    return best_classes(loudest, names, 1)[0]


def _finite(observation: Observation) -> bool:
    return bool(np.isfinite(observation.outputs[SCORES]).all())
