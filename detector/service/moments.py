"""Moments that a person may have a word to say on: what each sound's evidence was, never audio.

The last events of every sound are kept in memory, and the last minute and a half of all windows.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ControlError
from detector.core.events import Event, EventKind, Phase
from detector.core.recognition import EMBEDDING, Observation
from detector.events.gate import Gate, GateSettings
from detector.events.veto import Veto

BEFORE_S, AFTER_S = 1.0, 10.0
"""So much around an onset belongs to its moment; more where it takes longer to be confirmed."""
MOST_WINDOWS = 32
"""Of a moment; where there are more, they are thinned evenly."""
MOST_EVENTS = 32
"""That are remembered, of all sounds together; a sound that is told often leaves others theirs."""
LOOK_BACK_S = 60.0
"""How long ago a sound may have been missed."""

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Moment:
    """A few seconds as one sound's evidence was."""

    starts_s: NDArray[np.float64]
    """Of each window, shape (windows,), in seconds on any clock."""
    ends_s: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    """Shape (windows,), before anything is passed over."""
    embeddings: Half
    """Shape (windows, numbers); (windows, 0) where the model gives none."""

    def level(self, gate: GateSettings, veto: Veto | None = None) -> float:
        """The highest threshold at which the sound is told of it; 0 where it is at none."""
        judged = self.judged(veto)
        for level in np.unique(judged)[::-1]:
            if level > 0.0 and self._is_told(judged, float(level), gate):
                return float(level)
        return 0.0

    @property
    def peak(self) -> tuple[float, float] | None:
        """When its best window began, and how likely the sound was in it: no other moment's."""
        if not len(self.probabilities):
            return None
        best = int(self.probabilities.argmax())
        return round(float(self.starts_s[best]), 4), float(self.probabilities[best])

    def judged(self, veto: Veto | None) -> NDArray[np.float64]:
        """The probabilities with what is passed over left out, shape (windows,)."""
        if veto is None or not self.embeddings.shape[1]:
            return self.probabilities
        likeness = veto.likeness(self.embeddings.astype(np.float32))
        return np.where(likeness >= veto.at, 0.0, self.probabilities)

    def evident(self, level: float) -> NDArray[np.float32]:
        """The embeddings of the windows that speak for the sound, shape (windows, numbers)."""
        return self.embeddings[self.probabilities >= level].astype(np.float32)

    def _is_told(self, judged: NDArray[np.float64], level: float, gate: GateSettings) -> bool:
        fresh = Gate(replace(gate, threshold=level, release_threshold=level, possible_s=None))
        windows = zip(judged, self.starts_s, self.ends_s, strict=True)
        steps = (fresh.step(float(p), float(start), float(end)) for p, start, end in windows)
        return any(one is not None and one.phase is Phase.ONSET for one in steps)


@dataclass(slots=True)
class _Told:
    sound: str
    onset_s: float
    until_s: float
    moment: Moment
    ended_s: float = math.inf
    """Until then it was told."""

    def holds(self, one: Observation) -> bool:
        """Whether a window has some of what was told."""
        return one.end_s > self.onset_s and one.start_s < self.ended_s


def span_of(gate: GateSettings) -> float:
    """Seconds that a moment has to hold after its beginning, so that the gate can raise it."""
    return max(AFTER_S, gate.confirm_within_s + BEFORE_S)


_Window = tuple[Observation, float]


class Moments:
    """What is remembered of the sounds' evidence. Owned by the pipeline's thread."""

    def __init__(self) -> None:
        self._heard: dict[str, deque[_Window]] = {}
        self._told: dict[str, _Told] = {}
        """By the id of the event, oldest first."""

    def follow(
        self, sound: str, observation: Observation, probability: float, back_s: float
    ) -> None:
        """A window, and how the sound stands at it; what is older than ``back_s`` is forgotten."""
        heard = self._heard.setdefault(sound, deque())
        heard.append((observation, probability))
        while heard[0][0].end_s < observation.end_s - back_s:
            heard.popleft()

    def note(self, event: Event, span_s: float = AFTER_S) -> None:
        """Keep what an event rests on, at its onset; at its end, what followed as well.

        ``span_s`` is how much after its onset belongs to it.
        """
        if event.kind is not EventKind.SOUND or event.sound is None:
            return
        if event.phase is Phase.ONSET:
            until_s = event.onset_s + span_s
            moment = self._between(event.sound, event.onset_s, until_s)
            self._told[event.id] = _Told(event.sound, event.onset_s, until_s, moment)
            if len(self._told) > MOST_EVENTS:
                del self._told[self._oldest_of_the_commonest()]
        elif event.phase is Phase.OFFSET and (told := self._told.get(event.id)):
            # What comes next may be of another event.
            told.ended_s = told.until_s if event.offset_s is None else event.offset_s
            told.until_s = min(told.until_s, told.ended_s + BEFORE_S)
            self._renew(told)

    def ids(self, sound: str) -> list[str]:
        """Of the events of a sound that are remembered, oldest first."""
        return [key for key, one in self._told.items() if one.sound == sound]

    def of_event(self, event_id: str | None, sound: str | None) -> tuple[str, str, Moment]:
        """Id, sound and moment of an event; without an id, of the sound's latest, or of all's.

        Raises ControlError where it is not remembered.
        """
        named = self.ids(sound) if sound is not None else list(self._told)
        found = event_id if event_id is not None else (named[-1] if named else None)
        if found is None:
            which = f"no {sound}" if sound else "nothing"
            raise ControlError(f"{which} was told since the last start or reload")
        if found not in self._told:
            raise ControlError(
                f"{found[:60]!r} is not remembered: the latest events of each sound are, since "
                "the last start or reload"
            )
        told = self._told[found]
        if sound not in (None, told.sound):
            raise ControlError(f"{found} is an event of {told.sound}, not of {sound}")
        self._renew(told)
        return found, told.sound, told.moment

    def missed(self, sound: str, gate: GateSettings) -> Moment:
        """The moment of the last minute at which the sound came nearest without being told.

        Its best window may be in the middle of it, at its beginning or at its end.

        Raises ControlError before anything was heard, and where all of it was told.
        """
        heard = self._heard.get(sound, deque())
        if not heard:
            raise ControlError(f"nothing was heard yet that could have been {sound}")
        newest_s = heard[-1][0].end_s
        told = [one for one in self._told.values() if one.sound == sound]
        untold = [one for one in heard if not any(event.holds(one[0]) for event in told)]
        recent = [one for one in untold if one[0].end_s > newest_s - LOOK_BACK_S]
        if not recent:
            raise ControlError(f"{sound} was told all through the last minute: none was missed")
        best, _ = max(recent, key=lambda one: one[1])
        span_s = span_of(gate)
        begins_s = (best.start_s - share * (span_s - BEFORE_S) for share in (0.5, 0.0, 1.0))
        around = [_moment(_within(untold, at - BEFORE_S, at + span_s)) for at in begins_s]
        return max(around, key=lambda one: one.level(gate))

    def _oldest_of_the_commonest(self) -> str:
        """Which event is forgotten: the oldest of the sound that most are remembered of."""
        sounds = Counter(one.sound for one in self._told.values())
        return self.ids(max(sounds, key=lambda sound: sounds[sound]))[0]

    def _renew(self, told: _Told) -> None:
        """With the windows that came since, unless the first of them are forgotten."""
        moment = self._between(told.sound, told.onset_s, told.until_s)
        if len(moment.starts_s) and moment.starts_s[0] <= told.moment.starts_s[0]:
            told.moment = moment

    def _between(self, sound: str, onset_s: float, until_s: float) -> Moment:
        return _moment(_within(self._heard.get(sound, ()), onset_s - BEFORE_S, until_s))


def _within(windows: Iterable[_Window], begin_s: float, end_s: float) -> list[_Window]:
    return [one for one in windows if one[0].end_s > begin_s and one[0].start_s < end_s]


def _thinned(windows: Sequence[_Window]) -> list[_Window]:
    """Evenly: at a small hop there are many, each nearly the one before."""
    count = min(MOST_WINDOWS, len(windows))
    return [windows[round(at)] for at in np.linspace(0, len(windows) - 1, count)]


def _moment(found: Sequence[_Window]) -> Moment:
    windows = _thinned(found)
    embeddings = [one.outputs.get(EMBEDDING, np.zeros(0, np.float16)) for one, _ in windows]
    return Moment(
        np.array([one.start_s for one, _ in windows], np.float64),
        np.array([one.end_s for one, _ in windows], np.float64),
        np.array([probability for _, probability in windows], np.float64),
        np.stack([one.reshape(-1).astype(np.float16) for one in embeddings])
        if windows
        else np.zeros((0, 0), np.float16),
    )
