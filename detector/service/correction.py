"""What becomes of a sound after people have said where it was right, wrong, or missed.

Two roads.  A *threshold* moves as little as it must for what was wrong to stay below it and for
what was right, or missed, to stay above.  A *veto* passes over what is like the moments that were
wrong, and leaves everything else as it was; it keeps clear of the backgrounds that come with the
detector and of the moments that were right.  Both are weighed on all examples that are kept; what
was shipped takes part as the evidence before them: moving a threshold far has its price, for that
costs recall which a few examples cannot show.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.core.events import Judgement
from detector.core.recognition import Array
from detector.events.gate import GateSettings
from detector.events.veto import Veto
from detector.learning.backgrounds import Backgrounds
from detector.learning.classifier import sphere_of
from detector.service.moments import Moment

PRICE = 0.5
"""Of a threshold that moves by 1 in log-odds, in examples that it would have to put right."""
VETO_PRICE = 0.25
"""Of a veto: where a small step of the threshold does as well, that is taken."""
FURTHEST = 0.5
"""How far above the configured threshold, in log-odds, one may go; never below half of it.

Beyond, recall falls faster than a few moments can show: docs/feedback.md."""
_MARGIN = 0.15
"""How far from an example, in log-odds, a threshold is set."""
_EDGE = 1e-3
LEAST_LIKENESS = 0.75
"""Cosine to a moment that was wrong, below which nothing is passed over."""
MOST_LIKENESS = 0.98
"""Where a veto would have to begin beyond it, it would pass over nothing but the very moments."""
OWN_KIND_SPARED = 0.99
"""So much of what the backgrounds hold of the sound itself must not be passed over."""
REST_SPARED = 0.999
DISTANCE, DISTANCE_OF_RIGHT = 0.3, 0.1
"""How far beyond the likeness of the sound itself, of the way to 1, a veto begins: of its kind in
the backgrounds, and of what was right here."""
LIKE_ITSELF, RIGHT_FIRST = 0.5, 3
"""What is so like the sound itself is passed over only once so many moments were right, or missed:
the few windows of its kind in the backgrounds cannot tell how far it reaches in a room."""
MOST_UNPROVEN = 2
"""So many moments at most, the latest, are passed over before so many were right: a real one that
is called wrong by mistake costs others like it, and nothing shows how many (docs/feedback.md)."""
_PIECE = 1000
_WRONG = Judgement.WRONG


@dataclass(frozen=True, slots=True)
class Example:
    """A moment, and what was said of it."""

    judgement: Judgement
    event: str
    """Its id; empty where none was told."""
    at: str
    """When it was said, UTC."""
    moment: Moment


@dataclass(frozen=True, slots=True)
class Setting:
    """By what a sound is told."""

    threshold: float
    veto: Veto | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of the examples stand as people said."""

    wrong_raised: int
    wrong: int
    right_told: int
    right: int
    missed_told: int
    missed: int

    @property
    def errors(self) -> int:
        """Examples that are not as they should be."""
        found = self.right_told + self.missed_told
        return self.wrong_raised + self.right + self.missed - found


def tally(examples: Sequence[Example], gate: GateSettings, setting: Setting) -> Tally:
    """Hold a setting against all examples."""
    told = {kind: [0, 0] for kind in Judgement}
    for one in examples:
        told[one.judgement][0] += one.moment.level(gate, setting.veto) >= setting.threshold
        told[one.judgement][1] += 1
    return Tally(*told[Judgement.WRONG], *told[Judgement.RIGHT], *told[Judgement.MISSED])


def told_change(before: Tally, after: Tally) -> str:
    """``wrong examples raised: 2 of 2 → 0 of 2; right examples told: 3 of 3 → 3 of 3``."""
    rows = [
        ("wrong examples raised", before.wrong_raised, after.wrong_raised, before.wrong),
        ("right examples told", before.right_told, after.right_told, before.right),
        ("missed examples told", before.missed_told, after.missed_told, before.missed),
    ]
    told = (f"{what}: {a} of {of} → {b} of {of}" for what, a, b, of in rows if of)
    return "; ".join(told) or "no examples"


def settle(
    examples: Sequence[Example],
    gate: GateSettings,
    *,
    bounds: tuple[float, float],
    veto: Veto | None,
) -> Setting:
    """The setting that puts most examples right at the least price.

    Args:
        examples: All that are kept of the sound.
        gate: With the threshold that counts where nothing is said: the configured one, or the one
            that somebody set.
        bounds: Within which thresholds stay.
        veto: One that could be had, if there is one.
    """
    options = [Setting(at, one) for one in (None, veto) for at in _thresholds(examples, gate, one)]
    kept = [one for one in options if bounds[0] <= one.threshold <= bounds[1]]
    kept.append(Setting(gate.threshold))
    return min(kept, key=lambda one: _cost(one, examples, gate))


def bounds_of(threshold: float, allowed: tuple[float, float]) -> tuple[float, float]:
    """Within which a threshold may be moved from the configured one."""
    return max(allowed[0], 0.5 * threshold), min(allowed[1], _shifted(threshold, FURTHEST))


def _cost(setting: Setting, examples: Sequence[Example], gate: GateSettings) -> tuple[float, float]:
    moved = abs(_logit(setting.threshold) - _logit(gate.threshold))
    price = PRICE * moved + VETO_PRICE * (setting.veto is not None)
    return tally(examples, gate, setting).errors + price, price


def _thresholds(examples: Sequence[Example], gate: GateSettings, veto: Veto | None) -> list[float]:
    """Where it might stand: as it was, just above what was wrong, just below what was not."""
    found = [gate.threshold]
    for one in examples:
        level = one.moment.level(gate, veto)
        if level > 0.0:
            by = _MARGIN if one.judgement is Judgement.WRONG else -_MARGIN
            found.append(round(_shifted(level, by), 3))
    return found


def fit_veto(
    examples: Sequence[Example], gate: GateSettings, backgrounds: Backgrounds | None, sound: str
) -> Veto | None:
    """What passes over moments that were wrong; None where they cannot be told from the rest.

    Of each moment only where that puts it right: else it would cost recall for nothing.
    """
    wrong = [(one, found) for one, found in _windows(examples, gate) if one.judgement is _WRONG]
    kept = [found for one, found in _windows(examples, gate) if one.judgement is not _WRONG]
    if backgrounds is None or not wrong or _size(wrong[0][1]) != _size(backgrounds.embeddings):
        return None
    sphere = sphere_of(backgrounds.embeddings)
    directions = np.stack([_direction(sphere(found)) for _, found in wrong])
    fitting = _Fitting(Veto(sphere, directions, LEAST_LIKENESS), backgrounds, sound, kept)
    useful = []
    for place, (one, _) in enumerate(wrong):
        alone = fitting.veto([place])
        is_told, would_be = (one.moment.level(gate, by) >= gate.threshold for by in (None, alone))
        if alone is not None and is_told and not would_be:
            useful.append(place)
    chosen = useful if len(kept) >= RIGHT_FIRST else useful[-MOST_UNPROVEN:]
    return fitting.veto(chosen) if chosen else None


class _Fitting:
    """Finds from which likeness moments may be passed over: each pair is compared once."""

    def __init__(
        self, all_of_them: Veto, backgrounds: Backgrounds, sound: str, kept: Sequence[Array]
    ) -> None:
        """``kept``: the windows of each moment that was right, or missed."""
        self._all = all_of_them
        self._own = backgrounds.of_kind(sound)
        self._along = _in_pieces(all_of_them, backgrounds.embeddings)
        self._kept = [all_of_them.along(one) for one in kept]

    def veto(self, places: Sequence[int]) -> Veto | None:
        """Of some of the moments; None where they cannot be told from the rest."""
        own, likeness = self._own, self._along[:, places].max(axis=1)
        limits = [LEAST_LIKENESS, float(np.quantile(likeness[~own], REST_SPARED))]
        if own.any():
            nearest = float(np.quantile(likeness[own], OWN_KIND_SPARED))
            limits.append(_nearer(nearest))
            if nearest > LIKE_ITSELF and len(self._kept) < RIGHT_FIRST:
                return None
        limits += [_nearer(float(one[:, places].max()), DISTANCE_OF_RIGHT) for one in self._kept]
        if max(limits) > MOST_LIKENESS:
            return None
        return replace(self._all, directions=self._all.directions[places], at=max(limits))


def _direction(laid: Array) -> Array:
    """Of windows on the sphere, shape (windows, numbers), their mean at length 1."""
    mean = laid.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)


def _in_pieces(veto: Veto, embeddings: Array) -> Array:
    """The cosines of many windows, shape (windows, moments), without as much memory again."""
    parts = range(0, len(embeddings), _PIECE)
    return np.concatenate([veto.along(embeddings[at : at + _PIECE]) for at in parts])


def _size(windows: Array) -> int:
    return int(windows.shape[1])


def _nearer(likeness: float, share: float = DISTANCE) -> float:
    """What keeps its distance from the sound itself: others of its kind may be nearer still."""
    return likeness + share * (1.0 - likeness)


def _windows(examples: Sequence[Example], gate: GateSettings) -> list[tuple[Example, Array]]:
    """Of each example, the windows that speak for the sound: the best, where none reach it."""
    found = []
    for one in examples:
        if len(one.moment.probabilities):
            level = min(gate.threshold, float(one.moment.probabilities.max()))
            found.append((one, one.moment.evident(level)))
    return found


def _shifted(probability: float, by: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * (_logit(probability) + by)))


def _logit(probability: float) -> float:
    inside = min(1.0 - _EDGE, max(_EDGE, probability))
    return math.log(inside) - math.log1p(-inside)
