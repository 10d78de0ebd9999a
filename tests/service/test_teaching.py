"""A sound learnt beside all others, or refused with the reason."""

from dataclasses import replace

import numpy as np
import pytest

from detector.core.errors import DataError
from detector.learning.augmenting import Heard
from detector.service.ownsounds import KeptTake
from detector.service.teaching import Classroom
from tests.learning.tools import cloud, heard, some_backgrounds
from tests.service.soundmaking import SPEC, classroom, kept, own_sound


def test_a_sound_becomes_a_head_whose_threshold_is_one_half() -> None:
    """With the nearest class to stand in, and what was expected of it."""
    taught = classroom().teach("my_bell", kept(5), [])
    assert taught.sound.head.misfit(SPEC) == ""
    rows = taught.sound.head
    inside = rows.trunks[0].sphere
    assert inside is not None
    log_odds = inside(heard(5, 70).embeddings) @ rows.weights + rows.bias
    assert log_odds.min() > 0.0
    assert taught.sound.settings["threshold"] == 0.5
    assert taught.sound.settings["classes"] == ["Bell"]
    assert taught.sound.head.provenance["figures"]["takes_found"] == 4
    assert taught.unlike == ()


def test_two_sounds_are_learnt_against_one_another() -> None:
    """The one that was there is learnt anew, and keeps its settings."""
    first = own_sound("my_bell")
    first = replace(first, settings={**first.settings, "label": "Ding dong"})
    taught = classroom().teach("my_horn", kept(6), [first])
    again, verdict = taught.beside["my_bell"]
    assert again.settings["label"] == "Ding dong"
    assert verdict.recall.value == 1.0
    assert not np.array_equal(again.head.weights, first.head.weights)


def test_what_sounds_like_everyday_noise_is_refused_and_the_noise_named() -> None:
    """As it stands in the backgrounds."""
    with pytest.raises(DataError, match=r"^my_bell is too like kind 2") as caught:
        classroom().teach("my_bell", kept(2), [])
    assert "takes would be found" in str(caught.value)


def test_what_sounds_like_another_sound_of_ones_own_is_refused_by_name() -> None:
    """Which it could not be told from."""
    with pytest.raises(DataError, match=r"^my_gong is too like my_bell"):
        classroom().teach("my_gong", kept(5, first=20), [own_sound("my_bell")])


def test_takes_that_are_no_one_sound_are_refused() -> None:
    """And those that are unlike are named."""
    mixed = [*kept(5, 1), *kept(8, 1), *kept(11, 1), *kept(14, 1)]
    with pytest.raises(DataError, match=r"^the takes are too unlike each other"):
        classroom().teach("my_bell", mixed, [])


def test_one_odd_take_is_told_and_the_others_are_learnt() -> None:
    """By its name."""
    odd = KeptTake("odd.wav", "f" * 64, heard(9, 3))
    assert classroom().teach("my_bell", [*kept(5), odd], []).unlike == ("odd.wav",)


def test_speech_is_refused() -> None:
    """Where it is what the model hears in most takes."""
    spoken = np.array([9.0, 1.0, 0.0], np.float32)
    takes = [replace(one, heard=replace(one.heard, logits=spoken)) for one in kept(5)]
    with pytest.raises(DataError, match=r"^my_bell is too like speech"):
        classroom().teach("my_bell", takes, [])


def test_two_sounds_cannot_have_the_same_recording() -> None:
    """It is named, and so is the other sound."""
    with pytest.raises(DataError, match=r"^0\.wav: my_bell was learnt from the same recording"):
        classroom().teach("my_gong", kept(5), [own_sound("my_bell")])


def test_a_sound_of_another_model_is_left_as_it_is() -> None:
    """It does not fit, so that nothing can be learnt against it."""
    other = own_sound("my_horn", 6)
    other = replace(other, head=replace(other.head, recogniser="6" * 64))
    assert classroom().teach("my_bell", kept(5), [other]).beside == {}


def test_takes_without_audio_are_enough() -> None:
    """What the daemon remembers has one version, and maybe nothing around it."""
    nothing = np.zeros((0, 16), np.float32)
    takes = [
        KeptTake(
            f"event {number}",
            f"{number:064x}",
            Heard(cloud(5, 2, np.random.default_rng(number)), np.zeros(2, np.intp), nothing),
        )
        for number in range(3)
    ]
    assert classroom().teach("my_bell", takes, []).verdict.found == (True,) * 3


def test_without_backgrounds_nothing_is_learnt() -> None:
    """And it is said what to record."""
    with pytest.raises(DataError, match="record an hour of an ordinary evening"):
        Classroom(SPEC, some_backgrounds(windows=100))


def test_backgrounds_of_one_piece_are_refused() -> None:
    """Nothing could be judged by what has not heard it."""
    alone = some_backgrounds((1,), windows=1000)
    one_piece = replace(alone, groups=np.zeros_like(alone.groups))
    with pytest.raises(DataError, match="are too little to tell a sound from"):
        Classroom(SPEC, one_piece)


def test_a_copy_of_another_sounds_take_is_refused_at_any_level() -> None:
    """By its sketch."""
    sketch = np.eye(1, 256, dtype=np.float32)[0]
    bell = own_sound("my_bell")
    bell = replace(bell, takes=(replace(bell.takes[0], sketch=sketch), *bell.takes[1:]))
    takes = [*kept(9, 3), replace(kept(9, 4)[3], sketch=sketch)]
    with pytest.raises(DataError, match=r"^3\.wav: my_bell was learnt from the same recording"):
        classroom().teach("my_gong", takes, [bell])


def test_a_sound_whose_takes_are_of_another_width_is_not_learnt_beside() -> None:
    """As one of another model is not."""
    bell = own_sound("my_bell")
    wide = Heard(np.ones((3, 40), np.float32), np.arange(3), np.zeros((0, 40), np.float32))
    bell = replace(bell, takes=tuple(replace(one, heard=wide) for one in bell.takes))
    assert classroom().teach("my_gong", kept(9), [bell]).beside == {}
