"""Learning heads: one layer that all sounds share, and for each sound what to weigh.

The log-odds of a sound are a sum of what the shared layer gives and of the logits of its own
family, so that where the recordings teach nothing better the family is left.  Weighted logistic
loss, AdamW (I. Loshchilov and F. Hutter, 2019), numpy alone.  The same lessons, recipe and seed
give the same heads on one machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.recognition import LOGITS, Array
from detector.events.heads import Layer, Look, Trunk
from detector.workbench.alarms import MAKERS
from detector.workbench.labels import meaning
from detector.workbench.lessons import Lesson, Truths
from detector.workbench.strips import BACKGROUND

_DEAD_STD = 0.05
"""Half of the embedding hardly ever moves; what does so little is not blown up to count as much."""
_FIRST_BIAS = -2.0
_WARM_UP_STEPS = 100
_LARGEST_WEIGHT = 60.0
_NEGATIVES_TO_ONE = 4.0
"""Negatives together weigh so much more than positives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How heads are learnt. What was tried beside it stands in docs/heads.md."""

    looks: tuple[Look, ...]
    """What the shared layer looks at."""
    units: int = 64
    """Of the shared layer."""
    decay: float = 0.1
    """Of its weights, at each step, relative to the rate."""
    dropout: float = 0.2
    rate: float = 1e-3
    """Of learning; it falls to 0 along a cosine."""
    epochs: int = 6
    batch: int = 128
    background_share: float = 0.35
    """Of all negatives' weight; the rest of a quiet room is as easy as the first."""
    sounds_share: float = 0.45
    """The same for sounds that are listened for: they are mistaken for one another."""
    family_share: float = 0.3
    """Of the family's largest logit, added to what was learnt: it is quieter in an evening."""
    quiet_windows: float = 0.35
    """Share of the windows in which nothing sounds that are learnt from."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Heads without their curves."""

    trunk: Trunk
    """Shared by all."""
    families: Mapping[str, Trunk]
    """By sound: the largest logit of its family."""
    weights: Mapping[str, Array]
    """By sound: of what the two give, shape (units + 1,)."""
    bias: Mapping[str, float]

    def log_odds(self, outputs: Mapping[str, NDArray[np.floating]]) -> dict[str, Array]:
        """By sound, at every window of a stretch, of outputs (windows, numbers)."""
        shared = self.trunk.rows(outputs)
        return {sound: self._weighed(sound, shared, outputs) for sound in self.weights}

    def _weighed(
        self, sound: str, shared: Array, outputs: Mapping[str, NDArray[np.floating]]
    ) -> Array:
        given = np.concatenate([shared, self.families[sound].rows(outputs)], axis=1)
        return np.asarray(given @ self.weights[sound] + np.float32(self.bias[sound]), np.float32)


@dataclass(frozen=True, slots=True)
class Material:
    """Windows to learn from."""

    inputs: Array
    """Shape (windows, numbers looked at)."""
    family: Array
    """The largest logit of each sound's family, shape (windows, sounds)."""
    truths: Truths
    categories: NDArray[np.intp]
    """Index of the category of each window."""
    names: tuple[str, ...]
    """Of the categories."""
    groups: NDArray[np.intp]


def material_of(
    lessons: Sequence[Lesson], recipe: Recipe, families: Sequence[Trunk], *, seed: int
) -> Material:
    """Lessons as one table."""
    rng = np.random.default_rng([seed, 11])
    trunk = Trunk(recipe.looks)
    names = {BACKGROUND: 0}
    groups: dict[str, int] = {}
    parts: list[tuple[NDArray[np.generic], ...]] = []
    for one in lessons:
        numbers = np.array([names.setdefault(name, len(names)) for name in one.categories])
        keep = (numbers > 0) | (rng.random(len(numbers)) < recipe.quiet_windows)
        group = np.full(len(numbers), groups.setdefault(one.group, len(groups)))
        inputs = trunk.rows(one.outputs)
        own = np.concatenate([family.rows(one.outputs) for family in families], axis=1)
        parts.append(tuple(part[keep] for part in (inputs, own, one.truths, numbers, group)))
    inputs, own, truths, categories, group = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return Material(inputs, own, truths, categories, tuple(names), group)


def weights_of(material: Material, recipe: Recipe, sounds: Sequence[str]) -> Array:
    """How much each window counts for each sound, shape (windows, sounds); 0: not at all.

    Of positives every group counts by the root of its windows; of negatives every kind has its
    share.  A sound of which there is none is not learnt.
    """
    negative = _negative_weights(material, recipe, sounds)
    weights = np.zeros(material.truths.shape, np.float32)
    for place in range(len(sounds)):
        positives, negatives = material.truths[:, place] == 1, material.truths[:, place] == 0
        if not positives.any() or not negatives.any():
            continue
        count = float(negatives.sum())
        of_group = np.bincount(material.groups[positives])[material.groups[positives]] ** -0.5
        weights[negatives, place] = negative[negatives] * (count / negative[negatives].sum())
        weights[positives, place] = of_group * (count / _NEGATIVES_TO_ONE / of_group.sum())
    return np.minimum(weights, np.float32(_LARGEST_WEIGHT))


def _negative_weights(
    material: Material, recipe: Recipe, sounds: Sequence[str]
) -> NDArray[np.float64]:
    """Shape (windows,): what is quiet, sounds of ours (each alike), and all the rest."""
    counts = np.bincount(material.categories, minlength=len(material.names)).astype(np.float64)
    ours = {*sounds, *MAKERS}
    is_ours = np.array([meaning(name).sound in ours for name in material.names])
    is_rest = ~is_ours & (np.arange(len(counts)) > 0)
    share = np.zeros(len(counts))
    share[0] = recipe.background_share
    share[is_ours] = recipe.sounds_share / max(1, int(is_ours.sum()))
    left = 1.0 - recipe.background_share - recipe.sounds_share
    share[is_rest] = left * counts[is_rest] / max(1.0, counts[is_rest].sum())
    return np.asarray((share / np.maximum(counts, 1.0))[material.categories])


def learn(
    lessons: Sequence[Lesson],
    families: Mapping[str, Sequence[int]],
    recipe: Recipe,
    *,
    seed: int,
) -> Learnt:
    """Heads for the sounds that ``families`` names, with the columns of their classes.

    The truths of the lessons are in the same order.
    """
    own = {sound: _family(columns) for sound, columns in families.items()}
    material = material_of(lessons, recipe, tuple(own.values()), seed=seed)
    weights = weights_of(material, recipe, tuple(families))
    net = _Net.fresh(material, weights, recipe.units, seed)
    for step, rows in enumerate(batches := list(_batches(len(weights), recipe, seed))):
        net.learn(material, weights, rows, recipe, done=step / len(batches))
    return _learnt(net, own, recipe)


def averaged(nets: Sequence[Learnt]) -> Learnt:
    """The mean of their log-odds, as one: their shared layers side by side."""
    layers = [net.trunk.layer for net in nets if net.trunk.layer is not None]
    layer = Layer(
        np.concatenate([one.weights for one in layers], axis=1),
        np.concatenate([one.bias for one in layers]),
    )
    units, count = layers[0].weights.shape[1], np.float32(len(nets))
    weights = {
        sound: np.concatenate(
            [net.weights[sound][:units] / count for net in nets]
            + [np.mean([net.weights[sound][units:] for net in nets], axis=0)]
        )
        for sound in nets[0].weights
    }
    bias = {sound: float(np.mean([net.bias[sound] for net in nets])) for sound in nets[0].bias}
    return Learnt(Trunk(nets[0].trunk.looks, layer), nets[0].families, weights, bias)


def _family(columns: Sequence[int]) -> Trunk:
    """The largest of a family's logits."""
    return Trunk([Look(LOGITS, np.array(columns, np.intp), largest=True)])


def _batches(count: int, recipe: Recipe, seed: int) -> Iterator[NDArray[np.intp]]:
    rng = np.random.default_rng([seed, 12])
    for _ in range(recipe.epochs):
        order = rng.permutation(count)
        for start in range(0, max(1, count - recipe.batch + 1), recipe.batch):
            yield order[start : start + recipe.batch]


class _Net:
    """z = relu(x · A + a) · B + f * c + b; x and f are standardised."""

    def __init__(self, parameters: list[Array], seed: int) -> None:
        self.parameters = parameters
        """A, a, B, b, c."""
        self.inputs = self.family = (np.zeros(0, np.float32), np.ones(0, np.float32))
        """Mean and spread."""
        self._rng = np.random.default_rng([seed, 13])
        self._means = [np.zeros_like(one) for one in parameters]
        self._squares = [np.zeros_like(one) for one in parameters]
        self._steps = 0

    @classmethod
    def fresh(cls, material: Material, weights: Array, units: int, seed: int) -> "_Net":
        """One that begins at the families; where there is nothing to learn, it stays there."""
        rng = np.random.default_rng([seed, 14])
        numbers, sounds = material.inputs.shape[1], material.family.shape[1]
        a = rng.standard_normal((numbers, units)) * np.sqrt(2.0 / numbers)
        b = rng.standard_normal((units, sounds)) * 0.3 / np.sqrt(units)
        b[:, ~weights.any(axis=0)] = 0.0
        parameters = [a, np.zeros(units), b, np.full(sounds, _FIRST_BIAS), np.ones(sounds)]
        net = cls([one.astype(np.float32) for one in parameters], seed)
        net.inputs, net.family = _spread(material.inputs), _spread(material.family)
        return net

    def learn(
        self,
        material: Material,
        weights: Array,
        rows: NDArray[np.intp],
        recipe: Recipe,
        *,
        done: float,
    ) -> None:
        """One step of the way; ``done`` is the share that lies behind."""
        a, a0, b, b0, c = self.parameters
        x = (material.inputs[rows] - self.inputs[0]) / self.inputs[1]
        f = (material.family[rows] - self.family[0]) / self.family[1]
        before = x @ a + a0
        kept = self._rng.random(before.shape, np.float32) >= recipe.dropout
        mask = (before > 0) * kept * np.float32(1.0 / (1.0 - recipe.dropout))
        hidden = before * mask
        z = hidden @ b + f * c + b0
        right = material.truths[rows] == 1
        wrong = weights[rows] * (0.5 * (1.0 + np.tanh(0.5 * z)) - right) / np.float32(len(rows))
        back = (wrong @ b.T) * mask
        gradients = [x.T @ back, back.sum(0), hidden.T @ wrong, wrong.sum(0)]
        self._step([*gradients, (f * wrong).sum(0)], recipe, done)

    def _step(self, gradients: Sequence[Array], recipe: Recipe, done: float) -> None:
        """AdamW; of the weights only those of the shared layer and after it decay."""
        self._steps += 1
        warm = min(1.0, self._steps / _WARM_UP_STEPS)
        rate = recipe.rate * 0.5 * (1.0 + np.cos(np.pi * done)) * warm
        for place, gradient in enumerate(gradients):
            mean, square = self._means[place], self._squares[place]
            mean += np.float32(0.1) * (gradient - mean)
            square += np.float32(0.001) * (gradient * gradient - square)
            scale = np.sqrt(square / np.float32(1.0 - 0.999**self._steps)) + np.float32(1e-8)
            change = mean / np.float32(1.0 - 0.9**self._steps) / scale
            if place in (0, 2):
                change += np.float32(recipe.decay) * self.parameters[place]
            self.parameters[place] -= np.float32(rate) * change


def _spread(values: Array) -> tuple[Array, Array]:
    return values.mean(axis=0), np.maximum(values.std(axis=0), np.float32(_DEAD_STD))


def _learnt(net: _Net, families: Mapping[str, Trunk], recipe: Recipe) -> Learnt:
    """With the standardisation folded into the weights."""
    a, a0, b, b0, c = net.parameters
    (mean, std), (own_mean, own_std) = net.inputs, net.family
    layer = Layer(
        np.asarray(a / std[:, None], np.float32), np.asarray(a0 - (mean / std) @ a, np.float32)
    )
    of_own = c / own_std
    bias = b0 - own_mean * of_own
    of_own = of_own + np.float32(recipe.family_share)
    weights = {sound: np.append(b[:, place], of_own[place]) for place, sound in enumerate(families)}
    biases = {sound: float(bias[place]) for place, sound in enumerate(families)}
    return Learnt(Trunk(recipe.looks, layer), families, weights, biases)
