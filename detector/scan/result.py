"""What comes of one recording. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detector.core.events import Detection, Event, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSound:
    """One sound from its beginning to its end, in seconds from the file's beginning."""

    sound: str
    onset_s: float
    offset_s: float | None
    """None for a sound that was possible and no more."""
    confirmed: bool
    probability: float
    """At the decision."""
    peak_probability: float
    threshold: float
    calibrated: bool
    level_dbfs: float
    urgency: str
    reason: str | None
    """Why it ended."""
    why: str
    """Why it was told, for a person."""
    classes: tuple[tuple[str, float], ...]
    """The three best classes at the decision, with their raw scores."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What was heard in one file. Made in one process, read in another."""

    path: Path
    duration_s: float
    """As far as it was heard."""
    sounds: tuple[HeardSound, ...] = ()
    problem: str | None = None
    """One line: why it could not be heard, or not to its end."""

    @property
    def is_final(self) -> bool:
        """Whether hearing it again is useless, as long as the file stays as it is."""
        return self.problem is None or self.duration_s > 0.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a file has been heard."""

    path: Path
    share: float
    """0 … 1."""
    seconds: float


def sounds_of(events: Sequence[Event]) -> tuple[HeardSound, ...]:
    """The events of a file, the two or three of each sound put together; by their beginnings."""
    by_id: dict[str, list[Event]] = {}
    for event in events:
        by_id.setdefault(event.id, []).append(event)
    found = [_sound(phases) for phases in by_id.values()]
    return tuple(sorted(found, key=lambda one: (one.onset_s, one.sound)))


def _sound(phases: Sequence[Event]) -> HeardSound:
    decided = next((one for one in phases if one.phase is Phase.ONSET), phases[0])
    last = phases[-1]
    at_decision, at_last = _detection(decided), _detection(last)
    return HeardSound(
        sound=decided.sound or "",
        onset_s=round(decided.onset_s, 3),
        offset_s=None if last.offset_s is None else round(last.offset_s, 3),
        confirmed=decided.phase is Phase.ONSET,
        probability=round(at_decision.probability, 4),
        peak_probability=round(at_last.peak_probability, 4),
        threshold=at_decision.threshold,
        calibrated=at_decision.calibrated,
        level_dbfs=round(at_decision.level_dbfs, 1),
        urgency=str(decided.urgency),
        reason=None if last.reason is None else str(last.reason),
        why=at_decision.why,
        classes=tuple((one.name, round(one.score, 4)) for one in at_decision.classes),
    )


def _detection(event: Event) -> Detection:
    if event.detection is None:
        raise ValueError(f"{event.kind} is no sound")
    return event.detection


def document(result: FileResult) -> dict[str, Any]:
    """The result as JSON has it, without its path."""
    return {
        "duration_s": round(result.duration_s, 3),
        "problem": result.problem,
        "sounds": [asdict(sound) for sound in result.sounds],
    }


def from_document(path: Path, found: dict[str, Any]) -> FileResult:
    """The same back; raises KeyError or TypeError for what is none."""
    sounds = tuple(
        HeardSound(**one | {"classes": tuple((name, score) for name, score in one["classes"])})
        for one in found["sounds"]
    )
    return FileResult(path, found["duration_s"], sounds, found["problem"])
