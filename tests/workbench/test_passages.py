"""What a network of steps learns from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.core.errors import DataError
from detector.model.logmel import LogMel
from detector.workbench import marked
from detector.workbench.crnn import Order, Watcher, check_fit, material_key, train
from detector.workbench.crops import Drawer, Drawing
from detector.workbench.dataset import LabelledSound, Recording, groups_of
from detector.workbench.parts import dealt
from detector.workbench.passages import (
    UNLABELLED,
    Passage,
    as_arrays,
    from_arrays,
    log_mel,
    marked_passages,
    passage_of,
    truths_of,
)
from detector.workbench.shelf import Shelf
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


def test_every_part_has_backgrounds_to_mix_into() -> None:
    """However chance would deal them; and still no group stands in two parts."""
    for seed in range(20):
        parts = dealt(recordings(dog_bark=8, door_knock=8, room_tone=3), SOUNDS, seed=seed)
        sides = (parts.learn, parts.stop, parts.held_out)
        assert all(any(one.label == "room_tone" for one in side) for side in sides)
        assert sum(map(len, sides)) == 38
        assert len({group for side in sides for group in groups_of(side)}) == 19


@pytest.mark.parametrize("groups", [0, 1, 2])
def test_too_few_backgrounds_are_one_line(groups: int) -> None:
    """Some to learn from, some to watch and some to measure on."""
    given = recordings(dog_bark=8, door_knock=8, **({"room_tone": groups} if groups else {}))
    with pytest.raises(DataError, match=r"backgrounds are of .* at least 3 are needed") as error:
        dealt(given, SOUNDS, seed=0)
    assert "\n" not in str(error.value)


def recording_of(path: Path, samples: NDArray[np.float32], label: str, group: str) -> Recording:
    """One in a file."""
    write(path, samples)
    return Recording(path, group, label)


def test_recordings_of_which_nothing_right_can_be_learnt_are_refused(tmp_path: Path) -> None:
    """Silent, too short, or under two labels; clipped and faint ones are borne."""
    good = recording_of(tmp_path / "good.flac", noise(3.0, 1), "dog_bark", "a")
    faint = recording_of(tmp_path / "faint.wav", noise(3.0, 2) * 1e-3, "dog_bark", "b")
    check_fit([good, faint], SOUNDS)
    bad = [
        recording_of(tmp_path / "hush.flac", np.zeros(32_000, np.float32), "dog_bark", "c"),
        recording_of(tmp_path / "slip.flac", noise(0.1, 3), "dog_bark", "d"),
        recording_of(tmp_path / "same.flac", noise(3.0, 1), "door_knock", "a"),
    ]
    with pytest.raises(DataError) as error:
        check_fit([good, faint, *bad], SOUNDS)
    lines = str(error.value).splitlines()
    assert len(lines) == 3
    for name, said in (
        ("hush.flac", "digital silence"),
        ("slip.flac", "too short"),
        ("flac", "of another label"),
    ):
        assert any(name in line and said in line for line in lines)


def marked_recording(path: Path) -> Recording:
    """Twelve seconds; a knock from 4 s to 5 s, somebody's laughter from 8 s to 9 s."""
    write(path, noise(12.0, 5))
    events = (LabelledSound(4.0, 5.0, "door_knock"), LabelledSound(8.0, 9.0, "laughter"))
    return Recording(path, "door1", None, events)


def test_marks_of_strong_labels_are_the_truth_of_their_steps(tmp_path: Path) -> None:
    """And what is not marked is not there, but for what a mark may hold."""
    recording = marked_recording(tmp_path / "marked.flac")
    told = marked.truths(recording, ("door_knock", "speech"), 150)
    knock, speech = told.T
    np.testing.assert_array_equal(np.flatnonzero(knock == 1), np.arange(50, 62))
    assert set(np.flatnonzero(knock == -1)) == {49, 62, 63}
    assert not (speech == 1).any()
    assert (speech[100:112] == -1).all()
    assert (told[:40] == 0).all()


def test_recordings_with_marks_are_learnt_from_piece_by_piece(tmp_path: Path) -> None:
    """Around each mark, and what is left between them; they were passed over once."""
    shelf = Shelf([marked_recording(tmp_path / "marked.flac")])
    made = list(marked_passages(shelf, shelf.recordings[0], SOUNDS, None))
    assert [one.category for one in made] == ["door_knock", "laughter", "background"] or [
        one.category for one in made
    ] == ["door_knock", "laughter"]
    knock = made[0]
    assert (knock.truths[:, 0] == 1).sum() in (12, 13)
    assert len(knock.rows) == 8 * len(knock.truths)
    assert knock.group == "door1"


def test_what_was_kept_of_recordings_is_made_anew_where_a_mark_is_moved(tmp_path: Path) -> None:
    """The same file with another truth is another lesson."""
    one = marked_recording(tmp_path / "marked.flac")
    moved = replace(one, events=(LabelledSound(4.5, 5.5, "door_knock"),))
    keys = {material_key([of], SOUNDS, None, 0) for of in (one, moved)}
    assert len(keys) == 2
    assert material_key([one], SOUNDS, None, 0) in keys
