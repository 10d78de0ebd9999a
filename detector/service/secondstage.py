"""The second stage of a sound: what a classifier of its own makes of the audio once it is told.

The onset is never delayed.  When so much of the sound was heard as the classifier wants, or when it
has ended, the question goes to whoever answers questions, which may be a thread of its own; the
answer comes back with one of the next blocks, as an ``update`` of the same event.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

import numpy as np

from detector.config import Config
from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.errors import ConfigError, Problem
from detector.core.events import Event, LabelProbability, Phase, SecondStage
from detector.core.recognition import Observation, RecogniserSpec
from detector.events.clips import LEAST_S, EmbeddingFeatures
from detector.service.clipfile import ClipFile, read_clip_file

_log = logging.getLogger(__name__)

REMEMBERED_S = 30.0
"""How far back audio is kept in memory, where a sound has a second stage; further where a sound is
long confirmed before it is told."""
_SPARE_S = 5.0
"""Of that, beyond what a sound's confirmation and its second stage need."""

Ask = Callable[[Callable[[], None]], None]
"""Has something done, now or soon."""


def at_once(question: Callable[[], None]) -> None:
    """Answer on the spot: for recordings, where nobody waits."""
    question()


@dataclass(frozen=True, slots=True)
class Stage:
    """A sound's second stage."""

    file: ClipFile
    seconds: float
    confirmed_within_s: float = 0.0
    """So long after its beginning the sound may be told."""

    def answer(self, samples: Samples, observations: Sequence[Observation]) -> SecondStage:
        """What it makes of a clip of shape (n,), and of the model's windows of it."""
        file = self.file
        likely = file.classifier.probabilities(file.features.of(samples, observations))
        pairs = zip(file.classifier.labels, likely.tolist(), strict=True)
        labels = [LabelProbability(label, probability) for label, probability in pairs]
        labels.sort(key=lambda one: one.probability, reverse=True)
        return SecondStage(file.name, tuple(labels), len(samples) / SAMPLE_RATE_HZ)


def settle_stages(config: Config, spec: RecogniserSpec) -> Mapping[str, Stage]:
    """The second stages of the sounds that are listened for, by sound.

    One that does not fit the model is left out, which is logged.  Raises ConfigError with every
    file that is absent or damaged.
    """
    files, problems = read_stages(config)
    if problems:
        raise ConfigError(problems)
    stages = {}
    for name, (file, seconds) in files.items():
        if misfit := file.misfit(spec):
            _log.warning("%s: the second stage is left out: %s", name, misfit)
            continue
        if not file.better_than_chance:
            _log.warning(
                "%s: the second stage %s has not been shown to be better than chance",
                name,
                file.name,
            )
        confirmed = config.sounds[name].confirm_within_seconds
        stages[name] = Stage(file, seconds, confirmed)
    return stages


def read_stages(config: Config) -> tuple[Mapping[str, tuple[ClipFile, float]], list[Problem]]:
    """The files of all second stages with their seconds, by sound, and what is wrong."""
    files, problems = dict[str, tuple[ClipFile, float]](), list[Problem]()
    for name, sound in config.enabled_sounds.items():
        if sound.second_stage is None:
            continue
        try:
            file = read_clip_file(sound.second_stage.classifier)
            files[name] = file, sound.second_stage.seconds
        except ConfigError as error:
            problems += error.problems
    return files, problems


@dataclass(slots=True)
class _Open:
    """A sound of which the second stage has not been asked yet."""

    event: Event
    onset_s: float
    wanted_s: float
    """Until when it wants to hear."""


class SecondStages:
    """Asks the second stages, and makes updates of their answers. Owned by the pipeline's owner.

    Only ``ask`` may have what it is given done by another thread.
    """

    def __init__(
        self, stages: Mapping[str, Stage], ask: Ask, update: Callable[[Event, SecondStage], Event]
    ) -> None:
        """``update`` makes the event that tells an answer."""
        self._stages = stages
        self._ask = ask
        self._update = update
        needed_s = (one.confirmed_within_s + one.seconds + _SPARE_S for one in stages.values())
        self._remembered_s = max(REMEMBERED_S, *needed_s, 0.0)
        self._heard: deque[Block] = deque()
        self._open: dict[str, _Open] = {}
        """Sounds not asked about yet, by the event's id."""
        self._asked: dict[str, Event] = {}
        """The newest event of each id that was asked about and not answered."""
        self._told: dict[str, SecondStage] = {}
        """Answers about sounds that go on, by the event's id."""
        self._answers: SimpleQueue[tuple[str, SecondStage | None]] = SimpleQueue()
        self._before: SecondStages | None = None
        """Those of before a reload, while an answer of theirs is awaited."""

    def hear(self, item: Block | Gap) -> None:
        """Keep what may be asked about."""
        if not self._stages or isinstance(item, Gap):
            return
        self._heard.append(item)
        oldest = item.end_sample - self._remembered_s * SAMPLE_RATE_HZ
        while self._heard[0].end_sample < oldest:
            self._heard.popleft()

    def note(self, event: Event, observations: Sequence[Observation]) -> Event:
        """Take notice of an event of a sound; an end comes back with what is known by then."""
        stage = self._stages.get(event.sound or "")
        if stage is None or event.phase is Phase.POSSIBLE:
            return event
        if event.phase is Phase.ONSET:
            wanted_s = event.onset_s + stage.seconds
            self._open[event.id] = _Open(event, event.onset_s, wanted_s)
            return event
        return self._note_end(event, observations)

    def ask(self, observations: Sequence[Observation]) -> None:
        """Ask about every sound of which enough was heard; ``observations`` are the latest."""
        reached_s = self._heard[-1].end_sample / SAMPLE_RATE_HZ if self._heard else 0.0
        for one in [one for one in self._open.values() if reached_s >= one.wanted_s]:
            self._ask_about(one.event, (one.onset_s, one.wanted_s), observations)

    @property
    def is_awaiting(self) -> bool:
        """Whether an answer is yet to come."""
        return bool(self._asked) or (self._before is not None and self._before.is_awaiting)

    def follow(self, before: "SecondStages") -> None:
        """Take over what others have asked, after they have ended all their sounds."""
        before.forget()
        self._before = before if before.is_awaiting else None

    def forget(self) -> None:
        """Forget what was heard."""
        self._heard.clear()

    def answers(self) -> list[Event]:
        """The updates that have become known."""
        updates: list[Event] = []
        if self._before is not None:
            updates = self._before.answers()
            self._before = self._before if self._before.is_awaiting else None
        while True:
            try:
                event_id, answer = self._answers.get_nowait()
            except Empty:
                return updates
            event = self._asked.pop(event_id)
            if answer is None:
                continue
            if event.phase is not Phase.OFFSET:
                self._told[event_id] = answer
            updates.append(self._update(event, answer))

    def _note_end(self, event: Event, observations: Sequence[Observation]) -> Event:
        waiting = self._open.get(event.id)
        if waiting is not None:
            end_s = min(waiting.wanted_s, event.offset_s or waiting.wanted_s)
            self._ask_about(event, (waiting.onset_s, end_s), observations)
        elif event.id in self._asked:
            self._asked[event.id] = event
        return replace(event, second_stage=self._told.pop(event.id, None))

    def _ask_about(
        self, event: Event, span_s: tuple[float, float], observations: Sequence[Observation]
    ) -> None:
        del self._open[event.id]
        stage = self._stages[event.sound or ""]
        begin_s, samples = self._audio(*span_s)
        end_s = begin_s + len(samples) / SAMPLE_RATE_HZ
        inside = [one for one in observations if one.end_s > begin_s and one.start_s < end_s]
        if len(samples) < LEAST_S * SAMPLE_RATE_HZ or (_wants_windows(stage) and not inside):
            _log.info("%s: too little was heard of it to ask its second stage", event.sound)
            return
        self._asked[event.id] = event
        self._ask(lambda: self._answers.put((event.id, _answer(stage, samples, inside))))

    def _audio(self, begin_s: float, end_s: float) -> tuple[float, Samples]:
        """The longest stretch without a gap of what was heard in a span, and when it begins."""
        begin, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in (begin_s, end_s))
        stretches: list[tuple[int, list[Samples]]] = []
        reached = -1
        for block in self._heard:
            first = max(begin, block.start_sample)
            piece = block.samples[first - block.start_sample : max(0, end - block.start_sample)]
            if len(piece):
                if first != reached:
                    stretches.append((first, []))
                stretches[-1][1].append(piece)
                reached = first + len(piece)
        if not stretches:
            return begin_s, np.zeros(0, np.float32)
        first, pieces = max(stretches, key=lambda one: sum(map(len, one[1])))
        return first / SAMPLE_RATE_HZ, np.concatenate(pieces)


def _wants_windows(stage: Stage) -> bool:
    return isinstance(stage.file.features, EmbeddingFeatures)


def _answer(
    stage: Stage, samples: Samples, observations: Sequence[Observation]
) -> SecondStage | None:
    """None where it fails: a question must not end the thread that answers."""
    try:
        return stage.answer(samples, observations)
    except Exception:  # noqa: BLE001 - told as the defect it is
        _log.exception("bug: the second stage %s failed", stage.file.name)
        return None
