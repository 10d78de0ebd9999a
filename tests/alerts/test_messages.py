"""The wire contract: every topic, field and type, spelled out."""

import json
import math
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from detector.alerts.messages import (
    Health,
    MqttHealth,
    SelfTestReport,
    SelfTestStep,
    attributes_payload,
    class_scores,
    delivery_payload,
    event_message,
    event_payload,
    event_type,
    event_types,
    health_payload,
    level_payload,
    number,
    self_test_payload,
    sound_messages,
    timestamp,
    to_json,
)
from detector.alerts.sinks import Delivery
from detector.alerts.topics import Topics
from detector.config.schema import SecondStageConfig
from detector.core.audio import MicState
from detector.core.events import (
    ClassScore,
    Event,
    EventKind,
    LabelProbability,
    OffsetReason,
    Phase,
    SecondStage,
    Urgency,
)
from tests.alerts.tools import DETECTION, ONSET, SOUNDS, offset, onset

TOPICS = Topics("home/detector", "nursery")
SCHEMA = json.loads(files("detector.alerts").joinpath("event.schema.json").read_text())
MAYBE_TEXT, MAYBE_NUMBER, MAYBE_YES = ["string", "null"], ["number", "null"], ["boolean", "null"]


def objections(payload: dict[str, Any]) -> list[str]:
    """What the schema has against a payload, as it would arrive."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    arrived = json.loads(to_json(payload))
    return [error.message for error in validator.iter_errors(arrived)]


def test_the_schema_is_frozen() -> None:
    """Fields are added here knowingly; none is ever renamed, retyped or removed."""
    types = {name: field.get("type") for name, field in SCHEMA["properties"].items()}
    assert types == {
        "schema_version": None,
        "event_type": "string",
        "id": "string",
        "kind": None,
        "phase": None,
        "sound": MAYBE_TEXT,
        "node": "string",
        "urgency": None,
        "onset": "string",
        "offset": MAYBE_TEXT,
        "duration_s": MAYBE_NUMBER,
        "probability": MAYBE_NUMBER,
        "peak_probability": MAYBE_NUMBER,
        "threshold": MAYBE_NUMBER,
        "calibrated": MAYBE_YES,
        "classes": "array",
        "level_dbfs": MAYBE_NUMBER,
        "why": MAYBE_TEXT,
        "second_stage": ["object", "null"],
        "latency_ms": MAYBE_NUMBER,
        "test": "boolean",
        "reason": MAYBE_TEXT,
        "clock_synchronised": MAYBE_YES,
        "late": "boolean",
        "age_s": "number",
    }
    assert SCHEMA["required"] == [
        "schema_version",
        "event_type",
        "id",
        "kind",
        "phase",
        "sound",
        "node",
        "urgency",
        "onset",
        "offset",
        "duration_s",
        "probability",
        "peak_probability",
        "threshold",
        "calibrated",
        "classes",
        "level_dbfs",
        "latency_ms",
        "test",
        "reason",
        "clock_synchronised",
    ]
    assert SCHEMA["properties"]["schema_version"]["const"] == 1
    assert SCHEMA["additionalProperties"] is True
    assert SCHEMA["properties"]["classes"]["items"]["required"] == ["class", "score"]


def test_all_classes_given_are_told_with_rounded_scores() -> None:
    """In the order given; an event gives the best three, others may give more."""
    given = [ClassScore("Bark", 0.123_456), ClassScore("Dog", 0.9), ClassScore("Howl", math.nan)]
    assert class_scores(given) == [
        {"class": "Bark", "score": 0.1235},
        {"class": "Dog", "score": 0.9},
        {"class": "Howl", "score": None},
    ]


def test_the_schema_is_a_schema_and_describes_every_field() -> None:
    """For those who write against it."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert [n for n, field in SCHEMA["properties"].items() if not field.get("description")] == []


def test_the_schemas_words_are_the_houses() -> None:
    """Every value of each vocabulary, and no other."""
    assert SCHEMA["properties"]["kind"]["enum"] == [kind.value for kind in EventKind]
    assert SCHEMA["properties"]["phase"]["enum"] == [phase.value for phase in Phase]
    assert SCHEMA["properties"]["urgency"]["enum"] == [urgency.value for urgency in Urgency]
    reasons = SCHEMA["properties"]["reason"]["description"]
    assert [r.value for r in OffsetReason if r.value not in reasons] == []


def test_an_offset_is_told_in_full() -> None:
    """The whole message, literally."""
    assert event_payload(offset()) == {
        "schema_version": 1,
        "event_type": "baby_cry_ended",
        "id": "nursery-1",
        "kind": "sound",
        "phase": "offset",
        "sound": "baby_cry",
        "node": "nursery",
        "urgency": "urgent",
        "onset": "2026-11-20T18:21:19.519Z",
        "offset": "2026-11-20T18:21:27.769Z",
        "duration_s": 8.25,
        "probability": 0.93,
        "peak_probability": 0.97,
        "threshold": 0.4,
        "calibrated": True,
        "classes": [
            {"class": "Baby cry, infant cry", "score": 0.91},
            {"class": "Crying, sobbing", "score": 0.72},
            {"class": "Babbling", "score": 0.2},
        ],
        "level_dbfs": -31.2,
        "why": "0.93 ≥ 0.40; next best: cat_meow 0.20",
        "second_stage": None,
        "latency_ms": 1480.0,
        "test": False,
        "reason": "data",
        "clock_synchronised": True,
    }


def test_what_does_not_apply_is_null() -> None:
    """An event about no sound still has every field."""
    told = event_payload(
        onset(
            sound=None,
            kind=EventKind.DISARMED,
            detection=None,
            latency_ms=None,
            reason="MQTT",
            clock_synchronised=None,
        )
    )
    # Not required: one that an older version left in the outbox has none.
    newer = ("why", "second_stage")
    assert [name for name in told if name not in newer] == SCHEMA["required"]
    assert {name for name, value in told.items() if value is None} == {
        "sound",
        "offset",
        "duration_s",
        "probability",
        "peak_probability",
        "threshold",
        "calibrated",
        "level_dbfs",
        "why",
        "second_stage",
        "latency_ms",
        "clock_synchronised",
    }
    assert told["classes"] == []
    assert objections(told) == []


UPDATED = onset(
    phase=Phase.UPDATE,
    second_stage=SecondStage(
        "cry_reasons",
        (LabelProbability("hungry", 0.712_345), LabelProbability("other", 0.287_655)),
        6.0,
    ),
)
EDGES: dict[str, Event] = {
    "an onset": onset(),
    "an update": UPDATED,
    "an offset": offset(),
    "of no length": offset(offset_utc=ONSET, offset_s=12.0),
    "ended before it began": offset(offset_s=11.0),
    "all zero": onset(detection=replace(DETECTION, probability=0.0, threshold=0.0)),
    "all one": onset(detection=replace(DETECTION, probability=1.0, peak_probability=1.0)),
    "minus zero": onset(detection=replace(DETECTION, probability=-0.0)),
    "not a number": onset(
        latency_ms=math.nan,
        detection=replace(DETECTION, level_dbfs=-math.inf, probability=math.nan),
    ),
    "digital silence": onset(detection=replace(DETECTION, level_dbfs=-120.0)),
    "beyond full scale": onset(detection=replace(DETECTION, level_dbfs=3.2)),
    "no classes": onset(detection=replace(DETECTION, classes=())),
    "too many classes": onset(detection=replace(DETECTION, classes=DETECTION.classes * 2)),
    "beyond ASCII": onset(detection=replace(DETECTION, classes=(ClassScore("Bébé 👶", 0.5),))),
    "tiny score": onset(detection=replace(DETECTION, classes=(ClassScore("x", 1e-9),))),
    "the year one": onset(onset_utc=datetime(1, 1, 1, tzinfo=UTC)),
    "a full second": onset(onset_utc=datetime(2026, 1, 1, tzinfo=UTC)),
    "another time zone": onset(onset_utc=ONSET.astimezone(timezone(timedelta(hours=5.5)))),
    "uncalibrated": onset(detection=replace(DETECTION, calibrated=False)),
    **{f"kind {kind}": onset(kind=kind, sound=None, detection=None) for kind in EventKind},
    **{f"phase {phase}": onset("smoke_alarm", phase=phase) for phase in Phase},
    **{f"urgency {urgency}": onset(urgency=urgency) for urgency in Urgency},
    **{f"reason {reason}": offset(reason=reason.value) for reason in OffsetReason},
}


@pytest.mark.parametrize("name", EDGES)
def test_every_event_fits_the_schema(name: str) -> None:
    """Also at its edges, and also when it comes late."""
    assert objections(event_payload(EDGES[name])) == []
    assert objections(delivery_payload(Delivery(EDGES[name], 12.0, late=True))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema_version": 2},
        {"probability": 1.01},
        {"threshold": -0.01},
        {"duration_s": -1},
        {"onset": "2026-11-20T18:21:19Z"},
        {"onset": "2026-11-20T18:21:19.519+00:00"},
        {"onset": None},
        {"id": ""},
        {"kind": "noise"},
        {"classes": [{"class": "x", "score": 0.1}] * 4},
        {"classes": [{"class": "x"}]},
        {"test": None},
        {"late": None},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_wrong(wrong: dict[str, Any]) -> None:
    """Or that events fit it would mean nothing."""
    assert len(objections(event_payload(onset()) | wrong)) == 1


@pytest.mark.parametrize("name", SCHEMA["required"])
def test_the_schema_misses_what_is_missing(name: str) -> None:
    """Every required field."""
    told = event_payload(onset())
    del told[name]
    assert len(objections(told)) == 1


def test_the_schema_takes_fields_of_the_future() -> None:
    """Consumers ignore what they do not know."""
    assert objections(event_payload(onset()) | {"picture": "x"}) == []


def test_lateness_is_of_the_delivery_and_told_only_where_there_is_any() -> None:
    """The body of an event never changes."""
    body = event_payload(onset())
    assert delivery_payload(Delivery(onset(), age_s=2.0)) == body
    late = delivery_payload(Delivery(onset(), age_s=7.04, late=True))
    assert late == body | {"late": True, "age_s": 7.0}
    unknown = delivery_payload(Delivery(onset(), age_s=math.inf, late=True, backlog=True))
    assert unknown == body | {"late": True}


def test_topics_are_spelled_out() -> None:
    """They are the other half of the contract."""
    assert {name: getattr(TOPICS, name) for name in dir(Topics) if _is_topic(name)} == {
        "status": "home/detector/nursery/status",
        "mic_status": "home/detector/nursery/mic/status",
        "event": "home/detector/nursery/event",
        "backlog": "home/detector/nursery/event/backlog",
        "level": "home/detector/nursery/level",
        "health": "home/detector/nursery/health",
        "self_test": "home/detector/nursery/selftest",
        "armed_state": "home/detector/nursery/armed/state",
        "armed_set": "home/detector/nursery/armed/set",
        "command": "home/detector/nursery/cmd",
        "every_threshold_set": "home/detector/nursery/sound/+/threshold/set",
    }
    assert TOPICS.threshold_set("x") == "home/detector/nursery/sound/x/threshold/set"
    assert TOPICS.retained_of("x") == (
        "home/detector/nursery/sound/x/state",
        "home/detector/nursery/sound/x/attributes",
        "home/detector/nursery/sound/x/threshold/state",
    )


def test_the_result_of_a_self_test_is_spelled_out() -> None:
    """One step that failed is a self-test that failed, and says why."""
    report = SelfTestReport(
        at=datetime(2026, 1, 1, 10, tzinfo=UTC),
        trigger="schedule",
        steps={
            "microphone": SelfTestStep(passed=True, detail="ok"),
            "model": SelfTestStep(passed=False, detail="no scores"),
            "broker": SelfTestStep(passed=False, detail="away"),
        },
    )
    assert self_test_payload(report) == {
        "passed": False,
        "at": "2026-01-01T10:00:00.000Z",
        "trigger": "schedule",
        "steps": {
            "microphone": {"passed": True, "detail": "ok"},
            "model": {"passed": False, "detail": "no scores"},
            "broker": {"passed": False, "detail": "away"},
        },
    }
    assert report.failures == "model: no scores; broker: away"


def _is_topic(name: str) -> bool:
    return isinstance(getattr(Topics, name), property)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (onset("smoke_alarm", phase=Phase.POSSIBLE), "smoke_alarm_possible"),
        (onset("smoke_alarm"), "smoke_alarm"),
        (onset("smoke_alarm", phase=Phase.UPDATE), "smoke_alarm_updated"),
        (offset("smoke_alarm"), "smoke_alarm_ended"),
        (onset(kind=EventKind.TEST_ALERT), "test_alert"),
        (onset(kind=EventKind.SELF_TEST), "self_test"),
        (onset(kind=EventKind.ARMED), "armed"),
        (onset(kind=EventKind.DISARMED), "disarmed"),
        (onset(kind=EventKind.MICROPHONE_LOST), "microphone_lost"),
        (onset(kind=EventKind.MICROPHONE_RESTORED), "microphone_restored"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_has_a_type_that_is_declared(event: Event, expected: str) -> None:
    """The vocabulary, literally."""
    assert event_type(event) == expected
    stage = SecondStageConfig(classifier=Path("reasons.json"))
    alarm = replace(SOUNDS["smoke_alarm"], possible_seconds=2.5, second_stage=stage)
    assert expected in event_types({"smoke_alarm": alarm})


def test_event_types_are_these_and_no_others() -> None:
    """``possible`` is for sounds that have a time for it only."""
    bell = SOUNDS["baby_cry"]
    assert event_types({"doorbell": bell, "co_alarm": replace(bell, possible_seconds=2.5)}) == [
        "doorbell",
        "doorbell_ended",
        "co_alarm_possible",
        "co_alarm",
        "co_alarm_ended",
        "test_alert",
        "self_test",
        "armed",
        "disarmed",
        "microphone_lost",
        "microphone_restored",
        "feedback",
    ]
    assert event_types({"armed": SOUNDS["baby_cry"]}).count("armed") == 1


def test_event_messages_are_never_retained() -> None:
    """Home Assistant ignores replayed ones; others would ring anew."""
    live = event_message(TOPICS, Delivery(onset()), expiry_s=120)
    kept = event_message(TOPICS, Delivery(onset(), 500.0, late=True, backlog=True), expiry_s=120)
    assert (live.topic, live.qos, live.retain, live.expiry_s) == (TOPICS.event, 1, False, 120)
    assert (kept.topic, kept.qos, kept.retain, kept.expiry_s) == (TOPICS.backlog, 1, False, None)


def test_a_sounds_state_comes_after_its_attributes() -> None:
    """Both retained; the attributes at QoS 0."""
    attributes, state = sound_messages(TOPICS, onset())
    assert (attributes.topic, attributes.qos, attributes.retain) == (
        TOPICS.sound_attributes("baby_cry"),
        0,
        True,
    )
    assert (state.topic, state.payload, state.qos, state.retain) == (
        TOPICS.sound_state("baby_cry"),
        "ON",
        1,
        True,
    )
    assert sound_messages(TOPICS, offset())[1].payload == "OFF"


@pytest.mark.parametrize(
    "event",
    [
        onset(phase=Phase.POSSIBLE),
        onset(kind=EventKind.ARMED),
        onset(sound=None, kind=EventKind.TEST_ALERT),
    ],
)
def test_other_events_move_no_state(event: Event) -> None:
    """Only the beginning and the end of a sound do."""
    assert sound_messages(TOPICS, event) == ()


def test_an_update_changes_the_attributes_alone() -> None:
    """The sound goes on as it is."""
    (attributes,) = sound_messages(TOPICS, UPDATED)
    assert (attributes.topic, attributes.qos, attributes.retain) == (
        TOPICS.sound_attributes("baby_cry"),
        0,
        True,
    )
    assert json.loads(attributes.payload)["second_stage"]["label"] == "hungry"


def test_what_a_second_stage_says_is_told_in_full() -> None:
    """Every label with its probability, the likeliest first and by itself."""
    told = event_payload(UPDATED)
    assert (told["event_type"], told["phase"]) == ("baby_cry_updated", "update")
    assert told["second_stage"] == {
        "classifier": "cry_reasons",
        "label": "hungry",
        "probability": 0.7123,
        "labels": [
            {"label": "hungry", "probability": 0.7123},
            {"label": "other", "probability": 0.2877},
        ],
        "heard_s": 6.0,
    }
    assert objections(told) == []


def test_attributes_say_what_the_state_rests_on() -> None:
    """The fields, literally."""
    assert list(attributes_payload(offset())) == [
        "event_id",
        "started_at",
        "ended_at",
        "duration_s",
        "probability",
        "peak_probability",
        "threshold",
        "calibrated",
        "classes",
        "level_dbfs",
        "why",
        "second_stage",
        "urgency",
        "test",
    ]


def test_health_tells_every_field_under_its_own_name() -> None:
    """The fields, literally; numbers rounded, nothing unsayable."""
    health = Health(
        mic_state=MicState.STALLED,
        deaf_seconds={"stalled": 12.3456, "total": 12.3456},
        inference_ms_p95=math.nan,
        uptime_s=1.23456,
        mqtt=MqttHealth(connected=True, denied=2, dropped=3, refused_commands=4),
    )
    told = json.loads(to_json(health_payload(health)))
    assert told == {
        "mic_state": "stalled",
        "mic_detail": "",
        "deaf_seconds": {"stalled": 12.3, "total": 12.3},
        "deaf_seconds_today": {"total": 0.0},
        "mic_warning": None,
        "storage_error": None,
        "model_warning": None,
        "inference_ms_p50": None,
        "inference_ms_p95": None,
        "dropped_windows": 0,
        "gaps": 0,
        "gap_seconds": 0.0,
        "overflows": 0,
        "mqtt": {
            "connected": True,
            "reconnects": 0,
            "undelivered": 0,
            "denied": 2,
            "dropped": 3,
            "refused_commands": 4,
        },
        "model": "",
        "runtime": "",
        "uptime_s": 1.235,
        "version": "",
        "last_audio_age_s": None,
        "last_error": None,
        "clock_synchronised": None,
    }
    assert list(told) == [field.name for field in fields(Health)]


def test_the_level_is_told_in_tenths() -> None:
    """And never as something that is no JSON."""
    assert level_payload(-50.04, 0.0) == {"rms_dbfs": -50.0, "peak_dbfs": 0.0}
    assert level_payload(-math.inf, math.nan) == {"rms_dbfs": None, "peak_dbfs": None}


def test_a_zero_has_no_sign() -> None:
    """``-0.0`` helps nobody."""
    assert math.copysign(1.0, number(-0.00001) or 0.0) == 1.0


def test_times_are_utc_with_milliseconds() -> None:
    """Wherever the machine stands."""
    moscow = timezone(timedelta(hours=3))
    assert timestamp(datetime(2026, 1, 1, 2, tzinfo=moscow)) == "2025-12-31T23:00:00.000Z"
    assert timestamp(None) is None


def test_a_name_that_is_no_text_is_escaped() -> None:
    """A device may be called anything, and the message must still be told."""
    text = to_json({"mic_detail": "caf\udce9"})
    assert text.encode()
    assert json.loads(text) == {"mic_detail": "caf\udce9"}
