"""Grouped folds: no group ever stands on both sides of a split."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.core.errors import DataError
from detector.workbench.dataset import Recording, sounds_of


@dataclass(frozen=True, slots=True)
class Fold:
    """One split: what is held out, and what is learnt from."""

    number: int
    learn: tuple[Recording, ...]
    held_out: tuple[Recording, ...]


def fold_of_groups(recordings: Sequence[Recording], *, folds: int, seed: int) -> Mapping[str, int]:
    """Each group's fold: every sound's groups are dealt out evenly, by length of audio.

    The same recordings and seed give the same folds, whatever the order.
    """
    weights: dict[str, float] = defaultdict(float)
    sounds: dict[str, set[str]] = defaultdict(set)
    for recording in recordings:
        weights[recording.group] += recording.seconds or 1.0
        sounds[recording.group].update(sounds_of(recording))
    loads: dict[str, list[float]] = defaultdict(lambda: [0.0] * folds)
    dealt: dict[str, int] = {}
    for group in sorted(weights, key=lambda name: (-weights[name], _chance(name, seed))):
        kind = "+".join(sorted(sounds[group]))
        first = _chance(kind, seed) % folds
        fold = min(range(folds), key=lambda n: (loads[kind][n], (n - first) % folds))
        loads[kind][fold] += weights[group]
        dealt[group] = fold
    return dealt


def grouped_folds(recordings: Sequence[Recording], *, folds: int, seed: int) -> tuple[Fold, ...]:
    """Splits in which each recording is held out exactly once, with all of its group.

    Raises DataError where there are fewer groups than folds.
    """
    dealt = fold_of_groups(recordings, folds=folds, seed=seed)
    if len(dealt) < folds:
        raise DataError(
            f"{len(dealt)} groups cannot be split into {folds} folds: record at least "
            f"{folds - len(dealt)} more occasions, devices or animals"
        )
    made = tuple(_fold(recordings, dealt, number) for number in range(folds))
    for fold in made:
        check_split(fold)
    return made


def check_split(fold: Fold) -> None:
    """Raise DataError where a group or a file stands on both sides."""
    sides = [
        {*(r.group for r in side), *(str(r.path.resolve()) for r in side)}
        for side in (fold.learn, fold.held_out)
    ]
    shared = sides[0] & sides[1]
    if shared:
        raise DataError(f"{min(shared)} stands on both sides of a split: give it one group")


def _fold(recordings: Sequence[Recording], dealt: Mapping[str, int], number: int) -> Fold:
    learn = tuple(r for r in recordings if dealt[r.group] != number)
    held_out = tuple(r for r in recordings if dealt[r.group] == number)
    return Fold(number, learn, held_out)


def _chance(name: str, seed: int) -> int:
    """The same number for the same name and seed on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big")
