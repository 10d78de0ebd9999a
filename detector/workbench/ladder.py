"""Thresholds moved step by step: what would have been told had they been lower or higher.

A rung is a shift of the logits of both thresholds of a gate; probabilities, times and the rest of
the gate stay as they are.  Rungs go from the strictest to the most sensitive.
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
from detector.events.refit import logit
from detector.service.build import gate_settings
from detector.workbench.baselines import Run, half_overlap
from detector.workbench.grid import Grid
from detector.workbench.listener import BLOCK_S, Told
from detector.workbench.matching import Decision

SHIFTS = np.arange(4.0, -8.01, -0.25)
"""Of the logit of a threshold, shape (rungs,): 0.5 goes from 0.98 to 0.0003."""
CONFIGURED = int(np.flatnonzero(SHIFTS == 0.0)[0])
"""The rung at which nothing is moved."""
_EDGE = 1e-9


def moved(threshold: float, shift: float) -> float:
    """A threshold with its logit shifted."""
    given = float(logit(np.array(threshold), _EDGE))
    return 1.0 / (1.0 + math.exp(-(given + shift)))


def our_ladder(told: Told, sound: str, config: SoundConfig) -> list[Run]:
    """What our gate would have told of a scene, rung by rung."""
    as_is = gate_settings(config)
    return [_run(told, sound, _moved(as_is, float(shift))) for shift in SHIFTS]


def loop_ladder(grid: Grid, sounds: Sequence[str]) -> list[list[Run]]:
    """The half-overlap loop at thresholds about 0.5: for each rung its runs."""
    return [half_overlap(grid, sounds, moved(0.5, float(shift))) for shift in SHIFTS]


def _moved(settings: GateSettings, shift: float) -> GateSettings:
    if shift == 0.0:
        return settings
    return replace(
        settings,
        threshold=moved(settings.threshold, shift),
        release_threshold=moved(settings.release_threshold, shift),
    )


def _run(told: Told, sound: str, settings: GateSettings) -> Run:
    """A gate over the probabilities, but for those that it would sleep through."""
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
