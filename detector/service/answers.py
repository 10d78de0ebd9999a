"""What the control socket answers."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from detector import __version__
from detector.alerts.history import MOST, Question, read_history
from detector.alerts.messages import (
    SelfTestReport,
    class_scores,
    health_payload,
    self_test_payload,
)
from detector.core.errors import ControlError
from detector.core.events import (
    Command,
    Feedback,
    Judgement,
    SetArmed,
    SetThreshold,
    TakeBack,
    TestAlert,
)
from detector.core.recognition import SCORES
from detector.events.scorers import best_classes
from detector.service.control import Handler
from detector.service.parts import Parts, snapshot_document
from detector.service.promises import promise
from detector.service.remembered import take_document

_Result = TypeVar("_Result")
Ask = Callable[[Callable[[], None]], None]

ANSWER_WITHIN_S = 4.0
SELF_TEST_WITHIN_S = 16.0
"""Each of its steps is bounded; together they take less."""
FEEDBACK_WITHIN_S = 20.0
"""On a small machine, to read the backgrounds takes seconds."""
BY_SOCKET = "the control socket"
UNDO = "undo"


class Answers:
    """Answers requests; each is carried out on the main thread. Called on clients' threads."""

    def __init__(
        self,
        *,
        node: str,
        ask: Ask,
        parts: Callable[[], Parts],
        reload: Callable[[], None] = lambda: None,
        within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self._node = node
        self._ask = ask
        self._parts = parts
        self._reload = reload
        self._within_s = within_s

    def handlers(self) -> Mapping[str, Handler]:
        """By command."""
        return {
            "ping": lambda _request: {"node": self._node, "version": __version__},
            "status": lambda _request: self._on_main_thread(self._status),
            "recent": self._recent,
            "explain": self._explain,
            "history": self._history,
            "take": self._take,
            "feedback": self._feedback,
            "feedback_list": lambda _request: self._feedback_list(),
            "reload": lambda _request: self._reload_soon(),
            "test_alert": lambda request: self._command(TestAlert(_text(request, "sound"))),
            "selftest": lambda _request: self._self_test(),
            "arm": lambda _request: self._command(SetArmed(armed=True)),
            "disarm": lambda _request: self._command(SetArmed(armed=False)),
            "set_threshold": lambda request: self._command(_threshold(request)),
        }

    def _command(self, command: Command) -> dict[str, Any]:
        done = self._on_main_thread(lambda: self._parts().desk.carry_out(command, BY_SOCKET))
        return {"done": done}

    def _self_test(self) -> dict[str, Any]:
        begun = self._on_main_thread(self._begin_self_test)
        return {"selftest": self_test_payload(self._wait(begun, SELF_TEST_WITHIN_S))}

    def _begin_self_test(self) -> Future[SelfTestReport]:
        return self._parts().desk.self_test()

    def _feedback(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What came of it, in a line, once it is in force."""
        command = _judged(request)
        begun = self._on_main_thread(lambda: self._parts().desk.feedbacks.start(command, BY_SOCKET))
        return {"done": self._wait(begun, FEEDBACK_WITHIN_S)}

    def _feedback_list(self) -> dict[str, Any]:
        parts = self._parts()
        return {"sounds": parts.desk.feedbacks.listed(parts.worker.pipeline.identities)}

    def _reload_soon(self) -> dict[str, Any]:
        self._reload()
        return {"done": "the configuration is read anew"}

    def _take(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the model made of an event that is not longer ago than is remembered."""
        wanted = _text(request, "event")
        parts = self._parts()
        known = read_history(parts.outputs.history, Question())
        found = next((one for one in known if one["id"] == wanted), None)
        if found is None:
            raise ControlError(f"{wanted}: no such event in the history; see detector history")
        if not found["sound"] or found["test"]:
            raise ControlError(f"{wanted}: that was no sound that was heard")
        now = parts.clock.wall(), parts.clock.monotonic()
        return self._wait(parts.worker.submit(lambda pipeline: take_document(pipeline, found, now)))

    def _status(self) -> dict[str, Any]:
        parts = self._parts()
        return {
            "node": self._node,
            "version": __version__,
            "status": parts.monitor.status_line(),
            "health": health_payload(parts.monitor.health()),
            # As decided; the worker's pipeline follows within a moment.
            "armed": parts.overrides.armed,
            "sounds": parts.desk.sounds,
            "evidence": {name: list(told) for name, told in parts.worker.pipeline.evidence.items()},
            "windows": parts.worker.statistics.windows,
            "state_directory": str(parts.overrides.directory),
        }

    def _recent(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The best classes of the last seconds, oldest first."""
        seconds = _seconds(request)
        worker, labels = self._parts().worker, self._parts().monitor.model.spec.labels
        observations = self._wait(worker.submit(lambda pipeline: list(pipeline.recent)))
        newest_s = observations[-1].end_s if observations else 0.0
        return {
            "windows": [
                {
                    "end_s": round(one.end_s, 3),
                    "classes": class_scores(best_classes(one.outputs[SCORES], labels, 3)),
                }
                for one in observations
                if one.end_s >= newest_s - seconds
            ]
        }

    def _explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The last seconds, window by window, and what each sound made of them."""
        seconds = _seconds(request)
        worker = self._parts().worker
        windows = self._wait(worker.submit(lambda pipeline: pipeline.replay(seconds)))
        return {"windows": [snapshot_document(window) for window in windows]}

    def _history(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What was decided, oldest first; read on the client's thread."""
        limit = _number(request, "limit")
        question = Question(
            sound=_text(request, "sound"),
            since_unix_s=_number(request, "since_unix_s"),
            until_unix_s=_number(request, "until_unix_s"),
            limit=MOST if limit is None else max(1, int(min(limit, MOST))),
        )
        return {"events": read_history(self._parts().outputs.history, question)}

    def _on_main_thread(self, work: Callable[[], _Result]) -> _Result:
        future, fulfil = promise(work)
        self._ask(fulfil)
        return self._wait(future)

    def _wait(self, future: Future[_Result], within_s: float | None = None) -> _Result:
        limit_s = self._within_s if within_s is None else within_s
        try:
            return future.result(limit_s)
        except TimeoutError:
            future.cancel()
            raise ControlError(f"the daemon did not answer within {limit_s:g} s") from None


def _text(request: Mapping[str, Any], key: str) -> str | None:
    value = request.get(key)
    if value is not None and not isinstance(value, str):
        raise ControlError(f"{key}: {value!r}: must be text")
    return value


def _seconds(request: Mapping[str, Any]) -> float:
    """How far back is asked for."""
    seconds = _number(request, "seconds")
    return 30.0 if seconds is None else seconds


def _number(request: Mapping[str, Any], key: str) -> float | None:
    value = request.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise ControlError(f"{key}: {value!r}: must be a number")
    return float(value)


def _judged(request: Mapping[str, Any]) -> Feedback | TakeBack:
    judgement, sound = _text(request, "judgement"), _text(request, "sound")
    if judgement == UNDO:
        if sound is None:
            raise ControlError("sound: is missing: of which is the last feedback taken back?")
        return TakeBack(sound)
    if judgement not in list(Judgement):
        raise ControlError(f"judgement: {judgement!r}: must be right, wrong, missed or undo")
    return Feedback(Judgement(judgement), sound, _text(request, "event"))


def _threshold(request: Mapping[str, Any]) -> SetThreshold:
    sound, value = _text(request, "sound"), request.get("value")
    if sound is None:
        raise ControlError("sound: is missing")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ControlError(f"value: {value!r}: must be a number, or null for the configured one")
    return SetThreshold(sound, value)
