"""An event as the model saw it, out of what the daemon remembers: embeddings, never audio."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from detector.core.errors import ControlError
from detector.core.recognition import EMBEDDING, LOGITS, Observation
from detector.learning.augmenting import Heard
from detector.service.jsondoc import Value, packed
from detector.service.pipeline import Pipeline

AROUND_S = 6.0
"""So much before and after it is told as well."""
LONGEST_S = 5.0
"""What is later in an event is not looked at."""
_NEAR_S = 1.0
"""A window so near to the event may hold some of it: nobody can say, so it is not told."""
_HELD = 0.5
"""A window holds an event that has so much of it, or of what fits into a window."""
_SHORTEST_S = 0.2
_MOST_WINDOWS = 60
"""That are told; half of them hold the event."""


def take_document(
    pipeline: Pipeline, entry: Mapping[str, Any], now: tuple[datetime, float]
) -> dict[str, Any]:
    """The windows of an event of the history, and those around it, for the control socket.

    ``now`` is the time of day, and the monotonic one, at one moment.  Raises ControlError where it
    is forgotten, or the model gives no embedding.
    """
    begin_s, end_s = _span(pipeline, entry, now)
    windows = [
        one
        for one in pipeline.recent
        if one.end_s > begin_s - AROUND_S and one.start_s < end_s + AROUND_S
    ]
    if not any(_holds(one, begin_s, end_s) for one in windows):
        raise ControlError(
            f"{entry['id']} is forgotten: what was heard is remembered for 90 s, and only since "
            "the last start or reload"
        )
    if EMBEDDING not in windows[0].outputs:
        raise ControlError("the model in use gives no embedding, which sounds are learnt on")
    inside = [one for one in windows if _holds(one, begin_s, end_s)]
    around = [one for one in windows if _overlap_s(one, begin_s, end_s) <= -_NEAR_S]
    return {
        "recogniser": pipeline.spec.content_hash,
        "windows": [
            {"holds": holds, **{name: packed(one.outputs[name]) for name in (EMBEDDING, LOGITS)}}
            for holds, some in ((True, inside), (False, around))
            for one in _thinned(some, _MOST_WINDOWS // 2)
        ],
    }


def _span(
    pipeline: Pipeline, entry: Mapping[str, Any], now: tuple[datetime, float]
) -> tuple[float, float]:
    """From when to when it lasted, on the source's clock."""
    wall, monotonic_s = now
    age_s = (wall - datetime.fromisoformat(entry["onset"])).total_seconds()
    begin_s = pipeline.source_s_of(monotonic_s - age_s)
    lasted_s = LONGEST_S if entry.get("duration_s") is None else float(entry["duration_s"])
    return begin_s, begin_s + min(max(lasted_s, _SHORTEST_S), LONGEST_S)


def _overlap_s(window: Observation, begin_s: float, end_s: float) -> float:
    return min(window.end_s, end_s) - max(window.start_s, begin_s)


def _holds(window: Observation, begin_s: float, end_s: float) -> bool:
    fits_s = min(end_s - begin_s, window.end_s - window.start_s)
    return _overlap_s(window, begin_s, end_s) >= _HELD * fits_s


def _thinned(windows: Sequence[Observation], most: int) -> list[Observation]:
    """So many at most, evenly: at a small hop there are many, each nearly the one before."""
    places = np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).astype(np.intp))
    return [windows[place] for place in places.tolist()]


def heard_in_take(document: Mapping[str, Any], recogniser: str) -> Heard:
    """What ``take_document`` says, to learn from with the model of that content hash.

    Raises ConfigError for what makes no sense, and ControlError where the service hears by another
    model, whose embeddings would mean something else.
    """
    root = Value("the service", "", dict(document))
    theirs = root.field("recogniser").text()
    if theirs != recogniser:
        raise ControlError(
            f"the service hears by the model {theirs[:8]}…, not by {recogniser[:8]}…: name the "
            "one that it uses (--model), or have it use this one"
        )
    windows = root.field("windows").items()
    holds = np.array([one.field("holds").raw is True for one in windows])
    if not holds.any():
        raise ControlError("the service tells of no window that holds the event")
    embeddings = np.stack([one.field(EMBEDDING).array(1) for one in windows])
    logits = np.stack([one.field(LOGITS).array(1) for one in windows])
    inside = embeddings[holds]
    versions = np.zeros(len(inside), np.intp)
    return Heard(inside, versions, embeddings[~holds], logits[holds].mean(axis=0))
