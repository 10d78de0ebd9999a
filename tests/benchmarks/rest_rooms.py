"""Rooms for ``tests.benchmarks.rest``: steady noise, quiet recordings, and everything there is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.workbench.dataset import Recording, read_dataset
from detector.workbench.shelf import Shelf
from detector.workbench.sounding import read_samples
from detector.workbench.soundscape import Plan, Scene, evenings, scenes

STEADY, QUIET, ALL = "steady noise", "recorded quiet rooms", "all backgrounds"
ONE = "one recorded room"
ROOMS = (STEADY, QUIET, ALL)
SPACING_S = {STEADY: 60.0, QUIET: 40.0, ALL: 25.0}
"""From one sound to the next: where the network can rest it should have begun to."""
EVENING_ROOMS = (STEADY, ONE, QUIET, ALL)
SNRS_DB = (20.0, 10.0, 3.0, 0.0, -3.0)
LEVELS_DB = (0.0, -20.0, -40.0)
SCENE_S = 300.0
_MADE = "made"
_MADE_S = 150
_SLOPES = {"white": 0.0, "pink": 0.5, "brown": 1.0, "hum": 0.5}
"""Amplitude falls with this power of the frequency."""
_FULL_SCALE = 32768.0
_LONG_S = 45.0
"""From so long a recording on, a room is heard for itself, and not only the next one's beginning.
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """A scene as one microphone has it."""

    room: str
    level_db: float
    scene: Scene
    has_events: bool


class Rooms:
    """Makes scenes of the recordings in a folder."""

    def __init__(self, folder: Path) -> None:
        """Raises DataError where there are none."""
        self._recordings = read_dataset(folder)

    def scenes(self, sounds: tuple[str, ...], *, each: int, seed: int) -> Iterator[Heard]:
        """``each`` scenes with events for every room and ratio, at every level."""
        for room in ROOMS:
            plan = Plan(snrs_db=SNRS_DB, scene_s=SCENE_S, spacing_s=SPACING_S[room])
            shelf = self._shelf(room, with_sounds=True)
            made = scenes(shelf, sounds, plan, count=each * len(SNRS_DB), seed=seed)
            for scene, level_db in product(made, LEVELS_DB):
                yield Heard(room, level_db, _at(scene, level_db), has_events=True)

    def evenings(self, *, each: int, seed: int) -> Iterator[Heard]:
        """``each`` scenes for every room and level in which nothing happens.

        With all backgrounds, the noises of a house now and then.
        """
        for room in EVENING_ROOMS:
            for scene, level_db in product(self._evenings(room, each, seed), LEVELS_DB):
                yield Heard(room, level_db, _at(scene, level_db), has_events=False)

    def _evenings(self, room: str, each: int, seed: int) -> Iterator[Scene]:
        plan = Plan(scene_s=SCENE_S)
        if room != ONE:
            yield from evenings(
                self._shelf(room, with_sounds=room == ALL), plan, count=each, seed=seed
            )
            return
        rooms = self._shelf(QUIET, with_sounds=False)
        for recording in rooms.recordings:
            if rooms.seconds(recording) >= _LONG_S:
                yield from evenings(Shelf([recording], read=_read), plan, count=1, seed=seed)

    def _shelf(self, room: str, *, with_sounds: bool) -> Shelf:
        sounds = [one for one in self._recordings if one.is_strong or not one.meaning.is_background]
        grounds = [
            one for one in self._recordings if not one.is_strong and one.meaning.is_background
        ]
        if room == STEADY:
            grounds = list(_made_up())
        elif room == QUIET:
            grounds = [one for one in grounds if one.meaning.sound == "room_tone"]
        return Shelf([*(sounds if with_sounds else ()), *grounds], read=_read)


def _made_up() -> Iterator[Recording]:
    for name, seed in product(_SLOPES, range(3)):
        path = Path(_MADE) / f"{name}-{seed}.wav"
        yield Recording(path, f"{name}-{seed}", "room_tone", seconds=float(_MADE_S))


def _read(path: Path) -> Samples:
    if path.parent != Path(_MADE):
        return read_samples(path)
    name, _, seed = path.stem.partition("-")
    return _noise(name, int(seed))


def _noise(name: str, seed: int) -> Samples:
    rng, count = np.random.default_rng(seed), _MADE_S * SAMPLE_RATE_HZ
    hz = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ), 30.0)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * hz ** -_SLOPES[name], count)
    noise /= np.sqrt(np.mean(noise**2))
    if name == "hum":  # that of the mains, with its harmonics
        time_s = np.arange(count) / SAMPLE_RATE_HZ
        noise += sum(np.sin(2 * np.pi * 50 * n * time_s + n) / n for n in range(1, 12))
    return (0.05 * noise).astype(np.float32)


def _at(scene: Scene, level_db: float) -> Scene:
    """Softer by so much, in the 16 bits of a microphone."""
    softer = scene.samples * np.float32(10.0 ** (level_db / 20.0))
    return replace(scene, samples=(np.round(softer * _FULL_SCALE) / _FULL_SCALE).astype(np.float32))
