"""Learning heads: they tell apart what can be told apart, and the same comes of the same."""

import numpy as np
import pytest

from detector.core.recognition import EMBEDDING, LOGITS
from detector.events.heads import Look
from detector.workbench.lessons import Lesson, truths_of
from detector.workbench.strips import BACKGROUND, Strip
from detector.workbench.training import Learnt, Recipe, averaged, learn, material_of, weights_of

FAMILIES = {"dog_bark": (0, 1), "cat_meow": (2,)}
RECIPE = Recipe(looks=(Look(EMBEDDING, None),), units=8, epochs=60, batch=16, rate=0.01)


def lesson(label: str, group: str, seed: int) -> Lesson:
    """Twelve windows; in those that bark the first number of the embedding is larger."""
    rng = np.random.default_rng(seed)
    embedding = rng.standard_normal((12, 6)).astype(np.float16)
    logits = rng.standard_normal((12, 4)).astype(np.float16)
    truths = np.zeros((12, 2), np.int8)
    if label == "dog_bark":
        embedding[4:8, 0] += 4.0
        truths[4:8, 0], truths[3, 0], truths[8, 0] = 1, -1, -1
    names = [label if 4 <= window < 8 else BACKGROUND for window in range(12)]
    return Lesson({EMBEDDING: embedding, LOGITS: logits}, truths, tuple(names), group)


LESSONS = [
    lesson("dog_bark" if number % 2 else "keyboard", f"group {number}", number)
    for number in range(40)
]


def log_odds(learnt: Learnt, sound: str, lessons: list[Lesson]) -> np.ndarray:
    """Of all windows of lessons."""
    return np.concatenate([learnt.log_odds(one.outputs)[sound] for one in lessons])


def test_what_differs_is_told_apart_on_lessons_that_were_not_learnt_from() -> None:
    """The logits of the family are of no use here: the shared layer must have learnt it."""
    learnt = learn(LESSONS[:30], FAMILIES, RECIPE, seed=0)
    unseen = LESSONS[30:]
    truths = np.concatenate([one.truths[:, 0] for one in unseen])
    values = log_odds(learnt, "dog_bark", unseen)
    assert np.mean(values[truths == 1] > 0.0) > 0.9
    assert np.mean(values[truths == 0] < 0.0) > 0.9


def test_the_same_lessons_and_seed_give_the_same_heads() -> None:
    """To the last bit; another seed gives others."""
    first, again, other = (learn(LESSONS, FAMILIES, RECIPE, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.weights["dog_bark"], again.weights["dog_bark"])
    assert not np.array_equal(first.weights["dog_bark"], other.weights["dog_bark"])


def test_a_sound_without_recordings_is_left_to_its_family() -> None:
    """Nothing of the shared layer is weighed, and all of the family's largest logit."""
    weights = learn(LESSONS, FAMILIES, RECIPE, seed=0).weights["cat_meow"]
    assert not weights[:-1].any()
    assert weights[-1] > 0.0


def test_the_mean_of_several_nets_is_one_head() -> None:
    """Their shared layers stand side by side."""
    nets = [learn(LESSONS, FAMILIES, RECIPE, seed=seed) for seed in (0, 1)]
    both = averaged(nets)
    expected = np.mean([log_odds(net, "dog_bark", LESSONS) for net in nets], axis=0)
    assert log_odds(both, "dog_bark", LESSONS) == pytest.approx(expected, abs=1e-4)


def test_kinds_of_negatives_have_their_shares_however_many_windows_they_have() -> None:
    """Quiet rooms, the sounds that are listened for, and the rest."""
    recipe = Recipe(looks=RECIPE.looks, quiet_windows=1.0)
    cats = [lesson("cat_meow", "a cat", 90)]
    own = learn(LESSONS, FAMILIES, RECIPE, seed=0).families
    material = material_of([*LESSONS, *cats], recipe, tuple(own.values()), seed=0)
    weights = weights_of(material, recipe, tuple(FAMILIES))[:, 0]
    negative = material.truths[:, 0] == 0
    quiet, cat = (
        weights[negative & (material.categories == material.names.index(name))].sum()
        for name in (BACKGROUND, "cat_meow")
    )
    # The barks have as large a share as the cats; some windows beside them are not learnt from.
    assert cat / quiet == pytest.approx(recipe.sounds_share / 2 / recipe.background_share, rel=0.2)


def test_windows_at_the_edge_of_a_sound_are_not_learnt_from() -> None:
    """Nor those beside it, nor any in which another may be, unlabelled."""
    on = np.ones(50, np.bool_)
    strip = Strip(np.zeros(0, np.float32), "dog_bark", "rex", on, frozenset({"cat_meow"}))
    held_s = np.array([0.0, 0.0, 0.1, 0.5, 0.5, 0.0, 0.0])
    truths = truths_of(strip, held_s, ("dog_bark", "cat_meow", "siren"))
    assert truths[:, 0].tolist() == [0, -1, -1, 1, 1, -1, 0]
    assert truths[:, 1].tolist() == [-1] * 7
    assert truths[:, 2].tolist() == [0] * 7
