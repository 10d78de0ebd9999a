"""What a network of steps learns from."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.core.errors import DataError
from detector.model.logmel import LogMel
from detector.workbench.crnn import Order, Watcher, train
from detector.workbench.crops import Drawer, Drawing
from detector.workbench.dataset import Recording, groups_of
from detector.workbench.parts import dealt
from detector.workbench.passages import (
    UNLABELLED,
    Passage,
    as_arrays,
    from_arrays,
    log_mel,
    passage_of,
    truths_of,
)
from detector.workbench.strips import Strip
from tests.workbench.conftest import burst, noise, write

SOUNDS = ("door_knock", "dog_bark")


def strip(category: str = "door_knock", **changed: frozenset[str]) -> Strip:
    """Four seconds with a sound from 1 s to 2.04 s."""
    on = np.zeros(400, np.bool_)
    on[100:204] = True
    return Strip(burst(4.0, 1.0, 1.04), category, "door1", on, **changed)


def test_rows_are_those_that_the_recogniser_makes() -> None:
    """Bit by bit in half precision: what is heard is what was learnt on."""
    made = passage_of(strip(), SOUNDS, None)
    stream = LogMel()
    samples = strip().samples
    heard = [stream.feed(samples[at : at + 1600]) for at in range(0, len(samples), 1600)]
    rows = np.concatenate(heard)[: len(made.rows)]
    np.testing.assert_allclose(made.rows, rows.astype(np.float16), rtol=2e-3)
    assert len(made.rows) == 8 * len(made.truths)
    np.testing.assert_array_equal(log_mel(samples)[: len(rows)].astype(np.float16), made.rows)


def test_a_step_is_true_where_most_of_it_sounds_and_unsure_at_the_edge() -> None:
    """The sound's own column; the other's is false throughout."""
    truths = truths_of(strip(), SOUNDS, 49)
    assert set(truths[13:25, 0]) == {1}
    assert truths[12, 0] == 1
    assert truths[25, 0] == 1
    assert not truths[:12, 0].any()
    assert not truths[26:, 0].any()
    assert not truths[:, 1].any()


def test_what_may_be_there_unlabelled_is_nobody_s_truth() -> None:
    """Anywhere, or while the sound sounds."""
    anywhere = truths_of(strip("keyboard", unsure=frozenset({"dog_bark"})), SOUNDS, 49)
    assert set(anywhere[:, 1]) == {-1}
    while_it_sounds = truths_of(strip(unsure_in_event=frozenset({"dog_bark"})), SOUNDS, 49)
    assert set(while_it_sounds[12:26, 1]) == {-1}
    assert not while_it_sounds[:10, 1].any()


def test_of_what_is_unlabelled_nothing_is_known() -> None:
    """The teacher alone speaks."""
    assert set(truths_of(strip(UNLABELLED), SOUNDS, 49).ravel()) == {-1}


@pytest.mark.parametrize("taught", [np.ones((7, 3), np.float16), np.zeros((0, 0), np.float16)])
def test_passages_are_kept_as_they_are(taught: NDArray[np.float16]) -> None:
    """On disk, between two runs; with a teacher or without."""
    made = [passage_of(strip(name), SOUNDS, None) for name in ("door_knock", "dog_bark")]
    made[0] = Passage(made[0].rows, made[0].truths, taught, "a", "b")
    again = from_arrays(as_arrays(made))
    for one, two in zip(made, again, strict=True):
        np.testing.assert_array_equal(one.rows, two.rows)
        np.testing.assert_array_equal(one.truths, two.truths)
        assert (one.category, one.group, len(one.taught)) == (
            two.category, two.group, len(two.taught)
        )  # fmt: skip


def drawer(**changed: float) -> Drawer:
    """Of two sounds and of nothing, changed in no way but those named."""
    still = {
        "mixed_share": 0.0,
        "gain_db": (0.0, 0.0),
        "band_masks": 0,
        "longest_time_mask_rows": 0,
    }
    passages = [passage_of(strip(name), SOUNDS, None) for name in (*SOUNDS, "keyboard")]
    passages.append(passage_of(strip("background"), SOUNDS, None))
    return Drawer(passages, SOUNDS, Drawing(**(still | changed)), seed=1)  # type: ignore[arg-type]


def test_the_same_seed_draws_the_same() -> None:
    """And a batch has the shapes that the network takes."""
    rows, truths, weights, taught = drawer().batch(6)
    assert rows.shape == (6, 60 * 8 + 30, 64)
    assert truths.shape == weights.shape == (6, 60, 2)
    assert taught.shape == (6, 9, 0)
    for one, two in zip(drawer().batch(6), (rows, truths, weights, taught), strict=True):
        np.testing.assert_array_equal(one, two)


def test_every_sound_is_drawn_alike_and_weighs_more_than_its_absence() -> None:
    """However many passages there are of it."""
    _, truths, weights, _ = drawer(sounds_share=1.0).batch(200)
    share = truths.max(axis=1).mean(axis=0)
    assert np.all(np.abs(share - 0.5) < 0.15)
    assert set(weights[truths == 1]) == {4.0}
    assert set(weights[truths == 0]) <= {0.0, 1.0}


def test_gain_moves_rows_as_a_microphone_would() -> None:
    """By so many decibels, where there is more than the floor."""
    usual = drawer().batch(8)[0]
    louder = drawer(gain_db=(20.0, 20.0)).batch(8)[0]  # type: ignore[arg-type]
    loud = usual > -2.0
    assert loud.any()
    np.testing.assert_allclose((louder - usual)[loud], np.log(10.0), atol=0.1)


def test_mixed_crops_hold_the_truths_of_both() -> None:
    """Both sounds at once are now and then both true."""
    _, truths, _, _ = drawer(mixed_share=1.0, sounds_share=1.0).batch(64)
    assert (truths.min(axis=2) == 1).any()
    assert not (drawer(sounds_share=1.0).batch(64)[1].min(axis=2) == 1).any()


def recordings(**groups: int) -> list[Recording]:
    """So many groups of each label, two recordings each."""
    return [
        Recording(Path(f"{label}{group}{take}.wav"), f"{label}{group}", label, seconds=3.0)
        for label, count in groups.items()
        for group in range(count)
        for take in range(2)
    ]


def test_no_group_stands_in_two_parts_and_none_is_lost() -> None:
    """What is measured on was neither learnt from nor watched."""
    given = recordings(dog_bark=12, door_knock=2, room_tone=8)
    parts = dealt(given, SOUNDS, seed=0)
    sides = [set(groups_of(part)) for part in (parts.learn, parts.stop, parts.held_out)]
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    assert len(parts.learn) + len(parts.stop) + len(parts.held_out) == len(given)
    assert all(any(group.startswith("dog") for group in side) for side in (sides[0], sides[2]))


def test_a_scarce_sound_is_learnt_whole() -> None:
    """And there are no figures of it, which is said."""
    parts = dealt(recordings(dog_bark=8, door_knock=2, room_tone=8), SOUNDS, seed=0)
    assert parts.scarce == ("door_knock",)
    assert sum(one.label == "door_knock" for one in parts.learn) == 4


@pytest.mark.parametrize(
    ("groups", "sounds", "said"),
    [
        ({"room_tone": 8}, ("dog_bark",), "no recording is labelled dog_bark"),
        ({"dog_bark": 8}, ("dog_bark",), "all recordings are of dog_bark: there is nothing"),
        ({"dog_bark": 1, "room_tone": 8}, ("dog_bark",), "1 group only"),
        ({"dog_bark": 3, "room_tone": 8}, ("dog_bark",), "3 groups only"),
    ],
)
def test_what_cannot_be_learnt_from_is_one_line(
    groups: dict[str, int], sounds: tuple[str, ...], said: str
) -> None:
    """What is wrong, and what would be right."""
    with pytest.raises(DataError, match=said) as error:
        dealt(recordings(**groups), sounds, seed=0)
    assert "\n" not in str(error.value)


def test_unlabelled_recordings_need_a_teacher(collection: Path) -> None:
    """Nobody says what is in them."""
    write(collection / f"{UNLABELLED}/a.flac", noise(3.0, 77))
    order = Order(data=collection, sounds=("door_knock",))
    with pytest.raises(DataError, match="they need a teacher"):
        train(order, None, Watcher())
