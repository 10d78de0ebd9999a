"""An event, written down and read back, is told in the same words."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from detector.alerts.stored import body_of, event_of
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
from tests.alerts.tools import offset, onset


def any_event(seed: int) -> Event:
    """An event such as there may be, and then some."""
    draw = random.Random(seed)
    began = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.uniform(0, 3e7))
    onset_s = draw.uniform(0, 1e6)
    ended = draw.random() < 0.5
    odd = [draw.random(), 0.0, 1.0, float("nan"), float("inf"), 1e-9]
    scores = tuple(ClassScore(f'Class {n} ü"', draw.choice(odd)) for n in range(draw.randrange(5)))
    detection = Detection(
        probability=draw.choice(odd),
        peak_probability=draw.choice(odd),
        threshold=draw.random(),
        calibrated=draw.random() < 0.5,
        classes=scores,
        level_dbfs=draw.choice([-31.25, float("-inf"), draw.uniform(-120, 0)]),
        why=draw.choice(["", "0.41 < 0.46; next best: é"]),
    )
    labels = (LabelProbability("hungry ü", draw.choice(odd)), LabelProbability("other", 0.25))
    stage = draw.choice([None, SecondStage("cry_reasons", labels, draw.uniform(0.5, 30.0))])
    return Event(
        id=f"nursery-{seed}",
        second_stage=stage,
        kind=draw.choice(list(EventKind)),
        phase=draw.choice(list(Phase)),
        node="nursery",
        urgency=draw.choice(list(Urgency)),
        onset_utc=began,
        sound=draw.choice([None, "baby_cry"]),
        offset_utc=began + timedelta(seconds=draw.uniform(0, 900)) if ended else None,
        onset_s=onset_s,
        offset_s=onset_s + draw.uniform(-1, 900) if ended else None,
        detection=draw.choice([None, detection]),
        latency_ms=draw.choice([None, draw.uniform(0, 5000)]),
        reason=draw.choice([None, "data", "näher"]),
        test=draw.random() < 0.5,
        clock_synchronised=draw.choice([None, True, False]),
        decided_monotonic_s=draw.uniform(0, 1e6),
    )


@pytest.mark.parametrize("seed", range(300))
def test_the_same_words_come_out_again(seed: int) -> None:
    """Rounding what was rounded changes nothing."""
    body = body_of(any_event(seed))
    assert body_of(event_of(json.loads(body), 5.0)) == body


def test_what_is_read_back_is_the_event(  # not merely its words
) -> None:
    """But for the seconds on the source's clock."""
    event = replace(offset(), latency_ms=1480.0, detection=None)
    restored = event_of(json.loads(body_of(event)), 77.0)
    assert restored == replace(event, onset_s=0.0, offset_s=8.25, decided_monotonic_s=77.0)


@pytest.mark.parametrize("damage", [{"kind": "dance"}, {"onset": "yesterday"}, {"classes": None}])
def test_what_is_no_event_is_refused(damage: dict[str, object]) -> None:
    """With an error that the reader expects."""
    body = json.loads(body_of(onset())) | damage
    with pytest.raises((KeyError, TypeError, ValueError)):
        event_of(body, 0.0)
