"""Self-tests: asked for or once a day, one at a time, beside everything else."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from detector.alerts.messages import SelfTestReport, SelfTestStep
from detector.audio.speaker import play_tone
from detector.config import SelfTestConfig
from detector.core.clock import Clock
from detector.core.errors import AudioError, ControlError
from detector.core.events import Event, EventKind, Urgency
from detector.service.daily import Daily
from detector.service.eventmaker import EventMaker
from detector.service.outputs import Outputs
from detector.service.proofs import BrokenOffError, Limits, Player, Proofs, failed
from detector.service.worker import Worker

_log = logging.getLogger(__name__)

PASSED = "passed"
"""The reason of the event of a self-test that found nothing wrong."""
STOP_S = 1.5


class SelfTests:
    """Runs self-tests on a thread of their own. To be used from the main thread only.

    Sounds go on being decided meanwhile: the worker is asked for a few windows between two blocks.
    A self-test that fails is told as an urgent event, in the log, and as a state that stays.
    """

    def __init__(
        self,
        config: SelfTestConfig,
        *,
        worker: Worker,
        outputs: Outputs,
        clock: Clock,
        events: EventMaker,
        tell: Callable[[list[Event]], None],
        play: Player = play_tone,
        limits: Limits | None = None,
    ) -> None:
        self._output = config.output
        self._worker = worker
        self._outputs = outputs
        self._clock = clock
        self._events = events
        self._tell = tell
        self._play = play
        self._limits = limits or Limits()
        self._daily = None if config.at is None else Daily(config.at)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, trigger: str) -> "Future[SelfTestReport]":
        """Begin one; ``trigger`` is ``command``, ``schedule`` or ``button``.

        Raises ControlError where one is running, or the machine allows no more threads.  What is
        returned fails with ControlError where it is broken off; it cannot be cancelled.
        """
        if self._thread is not None and self._thread.is_alive():
            raise ControlError("a self-test is running already")
        self._stopping = threading.Event()
        future: Future[SelfTestReport] = Future()
        future.set_running_or_notify_cancel()  # whoever waits no longer must not spoil it
        thread = threading.Thread(
            target=self._run,
            args=(trigger, future, self._stopping),
            name="detector-selftest",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError as error:
            raise ControlError(f"the self-test cannot begin: {error}") from error
        self._thread = thread
        _log.info("self-test begins (%s)", trigger)
        return future

    def look(self) -> None:
        """Begin the daily one when it is time; several times a second."""
        if self._daily is None or not self._daily.is_due(self._clock.wall()):
            return
        try:
            self.start("schedule")
        except ControlError as error:
            _log.warning("%s", error)

    def finish(self) -> None:
        """Break off one that is running, and wait until it has ended."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                _log.error("bug: thread %s did not end in %g s", self._thread.name, STOP_S)
            self._thread = None

    def _run(
        self, trigger: str, future: "Future[SelfTestReport]", stopping: threading.Event
    ) -> None:
        try:
            report = self._report(trigger, stopping)
            self._outputs.set_self_test(report)
        except BrokenOffError as error:
            _log.info("%s", error)
            future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            _log.exception("bug: the self-test failed to run")
            future.set_exception(ControlError(f"the self-test failed to run: {error!r}"))
        else:
            self._log_report(report)
            future.set_result(report)

    def _report(self, trigger: str, stopping: threading.Event) -> SelfTestReport:
        """Take the steps, and tell what they find on the way that the last one tests."""
        proofs = Proofs(
            self._output,
            worker=self._worker,
            outputs=self._outputs,
            clock=self._clock,
            play=self._play,
            stopping=stopping,
            limits=self._limits,
        )
        steps = {"microphone": _taken(proofs.microphone, stopping)}
        steps["model"] = _taken(proofs.model, stopping)
        so_far = SelfTestReport(at=self._clock.wall(), trigger=trigger, steps=steps)
        event_id = self._announce(so_far)
        broker = _taken(lambda: proofs.broker(event_id), stopping)
        report = replace(so_far, steps=steps | {"broker": broker})
        if so_far.passed and not report.passed:
            self._announce(report)  # waits with the first for the broker, and is the last word
        return report

    def _announce(self, report: SelfTestReport) -> str:
        """Tell an event; its id."""
        event = self._events.notice(
            EventKind.SELF_TEST,
            urgency=Urgency.INFO if report.passed else Urgency.URGENT,
            reason=PASSED if report.passed else f"failed: {report.failures}",
        )
        self._tell([event])
        return event.id

    def _log_report(self, report: SelfTestReport) -> None:
        for name, step in report.steps.items():
            level = logging.INFO if step.passed else logging.ERROR
            _log.log(
                level,
                "self-test, %s %s: %s",
                name,
                PASSED if step.passed else "FAILED",
                step.detail,
            )


def _taken(step: Callable[[], SelfTestStep], stopping: threading.Event) -> SelfTestStep:
    """What a step finds; one that cannot be taken has failed."""
    try:
        return step()
    except BrokenOffError:
        raise
    except AudioError as error:
        if stopping.is_set():
            raise BrokenOffError("the self-test was broken off") from error
        return failed(str(error))
    except Exception as error:  # noqa: BLE001 - a defect here must be as loud as any other
        _log.exception("bug: a step of the self-test failed")
        return failed(f"internal error: {error!r}")
