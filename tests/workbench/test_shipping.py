"""A whole course of learning, on sounds and rooms made by code."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from detector.config.calibration import read_calibration
from detector.config.sounds import shipped_sounds
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import EMBEDDING, LOGITS, SCORES, Array
from detector.events.heads import Look
from detector.model.recogniser import WindowRecogniser
from detector.service.headfile import HeadReader
from detector.workbench.course import FOLDS, Amounts, Course
from detector.workbench.dataset import Recording, group_mark, groups_of
from detector.workbench.keeping import Keeper
from detector.workbench.observe import Cache
from detector.workbench.settling import Budget, Road, figures, settled
from detector.workbench.shelf import Shelf
from detector.workbench.shipping import Made, Work, write
from detector.workbench.soundscape import Plan
from detector.workbench.strips import strips
from detector.workbench.training import Recipe
from tests.workbench.conftest import noise
from tests.workbench.conftest import write as write_audio

PITCHES_HZ = {"dog_bark": 900.0, "siren": 1_700.0, "keyboard": 3_000.0}
RECIPE = Recipe(looks=(Look(EMBEDDING, None),), units=8, rate=0.01, epochs=3)


class Pitches:
    """A model that hears how much there is in each eighth of the spectrum."""

    window_samples = 15_600
    labels = tuple(f"band {number}" for number in range(8))
    content_hash = "ab" * 32
    output_shapes: Mapping[str, tuple[int, ...]] = {SCORES: (8,), LOGITS: (8,), EMBEDDING: (8,)}

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """Logits follow the loudness of a band."""
        power = np.abs(np.fft.rfft(window)[1:]) ** 2
        bands = np.array([part.mean() for part in np.array_split(power, 8)])
        logits = (np.log10(bands + 1e-6) - 1.0).astype(np.float32)
        scores = np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)
        return {SCORES: scores, LOGITS: logits, EMBEDDING: logits}


def tone(pitch_hz: float, seed: int) -> Samples:
    """A tone of a second in a quiet room, shape (n,)."""
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    samples = noise(2.0, seed, 0.001)
    samples[8_000:24_000] += (0.2 * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)
    return samples


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, ...]:
    """Eight groups of each pitch, and eight quiet rooms."""
    folder = tmp_path_factory.mktemp("recordings")
    made = []
    for number in range(8):
        for label, pitch_hz in PITCHES_HZ.items():
            path = write_audio(folder / f"{label}{number}.flac", tone(pitch_hz, number))
            group = f"{label} {number}"
            made.append(Recording(path, group, label, (), "CC0 (by code)", 2.0, "code"))
        path = write_audio(folder / f"room{number}.flac", noise(20.0, 50 + number))
        made.append(Recording(path, f"room {number}", "room_tone", (), "CC0", 20.0, "code"))
    return tuple(made)


@pytest.fixture(scope="module")
def course(recordings: tuple[Recording, ...]) -> Course:
    """Short scenes, one net."""
    return Course(
        recordings,
        {"dog_bark": (0,), "siren": (1,)},
        ("dog_bark", "siren"),
        WindowRecogniser(Pitches(), hop_seconds=0.48),
        RECIPE,
        Keeper(Cache(None)),
        Amounts(scenes=3, nets=1),
        Plan(scene_s=60.0, spacing_s=15.0),
    )


def road(course: Course) -> Road:
    """Barks, by their head."""

    def scores(fold: int, left_out: frozenset[int]) -> list[np.ndarray]:
        return course.head_scores("dog_bark", fold, left_out)

    return Road("dog_bark", shipped_sounds()["dog_bark"], scores)


def test_no_group_and_no_file_is_in_two_pools(course: Course) -> None:
    """And none is lost; a head that leaves a pool out has heard nothing of it."""
    pools = [set(groups_of(pool)) for pool in course.pools]
    files = [{one.path for one in pool} for pool in course.pools]
    for of_pools in (pools, files):
        assert sum(map(len, of_pools)) == len(set[object]().union(*of_pools))
    assert sum(map(len, course.pools)) == len(course.recordings)
    assert not set(groups_of(course.kept(frozenset({1, 2})))) & (pools[1] | pools[2])


def test_the_material_of_a_pool_is_made_of_its_recordings_alone(course: Course) -> None:
    """Lessons by their group; scenes were told by where they were cut."""
    for pool, lessons in zip(course.pools, course.lessons, strict=True):
        assert {one.group for one in lessons} <= {*groups_of(pool), ""}


def test_a_head_finds_what_it_has_not_heard(course: Course) -> None:
    """Curve, threshold and figures each by what had not heard the recordings in question."""
    by_fold = [settled(course, road(course), Budget(), frozenset({fold})) for fold in range(FOLDS)]
    told = figures(course, road(course), by_fold)
    assert told.events == 4
    assert told.recalls[20.0].value > 0.7
    assert told.quiet_false_alarms <= 2


def test_what_is_written_is_read_again_with_all_that_it_rests_on(
    course: Course, tmp_path: Path
) -> None:
    """The head as it was learnt, its provenance, and a calibration that names it."""
    one = settled(course, road(course), Budget())
    config = shipped_sounds()["dog_bark"]
    told = figures(course, road(course), [one] * FOLDS)
    made = [
        Made("dog_bark", config, has_head=True, settled=one, figures=told),
        Made("siren", config, has_head=False, settled=one, figures=None),
    ]
    nothing = frozenset[int]()
    work = Work(made, course.learnt(nothing), course.kept(nothing), course.recogniser.spec, 0)
    write(tmp_path, work)
    head = HeadReader().read(tmp_path, "dog_bark.json")
    assert not head.misfit(course.recogniser.spec)
    assert not (tmp_path / "siren.json").exists()
    marks = sorted(map(group_mark, groups_of(course.recordings)))
    assert head.provenance["groups"] == marks
    assert not any("room" in mark for mark in marks)
    assert {one["licence"] for one in head.provenance["data"]} == {"CC0"}
    assert head.provenance["figures"]["threshold"] == one.threshold
    calibration = read_calibration(tmp_path / "calibration.yaml")
    assert calibration.sounds["dog_bark"].evidence[0].head == tmp_path / "dog_bark.json"
    assert calibration.sounds["siren"].evidence[0].calibration.method == "platt"
    assert calibration.sounds["siren"].threshold == one.threshold


def test_strips_are_the_same_again_and_tell_when_the_sound_sounds(
    recordings: tuple[Recording, ...],
) -> None:
    """The same pool and seed; another seed makes others."""
    pool = [one for one in recordings if one.group.endswith(("1", "2"))]

    def made(seed: int) -> list[Samples]:
        return [one.samples for one in islice(strips(Shelf(pool), ("dog_bark",), seed=seed), 10)]

    assert all(np.array_equal(*pair) for pair in zip(made(1), made(1), strict=True))
    assert not np.array_equal(made(1)[0][:1000], made(2)[0][:1000])
    for strip in islice(strips(Shelf(pool), ("dog_bark",), seed=1), 10):
        assert strip.category == "dog_bark"
        assert strip.on.any()
        assert len(strip.on) == len(strip.samples) // 160


def test_what_is_kept_is_not_made_again(course: Course, tmp_path: Path) -> None:
    """Lessons and trials come from disk as they were."""
    keeper = Keeper(Cache(tmp_path))
    lessons, trials = course.lessons[0], course.trials[0]
    keeper.lessons("lessons", lambda: lessons)
    keeper.trials("trials", lambda: trials)
    for one, kept in zip(lessons, keeper.lessons("lessons", never), strict=True):
        assert (one.group, one.categories) == (kept.group, kept.categories)
        assert np.array_equal(one.truths, kept.truths)
        assert np.array_equal(one.outputs[EMBEDDING], kept.outputs[EMBEDDING])
    for scene, again in zip(trials, keeper.trials("trials", never), strict=True):
        assert (scene.part, scene.snr_db, scene.events) == (again.part, again.snr_db, again.events)
        assert np.array_equal(scene.ends_s, again.ends_s)
        assert np.array_equal(scene.outputs[LOGITS], again.outputs[LOGITS])


def never() -> NoReturn:
    """What is not to be called."""
    pytest.fail("made twice")
