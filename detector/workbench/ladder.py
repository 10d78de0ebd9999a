"""Threshold after threshold: what would have been told at each.

A rung is one threshold, the same in every fold, as somebody would set it; probabilities, times and
the rest of the gate stay as they are.  Rungs go from the strictest to the most sensitive.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detector.config import SoundConfig
from detector.core.events import Phase
from detector.events.gate import Gate, GateSettings, GateState
from detector.service.build import gate_settings
from detector.workbench.baselines import Run, half_overlap
from detector.workbench.grid import Grid
from detector.workbench.listener import BLOCK_S, Told
from detector.workbench.matching import Decision

_LOGITS = np.arange(6.0, -8.01, -0.25)
THRESHOLDS = tuple(float(rung) for rung in 1.0 / (1.0 + np.exp(-_LOGITS)))
"""Of every rung: from 0.998 to 0.0003."""
_EDGE = 1e-9


def our_ladder(told: Told, sound: str, config: SoundConfig) -> list[Run]:
    """What our gate would have told of a scene, rung by rung."""
    as_is = gate_settings(config)
    return [replay(told, sound, _at(as_is, threshold)) for threshold in THRESHOLDS]


def loop_ladder(grid: Grid, sounds: Sequence[str]) -> list[list[Run]]:
    """The half-overlap loop: for each rung its runs."""
    return [half_overlap(grid, sounds, threshold) for threshold in THRESHOLDS]


def _at(settings: GateSettings, threshold: float) -> GateSettings:
    """The thresholds keep their ratio."""
    release = settings.release_threshold * threshold / settings.threshold
    return replace(settings, threshold=threshold, release_threshold=release)


def replay(told: Told, sound: str, settings: GateSettings) -> Run:
    """What a gate tells of the probabilities; those that it would sleep through are left out."""
    probabilities, began_s = told.probabilities[sound], told.began_s[sound]
    evident = np.flatnonzero(probabilities >= settings.threshold)
    gate, decisions = Gate(settings), []
    at = _next(evident, 0)
    while at < len(probabilities):
        start_s, end_s = float(told.starts_s[at]), float(told.ends_s[at])
        began = None if math.isnan(began_s[at]) else float(began_s[at])
        transition = gate.step(float(probabilities[at]), start_s, end_s, began_s=began)
        if transition is not None and transition.phase is Phase.ONSET:
            decisions.append(Decision(sound, _told_s(end_s, float(told.ends_s[-1]))))
        at = _next(evident, at + 1) if gate.state is GateState.IDLE else at + 1
    return tuple(decisions)


def _next(evident: NDArray[np.intp], at: int) -> int:
    """From where an idle gate has to look: the window before the next evident one."""
    place = int(np.searchsorted(evident, at))
    return max(at, int(evident[place]) - 1) if place < len(evident) else sys.maxsize


def _told_s(end_s: float, last_s: float) -> float:
    """The end of the block in which a window ends."""
    return min(math.ceil((end_s - _EDGE) / BLOCK_S) * BLOCK_S, last_s)
