"""Strips to learn from: some seconds of background, a sound in it, and what is true when.

A strip is made of recordings of one pool only, so that what is held out stays unheard.  The same
pool and seed make the same strips.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.learning.rooms import low_pass, some_surroundings
from detector.learning.sounding import STEP_SAMPLES, rms, sounding
from detector.workbench.dataset import Recording
from detector.workbench.labels import meaning
from detector.workbench.shelf import Shelf
from detector.workbench.soundscape import episode, mixed, require_backgrounds

_T = TypeVar("_T")
BACKGROUND = "background"
"""Category of what holds nothing in particular."""
_BEFORE_S, _AFTER_S = (3.0, 6.0), (1.0, 2.0)
"""Of background around a sound: what a head looks back at lies in it."""
_SNR_DB = (-2.0, 30.0)
_LEVEL_DBFS = (-56.0, -28.0)
_LOUDEST_PEAK = 0.97
_NARROW_SHARE = 0.1
_CHANGED_SHARE = 0.5
"""Of the sounds, that are played faster or slower: a smaller dog, a deeper door."""
_PACE = (0.85, 1.18)
_STRIPS_A_GROUP = 8
_FEWEST, _MOST = 60, 900
"""Strips of a sound that is to be known, however few or many its groups."""
_MOST_OTHERS = 80
"""Of a label that is only to be told from them."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Some seconds of audio of which it is known what sounds when."""

    samples: Samples
    """Shape (n,)."""
    category: str
    """Label of the sound in it, or ``BACKGROUND``."""
    group: str
    """Of the sound in it."""
    on: NDArray[np.bool_]
    """Whether that sounds, every 10 ms, shape (n // 160,)."""
    unsure: frozenset[str] = frozenset()
    """Sounds that may be in it anywhere, unlabelled."""
    unsure_in_event: frozenset[str] = frozenset()
    """Sounds that may be in it while its own sounds."""


def strips(shelf: Shelf, sounds: Sequence[str], *, seed: int) -> Iterator[Strip]:
    """All strips of a pool: every label in backgrounds, and every recording as it is.

    Raises DataError for a pool without backgrounds.
    """
    require_backgrounds(shelf)
    grounds = _Grounds(shelf)
    for label, count in _counts(shelf, sounds).items():
        for number in range(count):
            rng = np.random.default_rng([seed, _number_of(label), number])
            yield _mixed(shelf, grounds, label, rng)
    for number, recording in enumerate(shelf.recordings):
        if not recording.is_strong:
            yield _as_it_is(shelf, recording, np.random.default_rng([seed, 1, number]))


def _counts(shelf: Shelf, sounds: Sequence[str]) -> Mapping[str, int]:
    """How many strips of which label; for alarms by code as many as for a sound."""
    groups: dict[str, set[str]] = defaultdict(set)
    for one in shelf.recordings:
        if not one.is_strong and not _is_ground_only(one, sounds):
            groups[one.label or ""].add(one.group)
    counts = {}
    for label, of_label in sorted(groups.items()):
        wanted = _STRIPS_A_GROUP * len(of_label)
        if meaning(label).sound in sounds:
            counts[label] = min(max(wanted, min(_FEWEST, 4 * wanted)), _MOST)
        else:
            counts[label] = min(wanted, _MOST_OTHERS)
    made = [sound for sound in sorted(shelf.makers) if shelf.is_synthetic(sound)]
    return {**counts, **dict.fromkeys(made, _FEWEST // 2)}


def _is_ground_only(recording: Recording, sounds: Sequence[str]) -> bool:
    return recording.meaning.is_background and recording.meaning.sound not in sounds


def _number_of(label: str) -> int:
    return int.from_bytes(label.encode()[:7].ljust(7, b"\0"), "big") + len(label)


class _Grounds:
    """Pieces of a pool's backgrounds: every kind alike, and within it every group."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kinds: dict[str, dict[str, list[Recording]]] = {}
        for one in shelf.backgrounds():
            groups = self._kinds.setdefault(one.meaning.sound, {})
            groups.setdefault(one.group, []).append(one)

    def piece(self, seconds: float, rng: np.random.Generator) -> tuple[Samples, Recording]:
        """So many seconds, at the level of some home."""
        groups = self._kinds[_one(sorted(self._kinds), rng)]
        recording = _one(groups[_one(sorted(groups), rng)], rng)
        samples, count = self._shelf.samples(recording), int(seconds * SAMPLE_RATE_HZ)
        samples = np.tile(samples, -(-count // len(samples)))
        at = int(rng.integers(len(samples) - count + 1))
        piece = samples[at : at + count].copy()
        piece += rng.standard_normal(count).astype(np.float32) * np.float32(1e-5)
        piece *= np.float32(10 ** (rng.uniform(*_LEVEL_DBFS) / 20) / rms(piece))
        return piece, recording


def _mixed(shelf: Shelf, grounds: _Grounds, label: str, rng: np.random.Generator) -> Strip:
    """One sound in some background."""
    piece, group, what = _event(shelf, label, rng)
    if rng.random() < _CHANGED_SHARE:
        piece = _faster(piece, float(rng.uniform(*_PACE)))
    if rng.random() < 0.8:
        tail = np.zeros(SAMPLE_RATE_HZ // 4, np.float32)
        piece = some_surroundings(rng).heard(np.concatenate([piece, tail]), rng)
    before_s, after_s = rng.uniform(*_BEFORE_S), rng.uniform(*_AFTER_S)
    seconds = before_s + len(piece) / SAMPLE_RATE_HZ + after_s
    ground, behind = grounds.piece(seconds, rng)
    at = int(before_s * SAMPLE_RATE_HZ) // STEP_SAMPLES * STEP_SAMPLES
    mixed(piece, ground, at, float(rng.uniform(*_SNR_DB)))
    on = np.zeros(len(ground) // STEP_SAMPLES, np.bool_)
    heard = sounding(piece)
    first = at // STEP_SAMPLES
    on[first : first + len(heard)] = heard[: len(on) - first]
    return Strip(
        _microphone(ground, rng), label, group, on,
        behind.meaning.may_hold | {behind.meaning.sound},
        meaning(label).may_hold | _kin(what),
    )  # fmt: skip


def _event(shelf: Shelf, label: str, rng: np.random.Generator) -> tuple[Samples, str, str]:
    """An episode; its group; and the sound that it is one of."""
    sound = meaning(label).sound
    if shelf.is_synthetic(label):
        return shelf.makers[label](rng), "", sound
    groups: dict[str, list[Recording]] = defaultdict(list)
    for one in shelf.recordings:
        if one.label == label:
            groups[one.group].append(one)
    group = _one(sorted(groups), rng)
    recording = _one(groups[group], rng)
    return episode(shelf.samples(recording), rng, sound), group, sound


def _faster(samples: Samples, pace: float) -> Samples:
    """Played so many times as fast, and as much higher."""
    at = np.arange(0.0, len(samples) - 1.0, pace)
    return np.asarray(np.interp(at, np.arange(len(samples)), samples), np.float32)


def _kin(sound: str) -> frozenset[str]:
    """Alarms are told from one another by their times, not here."""
    alarms = frozenset({"smoke_alarm", "co_alarm"})
    return alarms - {sound} if sound in alarms else frozenset()


def _as_it_is(shelf: Shelf, recording: Recording, rng: np.random.Generator) -> Strip:
    """A recording by itself, at some level."""
    samples = shelf.samples(recording)
    if len(samples) < SAMPLE_RATE_HZ:
        samples = np.pad(samples, (0, SAMPLE_RATE_HZ - len(samples)))
    gain = np.float32(10 ** (rng.uniform(-24.0, 0.0) / 20))
    told = recording.meaning
    on = sounding(samples)
    if told.is_background and told.sound != "speech":
        on = np.zeros_like(on)
    category = BACKGROUND if told.is_background else recording.label or BACKGROUND
    return Strip(
        _microphone(samples * gain, rng), category, recording.group, on, told.may_hold, frozenset()
    )


def _microphone(samples: Samples, rng: np.random.Generator) -> Samples:
    """Now and then a narrow band; never clipped."""
    if rng.random() < _NARROW_SHARE:
        samples = low_pass(samples, 3_800.0)
    peak = float(np.abs(samples).max())
    return samples if peak <= _LOUDEST_PEAK else samples * np.float32(_LOUDEST_PEAK / peak)


def _one(of: Sequence[_T], rng: np.random.Generator) -> _T:
    return of[int(rng.integers(len(of)))]
