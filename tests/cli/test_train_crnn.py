"""``detector train crnn``: what it refuses, which needs no TensorFlow."""

import sys
from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from tests.cli.tools import Commands, wav


def noise(folder: Path, name: str, seconds: float = 1.0) -> None:
    """A recording of nothing much."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(name))
    samples = 0.01 * rng.standard_normal(int(seconds * SAMPLE_RATE_HZ))
    wav(folder / name, samples.astype(np.float32))


def recordings(folder: Path, *labels: str, groups: int = 5) -> Path:
    """So many groups of each label, one recording each."""
    for label in labels:
        for group in range(groups):
            noise(folder, f"{label}/{group}__1.wav")
    return folder


@pytest.mark.parametrize(
    ("labels", "groups", "options", "said"),
    [
        ((), 1, (), "holds no recordings"),
        (("kettle", "room_tone"), 5, (), "holds none of the shipped sounds, but kettle, room_tone"),
        (("siren",), 5, (), "all recordings are of siren: there is nothing to tell it from"),
        (("siren", "room_tone"), 1, (), "siren has recordings of 1 group only"),
        (("siren", "room_tone"), 5, ("--sounds", "kettle"), "no recording is labelled kettle"),
        (("siren", "room_tone"), 5, ("--sounds", "My Bell"), "'My Bell' is not a name"),
        (("siren", "room_tone"), 5, ("--out", "gone/a.tflite"), "there is no folder gone"),
    ],
)
def test_what_cannot_be_learnt_from_is_one_line(
    bare: Commands, labels: tuple[str, ...], groups: int, options: tuple[str, ...], said: str
) -> None:
    """And nothing is written."""
    data = recordings(bare.folder / "data", *labels, groups=groups)
    data.mkdir(exist_ok=True)
    line = bare("train", "crnn", data, "--no-teacher", *options).failed(9)
    assert said in line
    assert not list(bare.folder.rglob("*.tflite"))


def test_data_that_is_not_there_is_told(bare: Commands) -> None:
    """By its name."""
    line = bare("train", "crnn", bare.folder / "gone", "--no-teacher").failed(9)
    assert "gone is not there" in line


def test_a_teacher_that_is_not_there_is_told(bare: Commands) -> None:
    """By the option that names it."""
    data = recordings(bare.folder / "data", "siren", "room_tone")
    line = bare("train", "crnn", data, "--teacher", bare.folder / "gone.tflite").failed(5)
    assert "gone.tflite: --teacher names no file" in line


@pytest.mark.parametrize("option", ["--cache", "--logs"])
def test_a_folder_that_cannot_be_is_told_before_an_hour_is_spent(
    bare: Commands, option: str
) -> None:
    """A file stands in its way."""
    data = recordings(bare.folder / "data", "siren", "room_tone")
    (bare.folder / "file").touch()
    line = bare("train", "crnn", data, "--no-teacher", option, bare.folder / "file").failed(9)
    assert "no folder can be made there: File exists" in line


def test_rooms_of_one_group_are_too_few(bare: Commands) -> None:
    """What is learnt from, watched and measured on needs others each."""
    data = recordings(bare.folder / "data", "siren", "room_tone")
    for path in (data / "room_tone").iterdir():
        path.rename(path.with_name(f"home__{path.name}"))
    line = bare("train", "crnn", data, "--no-teacher").failed(9)
    assert "backgrounds are of 1 group, at least 3 are needed" in line


def test_a_recording_that_cannot_be_read_is_told_before_anything_is_heard(bare: Commands) -> None:
    """By its name."""
    data = recordings(bare.folder / "data", "siren", "room_tone")
    (data / "siren" / "3__1.wav").write_bytes(b"RIFF of nothing")
    line = bare("train", "crnn", data, "--no-teacher").failed(4)
    assert "3__1.wav" in line


def test_without_keras_it_says_what_to_install(
    bare: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before an hour is spent on hearing."""
    monkeypatch.setitem(sys.modules, "keras", None)
    data = recordings(bare.folder / "data", "siren", "room_tone")
    line = bare("train", "crnn", data, "--no-teacher").failed(9)
    assert 'pip install "sound-event-detector[crnn]"' in line


@pytest.mark.parametrize("count", ["0", "many", "-3", "1.5"])
def test_a_count_that_is_none_is_refused(bare: Commands, count: str) -> None:
    """By the parser."""
    assert bare("train", "crnn", bare.folder, "--epochs", count).code == 2
