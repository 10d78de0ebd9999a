"""``detector train crnn`` from recordings to the content of a file."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detector.config.sounds import shipped_sounds
from detector.core.errors import DataError
from detector.core.recognition import LOGITS, Recogniser
from detector.workbench.clips import as_heard
from detector.workbench.crnnnet import Diary, exported, keras_there
from detector.workbench.crnnsettling import CALL_STEPS, SettledModel, settled_model
from detector.workbench.crnntraining import Epoch, Going, Learnt, Recipe, learn
from detector.workbench.dataset import Recording, by_sound, read_dataset
from detector.workbench.fitness import unfit
from detector.workbench.observe import Cache, recogniser_key
from detector.workbench.parts import Parts, dealt
from detector.workbench.passages import (
    UNLABELLED,
    Passage,
    Teacher,
    as_arrays,
    from_arrays,
    passages,
    seconds_of,
)
from detector.workbench.recipe import NEIGHBOURS
from detector.workbench.shelf import Shelf
from detector.workbench.sounding import check_opens, read_samples

_MADE = "2"
"""Of passages; what was kept by other code is made anew."""
MOST_BYTES = 1_000_000
"""Of a file: it lies beside the code, and on small machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to learn."""

    data: Path
    sounds: tuple[str, ...] = ()
    """All shipped ones that are labelled, where none is named."""
    recipe: Recipe = field(default_factory=Recipe)
    passes: int = 2
    """Strips are made of every recording so many times over."""
    scenes: int = 60
    """That thresholds are settled on."""
    seed: int = 0
    logs: Path | None = None
    """Where TensorBoard finds figures of each epoch."""
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What was learnt."""

    sounds: tuple[str, ...]
    parts: Parts
    learnt: Learnt
    model: SettledModel
    hours: float
    """Of audio that was learnt from."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Whom to tell how it goes."""

    epoch: Callable[[Epoch], None] = lambda _epoch: None
    learning: Going = lambda _done, _total: None
    said: Callable[[str], None] = lambda _line: None


def train(order: Order, teaching: Recogniser | None, watcher: Watcher) -> Result:
    """Hear, learn, settle.

    Raises DataError for recordings that cannot be learnt from, AudioError for one that cannot be
    read, ModelError where no runtime can run what was learnt; all before anything is written.
    """
    recordings = read_dataset(order.data)
    sounds = _sounds(order, recordings)
    parts = dealt(recordings, sounds, seed=order.seed)
    for recording in recordings:
        check_opens(recording.path)
    _make_folders(order)
    teacher = None if teaching is None else teacher_of(teaching)
    if teacher is None and any(one.label == UNLABELLED for one in recordings):
        raise DataError(f"{order.data} holds recordings labelled {UNLABELLED}: they need a teacher")
    keras_there()
    check_fit(recordings, sounds)
    watcher.said(_told(parts, sounds, teacher))
    learnt_from = [
        one
        for number in range(order.passes)
        for one in _material(parts.learn, sounds, teacher, order, number=number)
    ]
    watched = _material(parts.stop, sounds, teacher, order, number=order.passes)
    hours = sum(map(seconds_of, learnt_from)) / 3600.0
    watcher.said(f"learning from {len(learnt_from)} passages, {hours:.1f} h")
    learnt = _learnt(order, learnt_from, watched, sounds, watcher)
    graph = exported(learnt.net, steps=CALL_STEPS)
    watcher.said("settling curves and thresholds on recordings that were held out")
    model = settled_model(graph, sounds, parts, scenes=order.scenes, seed=order.seed)
    if len(model.content) > MOST_BYTES:
        raise DataError(f"the model has {len(model.content)} bytes, more than {MOST_BYTES}")
    return Result(sounds, parts, learnt, model, hours)


def teacher_of(recogniser: Recogniser) -> Teacher:
    """A model as a teacher; raises DataError for one that has not what is taught."""
    if LOGITS not in recogniser.spec.outputs or max(NEIGHBOURS) >= len(recogniser.spec.labels):
        raise DataError("the teacher must be YAMNet: this model has other classes, or no logits")
    return Teacher(recogniser, NEIGHBOURS)


def _sounds(order: Order, recordings: Sequence[Recording]) -> tuple[str, ...]:
    there = by_sound(recordings)
    sounds = order.sounds or tuple(sound for sound in _told_by_model() if sound in there)
    if not sounds:
        labels = ", ".join(sorted(there)[:12])
        raise DataError(
            f"{order.data} holds none of the shipped sounds, but {labels}: name those to learn "
            f"with --sounds"
        )
    return sounds


def _make_folders(order: Order) -> None:
    """Before an hour is spent; raises DataError for one that cannot be written to."""
    for folder in filter(None, (order.logs, order.cache)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: no folder can be made there: {error.strerror}") from error
        if not os.access(folder, os.W_OK):
            raise DataError(f"{folder} cannot be written to: no right to write into it")


def check_fit(recordings: Sequence[Recording], sounds: Sequence[str]) -> None:
    """Raise DataError, a line each, for recordings of which nothing right can be learnt.

    Some that are clipped or faint are borne among many.
    """
    heard = [as_heard(one, read_samples(one.path)) for one in recordings]
    faulty = [one for one in unfit(heard, frozenset(sounds)) if not one.is_bearable]
    if faulty:
        raise DataError("\n".join(map(str, faulty)))


def _told_by_model() -> Iterable[str]:
    """Alarms are told by their beeps, whatever the model."""
    for name, sound in shipped_sounds().items():
        if not any(one.kind == "cadence" for one in sound.evidence):
            yield name


def _material(
    pool: Sequence[Recording],
    sounds: tuple[str, ...],
    teacher: Teacher | None,
    order: Order,
    *,
    number: int,
) -> list[Passage]:
    cache = Cache(order.cache)
    key = material_key(pool, sounds, teacher, order.seed + number)
    kept = cache.get(key)
    if kept is not None:
        return from_arrays(kept)
    made = list(passages(Shelf(pool), sounds, teacher, seed=order.seed + number))
    cache.put(key, as_arrays(made))  # type: ignore[arg-type] # arrays of several kinds
    return made


def material_key(
    pool: Sequence[Recording], sounds: tuple[str, ...], teacher: Teacher | None, seed: int
) -> str:
    """A name for what is made of a pool: all that it depends on."""
    from hashlib import sha256

    taught = "" if teacher is None else recogniser_key(teacher.recogniser.spec)
    files = [_file_key(one) for one in pool]
    return sha256("\n".join((_MADE, *files, *sounds, taught, str(seed))).encode()).hexdigest()


def _file_key(one: Recording) -> str:
    """A file, and all that is said of it."""
    found = one.path.stat()
    said = f"{one.label} {one.group} {one.events}"
    return f"{one.path.name} {found.st_size} {found.st_mtime_ns} {said}"


def _learnt(
    order: Order,
    learnt_from: Sequence[Passage],
    watched: Sequence[Passage],
    sounds: Sequence[str],
    watcher: Watcher,
) -> Learnt:
    diary = None if order.logs is None else Diary(order.logs)

    def tell(epoch: Epoch) -> None:
        watcher.epoch(epoch)
        if diary is not None:
            diary.note(epoch.number, loss=epoch.loss, watched=epoch.watched)

    return learn(
        learnt_from,
        watched,
        sounds,
        order.recipe,
        seed=order.seed,
        tell=tell,
        going=watcher.learning,
    )


def _told(parts: Parts, sounds: Sequence[str], teacher: Teacher | None) -> str:
    by = "with a teacher" if teacher else "without a teacher, by the labels alone"
    whole = f"; learnt whole, so unmeasured: {', '.join(parts.scarce)}" if parts.scarce else ""
    return (
        f"{len(sounds)} sounds; {len(parts.learn)} recordings to learn from, {len(parts.stop)} to "
        f"watch it by, {len(parts.held_out)} held out; {by}{whole}"
    )
