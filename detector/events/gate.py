"""The gate: probabilities over time become the onset and the offset of a sound. Pure."""

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from detector.core.events import OffsetReason, Phase

_GRAIN_S = 1e-6
"""Sums of hop times are not exact: without this, 3 · 0.48 could miss 1.44."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """When a sound begins and ends; all times in seconds."""

    threshold: float
    """Probability at or above which a window is evidence for a beginning."""
    release_threshold: float
    """Probability at or above which a window is evidence that it goes on."""
    confirm_s: float
    """Audio that evident windows must cover before the onset; 0: one window is enough."""
    confirm_within_s: float
    """Span, up to now, in which that audio must lie."""
    hold_s: float
    """Time without evidence before the offset."""
    refractory_s: float
    """Time after the offset in which no new onset is raised."""
    max_duration_s: float
    """The sound ends after this time even if it goes on."""
    possible_s: float | None = None
    """Audio that evident windows must cover before it is told as possible; None: never."""
    reaction_s: float = 0.0
    """How much of a sound a window must hold before its probability reaches the threshold: a
    property of the model, used to correct onset and offset."""


class GateState(StrEnum):
    """Where the gate stands."""

    IDLE = "idle"
    CONFIRMING = "confirming"
    ON = "on"
    REFRACTORY = "refractory"


@dataclass(frozen=True, slots=True)
class Transition:
    """A sound may have begun, began, or ended."""

    phase: Phase
    time_s: float
    """Estimated time at which it did, in seconds on the source's clock."""
    onset_s: float
    """Estimated beginning, also when this is the end."""
    peak_probability: float
    """Largest probability since the beginning."""
    reason: OffsetReason | None = None
    evidence_s: float = 0.0
    """Audio that evident windows covered, on which a beginning rests."""


@dataclass(frozen=True, slots=True)
class _Window:
    start_s: float
    end_s: float
    onset_s: float
    """Where the sound began, if this is the first window that it is evident in."""


@dataclass(slots=True)
class _Sounding:
    """What is known of a sound that is on."""

    onset_s: float
    peak: float
    last_evident: _Window
    fell_silent_s: float | None = None
    """Start of the first window without evidence after the last one with it."""


class Gate:
    """Hysteresis, confirmation, hold, refractory time and a longest duration for one sound.

    Confirmation is counted in seconds of audio that evident windows cover together, never in
    windows, so that it asks for the same sound at every hop.  Not thread-safe: one owner.
    """

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._evidence: deque[_Window] = deque()
        self._evidence_peak = 0.0
        self._possible_told = False
        self._sounding: _Sounding | None = None
        self._previous_end_s: float | None = None
        self._quiet_until_s = float("-inf")
        self._now_s = 0.0

    @property
    def settings(self) -> GateSettings:
        """What it goes by at present."""
        return self._settings

    def set_threshold(self, threshold: float, release_threshold: float) -> None:
        """Use other thresholds from the next window on."""
        self._settings = replace(
            self._settings, threshold=threshold, release_threshold=release_threshold
        )

    @property
    def state(self) -> GateState:
        """Where it stands."""
        if self._sounding is not None:
            return GateState.ON
        if self._now_s < self._quiet_until_s:
            return GateState.REFRACTORY
        return GateState.CONFIRMING if self._evidence else GateState.IDLE

    @property
    def on_for_s(self) -> float:
        """Seconds since the estimated onset of the sound that is on; 0 while none is."""
        return 0.0 if self._sounding is None else max(0.0, self._now_s - self._sounding.onset_s)

    def evidence_s(self) -> float:
        """Seconds of audio covered by evident windows within the confirmation span."""
        earliest = self._now_s - self._settings.confirm_within_s
        covered, counted_from = 0.0, self._now_s
        for window in reversed(self._evidence):
            start_s = max(window.start_s, earliest)
            covered += max(0.0, min(window.end_s, counted_from) - start_s)
            counted_from = min(counted_from, start_s)
        return covered

    def step(
        self, probability: float, start_s: float, end_s: float, *, began_s: float | None = None
    ) -> Transition | None:
        """Take the next window's probability; windows come in order of ``end_s``.

        ``began_s`` tells when the sound began, where the probability rests on more than the window.
        Returns the transition that this window brings about, if any.
        """
        window = _Window(start_s, end_s, self._estimated_onset(start_s, end_s))
        self._now_s = self._previous_end_s = end_s
        if self._sounding is not None:
            return self._go_on(self._sounding, probability, window)
        if began_s is not None:
            window = _Window(min(began_s, start_s), end_s, began_s)
        self._gather(probability, window)
        return self._begin_if_confirmed() or self._tell_if_possible()

    def lapse(self, now_s: float) -> Transition | None:
        """Time went by, up to ``now_s``, in which no window was seen (a gap)."""
        self._now_s = max(self._now_s, now_s)
        self._previous_end_s = None
        self._forget_old_evidence()
        return None if self._sounding is None else self._end_if_due(self._sounding)

    def close(self, reason: OffsetReason) -> Transition | None:
        """End the sound, if it is on, for a reason outside the data; forget all evidence."""
        transition = None if self._sounding is None else self._end(self._sounding, reason)
        self._evidence.clear()
        self._possible_told = False
        self._quiet_until_s = float("-inf")
        return transition

    def _estimated_onset(self, start_s: float, end_s: float) -> float:
        """Where a sound began that is first evident in this window.

        The window before it did not hold enough of the sound and this one does, so the moment at
        which it had lasted ``reaction_s`` lies in what this window adds: half-way, at best guess.
        """
        previous = self._previous_end_s
        if previous is None or not start_s <= previous < end_s:
            return start_s
        return max(start_s, 0.5 * (previous + end_s) - self._settings.reaction_s)

    def _gather(self, probability: float, window: _Window) -> None:
        self._forget_old_evidence()
        if probability >= self._settings.threshold:
            self._evidence.append(window)
            self._evidence_peak = max(self._evidence_peak, probability)

    def _forget_old_evidence(self) -> None:
        earliest = self._now_s - self._settings.confirm_within_s
        while self._evidence and self._evidence[0].end_s <= earliest:
            self._evidence.popleft()
        if not self._evidence:
            self._evidence_peak = 0.0
            self._possible_told = False

    def _begin_if_confirmed(self) -> Transition | None:
        if not self._evidence or self.state is GateState.REFRACTORY:
            return None
        evidence_s = self.evidence_s()
        if evidence_s + _GRAIN_S < self._settings.confirm_s:
            return None
        onset_s = self._evidence[0].onset_s
        self._sounding = _Sounding(onset_s, self._evidence_peak, self._evidence[-1])
        self._evidence.clear()
        self._possible_told = False
        peak = self._sounding.peak
        return Transition(Phase.ONSET, onset_s, onset_s, peak, evidence_s=evidence_s)

    def _tell_if_possible(self) -> Transition | None:
        """Once for all evidence that hangs together."""
        enough_s = self._settings.possible_s
        if enough_s is None or self._possible_told or self.state is not GateState.CONFIRMING:
            return None
        evidence_s = self.evidence_s()
        if evidence_s + _GRAIN_S < enough_s:
            return None
        self._possible_told = True
        onset_s = self._evidence[0].onset_s
        peak = self._evidence_peak
        return Transition(Phase.POSSIBLE, onset_s, onset_s, peak, evidence_s=evidence_s)

    def _go_on(self, sounding: _Sounding, probability: float, window: _Window) -> Transition | None:
        sounding.peak = max(sounding.peak, probability)
        if probability >= self._settings.release_threshold:
            sounding.last_evident, sounding.fell_silent_s = window, None
        elif sounding.fell_silent_s is None:
            sounding.fell_silent_s = window.start_s
        return self._end_if_due(sounding)

    def _end_if_due(self, sounding: _Sounding) -> Transition | None:
        silent_s = self._now_s - sounding.last_evident.end_s
        if silent_s > _GRAIN_S and silent_s + _GRAIN_S >= self._settings.hold_s:
            return self._end(sounding, OffsetReason.DATA)
        if self._now_s - sounding.onset_s >= self._settings.max_duration_s:
            return self._end(sounding, OffsetReason.MAX_DURATION)
        return None

    def _end(self, sounding: _Sounding, reason: OffsetReason) -> Transition:
        self._sounding = None
        self._evidence_peak = 0.0
        self._quiet_until_s = self._now_s + self._settings.refractory_s
        end_s = self._estimated_offset(sounding)
        return Transition(Phase.OFFSET, end_s, sounding.onset_s, sounding.peak, reason)

    def _estimated_offset(self, sounding: _Sounding) -> float:
        """Where the sound ended: the onset's estimate, mirrored in time."""
        last = sounding.last_evident
        if sounding.fell_silent_s is None:
            return max(sounding.onset_s, last.end_s)
        middle = 0.5 * (last.start_s + sounding.fell_silent_s) + self._settings.reaction_s
        return max(sounding.onset_s, min(last.end_s, middle))
