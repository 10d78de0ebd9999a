"""Does what people ask of the running daemon: thresholds, arming, tests."""

import logging
import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from detector.alerts.messages import SelfTestReport, threshold_bounds
from detector.config import Config, SoundConfig
from detector.core.clock import Clock
from detector.core.errors import ControlError
from detector.core.events import (
    Command,
    Event,
    EventKind,
    Feedback,
    Phase,
    SelfTest,
    SetArmed,
    SetThreshold,
    TakeBack,
    TestAlert,
    Urgency,
)
from detector.service.eventmaker import EventMaker
from detector.service.feedback import Feedbacks, Outcome
from detector.service.outputs import Outputs
from detector.service.overrides import Overrides
from detector.service.pipeline import Pipeline
from detector.service.secondstage import Ask, at_once
from detector.service.selftest import SelfTests
from detector.service.worker import Worker

_log = logging.getLogger(__name__)

SAVE_AGAIN_S = 10.0
"""After this, what could not be written to the disk is tried again."""
REFUSED_AGAIN_S = 5.0
"""No oftener is it told that feedback came to nothing."""
TEST_ALERT_S = 3.0
"""How long a test alert stays ON: long enough for a lamp to be seen."""


@dataclass(frozen=True, slots=True)
class _Due:
    sound: str
    at_s: float
    event: Callable[[], Event]


class Desk:
    """Carries out commands. Used from the main thread only."""

    def __init__(
        self,
        config: Config,
        *,
        overrides: Overrides,
        worker: Worker,
        outputs: Outputs,
        clock: Clock,
        tell: Callable[[list[Event]], None],
        ask: Ask = at_once,
    ) -> None:
        """Only assigns; what takes its time is done by ``ask``."""
        self._config = config
        self._overrides = overrides
        self._worker = worker
        self._outputs = outputs
        self._clock = clock
        self._tell = tell
        self._events = EventMaker(node=config.node, clock=clock)
        self._due: list[_Due] = []
        self._save_due_s = -math.inf
        self._refusal_due_s = -math.inf
        self._self_tests = SelfTests(
            config.selftest,
            worker=worker,
            outputs=outputs,
            clock=clock,
            events=self._events,
            tell=tell,
        )
        self.feedbacks = Feedbacks(config, overrides=overrides, worker=worker, clock=clock, ask=ask)

    @property
    def sounds(self) -> list[str]:
        """Names of the sounds that are listened for."""
        return list(self._config.enabled_sounds)

    def apply_overrides(self, pipeline: Pipeline) -> None:
        """Put what was set at run time into force, and show all that is in force.

        ``pipeline`` is one that no worker feeds yet.
        """
        self._overrides.reconcile(self._config)
        self.feedbacks.put_in_force(pipeline)
        self._overrides.save()
        for name in self.sounds:
            threshold = self._in_force(name)
            pipeline.detectors[name].set_threshold(threshold, self._release(name, threshold))
            self._outputs.set_threshold(name, threshold)
        armed = self._overrides.armed
        pipeline.set_armed(armed=armed)
        self._outputs.set_armed(armed=armed)
        if not armed:
            _log.warning(
                "disarmed: no sound is told until somebody arms it again "
                "(detector arm, or the switch in Home Assistant)"
            )

    def carry_out(self, command: Command, by: str) -> str:
        """Do it; returns a line that says what was done.  ``by`` says whose wish it was.

        Raises ControlError for a sound that is not listened for or a value that cannot be.
        """
        match command:
            case SetThreshold(sound, value):
                return self._set_threshold(sound, value, by)
            case SetArmed(armed):
                return self._set_armed(by, armed=armed)
            case TestAlert(sound):
                return self._test_alert(sound, by)
            case SelfTest():
                self._self_tests.start("button")
                return "self-test begun"
            case Feedback() | TakeBack():
                return self._take_feedback(command, by)

    def self_test(self) -> "Future[SelfTestReport]":
        """Begin a self-test on command; its result. Raises ControlError where one is running."""
        return self._self_tests.start("command")

    def look(self) -> None:
        """Do what has become due; several times a second."""
        now_s = self._clock.monotonic()
        self.feedbacks.look(self._put_in_force)
        if now_s >= self._save_due_s and not self._overrides.save():
            self._save_due_s = now_s + SAVE_AGAIN_S
        self._end([entry for entry in self._due if entry.at_s <= now_s])
        self._self_tests.look()

    def finish(self) -> None:
        """Do at once what would become due later: no test alert stays ON. No self-test goes on."""
        self._self_tests.finish()
        self.feedbacks.finish(self._put_in_force)
        self._overrides.save()
        self._end(self._due)

    def _end(self, due: list[_Due]) -> None:
        self._due = [entry for entry in self._due if entry not in due]
        self._tell([entry.event() for entry in due])

    def _set_threshold(self, sound: str, value: float | None, by: str) -> str:
        config = self._listened_for(sound)
        low, high = threshold_bounds(config)
        if value is None:
            self._overrides.drop_threshold(sound)
        elif not low <= value <= high:
            raise ControlError(f"threshold {value}: must be a number from {low} to {high}")
        else:
            self._overrides.set_threshold(sound, value, configured=config.threshold)
        threshold = self._use_threshold(sound)
        _log.info("threshold of %s is now %s, set by %s", sound, threshold, by)
        return f"threshold of {sound} is now {threshold}"

    def _use_threshold(self, sound: str) -> float:
        """Put the threshold into force that is to be, and show it; returns it."""
        threshold = self._in_force(sound)
        release = self._release(sound, threshold)
        self._worker.submit(
            lambda pipeline: pipeline.detectors[sound].set_threshold(threshold, release)
        )
        self._outputs.set_threshold(sound, threshold)
        return threshold

    def _take_feedback(self, command: Feedback | TakeBack, by: str) -> str:
        """For whoever waits for no answer: why it came to nothing is told as what came of it is.

        Raises ControlError where it cannot even begin.
        """

        def look_at(future: "Future[str]") -> None:
            if error := future.exception():
                self._tell_refusal(error, by)

        try:
            self.feedbacks.start(command, by).add_done_callback(look_at)
        except ControlError as error:
            self._tell_refusal(error, by)
            raise
        return "feedback is being taken"

    def _tell_refusal(self, error: BaseException, by: str) -> None:
        """Now and then: a flood of commands must not become one of events."""
        now_s = self._clock.monotonic()
        if now_s >= self._refusal_due_s:
            self._refusal_due_s = now_s + REFUSED_AGAIN_S
            self._tell_feedback(f"not taken: {error}", by)

    def _tell_feedback(self, line: str, by: str) -> None:
        kind, reason = EventKind.FEEDBACK, f"{line}, by {by}"
        self._tell([self._events.notice(kind, urgency=Urgency.INFO, reason=reason)])

    def _put_in_force(self, outcome: Outcome, by: str) -> None:
        """What came of feedback: it is told, for nothing changes in silence."""
        sound, override, veto = outcome.sound, outcome.override, outcome.veto
        if override is None:
            self._overrides.drop_threshold(sound)
        else:
            self._overrides.set_threshold(
                sound, override.value, configured=override.replaced, origin=override.origin
            )
        self._use_threshold(sound)
        self._worker.submit(lambda pipeline: pipeline.detectors[sound].set_veto(veto))
        _log.info("feedback by %s: %s", by, outcome.line)
        self._tell_feedback(outcome.line, by)

    def _in_force(self, sound: str) -> float:
        configured = self._config.sounds[sound].threshold
        override = self._overrides.thresholds.get(sound)
        is_of_this = override is not None and override.replaced == configured
        return override.value if override is not None and is_of_this else configured

    def _release(self, sound: str, threshold: float) -> float:
        """It keeps its distance: a threshold set below it would make the sound flicker."""
        config = self._config.sounds[sound]
        return round(config.release_threshold * min(1.0, threshold / config.threshold), 4)

    def _set_armed(self, by: str, *, armed: bool) -> str:
        if armed is self._overrides.armed:
            self._outputs.set_armed(armed=armed)
            return "armed already" if armed else "disarmed already"
        self._overrides.set_armed(armed=armed)
        self._worker.submit(lambda pipeline: self._tell(pipeline.set_armed(armed=armed)))
        self._outputs.set_armed(armed=armed)
        kind = EventKind.ARMED if armed else EventKind.DISARMED
        urgency = Urgency.INFO if armed else Urgency.NOTICE
        self._tell([self._events.notice(kind, urgency=urgency, reason=f"by {by}")])
        _log.log(logging.INFO if armed else logging.WARNING, "%s by %s", kind, by)
        return str(kind)

    def _test_alert(self, sound: str | None, by: str) -> str:
        name = sound or next(iter(self.sounds), "")
        urgency = self._listened_for(name).urgency
        event_id, onset = self._events.new_id(), self._clock.wall()

        def half(phase: Phase) -> Event:
            return self._events.test_alert(name, urgency, phase, event_id, onset)

        self._end([entry for entry in self._due if entry.sound == name])
        self._tell([half(Phase.ONSET)])
        at_s = self._clock.monotonic() + TEST_ALERT_S
        self._due.append(_Due(name, at_s, lambda: half(Phase.OFFSET)))
        _log.info("test alert for %s, asked for by %s", name, by)
        return f"test alert for {name}: ON now, OFF in {TEST_ALERT_S:g} s"

    def _listened_for(self, sound: str) -> SoundConfig:
        config = self._config.enabled_sounds.get(sound)
        if config is None:
            names = ", ".join(self.sounds) or "all disabled"
            raise ControlError(f"{sound!r} is not listened for; sounds are {names}")
        return config
