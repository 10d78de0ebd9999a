"""What people say of sounds, taken: the moment kept, the sound settled anew, the change told.

The moment comes from the worker's memory, the settling takes a moment of its own on a thread aside,
and what comes of it is put into force on the main thread.  Nothing changes before its file is
written, and what is broken off changes nothing.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from detector.alerts.messages import threshold_bounds, timestamp
from detector.config import Config, SoundConfig
from detector.core.clock import Clock
from detector.core.errors import ControlError, DetectorError
from detector.core.events import Feedback, Judgement, TakeBack
from detector.core.recognition import EMBEDDING, RecogniserSpec
from detector.events.veto import Veto
from detector.learning.backgrounds import shipped_backgrounds
from detector.service.correction import Example, Setting, bounds_of, fit_veto, settle, tally
from detector.service.feedbackfile import FeedbackFile, Told, feedback_folder
from detector.service.feedbackwords import Basis, change_line, listed, unsettled, veto_line
from detector.service.mayteach import is_alarm, refusal
from detector.service.moments import Moment
from detector.service.named import BY_MODEL
from detector.service.overrides import BY_FEEDBACK, Overrides, ThresholdOverride
from detector.service.pipeline import Pipeline
from detector.service.secondstage import Ask
from detector.service.worker import Worker

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

MOMENT_WITHIN_S = 4.0
"""For the worker to say what it remembers."""
BROKEN_OFF = "broken off: the service stops, or reloads"


@dataclass(frozen=True, slots=True)
class _Found:
    """What the worker remembers."""

    event: str
    sound: str
    moment: Moment
    identity: str
    """Of the evidence that told it."""
    spec: RecogniserSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be put into force."""

    sound: str
    override: ThresholdOverride | None
    veto: Veto | None
    line: str
    """What changed, for a person."""
    was: ThresholdOverride | None
    """What stood when it was settled."""


class _Taking:
    """One that is being taken: broken off, or kept, but never half of each. For any thread."""

    def __init__(self) -> None:
        self.done: SimpleQueue[Outcome | DetectorError] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_broken_off = False

    def break_off(self) -> None:
        """Nothing of it is kept that is not kept by now."""
        with self._lock:
            self._is_broken_off = True

    def require_going(self) -> None:
        """Raises ControlError where it was broken off."""
        if self._is_broken_off:
            raise ControlError(BROKEN_OFF)

    def keep(self, write: Callable[[], Outcome]) -> None:
        """Write it and say what came of it, unless it was broken off; raises as ``write`` does."""
        with self._lock:
            self.require_going()
            self.done.put(write())


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
        self._taking = _Taking()
        self._waiting: Future[str] | None = None
        self._by = ""

    def start(self, command: Feedback | TakeBack, by: str) -> "Future[str]":
        """Begin; what came of it, once ``look`` has put that into force.

        Raises ControlError for what cannot be, or while one is being taken.
        """
        if self._waiting is not None:
            raise ControlError("the feedback before this one is still being taken; say it again")
        if command.sound is not None:
            self._basis(command.sound, command)  # which says why not
        if isinstance(command, Feedback) and command.judgement is Judgement.MISSED:
            _require_sound(command)
        future: Future[str] = Future()
        self._waiting, self._by = future, by
        self._taking = taking = _Taking()
        self._ask(lambda: self._take(command, taking))
        return future

    def look(self, put_in_force: Callable[[Outcome, str], None]) -> None:
        """Have what came of it put into force, with whose wish it was."""
        try:
            outcome = self._taking.done.get_nowait()
        except Empty:
            return
        future, self._waiting = self._waiting, None
        if isinstance(outcome, Outcome):
            outcome = self._unless_set_since(outcome)
            put_in_force(outcome, self._by)
        else:
            _log.warning("feedback by %s: %s", self._by, outcome)
        if future is not None and future.set_running_or_notify_cancel():
            if isinstance(outcome, Outcome):
                future.set_result(outcome.line)
            else:
                future.set_exception(outcome)

    def _unless_set_since(self, outcome: Outcome) -> Outcome:
        """A threshold that somebody has set while it was being settled stays."""
        now = self._stands(outcome.sound, self._config.sounds[outcome.sound]).override
        if now == outcome.was:
            return outcome
        line = f"{outcome.line}; the threshold was set meanwhile, and stays"
        return replace(outcome, override=now, line=line)

    def finish(self, put_in_force: Callable[[Outcome, str], None]) -> None:
        """Nobody looks any more: what is kept already is put into force, the rest broken off."""
        self._taking.break_off()
        self.look(put_in_force)
        future, self._waiting = self._waiting, None
        if future is not None and future.set_running_or_notify_cancel():
            future.set_exception(ControlError(BROKEN_OFF))

    def put_in_force(self, pipeline: Pipeline) -> None:
        """What was told to be wrong before; the pipeline is one that no worker feeds yet.

        Thresholds that were set by what was said of other evidence are dropped.
        """
        for sound, detector in pipeline.detectors.items():
            file = self._file(sound, pipeline.identities[sound])
            if is_alarm(self._config.sounds[sound]):
                continue
            told = file.read()
            if not told.examples:
                self._drop_threshold(sound)
            elif _fits(told.veto, pipeline.spec):
                detector.set_veto(told.veto)
                _tell_veto(sound, told.veto)

    def _drop_threshold(self, sound: str) -> None:
        """One by feedback, where nothing was said of what tells the sound now."""
        override = self._overrides.thresholds.get(sound)
        if override is None or override.origin != BY_FEEDBACK:
            return
        if self._config.origins.get(f"sounds.{sound}.threshold") == BY_MODEL:
            return  # it counts again once the model that it was set for is back
        self._overrides.drop_threshold(sound)
        _log.warning(
            "threshold %s of %s, set by feedback, is dropped: nothing was said of what tells the "
            "sound now",
            override.value,
            sound,
        )

    def listed(self, identities: Mapping[str, str]) -> list[dict[str, Any]]:
        """All that was said, by sound, and how it stands; safe from any thread.

        ``identities``: of the evidence that tells each sound.
        """
        found = []
        for sound, config in self._config.enabled_sounds.items():
            if is_alarm(config) or sound not in identities:
                continue
            if (told := self._file(sound, identities[sound]).read()).examples:
                found.append(listed(sound, self._stands(sound, config).with_base(told.base), told))
        return found

    def _file(self, sound: str, identity: str) -> FeedbackFile:
        return FeedbackFile(self._folder, sound, identity)

    def _basis(self, sound: str, command: Feedback | TakeBack) -> Basis:
        """Raises ControlError for a sound that feedback, or this one, cannot change."""
        config = self._config.enabled_sounds.get(sound)
        if config is None:
            names = ", ".join(self._config.enabled_sounds) or "all disabled"
            raise ControlError(f"{sound!r} is not listened for; sounds are {names}")
        judgement = command.judgement if isinstance(command, Feedback) else None
        if why := refusal(sound, config, judgement):
            raise ControlError(why)
        return self._stands(sound, config)

    def _stands(self, sound: str, config: SoundConfig) -> Basis:
        override = self._overrides.thresholds.get(sound)
        is_of_this = override is not None and override.replaced == config.threshold
        return Basis(config, override if is_of_this else None)

    def _take(self, command: Feedback | TakeBack, taking: _Taking) -> None:
        try:
            if isinstance(command, TakeBack):
                self._take_back(command, taking)
            else:
                self._learn(command, taking)
        except DetectorError as error:
            taking.done.put(error)
        except Exception:  # noqa: BLE001 - told as the defect it is
            _log.exception("bug: feedback failed")
            taking.done.put(ControlError("internal error, see the log"))

    def _learn(self, command: Feedback, taking: _Taking) -> None:
        found = self._found(command)
        taking.require_going()
        sound, file = found.sound, self._file(found.sound, found.identity)
        before = file.read()
        at = timestamp(self._clock.wall()) or ""
        example = Example(command.judgement, found.event, at, found.moment)
        bare = self._basis(sound, command)
        told = before.with_example(example, bare.override)
        basis = bare.with_base(told.base)
        _require_reachable(sound, example, basis)
        now = self._settled(sound, basis, told.examples, found.spec)
        told = told.settled(now.threshold, now.veto)
        was = Setting(basis.in_force, before.veto)
        line = change_line(sound, basis.gate, told.examples, was, now)
        line += unsettled(tally(told.examples, basis.gate, now))
        outcome = Outcome(sound, basis.overridden(now.threshold), now.veto, line, bare.override)
        taking.keep(lambda: _written(file, told, outcome))

    def _settled(
        self, sound: str, basis: Basis, examples: tuple[Example, ...], spec: RecogniserSpec
    ) -> Setting:
        gate = basis.gate
        is_wrong = any(one.judgement is Judgement.WRONG for one in examples)
        backgrounds = shipped_backgrounds(spec) if is_wrong else None
        veto = fit_veto(examples, gate, backgrounds, sound)
        return settle(examples, gate, bounds=_bounds(basis), veto=veto)

    def _take_back(self, command: TakeBack, taking: _Taking) -> None:
        sound = command.sound
        file = self._file(sound, self._asked(lambda pipeline: pipeline.identities[sound]))
        told = file.read()
        before, basis = told.without_last(), self._basis(sound, command).with_base(told.base)
        step = told.steps[-1]
        override, remark = step.override, ""
        if basis.in_force != step.threshold or (
            override is not None and override.replaced != basis.config.threshold
        ):
            override, remark = basis.override, "; the threshold was set since, and stays"
        after = basis.config.threshold if override is None else override.value
        was, now = Setting(basis.in_force, told.veto), Setting(after, step.veto)
        line = change_line(sound, basis.gate, told.examples, was, now)
        outcome = Outcome(sound, override, step.veto, f"taken back: {line}{remark}", basis.override)
        taking.keep(lambda: _written(file, before, outcome))

    def _found(self, command: Feedback) -> _Found:
        def remembered(pipeline: Pipeline) -> _Found:
            if command.judgement is Judgement.MISSED and command.sound is not None:
                event, sound = "", command.sound
                moment = _missed(pipeline, sound)
            else:
                event, sound, moment = pipeline.moments.of_event(command.event, command.sound)
            return _Found(event, sound, moment, pipeline.identities[sound], pipeline.spec)

        return self._asked(remembered)

    def _asked(self, question: Callable[[Pipeline], _Answer]) -> _Answer:
        """What the worker's pipeline says."""
        try:
            return self._worker.submit(question).result(MOMENT_WITHIN_S)
        except TimeoutError:
            raise ControlError("the daemon is too busy to remember; say it again") from None


def _written(file: FeedbackFile, told: Told, outcome: Outcome) -> Outcome:
    file.write(told)
    return outcome


def _missed(pipeline: Pipeline, sound: str) -> Moment:
    return pipeline.moments.missed(sound, pipeline.detectors[sound].settings)


def _require_reachable(sound: str, example: Example, basis: Basis) -> None:
    """Raises ControlError for what was missed, and would be by any threshold that may be set."""
    if example.judgement is not Judgement.MISSED:
        return
    level, (lowest, _) = example.moment.level(basis.gate), _bounds(basis)
    if level < lowest:
        raise ControlError(
            f"nothing of the last minute that was not told was like {sound} ({level:.2f} at best; "
            f"its threshold goes no lower than {lowest:.2f}); where it is one of your own, teach "
            "it (detector learn)"
        )


def _bounds(basis: Basis) -> tuple[float, float]:
    return bounds_of(basis.gate.threshold, threshold_bounds(basis.config))


def _require_sound(command: Feedback) -> None:
    if command.sound is None:
        raise ControlError("missed: which sound? Name it: missed SOUND")
    if command.event is not None:
        raise ControlError("missed: what was missed is no event; name the sound alone")


def _fits(veto: Veto | None, spec: RecogniserSpec) -> bool:
    return veto is not None and (veto.directions.shape[1],) == spec.outputs.get(EMBEDDING)


def _tell_veto(sound: str, veto: Veto | None) -> None:
    if veto is not None:
        _log.info("%s: %s", sound, veto_line(veto))
