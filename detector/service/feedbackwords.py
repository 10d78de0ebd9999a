"""How a sound stands before feedback and after it, in numbers and in words."""

from dataclasses import dataclass, replace
from typing import Any

from detector.config import SoundConfig
from detector.events.gate import GateSettings
from detector.events.veto import Veto
from detector.service.build import gate_settings
from detector.service.correction import Example, Setting, Tally, tally, told_change
from detector.service.feedbackfile import Told
from detector.service.overrides import BY_FEEDBACK, ThresholdOverride


@dataclass(frozen=True, slots=True)
class Basis:
    """How a sound stands before."""

    config: SoundConfig
    override: ThresholdOverride | None
    """Of the threshold, in force."""
    base: ThresholdOverride | None = None
    """Of the threshold, before anything was said; None: the configured one."""

    @property
    def in_force(self) -> float:
        """The threshold that counts now."""
        return self.config.threshold if self.override is None else self.override.value

    @property
    def gate(self) -> GateSettings:
        """With the threshold that counted before any feedback."""
        found = self.override
        if found is not None and found.origin == BY_FEEDBACK:
            found = self.base
        threshold = self.config.threshold if found is None else found.value
        return replace(gate_settings(self.config), threshold=threshold)

    def with_base(self, base: ThresholdOverride | None) -> "Basis":
        """With what counted before, unless the configuration has changed since."""
        is_of_this = base is not None and base.replaced == self.config.threshold
        return replace(self, base=base if is_of_this else None)

    def overridden(self, threshold: float) -> ThresholdOverride | None:
        """What makes a threshold the one in force."""
        if threshold == self.in_force:
            return self.override
        if self.base is not None and threshold == self.base.value:
            return self.base
        if threshold == self.config.threshold:
            return None
        return ThresholdOverride(threshold, self.config.threshold, BY_FEEDBACK)


def change_line(
    sound: str, gate: GateSettings, examples: tuple[Example, ...], was: Setting, now: Setting
) -> str:
    """What changed: ``bell: wrong examples raised: 1 of 1 → 0 of 1; threshold 0.73 → 0.79``."""
    before, after = tally(examples, gate, was), tally(examples, gate, now)
    parts = [told_change(before, after), _threshold_change(was.threshold, now.threshold)]
    parts += _veto_change(was.veto, now.veto)
    return f"{sound}: {'; '.join(parts)}"


def _threshold_change(was: float, now: float) -> str:
    return f"threshold {was:g} → {now:g}" if was != now else f"threshold {now:g} as it was"


def _veto_change(was: Veto | None, now: Veto | None) -> list[str]:
    if now is not None:
        return [veto_line(now)]
    return ["nothing is passed over any more"] if was is not None else []


def veto_line(veto: Veto) -> str:
    """``passed over is what is like 2 moments told to be wrong (likeness from 0.79)``."""
    count = len(veto.directions)
    of = f"{count} moment{'s' * (count > 1)} told to be wrong"
    return f"passed over is what is like {of} (likeness from {veto.at:.2f})"


def unsettled(after: Tally) -> str:
    """Why not all of it is as people said; nothing where it is."""
    if not after.errors:
        return ""
    why = "to put it right would cost too much of what is right"
    again = "say it again when it happens again, and right when it is one"
    return f"; the rest stays: {why}; {again}"


def listed(sound: str, basis: Basis, told: Told) -> dict[str, Any]:
    """All that was said of a sound, and how it stands, as JSON has it."""
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
