"""Moments that a person may have a word to say on: what each sound's evidence was, never audio.

The last events of every sound are kept in memory, and the last minute and a half of all windows.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ControlError
from detector.core.events import Event, EventKind, Phase
from detector.core.recognition import EMBEDDING, Observation
from detector.events.gate import Gate, GateSettings
from detector.events.veto import Veto

BEFORE_S, AFTER_S = 1.0, 10.0
"""So much around an onset belongs to its moment."""
MOST_WINDOWS = 24
MOST_EVENTS = 16
"""That are remembered, of all sounds together."""
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

    def note(self, event: Event) -> None:
        """Keep what an event rests on, at its onset; at its end, what followed as well."""
        if event.kind is not EventKind.SOUND or event.sound is None:
            return
        if event.phase is Phase.ONSET:
            until_s = event.onset_s + AFTER_S
            moment = self._between(event.sound, event.onset_s, until_s)
            self._told[event.id] = _Told(event.sound, event.onset_s, until_s, moment)
            while len(self._told) > MOST_EVENTS:
                del self._told[next(iter(self._told))]
        elif event.phase is Phase.OFFSET and (told := self._told.get(event.id)):
            # What comes next may be of another event.
            told.until_s = min(told.until_s, (event.offset_s or told.until_s) + BEFORE_S)
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
                f"{found[:60]!r} is not remembered: the last {MOST_EVENTS} events are, since the "
                "last start or reload"
            )
        told = self._told[found]
        if sound not in (None, told.sound):
            raise ControlError(f"{found} is an event of {told.sound}, not of {sound}")
        self._renew(told)
        return found, told.sound, told.moment

    def missed(self, sound: str) -> Moment:
        """The moment of the last minute at which the sound came nearest.

        Raises ControlError before anything was heard.
        """
        heard = self._heard.get(sound, deque())
        if not heard:
            raise ControlError(f"nothing was heard yet that could have been {sound}")
        newest_s = heard[-1][0].end_s
        recent = [one for one in heard if one[0].end_s > newest_s - LOOK_BACK_S]
        best, _ = max(recent, key=lambda one: one[1])
        middle_s = 0.5 * (best.start_s + best.end_s)
        begin_s = middle_s - 0.5 * (AFTER_S - BEFORE_S)
        return self._between(sound, begin_s, begin_s + AFTER_S)

    def _renew(self, told: _Told) -> None:
        """With the windows that came since, unless the first of them are forgotten."""
        moment = self._between(told.sound, told.onset_s, told.until_s)
        if len(moment.starts_s) and moment.starts_s[0] <= told.moment.starts_s[0]:
            told.moment = moment

    def _between(self, sound: str, onset_s: float, until_s: float) -> Moment:
        windows = (
            one
            for one in self._heard.get(sound, ())
            if one[0].end_s > onset_s - BEFORE_S and one[0].start_s < until_s
        )
        return _moment(list(islice(windows, MOST_WINDOWS)))


def _moment(windows: Sequence[_Window]) -> Moment:
    embeddings = [one.outputs.get(EMBEDDING, np.zeros(0, np.float16)) for one, _ in windows]
    return Moment(
        np.array([one.start_s for one, _ in windows], np.float64),
        np.array([one.end_s for one, _ in windows], np.float64),
        np.array([probability for _, probability in windows], np.float64),
        np.stack([one.reshape(-1).astype(np.float16) for one in embeddings])
        if windows
        else np.zeros((0, 0), np.float16),
    )
