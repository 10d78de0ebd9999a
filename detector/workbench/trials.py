"""Trials: scenes that were held out, and what a threshold would do on them.

At every window a sound has a *level*: the highest threshold at which its gate would let it begin
there, which follows from its scores and its times alone.  An event is found at any threshold up to
the largest level within it, and a false alarm is raised up to each peak of the level elsewhere.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.config import SoundConfig
from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.recognition import Recogniser
from detector.workbench.dataset import LabelledSound
from detector.workbench.lessons import Outputs, outputs_of
from detector.workbench.matching import COLLAR_S, LATE_S
from detector.workbench.observe import observe
from detector.workbench.soundscape import Scene

Levels = NDArray[np.float64]

_NEVER = -1e9
_MOST_PEAKS = 40
"""Of one trial; a threshold that lets so many through is out of the question."""
_HEARD_S = 0.3
_TAIL_PEAKS = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """A scene as the model heard it."""

    part: str
    """``scenes``, ``evenings`` or ``noises``."""
    fold: int
    """Whose recordings it is made of."""
    snr_db: float | None
    events: tuple[LabelledSound, ...]
    unsure: tuple[LabelledSound, ...]
    outputs: Outputs
    ends_s: NDArray[np.float64]
    """End of each window, shape (windows,)."""
    window_s: float

    def may_tell(self, span: LabelledSound, later_s: float = 0.0) -> NDArray[np.bool_]:
        """Windows at whose end a decision would be about this span, shape (windows,).

        ``later_s``: so much later, what was evident in it may still be remembered.
        """
        from_s, until_s = span.onset_s - COLLAR_S, span.offset_s + LATE_S + later_s
        return np.asarray((self.ends_s >= from_s) & (self.ends_s <= until_s))

    def truths(self, sound: str) -> NDArray[np.int8]:
        """1 where a window holds the sound, 0 where not, −1 where nobody can tell; (windows,)."""
        truths = np.zeros(len(self.ends_s), np.int8)
        for span in self.unsure:
            if span.sound == sound:
                truths[self._held_s(span) > 0.0] = -1
        for span in self.events:
            if span.sound == sound:
                held_s = self._held_s(span)
                truths[held_s > 0.0] = -1
                truths[held_s >= min(_HEARD_S, span.offset_s - span.onset_s)] = 1
        return truths

    def _held_s(self, span: LabelledSound) -> NDArray[np.float64]:
        end = np.minimum(self.ends_s, span.offset_s)
        return np.asarray(end - np.maximum(self.ends_s - self.window_s, span.onset_s))


def trial_of(scene: Scene, part: str, fold: int, recogniser: Recogniser) -> Trial:
    """A scene, heard by a recogniser that gives logits and an embedding."""
    (observations,) = observe(scene.samples, [recogniser])
    return Trial(
        part,
        fold,
        scene.snr_db,
        scene.events,
        scene.unsure,
        outputs_of(observations),
        np.array([one.end_s for one in observations]),
        recogniser.spec.context_samples / SAMPLE_RATE_HZ,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of a sound in some trials, at every threshold."""

    found: Levels
    """For each of its events: up to which threshold it is found, shape (events,)."""
    snrs_db: NDArray[np.float64]
    """Of each event, shape (events,)."""
    false: Levels
    """For each false alarm: up to which threshold it is raised; falling, shape (alarms,)."""
    quiet: Levels
    """The same of those in evenings."""
    causes: tuple[str, ...]
    """What was there instead, for each of ``false``."""
    hours: float
    """In which an alarm would be false."""
    quiet_hours: float

    def recall(self, threshold: float, snr_db: float | None = None) -> tuple[int, int]:
        """Events found, and events, at one ratio or all."""
        chosen = self.found if snr_db is None else self.found[self.snrs_db == snr_db]
        return int(np.sum(chosen >= threshold)), len(chosen)

    def threshold(self, per_hour: float, quiet_per_hour: float) -> float:
        """The lowest threshold that raises no more false alarms than so many an hour.

        In evenings it raises none, and none more often than so many an hour by the tail of their
        levels.  It lies half-way between the alarm that it must leave out and the next higher.
        """
        return max(
            _bound(self.false, self.hours, per_hour),
            _bound(self.quiet, self.quiet_hours, 0.0),
            _tail(self.quiet, self.quiet_hours, quiet_per_hour),
        )

    def false_alarms(self, threshold: float) -> int:
        """How many are raised, in all."""
        return int(np.sum(self.false >= threshold))


def _bound(levels: Levels, hours: float, per_hour: float) -> float:
    allowed = int(per_hour * hours)
    if len(levels) <= allowed:
        return _NEVER
    above = levels[allowed - 1] if allowed else levels[0] + 0.1
    return float(levels[allowed] + 0.5 * (above - levels[allowed]))


def _tail(levels: Levels, hours: float, per_hour: float) -> float:
    """The level that is reached so rarely, if the largest fall off exponentially.

    Peaks over a threshold (J. Pickands, 1975), of shape 0.
    """
    if len(levels) <= _TAIL_PEAKS:
        return _NEVER
    start = float(levels[_TAIL_PEAKS])
    scale = float(np.mean(levels[:_TAIL_PEAKS] - start))
    return start + scale * math.log(max(1.0, _TAIL_PEAKS / (hours * per_hour)))


def outcome(
    trials: Sequence[Trial], scores: Sequence[Levels], sound: str, config: SoundConfig, hop_s: float
) -> Outcome:
    """Of a sound; ``scores`` are those of every trial, shape (windows,) each, of any scale."""
    found: list[tuple[float, float]] = []
    false: list[tuple[float, str, str]] = []
    hours = quiet_hours = 0.0
    for trial, values in zip(trials, scores, strict=True):
        levels = gate_levels(values, config, hop_s=hop_s, window_s=trial.window_s)
        told = [trial.may_tell(one) for one in trial.events if one.sound == sound]
        found += [(float(levels[one].max(initial=_NEVER)), trial.snr_db or 0.0) for one in told]
        free = _free(trial, sound, config.confirm_within_seconds)
        false += [
            (level, trial.part, _cause(trial, at))
            for level, at in _peaks(levels, free, config, hop_s)
        ]
        trial_hours = float(free.sum()) * hop_s / 3600.0
        hours += trial_hours
        quiet_hours += trial_hours if trial.part == "evenings" else 0.0
    false.sort(key=lambda one: -one[0])
    return Outcome(
        np.array([one[0] for one in found]),
        np.array([one[1] for one in found]),
        np.array([one[0] for one in false]),
        np.array([one[0] for one in false if one[1] == "evenings"]),
        tuple(one[2] for one in false),
        hours,
        quiet_hours,
    )


def gate_levels(values: Levels, config: SoundConfig, *, hop_s: float, window_s: float) -> Levels:
    """At each window the highest threshold at which the gate would let the sound begin there."""
    needed = 1
    if config.confirm_seconds > 0.0:
        needed += max(0, math.ceil((config.confirm_seconds - window_s) / hop_s - 1e-6))
    within = 1 + int((config.confirm_within_seconds - window_s) / hop_s + 1e-6)
    needed = min(needed, within)
    before = np.full(within - 1, _NEVER)
    seen = np.lib.stride_tricks.sliding_window_view(np.concatenate([before, values]), within)
    return np.asarray(np.partition(seen, within - needed, axis=1)[:, within - needed], np.float64)


def _free(trial: Trial, sound: str, later_s: float) -> NDArray[np.bool_]:
    """Windows at which an alarm would be false, shape (windows,)."""
    spans = [one for one in (*trial.events, *trial.unsure) if one.sound == sound]
    taken = np.zeros(len(trial.ends_s), np.bool_)
    for span in spans:
        taken |= trial.may_tell(span, later_s)
    return ~taken


def _peaks(
    levels: Levels, free: NDArray[np.bool_], config: SoundConfig, hop_s: float
) -> Iterator[tuple[float, int]]:
    """Peaks of the level, and where; one within the hold of a higher one is the same alarm's."""
    left = np.where(free, levels, _NEVER)
    reach = math.ceil((config.hold_seconds + 1.0) / hop_s)
    for _ in range(_MOST_PEAKS):
        at = int(np.argmax(left))
        if left[at] <= _NEVER:
            return
        yield float(left[at]), at
        left[max(0, at - reach) : at + reach + 1] = _NEVER


def _cause(trial: Trial, at: int) -> str:
    there = [one.sound for one in trial.events if trial.may_tell(one)[at]]
    return there[-1] if there else trial.part
