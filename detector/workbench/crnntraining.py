"""Learning: epoch after epoch of crops, watched on recordings that are not learnt from."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DataError
from detector.core.recognition import Array
from detector.model.logmel import BANDS, SILENCE
from detector.workbench.crnnnet import ROWS_OF_A_STEP, WINDOW_STEPS, Net, Shape
from detector.workbench.crops import Drawer, Drawing
from detector.workbench.passages import STEP_ROWS, Passage

_PIECE_STEPS = 8 * WINDOW_STEPS
_PIECES_AT_ONCE = 32
_AHEAD = ROWS_OF_A_STEP - STEP_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is learnt. What was tried stands in docs/crnn.md."""

    shape: Shape = field(default_factory=Shape)
    drawing: Drawing = field(default_factory=Drawing)
    rate: float = 2e-3
    """Of learning; it falls to a hundredth along a cosine."""
    warm_up: int = 100
    epochs: int = 20
    epoch_batches: int = 150
    batch: int = 32
    patience: int = 10
    """Epochs without anything better after which learning stops."""
    teacher_share: float = 0.15
    """Of what the teacher says, against what the labels say."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """How an epoch went."""

    number: int
    of: int
    loss: float
    watched: float
    """Average precision, the mean over all sounds; not a number where there is nothing to watch."""
    is_best: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """A network at its best epoch."""

    net: Net
    epochs: tuple[Epoch, ...]
    precisions: dict[str, float]
    """By sound, at the best epoch."""


Tell = Callable[[Epoch], None]
Going = Callable[[int, int | None], None]
"""Batches done, batches in all."""


def learn(
    learnt_from: Sequence[Passage],
    watched: Sequence[Passage],
    sounds: Sequence[str],
    recipe: Recipe,
    *,
    seed: int,
    tell: Tell = lambda _epoch: None,
    going: Going = lambda _done, _total: None,
) -> Learnt:
    """Learn until nothing gets better.

    Raises DataError where Keras is not there, or the loss runs away.
    """
    classes = max((one.taught.shape[1] for one in learnt_from), default=0)
    net = Net.made(recipe.shape, sounds=len(sounds), taught=classes, seed=seed)
    drawer = Drawer(learnt_from, sounds, recipe.drawing, seed=seed)
    learner = net.learner(lambda step: _rate(step, recipe), recipe.teacher_share)
    best, kept, precisions = -1.0, net.weights(), dict[str, float]()
    epochs: list[Epoch] = []
    total = recipe.epochs * recipe.epoch_batches
    for number in range(1, recipe.epochs + 1):
        began_s, losses = time.monotonic(), list[float]()
        for _ in range(recipe.epoch_batches):
            losses.append(learner.learn(drawer.batch(recipe.batch)))
            going(learner.steps, total)
        loss = _finite(float(np.mean(losses)), number)
        found = watch(net, watched, sounds)
        mean = float(np.mean(list(found.values()))) if found else float("nan")
        is_best = not found or mean > best
        if is_best:
            best, kept, precisions = mean, net.weights(), found
        seconds = time.monotonic() - began_s
        epochs.append(Epoch(number, recipe.epochs, loss, mean, is_best, seconds))
        tell(epochs[-1])
        if _is_over(epochs, recipe.patience):
            break
    net.put_back(kept)
    return Learnt(net, tuple(epochs), precisions)


def _is_over(epochs: Sequence[Epoch], patience: int) -> bool:
    return len(epochs) > patience and not any(one.is_best for one in epochs[-patience:])


def _rate(step: int, recipe: Recipe) -> float:
    share = step / max(1, recipe.epochs * recipe.epoch_batches)
    falling = 0.01 + 0.99 * 0.5 * (1.0 + np.cos(np.pi * min(1.0, share)))
    return float(recipe.rate * falling * min(1.0, (step + 1) / recipe.warm_up))


def _finite(loss: float, epoch: int) -> float:
    if not np.isfinite(loss):
        raise DataError(f"the loss ran away in epoch {epoch}: learn at a lower rate")
    return loss


def watch(net: Net, passages: Sequence[Passage], sounds: Sequence[str]) -> dict[str, float]:
    """Average precision over windows by sound, of those that are there; windows are disjoint."""
    pieces = [piece for one in passages for piece in _pieces(one)]
    scores, truths = [], []
    for at in range(0, len(pieces), _PIECES_AT_ONCE):
        some = pieces[at : at + _PIECES_AT_ONCE]
        told = net.logits(_stacked([rows for rows, _ in some]))
        for logits, (_, true) in zip(told, some, strict=False):
            score, truth = windows_of(logits, true)
            scores.append(score)
            truths.append(truth)
    if not scores:
        return {}
    score, truth = np.concatenate(scores), np.concatenate(truths)
    found = {
        sound: average_precision(score[:, at], truth[:, at]) for at, sound in enumerate(sounds)
    }
    return {sound: value for sound, value in found.items() if not np.isnan(value)}


def _pieces(passage: Passage) -> Iterator[tuple[Array, NDArray[np.int8]]]:
    """Of one length; the rows and truths of the last end earlier."""
    for begin in range(0, len(passage.truths), _PIECE_STEPS):
        rows = np.full((_PIECE_STEPS * STEP_ROWS + _AHEAD, BANDS), SILENCE, np.float32)
        held = passage.rows[begin * STEP_ROWS : begin * STEP_ROWS + len(rows)]
        rows[: len(held)] = held
        yield rows, passage.truths[begin : begin + _PIECE_STEPS]


def _stacked(rows: Sequence[Array]) -> Array:
    """Always as many: a network that is asked for another shape is slow."""
    stacked = np.stack(rows)
    lacking = _PIECES_AT_ONCE - len(stacked)
    return np.concatenate([stacked, np.repeat(stacked[:1], lacking, axis=0)])


def windows_of(logits: Array, truths: NDArray[np.int8]) -> tuple[Array, NDArray[np.int8]]:
    """The largest of every twelve steps, shape (windows, sounds); what is left over counts too."""
    steps = min(len(logits), len(truths))
    starts = np.arange(0, steps, WINDOW_STEPS)
    told = np.maximum.reduceat(logits[:steps], starts)
    sounds = np.maximum.reduceat((truths[:steps] == 1).astype(np.int8), starts)
    unsure = np.minimum.reduceat(truths[:steps], starts) < 0
    return told, np.where(sounds == 1, 1, np.where(unsure, -1, 0)).astype(np.int8)


def average_precision(scores: Array, truths: NDArray[np.int8]) -> float:
    """Of windows of which something is known; not a number where none of them holds the sound."""
    known = truths >= 0
    order = np.argsort(-scores[known], kind="stable")
    right = truths[known][order] == 1
    if not right.any():
        return float("nan")
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right].mean())
