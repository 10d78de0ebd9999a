"""Soundscapes: labelled sounds in long backgrounds, at stated ratios, with exact onsets.

The ratio is the RMS of the event where it sounds over the background's RMS in the same span.
A clip that is labelled as a whole is first trimmed to one episode of its loud part.  The same
recordings, plan and seed make the same scenes.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import DataError
from detector.learning.rooms import some_surroundings
from detector.learning.sounding import (
    STEP_SAMPLES,
    faded,
    loudness,
    rms,
    sounding,
    sounding_rms,
)
from detector.workbench.alarms import SYNTHETIC_GROUP
from detector.workbench.dataset import LabelledSound, Recording
from detector.workbench.shelf import Shelf

_EPISODE_PAUSE_STEPS = 150
"""A longer pause, 1.5 s, parts two episodes of a sound."""
_LONGEST_S = 6.0
_LASTING_S: Mapping[str, float] = {
    "smoke_alarm": 14.0,
    "co_alarm": 17.5,
    "phone_ring": 14.0,
    "water_running": 12.0,
    "snore": 14.0,
}
"""Sounds with pauses of their own, or that are told only when they go on: how long they last."""
_BACKGROUND_DBFS = (-52.0, -34.0)
"""Between these lie a home's backgrounds at the microphone."""
_HOUSEHOLD_SNRS_DB = (20.0, 10.0)
_LOUDEST_PEAK = 0.97
_JOIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """Some minutes of audio of which everything is known."""

    name: str
    samples: Samples
    """Shape (n,), 16 kHz."""
    events: tuple[LabelledSound, ...]
    """What is in it, with exact times."""
    unsure: tuple[LabelledSound, ...] = ()
    """Where a sound may be in it unlabelled: raised there it is neither right nor wrong."""
    snr_db: float | None = None
    """Of its events; None where it has none, or nobody knows."""
    groups: frozenset[str] = frozenset()
    """The groups of recordings it is made of."""
    named: str = ""
    """What hard thing it consists of, if it is one."""
    event_groups: tuple[str, ...] = ()
    """The group of each event's recording, where events are of several."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What scenes to make."""

    snrs_db: tuple[float, ...] = (20.0, 10.0, 3.0)
    scene_s: float = 300.0
    spacing_s: float = 25.0
    """From the beginning of one event to that of the next, on average."""
    in_rooms: bool = True
    """Whether events stand in a room and microphones differ (gain, band)."""


def scenes(
    shelf: Shelf, sounds: Sequence[str], plan: Plan, *, count: int, seed: int
) -> Iterator[Scene]:
    """So many scenes; each has one ratio, in turn, and each of the sounds at most once.

    Raises DataError where there is no background, or none of the sounds.
    """
    there = [sound for sound in sounds if shelf.of_sound(sound) or shelf.is_synthetic(sound)]
    if not there:
        raise DataError(f"no recording is labelled {' or '.join(sounds)}")
    require_backgrounds(shelf)
    used = dict.fromkeys(there, 0)
    events = min(len(there), max(1, int(plan.scene_s / plan.spacing_s) - 1))
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        least_used = sorted(rng.permutation(there), key=used.__getitem__)[:events]
        chosen = [str(sound) for sound in rng.permutation(least_used)]
        used.update({sound: used[sound] + 1 for sound in chosen})
        snr_db = plan.snrs_db[number % len(plan.snrs_db)]
        yield _scene(shelf, chosen, plan, snr_db=snr_db, name=f"scene {number}", rng=rng)


def evenings(shelf: Shelf, plan: Plan, *, count: int, seed: int) -> Iterator[Scene]:
    """So many scenes without any target: backgrounds, and the noises of a house now and then.

    Raises DataError where there is no background.
    """
    require_backgrounds(shelf)
    for number in range(count):
        rng = np.random.default_rng([seed, 7_919, number])
        ground = _Ground.cut(shelf, plan.scene_s, rng)
        noises = shelf.household()
        for at_s in _times(plan.scene_s, int(plan.scene_s / 60.0) if noises else 0, rng):
            noise = noises[int(rng.integers(len(noises)))]
            piece = episode(shelf.samples(noise), rng)
            snr_db = float(rng.choice(_HOUSEHOLD_SNRS_DB))
            ground.mix(piece, noise, at_s=at_s, snr_db=snr_db, rng=rng, in_rooms=plan.in_rooms)
        yield ground.scene(f"evening {number}", (), None)


def episode(samples: Samples, rng: np.random.Generator, sound: str = "") -> Samples:
    """One episode of a weakly labelled clip's loud part, from its first sound on; shape (m,)."""
    longest_s = _LASTING_S.get(sound, _LONGEST_S)
    on = np.flatnonzero(sounding(samples))
    if len(on) == 0:
        return faded(samples[: int(longest_s * SAMPLE_RATE_HZ)])
    pauses = np.diff(on) > _EPISODE_PAUSE_STEPS
    breaks = np.flatnonzero(pauses & (sound not in _LASTING_S))
    starts = np.concatenate([on[:1], on[breaks + 1]])
    ends = np.concatenate([on[breaks], on[-1:]]) + 1
    level = loudness(samples)
    power = np.array([np.sum(level[a:b] ** 2) for a, b in zip(starts, ends, strict=True)])
    chosen = int(rng.choice(len(starts), p=power / power.sum()))
    begin = int(starts[chosen]) * STEP_SAMPLES
    end = min(int(ends[chosen]) * STEP_SAMPLES, begin + int(longest_s * SAMPLE_RATE_HZ))
    return faded(samples[begin:end], 0.005)


def mixed(event: Samples, ground: Samples, at: int, snr_db: float) -> float:
    """Add an event, shape (m,), to a background, shape (n,), in place from sample ``at`` on.

    Returns the factor that it was multiplied by.
    """
    event = event[: len(ground) - at]
    span = ground[at : at + len(event)]
    factor = rms(span) / sounding_rms(event) * 10 ** (snr_db / 20)
    span += np.float32(factor) * event
    return factor


@dataclass(slots=True)
class _Ground:
    """A scene being made."""

    samples: Samples
    unsure: list[LabelledSound]
    groups: set[str]

    @classmethod
    def cut(cls, shelf: Shelf, seconds: float, rng: np.random.Generator) -> "_Ground":
        """A background: pieces of recordings of one kind, joined, at a home's level."""
        kinds: Mapping[str, list[Recording]] = defaultdict(list)
        for recording in shelf.backgrounds():
            kinds[recording.meaning.sound].append(recording)
        of_kind = kinds[str(rng.choice(sorted(kinds)))]
        made = cls(np.zeros(0, np.float32), [], set())
        used: set[Path] = set()
        while len(made.samples) < seconds * SAMPLE_RATE_HZ:
            fresh = [one for one in of_kind if one.path not in used] or of_kind
            made._append(shelf, fresh[int(rng.integers(len(fresh)))], used)
        made.samples = made.samples[: int(seconds * SAMPLE_RATE_HZ)].copy()
        level = 10 ** (float(rng.uniform(*_BACKGROUND_DBFS)) / 20)
        made.samples *= np.float32(level / rms(made.samples))
        return made

    def _append(self, shelf: Shelf, recording: Recording, used: set[Path]) -> None:
        piece = shelf.samples(recording)
        piece = piece * np.float32(0.05 / rms(piece))
        used.add(recording.path)
        self.groups.add(recording.group)
        begin_s = len(self.samples) / SAMPLE_RATE_HZ
        self.samples = _joined(self.samples, piece)
        for sound in recording.meaning.may_hold | {recording.meaning.sound}:
            end_s = len(self.samples) / SAMPLE_RATE_HZ
            self.unsure.append(LabelledSound(begin_s - _JOIN_S, end_s, sound))

    def mix(
        self,
        piece: Samples,
        recording: Recording,
        *,
        at_s: float,
        snr_db: float,
        rng: np.random.Generator,
        in_rooms: bool,
    ) -> tuple[float, float]:
        """Put a sound in; returns when it begins and ends, in seconds."""
        dry_s = len(piece) / SAMPLE_RATE_HZ
        if in_rooms:
            surroundings = some_surroundings(rng)
            tail = np.zeros(int((surroundings.rt60_s or 0.0) * SAMPLE_RATE_HZ / 2), np.float32)
            piece = surroundings.heard(np.concatenate([piece, tail]), rng)
        mixed(piece, self.samples, int(at_s * SAMPLE_RATE_HZ), snr_db)
        self.groups.add(recording.group)
        ends_s = min(at_s + dry_s, len(self.samples) / SAMPLE_RATE_HZ)
        self.unsure += [
            LabelledSound(at_s, ends_s, sound) for sound in sorted(recording.meaning.may_hold)
        ]
        return at_s, ends_s

    def scene(
        self,
        name: str,
        events: Sequence[LabelledSound],
        snr_db: float | None,
        event_groups: Sequence[str] = (),
    ) -> Scene:
        """What was made, turned down as far as it must be not to clip."""
        peak = float(np.abs(self.samples).max())
        if peak > _LOUDEST_PEAK:
            self.samples *= np.float32(_LOUDEST_PEAK / peak)
        return Scene(
            name,
            self.samples,
            tuple(events),
            tuple(self.unsure),
            snr_db,
            frozenset(self.groups),
            event_groups=tuple(event_groups),
        )


def _scene(
    shelf: Shelf,
    chosen: Sequence[str],
    plan: Plan,
    *,
    snr_db: float,
    name: str,
    rng: np.random.Generator,
) -> Scene:
    ground = _Ground.cut(shelf, plan.scene_s, rng)
    events, groups = [], []
    for sound, at_s in zip(chosen, _times(plan.scene_s, len(chosen), rng), strict=True):
        recording, piece = _one_of(shelf, sound, rng)
        begins_s, ends_s = ground.mix(
            piece, recording, at_s=at_s, snr_db=snr_db, rng=rng, in_rooms=plan.in_rooms
        )
        events.append(LabelledSound(begins_s, ends_s, sound))
        groups.append(recording.group)
    return ground.scene(f"{name}, {snr_db:g} dB", events, snr_db, groups)


def _one_of(shelf: Shelf, sound: str, rng: np.random.Generator) -> tuple[Recording, Samples]:
    """An event: every group of a sound is as likely as every other."""
    if shelf.is_synthetic(sound):
        return Recording(Path(), SYNTHETIC_GROUP, sound), shelf.makers[sound](rng)
    groups: dict[str, list[Recording]] = defaultdict(list)
    for recording in shelf.of_sound(sound):
        groups[recording.group].append(recording)
    of_group = groups[sorted(groups)[int(rng.integers(len(groups)))]]
    recording = of_group[int(rng.integers(len(of_group)))]
    samples = shelf.samples(recording)
    if not recording.is_strong:
        return recording, episode(samples, rng, sound)
    return recording, _marked(samples, recording, sound, rng)


def _marked(
    samples: Samples, recording: Recording, sound: str, rng: np.random.Generator
) -> Samples:
    """One of the events that are marked in a recording."""
    marked = [event for event in recording.events if event.sound == sound]
    event = marked[int(rng.integers(len(marked)))]
    begin, end = (int(time_s * SAMPLE_RATE_HZ) for time_s in (event.onset_s, event.offset_s))
    return faded(samples[begin:end], 0.005)


def _times(seconds: float, count: int, rng: np.random.Generator) -> list[float]:
    """Beginnings, spread evenly with some chance, in whole steps of 10 ms."""
    spacing_s = seconds / (count + 1)
    times = spacing_s * (np.arange(count) + 0.6) + rng.uniform(0.0, 0.3 * spacing_s, count)
    return [round(float(time_s), 2) for time_s in times]


def _joined(before: Samples, after: Samples) -> Samples:
    """One after the other, one fading out as the other fades in."""
    count = min(int(_JOIN_S * SAMPLE_RATE_HZ), len(before), len(after))
    if count == 0:
        return np.concatenate([before, after])
    edge = np.sqrt(np.linspace(0.0, 1.0, count, dtype=np.float32))
    joint = before[len(before) - count :] * edge[::-1] + after[:count] * edge
    return np.concatenate([before[: len(before) - count], joint, after[count:]])


def require_backgrounds(shelf: Shelf) -> None:
    """Raise DataError where there is nothing to mix sounds into."""
    if not shelf.backgrounds():
        raise DataError(
            "no background to mix sounds into: add recordings of some minutes labelled room_tone, "
            "evening, ambience, kitchen, music, speech, tv_radio, traffic or rain"
        )
