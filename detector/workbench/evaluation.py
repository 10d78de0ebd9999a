"""Our pipeline and those it is compared with, over the same audio in one run."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.config import Config
from detector.core.audio import SAMPLE_RATE_HZ, Block, Samples
from detector.core.recognition import SCORES, Array, Recogniser
from detector.workbench.baselines import CLASSES, FAMILIES, baselines, eager
from detector.workbench.contest import Contest, Runs
from detector.workbench.dataset import LabelledSound, Recording, groups_of
from detector.workbench.grid import EAGER_SAMPLES, QUARTER_SAMPLES, Grid, score_grid
from detector.workbench.ladder import loop_ladder, our_ladder
from detector.workbench.listener import Listener, Told
from detector.workbench.observe import Cache, Observed
from detector.workbench.psds import Traced
from detector.workbench.shelf import Shelf
from detector.workbench.sounding import check_opens
from detector.workbench.soundscape import Plan, Scene, evenings, scenes
from detector.workbench.splits import Split
from detector.workbench.tally import Tally
from detector.workbench.windows import Windows, inside_s

_log = logging.getLogger(__name__)

OURS = "detector"
EAGER = "every 64 ms, 0.3"
OUR_LADDER = "detector at any threshold"
LOOP_LADDER = "half overlap at any threshold"
_CLIP_SILENCE_S = 1.5
"""Around a clip: so that what begins with its first sample is heard to begin."""

Progress = Callable[[int, int], None]
"""Seconds of audio done, seconds in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to evaluate."""

    sounds: tuple[str, ...]
    plan: Plan = field(default_factory=Plan)
    hours: float = 4.0
    """Of scenes with events."""
    evening_hours: float = 2.5
    seed: int = 1
    clips: bool = True
    with_eager: bool = False
    with_psds: bool = False


@dataclass(slots=True)
class Evaluation:
    """The outcome."""

    order: Order
    systems: tuple[str, ...]
    tally: Tally = field(default_factory=Tally)
    named: Tally = field(default_factory=Tally)
    """The same of the clips, with what is hard in place of the part."""
    named_groups: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The groups of the clips of each hard thing."""
    contests: dict[str, Contest] = field(default_factory=lambda: defaultdict(Contest))
    """By sound: scenes and evenings, event by event."""
    windows: dict[str, Windows] = field(default_factory=lambda: defaultdict(Windows))
    traced: list[tuple[Traced, Traced]] = field(default_factory=list)
    """Of each scene: the largest scores of the classes, and our probabilities; for PSDS."""
    groups: dict[str, int] = field(default_factory=dict)
    """Groups of recordings by sound."""
    synthetic: tuple[str, ...] = ()
    """Sounds that code stood in for."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """By sound: how many of the groups it was measured on its evidence had been fitted on."""
    distinct_hours: float = 0.0
    """Of backgrounds."""
    uncalibrated: set[str] = field(default_factory=set)
    """Sounds whose probability is a bare score."""
    folds: int = 1
    recordings: int = 0
    recording_groups: int = 0


@dataclass(frozen=True, slots=True)
class Ears:
    """What hears: our recognisers; the first one's model alone for the others."""

    recognisers: Sequence[Recogniser]
    cache: Cache = field(default_factory=lambda: Cache(None))

    def score(self, window: Samples) -> Array:
        """Scores of one window of the model, shape (classes,)."""
        (observation,) = self.recognisers[0].fresh().feed(Block(0, window, 0.0))
        return observation.outputs[SCORES]

    @property
    def can_compare(self) -> bool:
        """Whether the model has the classes that the others go by."""
        return len(self.recognisers[0].spec.labels) == CLASSES


def evaluate(
    recordings: Sequence[Recording],
    splits: Sequence[Split],
    order: Order,
    ears: Ears,
    progress: Progress = lambda _done, _total: None,
) -> Evaluation:
    """Run everything; each recording is heard in the split that holds it out.

    Raises DataError where scenes cannot be made, AudioError for a recording that cannot be read,
    before anything is heard where that can be known, and ModelError where the model fails.
    """
    for recording in recordings:
        check_opens(recording.path)
    result = _prepared(recordings, splits, order, ears)
    total_s = round(3600 * (order.hours + order.evening_hours))
    if order.clips:
        total_s += round(sum(recording.seconds or 5.0 for recording in recordings))
    done_s = 0.0
    for split in splits:
        shelf = Shelf([one for one in recordings if one.group in split.held_out])
        listener = Listener(split.config, [one.spec for one in ears.recognisers])
        result.uncalibrated |= listener.uncalibrated
        for part, scene in _everything(shelf, order, len(splits), split.number):
            _hear(result, part, scene, Heard.by(scene, listener, ears, order), split.config)
            done_s += scene.seconds
            progress(min(round(done_s), total_s), total_s)
    return result


def _prepared(
    recordings: Sequence[Recording], splits: Sequence[Split], order: Order, ears: Ears
) -> Evaluation:
    shelf = Shelf(recordings)
    compared = [one.name for one in baselines()] if ears.can_compare else []
    if not ears.can_compare:
        _log.warning("the model has no %d classes: nothing to compare with", CLASSES)
    if ears.can_compare and order.with_eager:
        compared.append(EAGER)
    groups = {sound: len(groups_of(shelf.of_sound(sound))) for sound in order.sounds}
    return Evaluation(
        order,
        (OURS, *compared),
        groups=groups,
        synthetic=tuple(sound for sound in order.sounds if shelf.is_synthetic(sound)),
        seen={
            sound: sum(split.seen_groups(sound, shelf.of_sound(sound)) for split in splits)
            for sound in order.sounds
        },
        distinct_hours=sum(shelf.seconds(one) for one in shelf.backgrounds()) / 3600.0,
        folds=len(splits),
        recordings=len(recordings),
        recording_groups=len(groups_of(recordings)),
    )


def _everything(
    shelf: Shelf, order: Order, splits: int, number: int
) -> Iterator[tuple[str, Scene]]:
    """All audio of one split, with the part it belongs to."""
    plan, seed = order.plan, order.seed + 1_000 * number
    each = 3600.0 / plan.scene_s / splits
    if order.hours > 0:
        count = max(1, round(order.hours * each))
        made = scenes(shelf, order.sounds, plan, count=count, seed=seed)
        yield from (("scenes", scene) for scene in made)
    if order.evening_hours > 0:
        count = max(1, round(order.evening_hours * each))
        yield from (("evenings", scene) for scene in evenings(shelf, plan, count=count, seed=seed))
    if order.clips:
        yield from (_clip(shelf, recording) for recording in shelf.recordings)


def _clip(shelf: Shelf, recording: Recording) -> tuple[str, Scene]:
    """A recording by itself: with exact times, or with a label for all of it."""
    samples, silence = (
        shelf.samples(recording),
        np.zeros(int(_CLIP_SILENCE_S * SAMPLE_RATE_HZ), np.float32),
    )
    whole = np.concatenate([silence, samples, silence])
    if recording.is_strong:
        events = tuple(_later(event, _CLIP_SILENCE_S) for event in recording.events)
        scene = Scene(recording.path.name, whole, events, groups=frozenset({recording.group}))
        return "recordings", scene
    meaning = recording.meaning
    ends_s = _CLIP_SILENCE_S + len(samples) / SAMPLE_RATE_HZ
    scene = Scene(
        recording.path.name,
        whole,
        (LabelledSound(_CLIP_SILENCE_S, ends_s, meaning.sound),),
        tuple(LabelledSound(0.0, ends_s, sound) for sound in sorted(meaning.may_hold)),
        groups=frozenset({recording.group}),
        named=meaning.named,
    )
    return "clips", scene


def _later(event: LabelledSound, seconds: float) -> LabelledSound:
    return LabelledSound(event.onset_s + seconds, event.offset_s + seconds, event.sound)


@dataclass(frozen=True, slots=True)
class Heard:
    """What everybody makes of a scene."""

    observed: Observed
    told: Told
    decided: Mapping[str, Runs]
    """By system."""
    grid: Grid | None
    """Scores on the others' windows, where there are others."""

    @classmethod
    def by(cls, scene: Scene, listener: Listener, ears: Ears, order: Order) -> "Heard":
        """A scene through every system."""
        observed = ears.cache.observe(scene.samples, ears.recognisers)
        told = listener.listen(observed)
        ours: dict[str, Runs] = {OURS: [told.decisions]}
        if not ears.can_compare:
            return cls(observed, told, ours, None)
        grid = _grid(scene, ears, QUARTER_SAMPLES)
        return cls(observed, told, ours | _compared(scene, ears, order, grid), grid)


def _hear(result: Evaluation, part: str, scene: Scene, heard: Heard, config: Config) -> None:
    """Count what was made of a scene."""
    sounds = result.order.sounds
    for system, runs in heard.decided.items():
        result.tally.add(system, part, scene, runs, sounds)
        if scene.named:
            result.named.add(system, scene.named, scene, runs, sounds)
    if scene.named:
        result.named_groups[scene.named] |= scene.groups
    if part in ("scenes", "evenings"):
        _compete(result, scene, heard, config)
    if part != "clips" and heard.grid is not None:
        _add_windows(result, part, scene, heard)


def _compared(scene: Scene, ears: Ears, order: Order, grid: Grid) -> dict[str, Runs]:
    sounds = [sound for sound in order.sounds if sound in FAMILIES]
    decided: dict[str, Runs] = {one.name: one.decide(grid, sounds) for one in baselines()}
    if order.with_eager:
        decided[EAGER] = [eager(_grid(scene, ears, EAGER_SAMPLES), sounds)]
    return decided


def _grid(scene: Scene, ears: Ears, hop_samples: int) -> Grid:
    model = ears.recognisers[0].spec.content_hash
    return score_grid(scene.samples, ears.score, hop_samples, cache=ears.cache, model=model)


def _compete(result: Evaluation, scene: Scene, heard: Heard, config: Config) -> None:
    """Every sound at every threshold."""
    sounds = [sound for sound in result.order.sounds if sound in FAMILIES]
    loops = None if heard.grid is None else loop_ladder(heard.grid, sounds)
    for sound in result.order.sounds:
        rungs = our_ladder(heard.told, sound, config.sounds[sound])
        everybody: dict[str, Sequence[Runs]] = {OUR_LADDER: [[run] for run in rungs]}
        everybody |= {system: [runs] for system, runs in heard.decided.items()}
        if loops is not None:
            everybody[LOOP_LADDER] = loops
        result.contests[sound].add(sound, scene, everybody)


def _add_windows(result: Evaluation, part: str, scene: Scene, heard: Heard) -> None:
    """What was said of each window, and what was true."""
    told = heard.told
    scores = np.array([one.outputs[SCORES] for one in heard.observed[0]], np.float64)
    after = {sound: told.probabilities[sound] for sound in result.order.sounds if sound in FAMILIES}
    before = {sound: scores[:, list(FAMILIES[sound])].max(axis=1) for sound in after}
    for sound, probabilities in after.items():
        inside = inside_s(scene.events, sound, told.starts_s, told.ends_s)
        unsure = inside_s(scene.unsure, sound, told.starts_s, told.ends_s) > 0.0
        result.windows[sound].add(before[sound], probabilities, inside, unsure)
    if result.order.with_psds and part == "scenes":
        when = (scene.seconds, scene.events, told.starts_s, told.ends_s)
        result.traced.append((Traced(*when, before), Traced(*when, after)))
