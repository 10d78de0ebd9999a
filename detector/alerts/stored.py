"""An event as the outbox's database has it: its wire body, and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.alerts.messages import event_payload, to_json
from detector.core.events import (
    ClassScore,
    Detection,
    Event,
    EventKind,
    LabelProbability,
    Phase,
    SecondStage,
    Urgency,
)


def body_of(event: Event) -> str:
    """The immutable wire body, as JSON text: what is stored is what was, or will be, told."""
    return to_json(event_payload(event))


def event_of(body: Mapping[str, Any], decided_monotonic_s: float) -> Event:
    """The event whose wire body this is: ``body_of`` it is the same text again.

    Seconds on the source's clock are gone; the onset is at 0.

    Raises KeyError, TypeError or ValueError for what is no such body.
    """
    if not all(isinstance(body[name], str) for name in ("id", "node")):
        raise TypeError("an id or node that is no text")
    if not isinstance(body["sound"], str | None):
        raise TypeError("a sound that is no text")
    return Event(
        id=body["id"],
        kind=EventKind(body["kind"]),
        phase=Phase(body["phase"]),
        node=body["node"],
        urgency=Urgency(body["urgency"]),
        onset_utc=datetime.fromisoformat(body["onset"]),
        sound=body["sound"],
        offset_utc=None if body["offset"] is None else datetime.fromisoformat(body["offset"]),
        offset_s=body["duration_s"],
        detection=_detection(body),
        latency_ms=body["latency_ms"],
        reason=body["reason"],
        second_stage=_second_stage(body.get("second_stage")),  # older bodies have none
        test=body["test"],
        clock_synchronised=body["clock_synchronised"],
        decided_monotonic_s=decided_monotonic_s,
    )


def _detection(body: Mapping[str, Any]) -> Detection | None:
    if body["calibrated"] is None:
        return None
    return Detection(
        probability=_value(body["probability"]),
        peak_probability=_value(body["peak_probability"]),
        threshold=_value(body["threshold"]),
        calibrated=body["calibrated"],
        classes=tuple(ClassScore(one["class"], _value(one["score"])) for one in body["classes"]),
        level_dbfs=_value(body["level_dbfs"]),
        why=_text(body.get("why")),  # older bodies have none
    )


def _second_stage(told: Mapping[str, Any] | None) -> SecondStage | None:
    if told is None:
        return None
    labels = [
        LabelProbability(_text(one["label"]), _value(one["probability"])) for one in told["labels"]
    ]
    return SecondStage(_text(told["classifier"]), tuple(labels), _value(told["heard_s"]))


def _text(text: str | None) -> str:
    if not isinstance(text, str | None):
        raise TypeError("a text that is none")
    return text or ""


def _value(number: float | None) -> float:
    """JSON cannot say what is not a number, and neither can a body."""
    if not isinstance(number, int | float | None):
        raise TypeError("a number that is none")
    return float("nan") if number is None else number
