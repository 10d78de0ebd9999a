"""What is learnt from, what tells when to stop, and what nobody hears before it is measured on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.core.errors import DataError
from detector.workbench.dataset import Recording, by_sound, groups_of
from detector.workbench.folds import fold_of_groups

HELD_OUT_FOLD, FOLDS = 0, 4
_STOP_FOLDS = 8
FEWEST_GROUPS = 4
"""A sound of fewer is learnt from whole: nothing is left to measure it on."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Recordings, dealt out so that no group stands in two parts."""

    learn: tuple[Recording, ...]
    stop: tuple[Recording, ...]
    """What learning is watched on."""
    held_out: tuple[Recording, ...]
    """What curves, thresholds and figures rest on."""
    scarce: tuple[str, ...]
    """Sounds that are learnt whole: there are no figures of them."""


def dealt(recordings: Sequence[Recording], sounds: Sequence[str], *, seed: int) -> Parts:
    """One fold of four is held out, and an eighth of the others is watched.

    Raises DataError where there is nothing to learn or to measure by.
    """
    _require(recordings, sounds)
    found = by_sound(recordings)
    scarce = tuple(one for one in sounds if len(groups_of(found[one])) < FEWEST_GROUPS)
    whole = {group for sound in scarce for group in groups_of(found[sound])}
    folds = fold_of_groups(recordings, folds=FOLDS, seed=seed)
    groups = set(folds)
    held_out = {g for g, fold in folds.items() if fold == HELD_OUT_FOLD} - whole
    rest = [one for one in recordings if one.group not in held_out]
    watched = fold_of_groups(rest, folds=_STOP_FOLDS, seed=seed)
    stop = {g for g, fold in watched.items() if fold == 0} - whole
    sides = [groups - held_out - stop, stop, held_out]
    _share_backgrounds(sides, _backgrounds(recordings), whole)
    learn, watched_ones, held = (tuple(r for r in recordings if r.group in s) for s in sides)
    return Parts(learn, watched_ones, held, scarce)


def _backgrounds(recordings: Sequence[Recording]) -> dict[str, int]:
    """Groups with recordings to mix into, and how many others each holds."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for one in recordings:
        kinds[one.group].append(not one.is_strong and one.meaning.is_background)
    return {group: of.count(False) for group, of in kinds.items() if any(of)}


def _share_backgrounds(
    sides: Sequence[set[str]], grounds: Mapping[str, int], whole: set[str]
) -> None:
    """A part without any is given a group of them, by the one that has most.

    Raises DataError where there are too few.
    """
    for side in sides:
        if side & grounds.keys():
            continue
        richest = max(sides, key=lambda one: len(one & grounds.keys()))
        spare = sorted((richest & grounds.keys()) - whole, key=lambda one: (grounds[one], one))
        if len(richest & grounds.keys()) < 2 or not spare:
            raise DataError(
                f"backgrounds are of {_counted(len(grounds))}, at least {len(sides)} are needed, "
                f"to learn from, to watch and to measure on: add recordings of rooms in which none "
                f"of the sounds is (room_tone, evening, kitchen, music, speech …), of other "
                f"occasions or places"
            )
        richest.remove(spare[0])
        side.add(spare[0])


def _require(recordings: Sequence[Recording], sounds: Sequence[str]) -> None:
    found = by_sound(recordings)
    absent = [sound for sound in sounds if sound not in found]
    if absent or not sounds:
        raise DataError(f"no recording is labelled {', '.join(absent) or 'with a sound to learn'}")
    if len(found) < 2:
        raise DataError(
            f"all recordings are of {sounds[0]}: there is nothing to tell it from; add recordings "
            f"of other sounds, and of rooms in which there is none (room_tone)"
        )
    groups = {sound: len(groups_of(found[sound])) for sound in sounds}
    best = max(groups, key=groups.__getitem__)
    if groups[best] < FEWEST_GROUPS:
        raise DataError(
            f"{best} has recordings of {_counted(groups[best])} only, the others of no more: at "
            f"least {FEWEST_GROUPS} of one sound are needed, to learn from some and measure on "
            f"others; a group is a device, an animal or an occasion"
        )


def _counted(groups: int) -> str:
    return "1 group" if groups == 1 else f"{groups} groups"
