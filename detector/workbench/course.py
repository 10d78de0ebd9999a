"""A course of learning: pools of recordings, heads that have not heard some, and trials of those.

Every group of recordings lies in one pool.  What a pool's recordings say of a head is asked of a
head that was learnt from the others; and what decides on *its* threshold is asked, for the figures,
of heads that were learnt from neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from detector.core.recognition import LOGITS, Array, Recogniser
from detector.workbench.alarms import MAKERS
from detector.workbench.dataset import Recording
from detector.workbench.folds import fold_of_groups
from detector.workbench.keeping import Keeper, key_of
from detector.workbench.lessons import Lesson, lesson_of
from detector.workbench.shelf import Shelf
from detector.workbench.soundscape import Plan, Scene, evenings, scenes
from detector.workbench.strips import strips
from detector.workbench.training import Learnt, Recipe, averaged, learn
from detector.workbench.trials import Levels, Trial, trial_of

FOLDS = 4
Pools = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much is heard and learnt."""

    scenes: int = 30
    """With events, of every pool; and a third as many evenings, and evenings full of noises."""
    passes: int = 1
    """Strips are made of every recording so many times over."""
    nets: int = 2
    """Learnt from different beginnings, and averaged."""
    seed: int = 0


@dataclass(slots=True)
class _Noises(Shelf):
    """A pool of which everything that is none of our sounds is a noise of the house."""

    ours: frozenset[str] = frozenset()

    def household(self) -> list[Recording]:
        """Whatever should raise nothing."""
        short = (r for r in self.recordings if not r.is_strong and not r.meaning.is_background)
        return [one for one in short if one.meaning.sound not in self.ours]


@dataclass
class Course:
    """Material, and heads learnt from it, each made when it is first asked for."""

    recordings: Sequence[Recording]
    families: Mapping[str, Sequence[int]]
    """By sound that is to have a head: the columns of its classes."""
    sounds: Sequence[str]
    """All that there are events of."""
    recogniser: Recogniser
    recipe: Recipe
    keeper: Keeper
    amounts: Amounts = field(default_factory=Amounts)
    plan: Plan = field(default_factory=Plan)
    """Of the scenes for trials."""
    _learnt: dict[Pools, Learnt] = field(default_factory=dict)
    _scored: dict[tuple[int, Pools], list[dict[str, Array]]] = field(default_factory=dict)

    @cached_property
    def pools(self) -> tuple[tuple[Recording, ...], ...]:
        """The recordings of each fold."""
        dealt = fold_of_groups(self.recordings, folds=FOLDS, seed=self.amounts.seed)
        pools = (
            tuple(r for r in self.recordings if dealt[r.group] == fold) for fold in range(FOLDS)
        )
        return tuple(pools)

    @cached_property
    def lessons(self) -> tuple[list[Lesson], ...]:
        """Of each pool."""
        return tuple(self._lessons_of(fold) for fold in range(FOLDS))

    @cached_property
    def trials(self) -> tuple[list[Trial], ...]:
        """Of each pool."""
        return tuple(self._trials_of(fold) for fold in range(FOLDS))

    def kept(self, left_out: Pools) -> tuple[Recording, ...]:
        """What heads are learnt from which leave out some pools."""
        kept = (pool for fold, pool in enumerate(self.pools) if fold not in left_out)
        return tuple(one for pool in kept for one in pool)

    def learnt(self, left_out: Pools) -> Learnt:
        """Heads that have heard nothing of some pools."""
        if left_out not in self._learnt:
            kept = [
                lesson
                for fold in range(FOLDS)
                if fold not in left_out
                for lesson in self.lessons[fold]
            ]
            seeds = range(self.amounts.seed, self.amounts.seed + self.amounts.nets)
            nets = [learn(kept, self.families, self.recipe, seed=seed) for seed in seeds]
            self._learnt[left_out] = averaged(nets)
        return self._learnt[left_out]

    def head_scores(self, sound: str, fold: int, left_out: Pools) -> list[Levels]:
        """Log-odds in the trials of a pool, by heads that have heard nothing of some pools."""
        learnt_without = left_out | {fold}
        if (fold, learnt_without) not in self._scored:
            learnt = self.learnt(learnt_without)
            scored = [learnt.log_odds(one.outputs) for one in self.trials[fold]]
            self._scored[fold, learnt_without] = scored
        of_trials = self._scored[fold, learnt_without]
        return [np.asarray(of_trial[sound], np.float64) for of_trial in of_trials]

    def family_scores(self, columns: Sequence[int], fold: int) -> list[Levels]:
        """Logits of the largest score of a family in the trials of a pool."""
        return [_family_logits(one, columns) for one in self.trials[fold]]

    def _lessons_of(self, fold: int) -> list[Lesson]:
        passes = (self._pass(fold, number) for number in range(self.amounts.passes))
        return [lesson for one in passes for lesson in one]

    def _pass(self, fold: int, number: int) -> list[Lesson]:
        pool, spec, names = self.pools[fold], self.recogniser.spec, tuple(self.families)
        seed = (100 * self.amounts.seed + number) * FOLDS + fold

        def make() -> Iterator[Lesson]:
            for strip in strips(Shelf(pool), names, seed=seed):
                yield lesson_of(strip, names, self.recogniser)

        return self.keeper.lessons(key_of(pool, spec, "lessons", names, seed), lambda: list(make()))

    def _trials_of(self, fold: int) -> list[Trial]:
        pool, spec, count = self.pools[fold], self.recogniser.spec, self.amounts.scenes
        seed = 100 * (1 + self.amounts.seed) + fold

        def make() -> Iterator[Trial]:
            for part, scene in trial_scenes(pool, self.sounds, self.plan, count=count, seed=seed):
                yield trial_of(scene, part, fold, self.recogniser)

        key = key_of(pool, spec, "trials", tuple(self.sounds), count, seed, self.plan)
        return self.keeper.trials(key, lambda: list(make()))


def trial_scenes(
    pool: Sequence[Recording], sounds: Sequence[str], plan: Plan, *, count: int, seed: int
) -> Iterator[tuple[str, Scene]]:
    """So many scenes with events, and a third as many evenings, and evenings full of noises.

    Each with the part that it is of.  Raises DataError where a pool has no backgrounds or sounds.
    """
    shelf = Shelf(pool)
    noises = _Noises(pool, shelf.read, shelf.makers, ours=frozenset({*sounds, *MAKERS}))
    for scene in scenes(shelf, sounds, plan, count=count, seed=seed):
        yield "scenes", scene
    for scene in evenings(shelf, plan, count=count // 3, seed=seed):
        yield "evenings", scene
    for scene in evenings(noises, plan, count=count // 3, seed=seed + 777):
        yield "noises", scene


def _family_logits(trial: Trial, columns: Sequence[int]) -> Levels:
    """As a family's calibration has them: of scores in steps of 1/256, kept from 0 and 1."""
    logits = trial.outputs[LOGITS][:, list(columns)].astype(np.float64).max(axis=1)
    scores = np.minimum(np.round(256.0 / (1.0 + np.exp(-logits))), 255.0) / 256.0
    inside = np.clip(scores, 1.0 / 1024.0, 1.0 - 1.0 / 1024.0)
    return np.asarray(np.log(inside) - np.log1p(-inside))
