"""``detector train``: from a folder of recordings to a second stage."""

import json
from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from tests.cli.tools import KNOCK, Commands, knocking, wav

pytest.importorskip("sklearn", reason="the extra `workbench` is not installed")

DAYS = 9
QUICK = ("--shuffles", "20", "--folds", "3")


def chirp(hertz: float, seed: int) -> Samples:
    """A second of a tone in a little noise, shape (n,)."""
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(seed).normal(0.0, 0.01, SAMPLE_RATE_HZ)
    return np.asarray(0.2 * np.sin(2 * np.pi * (hertz + 20 * seed) * time_s) + noise, np.float32)


@pytest.fixture
def chirps(detector: Commands) -> Path:
    """High and low ones, of four days."""
    folder = detector.folder / "chirps"
    for label, hertz in (("high", 3000.0), ("low", 300.0)):
        (folder / label).mkdir(parents=True)
        for day in range(DAYS):
            wav(folder / label / f"day{day}__{label}.wav", chirp(hertz, day))
    return folder


def test_it_learns_tells_and_writes(detector: Commands, chirps: Path) -> None:
    """A file for the configuration, a page of figures, and what it is worth."""
    out, report = detector.folder / "chirps.json", detector.folder / "chirps.md"
    options = ("--name", "chirps", "--out", str(out), "--report", str(report), *QUICK)
    done = detector("train", "mfcc", str(chirps), *options)
    assert done.code == 0, done
    assert "clips: high 9 of 9 groups, low 9 of 9 groups" in done.out
    assert "MFCC, logistic regression: better than chance: balanced accuracy 1.00" in done.out
    assert 'always "high": balanced accuracy 0.50, accuracy 0.50' in done.out
    document = json.loads(out.read_text())
    assert (document["name"], document["labels"]) == ("chirps", ["high", "low"])
    assert document["better_than_chance"] is True
    assert str(detector.folder) not in out.read_text() + report.read_text()
    assert "18 clips of 9 groups" in report.read_text()


def test_what_knows_nothing_says_so(detector: Commands, chirps: Path) -> None:
    """On standard error, and in its file."""
    for seed, path in enumerate(sorted(chirps.rglob("*.wav"))):
        wav(path, np.random.default_rng(seed).normal(0.0, 0.02, SAMPLE_RATE_HZ).astype(np.float32))
    out = detector.folder / "nothing.json"
    done = detector("train", "mfcc", str(chirps), "--out", str(out), *QUICK)
    assert done.code == 0, done
    assert 'not better than always answering "' in done.out
    assert any("do not use it" in line for line in done.complaints)
    assert json.loads(out.read_text())["better_than_chance"] is False


def test_what_cannot_be_learnt_from_leaves_nothing_behind(detector: Commands, chirps: Path) -> None:
    """One clear line, exit code 9, no file."""
    wav(chirps / "low" / "day99__low.wav", np.zeros(SAMPLE_RATE_HZ, np.float32))
    out = detector.folder / "chirps.json"
    done = detector("train", "mfcc", str(chirps), "--out", str(out))
    assert "day99__low.wav: holds digital silence" in done.failed(9)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--name", "A B"), "is not a name"),
        (("--coefficients", "41"), "'41' is not a whole number from 2 to 40"),
        (("--folds", "1"), "'1' is not a whole number from 2 to 20"),
    ],
)
def test_wrong_options_are_refused(
    detector: Commands, chirps: Path, options: tuple[str, str], expected: str
) -> None:
    """Before anything is heard."""
    done = detector("train", "mfcc", str(chirps), *options)
    assert done.code == 2
    assert expected in done.err


def test_a_place_that_is_no_file_is_refused_at_once(detector: Commands, chirps: Path) -> None:
    """Not after an hour."""
    done = detector("train", "mfcc", str(chirps), "--out", str(detector.folder))
    assert "cannot be written: it is a folder" in done.failed(9)


def test_an_embedding_needs_a_model_that_gives_one(detector: Commands, chirps: Path) -> None:
    """The tiny one does not."""
    done = detector("train", "mfcc", str(chirps), "--features", "embedding")
    assert "the model gives no embedding: train on --features mfcc alone" in done.failed(9)


def test_a_sound_has_it_as_its_second_stage(detector: Commands, chirps: Path) -> None:
    """`classify` shows the answer; `config check` finds a file that is none."""
    out = detector.folder / "chirps.json"
    assert detector("train", "mfcc", str(chirps), "--out", str(out), *QUICK).code == 0
    detector.config(KNOCK + f"    second_stage: {{classifier: {out}, seconds: 0.6}}\n")
    recording = wav(detector.folder / "knocking.wav", knocking())
    done = detector("classify", "--json", str(recording))
    assert done.code == 0, done
    events = json.loads(done.out)["events"]
    assert [event["phase"] for event in events] == ["onset", "update", "offset"]
    assert {one["label"] for one in events[1]["second_stage"]["labels"]} == {"high", "low"}
    assert events[2]["second_stage"] == events[1]["second_stage"]
    plain = detector("classify", str(recording)).out
    assert "knock_updated" in plain
    assert "(clips, 0.6 s)" in plain
    out.write_text("{}")
    assert "is not a file of this kind" in detector("config", "check").failed(3)
    out.unlink()
    assert "second_stage.classifier" in detector("config", "check").failed(3)
