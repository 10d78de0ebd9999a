"""The wire: what stands in the messages on our topics.

Only this module and ``homeassistant`` know JSON field names of MQTT.  Fields are added, never
renamed; ``event.schema.json`` describes the event and a test freezes it.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from detector.alerts.sinks import Delivery
from detector.alerts.topics import Message, Topics
from detector.config.schema import SoundConfig
from detector.core.audio import MicState
from detector.core.events import ClassScore, Detection, Event, EventKind, Phase, SecondStage

SCHEMA_VERSION = 1
ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttHealth:
    """How it stands with the broker."""

    connected: bool = False
    reconnects: int = 0
    undelivered: int = 0
    """Events that wait for their acknowledgement."""
    denied: int = 0
    """Messages that the broker's access rules refused; MQTT 5 only."""
    dropped: int = 0
    """Events lost because an outlet was away for too many of them."""
    refused_commands: int = 0
    """Commands that were not obeyed: malformed, retained, or for a sound that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the whole daemon fares. The field names are those of the message."""

    mic_state: MicState
    mic_detail: str = ""
    deaf_seconds: Mapping[str, float] = field(default_factory=lambda: {"total": 0.0})
    """Since the start, by cause, and their ``total``; what it did not run before it, too."""
    deaf_seconds_today: Mapping[str, float] = field(default_factory=lambda: {"total": 0.0})
    """The same since midnight, over restarts."""
    mic_warning: str | None = None
    """Why the microphone sounds unlike itself, if it does: covered, unplugged, turned down."""
    inference_ms_p50: float | None = None
    inference_ms_p95: float | None = None
    """What a window costs in the whole pipeline: features, network and gate."""
    dropped_windows: int = 0
    gaps: int = 0
    gap_seconds: float = 0.0
    overflows: int = 0
    mqtt: MqttHealth = field(default_factory=MqttHealth)
    model: str = ""
    """Name and the first eight digits of the hash, ``yamnet/10c95ea3``."""
    runtime: str = ""
    model_warning: str | None = None
    """Why a model stands in for the one that is wanted, and what is not listened for, if so."""
    uptime_s: float = 0.0
    version: str = ""
    last_audio_age_s: float | None = None
    last_error: str | None = None
    storage_error: str | None = None
    """Why events are kept in memory only, if they are."""
    clock_synchronised: bool | None = None


@dataclass(frozen=True, slots=True)
class SelfTestStep:
    """One part of the way from the microphone to the broker."""

    passed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestReport:
    """What came of a self-test."""

    at: datetime
    trigger: str
    """``command``, ``schedule`` or ``button``."""
    steps: Mapping[str, SelfTestStep]
    """``microphone``, ``model`` and ``broker``, in this order."""

    @property
    def passed(self) -> bool:
        """Whether all of it works."""
        return all(step.passed for step in self.steps.values())

    @property
    def failures(self) -> str:
        """What failed and why, in one line; empty where nothing did."""
        failed = ((name, step) for name, step in self.steps.items() if not step.passed)
        return "; ".join(f"{name}: {step.detail}" for name, step in failed)


def to_json(payload: Payload) -> str:
    """Strict JSON, compact."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A device's or file's name may hold a byte that is no text; in JSON its escape is right.
    return text.encode(errors="backslashreplace").decode()


def timestamp(moment: datetime | None) -> str | None:
    """UTC in ISO 8601 with milliseconds, ``2026-11-20T18:21:19.519Z``."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"


def number(value: float | None, digits: int = 3) -> float | None:
    """Rounded; None for what JSON cannot say."""
    if value is None or not math.isfinite(value):
        return None
    return round(value, digits) + 0.0  # no minus before a zero


def event_type(event: Event) -> str:
    """What Home Assistant knows the event by."""
    if event.kind is not EventKind.SOUND:
        return event.kind.value
    suffix = {
        Phase.POSSIBLE: "_possible",
        Phase.ONSET: "",
        Phase.UPDATE: "_updated",
        Phase.OFFSET: "_ended",
    }
    return f"{event.sound}{suffix[event.phase]}"


def event_types(sounds: Mapping[str, SoundConfig]) -> list[str]:
    """Every event type that these sounds can bring, each once."""
    types: list[str] = []
    for name, sound in sounds.items():
        possible = [] if sound.possible_seconds is None else [f"{name}_possible"]
        updated = [] if sound.second_stage is None else [f"{name}_updated"]
        types += [*possible, name, *updated, f"{name}_ended"]
    types += [kind.value for kind in EventKind if kind is not EventKind.SOUND]
    return list(dict.fromkeys(types))


def event_payload(event: Event) -> Payload:
    """The immutable body of an event, as event.schema.json has it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "event_type": event_type(event),
        "id": event.id,
        "kind": event.kind.value,
        "phase": event.phase.value,
        "sound": event.sound,
        "node": event.node,
        "urgency": event.urgency.value,
        "onset": timestamp(event.onset_utc),
        "offset": timestamp(event.offset_utc),
        "duration_s": _duration_s(event),
        **_detection_fields(event.detection),
        "second_stage": _second_stage(event.second_stage),
        "latency_ms": number(event.latency_ms, 1),
        "test": event.test,
        "reason": event.reason,
        "clock_synchronised": event.clock_synchronised,
    }


def delivery_payload(delivery: Delivery) -> Payload:
    """The body, and how late it comes where it comes late."""
    body = event_payload(delivery.event)
    if delivery.late or delivery.backlog:
        body["late"] = True
        if math.isfinite(delivery.age_s):
            body["age_s"] = number(max(0.0, delivery.age_s), 1)
    return body


def class_scores(classes: Iterable[ClassScore]) -> list[Payload]:
    """Classes with their scores, rounded to four digits, in the order given."""
    return [{"class": one.name, "score": number(one.score, 4)} for one in classes]


def _duration_s(event: Event) -> float | None:
    """On the source's clock: the wall clock may have jumped meanwhile."""
    return None if event.offset_s is None else number(max(0.0, event.offset_s - event.onset_s))


def _detection_fields(detection: Detection | None) -> Payload:
    if detection is None:
        names = ("probability", "peak_probability", "threshold", "calibrated")
        return dict.fromkeys(names) | {"classes": [], "level_dbfs": None, "why": None}
    return {
        "probability": number(detection.probability, 4),
        "peak_probability": number(detection.peak_probability, 4),
        "threshold": number(detection.threshold, 4),
        "calibrated": detection.calibrated,
        "classes": class_scores(detection.classes[:3]),
        "level_dbfs": number(detection.level_dbfs, 1),
        "why": detection.why or None,
    }


def _second_stage(found: SecondStage | None) -> Payload | None:
    if found is None or not found.labels:
        return None
    told = [{"label": one.label, "probability": number(one.probability, 4)} for one in found.labels]
    return {
        "classifier": found.classifier,
        **told[0],
        "labels": told,
        "heard_s": number(found.heard_s, 2),
    }


def attributes_payload(event: Event) -> Payload:
    """What a sound's state rests on, beside the state in Home Assistant."""
    body = event_payload(event)
    kept = ("probability", "peak_probability", "threshold", "calibrated", "classes")
    return {
        "event_id": event.id,
        "started_at": body["onset"],
        "ended_at": body["offset"],
        "duration_s": body["duration_s"],
        **{name: body[name] for name in (*kept, "level_dbfs", "why", "second_stage")},
        "urgency": body["urgency"],
        "test": event.test,
    }


def level_payload(rms_dbfs: float, peak_dbfs: float) -> Payload:
    """The sound level."""
    return {"rms_dbfs": number(rms_dbfs, 1), "peak_dbfs": number(peak_dbfs, 1)}


def health_payload(health: Health) -> Payload:
    """Every field of Health, under its own name."""
    body = asdict(health)
    body["mic_state"] = health.mic_state.value
    for name, by_cause in (
        ("deaf_seconds", health.deaf_seconds),
        ("deaf_seconds_today", health.deaf_seconds_today),
    ):
        body[name] = {cause: number(seconds, 1) for cause, seconds in by_cause.items()}
    for name, value in body.items():
        if isinstance(value, float):
            body[name] = number(value)
    return body


def self_test_payload(report: SelfTestReport) -> Payload:
    """The result of a self-test."""
    return {
        "passed": report.passed,
        "at": timestamp(report.at),
        "trigger": report.trigger,
        "steps": {name: asdict(step) for name, step in report.steps.items()},
    }


def sound_messages(topics: Topics, event: Event) -> tuple[Message, ...]:
    """A sound's attributes and state after an event; nothing where the event changes neither.

    Attributes come first, so that they stand when the state calls an automation.  An update
    changes the attributes alone.
    """
    heard = {Phase.ONSET: ON, Phase.OFFSET: OFF}.get(event.phase)
    tells = event.kind in (EventKind.SOUND, EventKind.TEST_ALERT)
    if event.sound is None or event.phase is Phase.POSSIBLE or not tells:
        return ()
    text = to_json(attributes_payload(event))
    attributes = Message(topics.sound_attributes(event.sound), text, qos=0, retain=True)
    if heard is None:
        return (attributes,)
    return (attributes, Message(topics.sound_state(event.sound), heard, retain=True))


def clearing(topics: Topics, sounds: Iterable[str]) -> tuple[Message, ...]:
    """Messages that make the broker forget what it retains of these sounds."""
    return tuple(
        Message(topic, "", retain=True) for sound in sounds for topic in topics.retained_of(sound)
    )


def event_message(topics: Topics, delivery: Delivery, expiry_s: int) -> Message:
    """The event, on the live topic or on the backlog."""
    payload = to_json(delivery_payload(delivery))
    if delivery.backlog:
        return Message(topics.backlog, payload)
    return Message(topics.event, payload, expiry_s=expiry_s)


def threshold_bounds(sound: SoundConfig) -> tuple[float, float]:
    """What may be set over MQTT: 0.05 … 0.99, wider only where the configuration went wider."""
    return min(0.05, sound.threshold), max(0.99, sound.threshold)
