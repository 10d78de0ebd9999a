"""What people say of sounds, taken: the moment kept, the sound settled anew, the change told.

The moment comes from the worker's memory, the settling takes a moment of its own on a thread aside,
and what comes of it is put into force on the main thread.  Nothing changes before its file is
written.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

from detector.alerts.messages import threshold_bounds, timestamp
from detector.config import Config, SoundConfig
from detector.core.clock import Clock
from detector.core.errors import ControlError, DetectorError
from detector.core.events import Feedback, Judgement, TakeBack
from detector.core.recognition import RecogniserSpec
from detector.events.gate import GateSettings
from detector.events.veto import Veto
from detector.learning.backgrounds import shipped_backgrounds
from detector.service.build import gate_settings
from detector.service.correction import (
    Example,
    Setting,
    Tally,
    bounds_of,
    fit_veto,
    settle,
    tally,
    told_change,
)
from detector.service.feedbackfile import FeedbackFile, Told, feedback_folder
from detector.service.moments import Moment
from detector.service.overrides import BY_FEEDBACK, Overrides, ThresholdOverride
from detector.service.pipeline import Pipeline
from detector.service.secondstage import Ask
from detector.service.worker import Worker

_log = logging.getLogger(__name__)

MOMENT_WITHIN_S = 4.0
"""For the worker to say what it remembers."""
LEAST_MISSED = 0.02
"""A probability at which nothing was missed."""
_Found = tuple[str, str, Moment, RecogniserSpec]
"""Event, sound, moment, and by which model."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be put into force."""

    sound: str
    override: ThresholdOverride | None
    veto: Veto | None
    line: str
    """What changed, for a person."""


@dataclass(frozen=True, slots=True)
class _Basis:
    """How a sound stands before."""

    config: SoundConfig
    override: ThresholdOverride | None

    @property
    def in_force(self) -> float:
        return self.config.threshold if self.override is None else self.override.value

    @property
    def gate(self) -> GateSettings:
        """With the threshold that counted before any feedback."""
        is_by_feedback = self.override is not None and self.override.origin == BY_FEEDBACK
        threshold = self.config.threshold if is_by_feedback else self.in_force
        return replace(gate_settings(self.config), threshold=threshold)

    def overridden(self, threshold: float) -> ThresholdOverride | None:
        """What makes a threshold the one in force."""
        if threshold == self.in_force:
            return self.override
        if threshold == self.config.threshold:
            return None
        return ThresholdOverride(threshold, self.config.threshold, BY_FEEDBACK)


class Feedbacks:
    """Takes feedback, one after the other. Used from the main thread only."""

    def __init__(
        self, config: Config, *, overrides: Overrides, worker: Worker, clock: Clock, ask: Ask
    ) -> None:
        self._config = config
        self._overrides = overrides
        self._worker = worker
        self._clock = clock
        self._ask = ask
        self._folder = feedback_folder(overrides.directory, config.node)
        self._done: SimpleQueue[Outcome | DetectorError] = SimpleQueue()
        self._waiting: Future[str] | None = None
        self._by = ""

    def start(self, command: Feedback | TakeBack, by: str) -> "Future[str]":
        """Begin; what came of it, once ``look`` has put that into force.

        Raises ControlError for what cannot be, or while one is being taken.
        """
        if self._waiting is not None:
            raise ControlError("the feedback before this one is still being taken; say it again")
        if command.sound is not None:
            self._basis(command.sound)  # which says why not
        if isinstance(command, Feedback) and command.judgement is Judgement.MISSED:
            _require_sound(command)
        future: Future[str] = Future()
        self._waiting, self._by = future, by
        done = self._done  # of this one: what comes too late goes nowhere
        self._ask(lambda: done.put(self._taken(command)))
        return future

    def look(self, put_in_force: Callable[[Outcome, str], None]) -> None:
        """Have what came of it put into force, with whose wish it was."""
        try:
            outcome = self._done.get_nowait()
        except Empty:
            return
        future, self._waiting = self._waiting, None
        if isinstance(outcome, Outcome):
            put_in_force(outcome, self._by)
        else:
            _log.warning("feedback by %s: %s", self._by, outcome)
        if future is not None and future.set_running_or_notify_cancel():
            if isinstance(outcome, Outcome):
                future.set_result(outcome.line)
            else:
                future.set_exception(outcome)

    def finish(self) -> None:
        """Nobody looks any more: whoever waits is told so."""
        future, self._waiting = self._waiting, None
        self._done = SimpleQueue()
        if future is not None and future.set_running_or_notify_cancel():
            future.set_exception(ControlError("broken off: the service stops, or reloads"))

    def put_vetoes_in_force(self, pipeline: Pipeline) -> None:
        """What was told to be wrong before; the pipeline is one that no worker feeds yet."""
        for sound, detector in pipeline.detectors.items():
            file = FeedbackFile(self._folder, sound)
            if not _is_alarm(self._config.sounds[sound]) and file.path.exists():
                detector.set_veto(file.read(pipeline.spec.content_hash).veto)

    def listed(self, spec: RecogniserSpec) -> list[dict[str, Any]]:
        """All that was said, by sound, and how it stands; safe from any thread."""
        found = []
        for sound in self._config.enabled_sounds:
            file = FeedbackFile(self._folder, sound)
            if file.path.exists() and (told := file.read(spec.content_hash)).examples:
                basis = self._basis(sound)
                found.append(_listed(sound, basis, told))
        return found

    def _basis(self, sound: str) -> _Basis:
        """Raises ControlError for a sound that feedback cannot change."""
        config = self._config.enabled_sounds.get(sound)
        if config is None:
            names = ", ".join(self._config.enabled_sounds) or "all disabled"
            raise ControlError(f"{sound!r} is not listened for; sounds are {names}")
        if _is_alarm(config):
            raise ControlError(
                f"{sound} is told by the beeps of a standard, and feedback leaves it alone: what a "
                "few moments teach could cost an alarm"
            )
        override = self._overrides.thresholds.get(sound)
        is_of_this = override is not None and override.replaced == config.threshold
        return _Basis(config, override if is_of_this else None)

    def _taken(self, command: Feedback | TakeBack) -> Outcome | DetectorError:
        try:
            if isinstance(command, TakeBack):
                return self._taken_back(command.sound)
            return self._learnt(command)
        except DetectorError as error:
            return error
        except Exception:  # noqa: BLE001 - told as the defect it is
            _log.exception("bug: feedback failed")
            return ControlError("internal error, see the log")

    def _learnt(self, command: Feedback) -> Outcome:
        event, sound, moment, spec = self._moment(command)
        basis, file = self._basis(sound), FeedbackFile(self._folder, sound)
        at = timestamp(self._clock.wall()) or ""
        before = file.read(spec.content_hash)
        example = Example(command.judgement, event, at, moment)
        told = before.with_example(example, basis.override)
        now = self._settled(sound, basis, told.examples, spec)
        told = told.settled(now.threshold, now.veto)
        file.write(told)
        was = Setting(basis.in_force, before.veto)
        line = _line(sound, basis.gate, told.examples, was, now)
        line += _unsettled(tally(told.examples, basis.gate, now))
        return Outcome(sound, basis.overridden(now.threshold), now.veto, line)

    def _settled(
        self, sound: str, basis: _Basis, examples: tuple[Example, ...], spec: RecogniserSpec
    ) -> Setting:
        gate, allowed = basis.gate, threshold_bounds(basis.config)
        is_wrong = any(one.judgement is Judgement.WRONG for one in examples)
        backgrounds = shipped_backgrounds(spec) if is_wrong else None
        veto = fit_veto(examples, gate, backgrounds, sound)
        return settle(examples, gate, bounds=bounds_of(gate.threshold, allowed), veto=veto)

    def _taken_back(self, sound: str) -> Outcome:
        spec = self._asked(lambda pipeline: pipeline.spec)
        basis, file = self._basis(sound), FeedbackFile(self._folder, sound)
        told = file.read(spec.content_hash)
        before = told.without_last()
        step = told.steps[-1]
        file.write(before)
        override, remark = step.override, ""
        if basis.in_force != step.threshold or (
            override is not None and override.replaced != basis.config.threshold
        ):
            override, remark = basis.override, "; the threshold was set since, and stays"
        after = basis.config.threshold if override is None else override.value
        was, now = Setting(basis.in_force, told.veto), Setting(after, step.veto)
        line = _line(sound, basis.gate, told.examples, was, now)
        return Outcome(sound, override, step.veto, f"taken back: {line}{remark}")

    def _moment(self, command: Feedback) -> _Found:
        def remembered(pipeline: Pipeline) -> _Found:
            if command.judgement is Judgement.MISSED and command.sound is not None:
                found = ("", command.sound, _missed(pipeline, command.sound))
            else:
                found = pipeline.moments.of_event(command.event, command.sound)
            return (*found, pipeline.spec)

        found: _Found = self._asked(remembered)
        return found

    def _asked(self, question: Callable[[Pipeline], Any]) -> Any:
        """What the worker's pipeline says; what it refuses is no defect to be logged."""

        def answer(pipeline: Pipeline) -> Any:
            try:
                return question(pipeline)
            except ControlError as error:
                return error

        try:
            found = self._worker.submit(answer).result(MOMENT_WITHIN_S)
        except TimeoutError:
            raise ControlError("the daemon is too busy to remember; say it again") from None
        if isinstance(found, ControlError):
            raise found
        return found


def _missed(pipeline: Pipeline, sound: str) -> Moment:
    """Raises ControlError where nothing came near enough to teach anything."""
    moment = pipeline.moments.missed(sound)
    best = float(moment.probabilities.max())
    if best < LEAST_MISSED:
        raise ControlError(
            f"nothing of the last minute was like {sound} ({best:.2f} at best): no threshold would "
            "have told it; where it is one of your own, teach it (detector learn)"
        )
    return moment


def _require_sound(command: Feedback) -> None:
    if command.sound is None:
        raise ControlError("missed: which sound? Name it: missed SOUND")
    if command.event is not None:
        raise ControlError("missed: what was missed is no event; name the sound alone")


def _is_alarm(config: SoundConfig) -> bool:
    return any(evidence.kind == "cadence" for evidence in config.evidence)


def _line(
    sound: str, gate: GateSettings, examples: tuple[Example, ...], was: Setting, now: Setting
) -> str:
    """``baby_cry: wrong examples raised: 1 of 1 → 0 of 1; threshold 0.737 → 0.797``."""
    before, after = tally(examples, gate, was), tally(examples, gate, now)
    parts = [told_change(before, after), _threshold_change(was.threshold, now.threshold)]
    parts += _veto_change(was.veto, now.veto)
    return f"{sound}: {'; '.join(parts)}"


def _threshold_change(was: float, now: float) -> str:
    return f"threshold {was:g} → {now:g}" if was != now else f"threshold {now:g} as it was"


def _veto_change(was: Veto | None, now: Veto | None) -> list[str]:
    if now is not None:
        count = len(now.directions)
        of = f"{count} moment{'s' * (count > 1)} told to be wrong"
        return [f"passed over is what is like {of} (likeness from {now.at:.2f})"]
    return ["nothing is passed over any more"] if was is not None else []


def _unsettled(after: Tally) -> str:
    if not after.errors:
        return ""
    why = "to put it right would cost too much of what is right"
    again = "say it again when it happens again, and right when it is one"
    return f"; the rest stays: {why}; {again}"


def _listed(sound: str, basis: _Basis, told: Told) -> dict[str, Any]:
    now = Setting(basis.in_force, told.veto)
    return {
        "sound": sound,
        "threshold": basis.in_force,
        "configured": basis.config.threshold,
        "likeness": None if told.veto is None else round(told.veto.at, 3),
        "steps": len(told.steps),
        "examples": [
            {
                "judgement": str(one.judgement),
                "event": one.event or None,
                "at": one.at,
                "told_at": round(one.moment.level(basis.gate), 4),
                "is_told": one.moment.level(basis.gate, now.veto) >= now.threshold,
            }
            for one in told.examples
        ],
    }
