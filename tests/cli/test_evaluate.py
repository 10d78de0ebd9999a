"""``detector evaluate``: one table from a folder of recordings, and refusals that help."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.tools import Commands, knocking, wav


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Knocks as the tiny model hears them, and a quiet room."""
    folder = tmp_path / "data"
    for door in range(3):
        (folder / "knock").mkdir(parents=True, exist_ok=True)
        wav(folder / f"knock/door{door}.wav", knocking())
    (folder / "room_tone").mkdir()
    quiet = knocking() * 0.0
    quiet[::97] = 0.001
    wav(folder / "room_tone/room.wav", quiet)
    return folder


QUICK = ("--configured", "--hours", "0.1", "--evenings", "0.1", "--snr", "30")


def test_a_folder_becomes_tables(detector: Commands, recordings: Path) -> None:
    """With what the figures rest on; another model than YAMNet has nobody to compare with."""
    outcome = detector("evaluate", recordings, *QUICK)
    assert outcome.code == 0, outcome
    assert "### Sound by sound" in outcome.out
    assert "| knock | 3* |" in outcome.out
    assert "No false alarm in" in outcome.out
    assert "Frigate" not in outcome.out
    assert "nothing to compare with" in outcome.err


def test_the_figures_are_given_to_programs_too(detector: Commands, recordings: Path) -> None:
    """Every clip of a knock is found, and the quiet room is quiet."""
    outcome = detector("evaluate", recordings, *QUICK, "--json")
    told = json.loads(outcome.out)
    (clips,) = (
        count
        for count in told["counts"]
        if (count["part"], count["sound"], count["snr_db"]) == ("clips", "knock", None)
    )
    assert (clips["events"], clips["hits"], clips["false_alarms"]) == (3.0, 3.0, 0.0)
    assert told["groups"] == {"knock": 3}


def test_the_same_seed_gives_the_same_figures(detector: Commands, recordings: Path) -> None:
    """Also from the cache, which holds nothing but arrays."""
    cache = recordings.parent / "cache"
    typed = ("evaluate", recordings, *QUICK, "--json", "--cache", cache)
    first, again = detector(*typed), detector(*typed)
    assert first.out == again.out
    assert {path.suffix for path in cache.iterdir()} == {".npz"}


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        (("--sounds", "sneeze"), "sneeze is no sound that is listened for: knock"),
        (("--heads", "nowhere"), "nowhere holds no folders of heads, such as nowhere/fold-0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    detector: Commands, recordings: Path, typed: tuple[str, str], complaint: str
) -> None:
    """In one line, before anything is heard."""
    assert detector("evaluate", recordings, *QUICK, *typed).failed(9) == complaint


def test_recordings_that_cannot_be_used_are_refused(detector: Commands, recordings: Path) -> None:
    """With what would be right."""
    shutil.rmtree(recordings / "room_tone")
    line = detector("evaluate", recordings, *QUICK).failed(9)
    assert line.startswith("no background to mix sounds into: add recordings")
    shutil.move(recordings / "knock", recordings / "kncok")
    line = detector("evaluate", recordings, *QUICK).failed(9)
    assert line.startswith("none of the recordings is labelled with a sound that is listened for")
    assert line.endswith("their labels are kncok")
    damaged = recordings / "kncok/door0.wav"
    damaged.write_bytes(b"RIFF")
    shutil.move(recordings / "kncok", recordings / "knock")
    clips_only = ("--configured", "--hours", "0", "--evenings", "0")
    assert "door0.wav" in detector("evaluate", recordings, *clips_only).failed(4)


@pytest.mark.parametrize("typed", [("--snr", "loud"), ("--hours", "-1"), ("--json", "--markdown")])
def test_wrong_amounts_are_wrong_use(
    detector: Commands, recordings: Path, typed: tuple[str, ...]
) -> None:
    """Code 2, as of any command line."""
    assert detector("evaluate", recordings, *typed).code == 2
