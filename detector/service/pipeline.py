"""The one straight line of the product: blocks in, events out. No threads."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap
from detector.core.events import (
    ClassScore,
    Detection,
    Event,
    OffsetReason,
    Phase,
    Urgency,
)
from detector.core.level import FLOOR_DBFS
from detector.core.recognition import (
    LEVEL,
    SCORES,
    Observation,
    Recogniser,
    RecogniserSpec,
    Resting,
)
from detector.events.gate import Transition
from detector.events.scorers import best_classes
from detector.events.sounds import SoundDetector, SoundReading
from detector.service.eventmaker import EventMaker
from detector.service.moments import Moments, span_of
from detector.service.secondstage import SecondStages, at_once

REMEMBERED_S = 90.0
"""How far back observations are kept in memory."""
STIRRING = 0.25
"""A probability of this share of its threshold is enough for the model not to rest."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One window as a person may want to see it."""

    start_s: float
    end_s: float
    level_dbfs: float
    classes: tuple[ClassScore, ...]
    sounds: tuple[SoundReading, ...]


@dataclass(frozen=True, slots=True)
class _PeakWindow:
    """The window that speaks loudest for a sound."""

    probability: float
    classes: tuple[ClassScore, ...]
    level_dbfs: float


@dataclass(frozen=True, slots=True)
class ListenedSound:
    """A sound, and how much it matters."""

    detector: SoundDetector
    urgency: Urgency
    evidence: tuple[str, ...] = ()
    """What tells it, one line each, for people."""
    refused: tuple[str, ...] = ()
    """Why some of it is not what was configured."""
    identity: str = ""
    """Another one where what was said of it by this evidence means nothing any more."""


class Pipeline:
    """Recognisers, and the sounds that listen to them. Not thread-safe: one owner.

    The first recogniser is the one that sounds are decided by, window after window, and that people
    watch: snapshots and ``recent`` are its.  The others are heard beside it.  A snapshot costs a
    thirtieth of a window, so none is made while nobody watches.
    """

    def __init__(
        self,
        *,
        recognisers: Sequence[Recogniser],
        sounds: Sequence[ListenedSound],
        events: EventMaker,
        on_snapshot: Callable[[Snapshot], None] | None = None,
        is_watched: Callable[[], bool] = lambda: True,
        stages: SecondStages | None = None,
    ) -> None:
        self._recognisers = tuple(recognisers)
        self._resting = recognisers[0] if isinstance(recognisers[0], Resting) else None
        self._sounds = {heard.detector.sound: heard for heard in sounds}
        self._events = events
        self._on_snapshot = on_snapshot
        self._is_watched = is_watched
        self._stages = stages or SecondStages({}, at_once, events.update)
        self._armed = True
        self._open: dict[str, str] = {}
        self._possible: dict[str, str] = {}
        """Ids under which sounds were told as possible, until they begin or come to nothing."""
        self._peaks: dict[str, _PeakWindow] = {}
        self._recent: tuple[deque[Observation], ...] = tuple(deque() for _ in recognisers)
        self._captured = (0, 0.0)
        self.listener: Callable[[Block | Gap], None] | None = None
        """Whoever wants to hear along, on the owner's thread: it must be quick."""
        self.windows = 0
        """Windows of the first recogniser so far."""
        self.moments = Moments()
        """What people may have a word to say on."""

    @property
    def armed(self) -> bool:
        """Whether sounds are being decided."""
        return self._armed

    @property
    def spec(self) -> RecogniserSpec:
        """What the first recogniser is."""
        return self._recognisers[0].spec

    @property
    def recent(self) -> Sequence[Observation]:
        """The observations of the last 90 s, oldest first."""
        return self._recent[0]

    @property
    def detectors(self) -> Mapping[str, SoundDetector]:
        """The sounds by name."""
        return {sound: heard.detector for sound, heard in self._sounds.items()}

    @property
    def evidence(self) -> Mapping[str, Sequence[str]]:
        """What tells each sound, one line each, for people. Safe from any thread."""
        return {sound: heard.evidence for sound, heard in self._sounds.items()}

    @property
    def identities(self) -> Mapping[str, str]:
        """By what each sound's probabilities are made. Safe from any thread."""
        return {sound: heard.identity for sound, heard in self._sounds.items()}

    @property
    def context_samples(self) -> int:
        """Length of the windows that sounds are decided by."""
        return self._recognisers[0].spec.context_samples

    @property
    def recogniser(self) -> Recogniser:
        """The first one, by whose windows sounds are decided."""
        return self._recognisers[0]

    def fresh_recogniser(self) -> Recogniser:
        """Another one like the first, to try something that nobody listens for."""
        return self._recognisers[0].fresh()

    def feed(self, item: Block | Gap) -> list[Event]:
        """Take what comes next from a source; hand over the events that it brings about."""
        events: list[Event] = []
        if self.listener is not None:
            self.listener(item)
        self._stages.hear(item)
        if isinstance(item, Block):
            self._captured = (item.end_sample, item.captured_monotonic_s)
        else:
            events += self._lapse(item)
        # The first comes last: what it decides must be able to rest on all of them.
        for place in reversed(range(len(self._recognisers))):
            for observation in self._recognisers[place].feed(item):
                self._remember(place, observation)
                if place == 0:
                    self.windows += 1
                    events += self._decide(observation)
        self._stages.ask(self._recent[0])
        return [*events, *self._stages.answers()]

    def replay(self, seconds: float) -> list[Snapshot]:
        """The last seconds, decided once more by gates that know nothing of what was before."""
        again = Pipeline(
            recognisers=self._recognisers,
            sounds=[replace(one, detector=one.detector.fresh()) for one in self._sounds.values()],
            events=self._events,
        )
        windows: list[Snapshot] = []
        again._on_snapshot = windows.append
        newest_s = self._recent[0][-1].end_s if self._recent[0] else 0.0
        for observation in [one for one in self._recent[0] if one.end_s > newest_s - seconds]:
            again._recent = tuple(
                deque(one for one in recent if one.end_s <= observation.end_s)
                for recent in self._recent
            )
            again._decide(observation)
        return windows

    def source_s_of(self, monotonic_s: float) -> float:
        """The time on the source's clock of what was captured then."""
        sample, captured_s = self._captured
        return sample / SAMPLE_RATE_HZ - (captured_s - monotonic_s)

    def set_armed(self, *, armed: bool) -> list[Event]:
        """Decide sounds, or cease to; ceasing ends those that are on."""
        self._armed = armed
        return [] if armed else self.close(OffsetReason.DISARMED)

    def close(self, reason: OffsetReason) -> list[Event]:
        """End every sound that is on."""
        ended = ((sound, detector.close(reason)) for sound, detector in self.detectors.items())
        events = [self._event(sound, change) for sound, change in ended if change is not None]
        return [*events, *self._stages.answers()]

    @property
    def stages(self) -> SecondStages:
        """The second stages of its sounds; ``feed`` tells what they answer."""
        return self._stages

    def _lapse(self, gap: Gap) -> list[Event]:
        now_s = gap.end_sample / SAMPLE_RATE_HZ
        lapsed = ((sound, detector.lapse(now_s)) for sound, detector in self.detectors.items())
        return [self._event(sound, change) for sound, change in lapsed if change is not None]

    def _decide(self, observation: Observation) -> list[Event]:
        classes = self._best_classes(observation)
        level_dbfs = float(observation.outputs.get(LEVEL, FLOOR_DBFS))
        events = []
        for sound, detector in self.detectors.items():
            transition = self._step(detector)
            self.moments.follow(sound, observation, detector.evidence, REMEMBERED_S)
            self._follow_peak(sound, _PeakWindow(detector.probability, classes[:3], level_dbfs))
            if transition is not None:
                events.append(self._event(sound, transition))
            elif detector.is_idle:
                self._possible.pop(sound, None)
        self._keep_awake()
        if self._on_snapshot is not None and self._is_watched():
            self._on_snapshot(self._snapshot(observation, classes, level_dbfs))
        return events

    def _keep_awake(self) -> None:
        """A model that may rest does not while a sound is on, or near it, or somebody tests."""
        if self._resting is None:
            return
        sounds = self._sounds.values()
        if self.listener is not None or any(_stirs(heard.detector) for heard in sounds):
            self._resting.rouse()

    def _step(self, detector: SoundDetector) -> Transition | None:
        if self._armed:
            return detector.step(self._recent)
        detector.observe(self._recent)
        return None

    def _best_classes(self, observation: Observation) -> tuple[ClassScore, ...]:
        """The five best, of a recogniser that has classes."""
        scores = observation.outputs.get(SCORES)
        labels = self._recognisers[0].spec.labels
        return () if scores is None else best_classes(scores, labels, 5)

    def _remember(self, place: int, observation: Observation) -> None:
        recent = self._recent[place]
        recent.append(observation)
        while recent[0].end_s < observation.end_s - REMEMBERED_S:
            recent.popleft()

    def _follow_peak(self, sound: str, evidence: _PeakWindow) -> None:
        """Keep the best window since the onset; before it, the newest."""
        best = self._peaks.get(sound)
        if best is None or sound not in self._open or evidence.probability > best.probability:
            self._peaks[sound] = evidence

    def _event(self, sound: str, transition: Transition) -> Event:
        event_id = self._id_of(sound, transition.phase)
        event = self._events.sound(
            sound,
            transition,
            event_id=event_id,
            urgency=self._sounds[sound].urgency,
            detection=self._detection(sound, transition),
            monotonic_of=self._monotonic_of,
        )
        self.moments.note(event, span_of(self._sounds[sound].detector.settings))
        return self._stages.note(event, self._recent[0])

    def _id_of(self, sound: str, phase: Phase) -> str:
        """The same from possible to the end."""
        if phase is Phase.POSSIBLE:
            return self._possible.setdefault(sound, self._events.new_id())
        if phase is Phase.ONSET:
            self._open[sound] = self._possible.pop(sound, "") or self._events.new_id()
            return self._open[sound]
        return self._open.pop(sound)

    def _detection(self, sound: str, transition: Transition) -> Detection:
        detector = self._sounds[sound].detector
        best = self._peaks.get(sound, _PeakWindow(0.0, (), FLOOR_DBFS))
        return Detection(
            probability=detector.probability,
            peak_probability=transition.peak_probability,
            threshold=detector.threshold,
            calibrated=detector.calibrated,
            classes=best.classes,
            level_dbfs=best.level_dbfs,
            why=detector.explain(transition) + self._next_best(sound),
        )

    def _next_best(self, sound: str) -> str:
        """Which other sound comes nearest at this window."""
        others = [one for name, one in self.detectors.items() if name != sound]
        best = max(others, key=lambda one: one.probability, default=None)
        return "" if best is None else f"; next best: {best.sound} {best.probability:.2f}"

    def _monotonic_of(self, source_s: float) -> float:
        sample, captured_s = self._captured
        return captured_s - (sample / SAMPLE_RATE_HZ - source_s)

    def _snapshot(
        self, observation: Observation, classes: tuple[ClassScore, ...], level_dbfs: float
    ) -> Snapshot:
        readings = tuple(detector.reading() for detector in self.detectors.values())
        if not self._armed:
            readings = tuple(replace(reading, why="disarmed") for reading in readings)
        return Snapshot(observation.start_s, observation.end_s, level_dbfs, classes, readings)


def _stirs(detector: SoundDetector) -> bool:
    return not detector.is_idle or detector.probability >= STIRRING * detector.threshold
