"""Moments made by hand, that people may have a word to say on."""

import numpy as np

from detector.core.events import Judgement
from detector.core.recognition import Array
from detector.learning.backgrounds import Backgrounds
from detector.service.correction import Example
from detector.service.moments import Moment

NUMBERS = 16


def towards(direction: int, count: int = 1) -> Array:
    """Embeddings that one number stands out of, shape (count, 16)."""
    made = np.full((count, NUMBERS), 0.1, np.float32)
    made[:, direction] += 4.0
    return made


def moment(*probabilities: float, embeddings: Array | None = None) -> Moment:
    """Windows of a second, one every half second."""
    starts = np.arange(len(probabilities), dtype=np.float64) / 2
    rows = np.zeros((len(starts), 0)) if embeddings is None else embeddings
    return Moment(starts, starts + 1.0, np.array(probabilities), rows.astype(np.float16))


def said(judgement: str, *probabilities: float, of: int = 0, at: str = "") -> Example:
    """A moment of one kind of sound, and what was said of it."""
    embeddings = towards(of, len(probabilities))
    return Example(Judgement(judgement), "", at, moment(*probabilities, embeddings=embeddings))


def backgrounds(own: str = "") -> Backgrounds:
    """Noise; with ``own``, also some windows of that sound, towards 1."""
    rng = np.random.default_rng(0)
    noise = rng.random((400, NUMBERS)).astype(np.float32)
    sound = towards(1, 8) + rng.random((8, NUMBERS)).astype(np.float32)
    count = 408 if own else 400
    kind_of = (np.arange(count) >= 400).astype(np.intp)
    order = np.arange(count)
    kinds = ("noise", own) if own else ("noise",)
    return Backgrounds(np.concatenate([noise, sound])[:count], order, order, kinds, kind_of, 0.48)
