"""An event out of what the daemon remembers, to learn from."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from detector.core.errors import ControlError
from detector.core.recognition import EMBEDDING, LOGITS, Observation
from detector.service.pipeline import Pipeline
from detector.service.remembered import heard_in_take, take_document

MODEL = "ab" * 32
NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)


def remembering(*, embedding: bool = True) -> Pipeline:
    """Thirty seconds, of which the eleventh and twelfth stand out; the source began at 0."""
    windows = []
    for number in range(60):
        start_s = 0.48 * number
        loud = 10.0 <= start_s < 12.0
        outputs = {LOGITS: np.full(3, float(loud), np.float32)}
        if embedding:
            outputs[EMBEDDING] = np.full(8, float(loud), np.float32)
        windows.append(Observation(start_s, start_s + 0.975, outputs))
    made = SimpleNamespace(
        recent=windows,
        source_s_of=lambda monotonic_s: monotonic_s - 100.0,
        spec=SimpleNamespace(content_hash=MODEL),
    )
    return cast(Pipeline, made)


def event(onset: str, duration_s: float | None = 2.0) -> dict[str, Any]:
    """An entry of the history."""
    return {"id": "abc", "onset": onset, "duration_s": duration_s}


def test_the_windows_of_an_event_and_those_around_it_are_told() -> None:
    """As JSON, and read again; those of which nobody can say are left out."""
    told = take_document(remembering(), event("2026-11-21T12:00:10+00:00"), (NOW, 130.0))
    heard = heard_in_take(json.loads(json.dumps(told)), MODEL)
    assert len(heard.embeddings) >= 3
    assert heard.embeddings[1:-1].min() == 1.0
    assert len(heard.around) > 5
    assert heard.around.max() == 0.0
    assert set(heard.versions) == {0}
    assert heard.logits.shape == (3,)


def test_an_event_that_another_model_has_heard_is_refused() -> None:
    """Its embeddings would mean something else, of the same size though they are."""
    told = take_document(remembering(), event("2026-11-21T12:00:10+00:00"), (NOW, 130.0))
    with pytest.raises(ControlError, match="the service hears by the model abababab…, not by cdcd"):
        heard_in_take(told, "cd" * 32)


def test_an_event_that_is_forgotten_is_refused() -> None:
    """It is longer ago than anything that is remembered."""
    with pytest.raises(ControlError, match=r"^abc is forgotten: what was heard is remembered"):
        take_document(remembering(), event("2026-11-21T11:00:00+00:00"), (NOW, 130.0))


def test_a_model_without_an_embedding_is_refused() -> None:
    """Nothing could be learnt from."""
    quiet = remembering(embedding=False)
    with pytest.raises(ControlError, match="gives no embedding"):
        take_document(quiet, event("2026-11-21T12:00:10+00:00", None), (NOW, 130.0))


@pytest.mark.parametrize("hop_s", [0.48, 0.12, 0.05])
def test_at_a_small_hop_there_is_as_much_of_the_event_as_around_it(hop_s: float) -> None:
    """Not the time before it alone; and no more than at the usual hop."""
    count = int(30 / hop_s)
    outputs = {LOGITS: np.zeros(3, np.float32), EMBEDDING: np.zeros(8, np.float32)}
    windows = [Observation(n * hop_s, n * hop_s + 0.975, outputs) for n in range(count)]
    made = SimpleNamespace(
        recent=windows,
        source_s_of=lambda monotonic_s: monotonic_s - 100.0,
        spec=SimpleNamespace(content_hash=MODEL),
    )
    entry = event("2026-11-21T12:00:10+00:00")
    heard = heard_in_take(take_document(cast(Pipeline, made), entry, (NOW, 130.0)), MODEL)
    assert 3 <= len(heard.embeddings) <= 30
    assert 3 <= len(heard.around) <= 30


def test_what_holds_no_window_of_the_event_is_refused() -> None:
    """A mean of nothing would be no number."""
    told = take_document(remembering(), event("2026-11-21T12:00:10+00:00"), (NOW, 130.0))
    windows = [one for one in told["windows"] if not one["holds"]]
    with pytest.raises(ControlError, match="no window that holds the event"):
        heard_in_take({**told, "windows": windows}, MODEL)
