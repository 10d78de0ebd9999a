"""Splits that keep what is alike on one side."""

from pathlib import Path

import pytest

from detector.core.errors import DataError
from detector.workbench.dataset import Recording, groups_of
from detector.workbench.folds import Fold, check_split, fold_of_groups, grouped_folds


def recordings(groups: int, of_each: int = 3) -> list[Recording]:
    """Dogs, each of which was recorded several times."""
    return [
        Recording(Path(f"{group}-{take}.wav"), f"dog{group}", "dog_bark", seconds=1.0 + take)
        for group in range(groups)
        for take in range(of_each)
    ]


def test_no_group_stands_on_both_sides() -> None:
    """And every recording is held out exactly once."""
    dogs = recordings(10)
    folds = grouped_folds(dogs, folds=4, seed=3)
    for fold in folds:
        assert not set(groups_of(fold.learn)) & set(groups_of(fold.held_out))
    held_out = [one for fold in folds for one in fold.held_out]
    assert sorted(str(one.path) for one in held_out) == sorted(str(one.path) for one in dogs)


def test_the_groups_are_dealt_out_evenly() -> None:
    """No fold is left without a sound that has enough groups."""
    sizes = [
        len(groups_of(fold.held_out)) for fold in grouped_folds(recordings(10), folds=5, seed=1)
    ]
    assert sizes == [2] * 5


def test_the_same_seed_gives_the_same_folds_in_any_order() -> None:
    """Another seed gives others."""
    dogs = recordings(12)
    dealt = fold_of_groups(dogs, folds=4, seed=5)
    assert fold_of_groups(dogs[::-1], folds=4, seed=5) == dealt
    assert fold_of_groups(dogs, folds=4, seed=6) != dealt


def test_too_few_groups_are_refused_with_how_many_are_lacking() -> None:
    """Many recordings of one dog are one dog."""
    with pytest.raises(DataError, match=r"2 groups .* 5 folds: record at least 3 more"):
        grouped_folds(recordings(2, of_each=50), folds=5, seed=1)


def test_a_recording_on_both_sides_is_found() -> None:
    """Also where it goes by two groups."""
    same = Path("a.wav")
    learn, held_out = (Recording(same, group, "dog_bark") for group in ("rex", "fido"))
    with pytest.raises(DataError, match="stands on both sides of a split"):
        check_split(Fold(0, (learn,), (held_out,)))
