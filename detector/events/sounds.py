"""One sound's whole way from observations to transitions. Pure."""

from dataclasses import dataclass

from detector.core.events import OffsetReason, Phase
from detector.core.recognition import Heard
from detector.events.gate import Gate, GateSettings, GateState, Transition
from detector.events.scorers import Scorer
from detector.events.veto import Veto


@dataclass(frozen=True, slots=True)
class SoundReading:
    """What a sound looks like at one window, for people."""

    sound: str
    probability: float
    threshold: float
    state: GateState
    why: str
    """Why it did or did not fire: ``0.41 < 0.50``."""


def compared(probability: float, threshold: float, name: str = "") -> str:
    """``0.41 < 0.46``; with as many digits as it takes to tell the two apart."""
    sign = "≥" if probability >= threshold else "<"
    same = f"{probability:.2f}" == f"{threshold:.2f}" and probability != threshold
    digits = 4 if same else 2
    return f"{probability:.{digits}f} {sign} {name}{threshold:.{digits}f}"


class SoundDetector:
    """Scorer and gate of one sound. Not thread-safe: one owner."""

    def __init__(self, sound: str, *, scorer: Scorer, gate: Gate) -> None:
        self.sound = sound
        self._scorer = scorer
        self._gate = gate
        self._probability = self._evidence = 0.0
        self._began_s: float | None = None
        self._veto: Veto | None = None

    @property
    def calibrated(self) -> bool:
        """Whether its probability rests on evidence."""
        return self._scorer.calibrated

    @property
    def probability(self) -> float:
        """Probability at the newest window."""
        return self._probability

    @property
    def evidence(self) -> float:
        """The same, whatever is passed over."""
        return self._evidence

    @property
    def veto(self) -> Veto | None:
        """What is passed over, if anything is."""
        return self._veto

    @property
    def began_s(self) -> float | None:
        """Where the sound began by the newest window, if its scorer can tell."""
        return self._began_s

    @property
    def is_idle(self) -> bool:
        """Whether nothing speaks for it now."""
        return self._gate.state in (GateState.IDLE, GateState.REFRACTORY)

    @property
    def settings(self) -> GateSettings:
        """What its gate goes by at present."""
        return self._gate.settings

    @property
    def threshold(self) -> float:
        """Threshold in force."""
        return self._gate.settings.threshold

    def set_threshold(self, threshold: float, release_threshold: float) -> None:
        """Use other thresholds from the next window on."""
        self._gate.set_threshold(threshold, release_threshold)

    def set_veto(self, veto: Veto | None) -> None:
        """Pass over what is like something that was told to be wrong, from the next window on."""
        self._veto = veto

    def step(self, heard: Heard) -> Transition | None:
        """Take the first recogniser's newest observation."""
        newest = heard[0][-1]
        self._judge(heard)
        self._began_s = self._scorer.began_s(heard)
        return self._gate.step(
            self._probability, newest.start_s, newest.end_s, began_s=self._began_s
        )

    def observe(self, heard: Heard) -> None:
        """Follow the probability while disarmed: the gate stays as it is."""
        self._judge(heard)

    def lapse(self, now_s: float) -> Transition | None:
        """Time went by, up to ``now_s``, of which nothing was heard."""
        self._probability = self._evidence = 0.0
        return self._gate.lapse(now_s)

    def close(self, reason: OffsetReason) -> Transition | None:
        """End the sound, if it is on."""
        return self._gate.close(reason)

    def reading(self) -> SoundReading:
        """What a person should see of it."""
        return SoundReading(
            self.sound, self._probability, self.threshold, self._gate.state, self._why()
        )

    def fresh(self) -> "SoundDetector":
        """Another one that goes by the same numbers and has heard nothing yet."""
        other = SoundDetector(self.sound, scorer=self._scorer, gate=Gate(self._gate.settings))
        other.set_veto(self._veto)
        return other

    def _judge(self, heard: Heard) -> None:
        self._evidence = self._scorer(heard)
        is_passed_over = self._veto is not None and self._veto.passes_over(heard)
        self._probability = 0.0 if is_passed_over else self._evidence

    def explain(self, transition: Transition) -> str:
        """Why it has just come to this: ``0.71 ≥ 0.46, 1.5 s of 1.4 s heard``."""
        settings, probability = self._gate.settings, self._probability
        if transition.phase is not Phase.OFFSET:
            wanted_s = settings.confirm_s
            heard = f", {transition.evidence_s:.1f} s of {wanted_s:.1f} s heard" if wanted_s else ""
            return f"{compared(probability, settings.threshold)}{heard}"
        if transition.reason is OffsetReason.DATA:
            return f"no longer ≥ release {settings.release_threshold:.2f}: now {probability:.2f}"
        return f"ended ({transition.reason}) at {probability:.2f}"

    def _why(self) -> str:
        settings, state = self._gate.settings, self._gate.state
        if self._evidence > self._probability:
            return f"{self._evidence:.2f}, passed over: like what was told to be wrong"
        if state is GateState.ON:
            now = compared(self._probability, settings.release_threshold, "release ")
            return f"on for {self._gate.on_for_s:.1f} s; {now}"
        why = compared(self._probability, settings.threshold)
        if state is GateState.REFRACTORY:
            return f"{why}, refractory"
        if state is GateState.CONFIRMING:
            heard = self._gate.evidence_s()
            return f"{why}, {heard:.1f} s of {settings.confirm_s:.1f} s heard"
        return why
