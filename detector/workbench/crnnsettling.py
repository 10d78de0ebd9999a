"""From a learnt network to a file: its graph, curves and thresholds, and what they rest on.

Curves and thresholds are settled on recordings that the network has not heard, in the same scenes
as those that are shipped (``detector.workbench.settling``).
The figures are of the same scenes: thresholds were chosen on them, so they flatter a little.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from detector import __version__
from detector.config import SoundConfig
from detector.config.sounds import shipped_sounds
from detector.core.errors import DataError
from detector.core.recognition import LOGITS, STEP_S
from detector.events.refit import Line
from detector.model.stepfile import FORMAT, VERSION, packed
from detector.model.steps import StepModel, StepRecogniser
from detector.workbench.course import trial_scenes
from detector.workbench.dataset import Recording, by_sound, group_mark, groups_of
from detector.workbench.metrics import rate_interval, recall_interval
from detector.workbench.parts import Parts
from detector.workbench.settling import SNRS_DB, Budget, Road, Settled, settle
from detector.workbench.shipping import sources_of
from detector.workbench.soundscape import Plan
from detector.workbench.trials import Levels, Trial, outcome, trial_of

CALL_STEPS, WINDOW_STEPS = 3, 12
HOP_S = 0.48
BUDGET = Budget(per_hour=0.5, quiet_per_hour=math.inf)
"""None at all in the evenings that were held out.  Heads are held to the tail of their evenings
too; a network so held finds next to nothing, and docs/crnn.md says what leaving that out costs."""
_FEWEST_GROUPS = 3
"""Of a sound, held out, for a curve to be fitted on them."""
_LARGEST_LOGIT = float(np.log(1023.0))
"""As a calibration has it: scores are kept from 0 and 1."""


@dataclass(frozen=True, slots=True)
class SettledModel:
    """The content of a file, and what there is to be told of it."""

    content: bytes
    settled: Mapping[str, Settled]
    """By sound that the file tells: of those that were held out, something was found."""
    figures: Mapping[str, Mapping[str, Any]]
    """By sound that was held out."""


def settled_model(
    graph: bytes, sounds: Sequence[str], parts: Parts, *, scenes: int, seed: int
) -> SettledModel:
    """A graph with curves and thresholds.

    Raises DataError where there is nothing to settle them on, and ModelError for an operator that
    no runtime has.
    """
    labels = tuple(sounds)
    bare = {sound: Settled(Line(), 0.5) for sound in labels}
    trials = _trials(packed(graph, labels, document_of(bare, {})), labels, parts, scenes, seed)
    found: dict[str, Settled] = {}
    figures: dict[str, Mapping[str, Any]] = {}
    there = by_sound(parts.held_out)
    for place, sound in enumerate(labels):
        groups = len(groups_of(there.get(sound, ())))
        road = Road(sound, _config(sound), _no_scores, has_curve=groups >= _FEWEST_GROUPS)
        scores = [_scores(one, place) for one in trials]
        found[sound] = settle(road, trials, scores, BUDGET, HOP_S)
        if groups:
            figures[sound] = _figures(road, trials, scores, found[sound], groups)
    told = {sound: one for sound, one in found.items() if _is_found(figures.get(sound))}
    if not told:
        raise DataError("nothing of what was held out is found: there is no model to write")
    document = document_of(told, _provenance(parts, figures, seed))
    return SettledModel(packed(graph, labels, document), told, figures)


def _is_found(figures: Mapping[str, Any] | None) -> bool:
    """Whether there is anything to be had of a sound but false alarms, as far as is known."""
    return figures is None or figures["found"] > 0


def _trials(
    content: bytes, sounds: Sequence[str], parts: Parts, scenes: int, seed: int
) -> list[Trial]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crnn.tflite"
        path.write_bytes(content)
        recogniser = StepRecogniser(StepModel(path), hop_seconds=HOP_S)
        measured = [sound for sound in sounds if sound not in parts.scarce]
        made = trial_scenes(parts.held_out, measured, Plan(), count=scenes, seed=100 * (1 + seed))
        trials = [trial_of(scene, part, 0, recogniser) for part, scene in made]
    if not trials:
        raise DataError("no scene was made to settle thresholds on")
    return trials


def _scores(trial: Trial, place: int) -> Levels:
    logits = trial.outputs[LOGITS][:, place].astype(np.float64)
    return np.asarray(np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT))


def _no_scores(_fold: int, _left_out: frozenset[int]) -> list[Levels]:
    return []


def _config(sound: str) -> SoundConfig:
    """The times of a sound of one's own are the usual ones."""
    return shipped_sounds().get(sound, SoundConfig(evidence=()))


def _figures(
    road: Road, trials: Sequence[Trial], scores: Sequence[Levels], settled: Settled, groups: int
) -> Mapping[str, Any]:
    came = outcome(trials, scores, road.sound, road.config, HOP_S)
    recalls = {snr_db: recall_interval(*came.recall(settled.score, snr_db)) for snr_db in SNRS_DB}
    false_alarms = came.false_alarms(settled.score)
    rate = rate_interval(false_alarms, came.hours)
    return {
        "groups": groups,
        "recall_by_snr_db": {f"{snr:g}": _rounded(*_of(one)) for snr, one in recalls.items()},
        "events": len(came.found),
        "found": came.recall(settled.score)[0],
        "false_alarms": false_alarms,
        "hours": round(came.hours, 2),
        "false_alarms_per_hour": _rounded(*_of(rate)),
    }


def _of(interval: Any) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _rounded(*values: float) -> list[float | None]:
    """JSON has no word for what is not a number."""
    return [round(one, 3) if np.isfinite(one) else None for one in values]


def document_of(settled: Mapping[str, Settled], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What is packed into a file, as ``detector.model.stepfile`` has it."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "input": "log-mel: Hann 400 of 160, FFT 512, 64 bands 125-7500 Hz (HTK), ln(x + 0.001)",
        "steps": CALL_STEPS,
        "step_seconds": STEP_S,
        "window_steps": WINDOW_STEPS,
        "hop_seconds": HOP_S,
        "sounds": {
            sound: {
                "slope": round(one.line.slope, 4),
                "offset": round(one.line.offset, 4),
                "threshold": one.threshold,
                "release_threshold": one.release_threshold,
            }
            for sound, one in settled.items()
        },
        "provenance": dict(provenance),
    }


def _provenance(
    parts: Parts, figures: Mapping[str, Mapping[str, Any]], seed: int
) -> dict[str, Any]:
    learnt: tuple[Recording, ...] = (*parts.learn, *parts.stop)
    return {
        "data": sources_of(learnt),
        "groups": sorted(map(group_mark, groups_of(learnt))),
        "split": f"one fold of four by group held out; curves, thresholds and figures on it; "
        f"seed {seed}",
        "learnt_whole": list(parts.scarce),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code_version": __version__,
        "figures": dict(figures),
    }
