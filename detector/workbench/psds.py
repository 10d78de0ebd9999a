"""The polyphonic sound detection score, by the field's own library, of the extra ``workbench``.

Of probabilities and not of decisions: over all thresholds at once, before any gate.  Each window
speaks for the hop in its middle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DataError
from detector.workbench.dataset import LabelledSound

Scores = Mapping[str, NDArray[np.float64]]
"""By sound, shape (windows,)."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What was said of each window of a scene."""

    seconds: float
    """The scene's length; its audio is not kept."""
    events: tuple[LabelledSound, ...]
    starts_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a detection has to be like to count, as DESED defines it."""

    name: str
    overlap: float
    """Share of a detection that must lie in events, and of an event in detections."""
    cross_trigger_weight: float
    instability_weight: float


SCENARIOS = (
    Scenario("PSDS 1, quick and exact", 0.7, 0.0, 1.0),
    Scenario("PSDS 2, few confusions", 0.1, 0.5, 1.0),
)


def psds(traced: Sequence[Traced], sounds: Sequence[str], scenario: Scenario) -> float:
    """The score, 0 … 1, over all scenes and those of the sounds that occur in them.

    Raises DataError where the library is not installed.
    """
    there = [s for s in sounds if any(e.sound == s for one in traced for e in one.events)]
    if not there:
        return float("nan")
    tables, truth, durations = {}, {}, {}
    for number, one in enumerate(traced):
        name = f"{number}"
        tables[name] = _table(one, there)
        truth[name] = [
            (event.onset_s, event.offset_s, event.sound)
            for event in one.events
            if event.sound in there
        ]
        durations[name] = one.seconds
    value, *_ = _library().psds(
        tables,
        truth,
        durations,
        dtc_threshold=scenario.overlap,
        gtc_threshold=scenario.overlap,
        cttc_threshold=0.3 if scenario.cross_trigger_weight else None,
        alpha_ct=scenario.cross_trigger_weight,
        alpha_st=scenario.instability_weight,
        max_efpr=100.0,
    )
    return float(value)


def _library() -> Any:
    try:
        from sed_scores_eval import intersection_based
    except ImportError as error:
        raise DataError(
            "PSDS needs a package that is not installed: "
            "pip install 'sound-event-detector[workbench]'"
        ) from error
    return intersection_based


def _table(one: Traced, sounds: Sequence[str]) -> Any:
    """Scores as the library wants them: from the middle between windows to the next."""
    import pandas as pd

    middles = 0.5 * (one.starts_s + one.ends_s)
    between = 0.5 * (middles[1:] + middles[:-1])
    edges = np.concatenate([[0.0], between, [max(one.seconds, middles[-1] + 0.1)]])
    columns = {"onset": edges[:-1], "offset": edges[1:]}
    return pd.DataFrame(columns | {sound: one.scores[sound].copy() for sound in sounds})
