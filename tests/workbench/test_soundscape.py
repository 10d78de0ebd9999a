"""Scenes of which everything is known."""

from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.errors import DataError
from detector.learning.sounding import rms, sounding, sounding_rms
from detector.workbench.alarms import MAKERS
from detector.workbench.dataset import read_dataset
from detector.workbench.shelf import Shelf
from detector.workbench.soundscape import Plan, episode, evenings, mixed, scenes
from tests.workbench.conftest import burst, noise

PLAN = Plan(snrs_db=(20.0, 0.0), scene_s=30.0, spacing_s=10.0, in_rooms=False)
SOUNDS = ("door_knock", "dog_bark")


def test_the_same_seed_makes_the_same_scenes(collection: Path) -> None:
    """Another one others."""
    shelf = Shelf(read_dataset(collection))
    first, again, other = (
        [scene.samples for scene in scenes(shelf, SOUNDS, PLAN, count=2, seed=seed)]
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_an_event_begins_and_ends_where_its_scene_says(collection: Path) -> None:
    """Within the 10 ms that its trimming is out by."""
    shelf = Shelf(read_dataset(collection))
    (scene,) = scenes(shelf, ("door_knock",), PLAN, count=1, seed=1)
    (event,) = scene.events
    loud = np.flatnonzero(sounding(scene.samples)) / 100.0
    assert loud[0] == pytest.approx(event.onset_s, abs=0.011)
    assert loud[-1] + 0.01 == pytest.approx(event.offset_s, abs=0.011)
    assert event.offset_s - event.onset_s == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 3.0])
def test_an_event_stands_out_as_far_as_is_stated(snr_db: float) -> None:
    """Its RMS where it sounds, over that of the background in the same span."""
    event, ground = burst(1.0, 0.0, 1.0, seed=3), noise(5.0, 4, level=0.01)
    before = ground.copy()
    factor = mixed(event, ground, SAMPLE_RATE_HZ, snr_db)
    span = before[SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ]
    ratio = 20 * np.log10(factor * sounding_rms(event) / rms(span))
    assert ratio == pytest.approx(snr_db, abs=1e-6)
    added = (ground - before)[SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ]
    assert np.allclose(added, factor * event, atol=1e-6)


def test_the_ratios_take_turns_and_no_sound_comes_twice_in_a_scene(collection: Path) -> None:
    """What is still on from the first would hide the second."""
    shelf = Shelf(read_dataset(collection))
    made = list(scenes(shelf, SOUNDS, PLAN, count=4, seed=1))
    assert [scene.snr_db for scene in made] == [20.0, 0.0, 20.0, 0.0]
    for scene in made:
        assert sorted(event.sound for event in scene.events) == sorted(SOUNDS)


def test_an_evening_holds_no_event(collection: Path) -> None:
    """But the noises of a house."""
    shelf = Shelf(read_dataset(collection))
    (evening,) = evenings(shelf, Plan(scene_s=70.0, in_rooms=True), count=1, seed=1)
    assert evening.events == ()
    assert "keyboard/typing" in evening.groups
    assert evening.seconds == 70.0


def test_a_clip_is_trimmed_to_one_episode() -> None:
    """Begun at its first sound."""
    two = np.concatenate([burst(2.5, 0.5, 0.3), burst(2.5, 1.5, 0.3)])
    assert len(episode(two, np.random.default_rng(1))) == pytest.approx(4_800, abs=320)


def test_without_a_background_or_the_sound_there_is_no_scene(collection: Path) -> None:
    """With what to add."""
    everything = read_dataset(collection)
    knocks = Shelf([one for one in everything if one.meaning.sound == "door_knock"])
    with pytest.raises(DataError, match="no background to mix sounds into: add recordings"):
        list(scenes(knocks, ("door_knock",), PLAN, count=1, seed=1))
    with pytest.raises(DataError, match="no recording is labelled siren"):
        list(scenes(Shelf(everything), ("siren",), PLAN, count=1, seed=1))


@pytest.mark.parametrize(("sound", "pulses"), [("smoke_alarm", 9), ("co_alarm", 12)])
def test_the_alarms_made_by_code_have_their_pattern(sound: str, pulses: int) -> None:
    """Three cycles of three long or four short pulses."""
    samples = MAKERS[sound](np.random.default_rng(1))
    on = np.abs(samples) > 0.0
    loud = np.convolve(on, np.ones(400), "same") > 0  # zero crossings are no pauses
    assert int(np.sum(np.diff(loud.astype(int)) == 1) + loud[0]) == pulses
