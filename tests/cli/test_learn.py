"""``detector learn`` and ``detector sounds``: from recordings to a sound that is listened for."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.cli.guided import Guide
from detector.cli.learnt import lines
from detector.config.own import own_sounds
from detector.core.audio import SAMPLE_RATE_HZ, Block, Samples
from detector.core.errors import AudioError, DataError
from detector.service.ownsounds import OwnSounds
from tests.cli.tools import Commands, wav
from tests.learning.tools import SpectralRecogniser, quiet, recorded, tone
from tests.service.soundmaking import classroom, kept, own_sound


@pytest.fixture
def yamnet(bare: Commands, model_path: Path) -> Commands:
    """Commands that find the real model."""
    bare.environment["DETECTOR_MODEL"] = str(model_path)
    return bare


def two_tones(seed: int) -> Samples:
    """Ding dong, never twice quite the same, in a quiet room."""
    rng = np.random.default_rng(seed)
    ding, dong = (tone(hz * rng.uniform(0.995, 1.005), 0.5) for hz in (2093.0, 1661.0))
    made = np.concatenate([ding, dong]) * np.float32(rng.uniform(0.3, 1.0))
    return recorded(made + quiet(1.0, rng, 2e-3), seed)


def rings(folder: Path, count: int, first: int = 0) -> list[Path]:
    """So many takes of it."""
    numbers = range(first, first + count)
    return [wav(folder / f"ring{number}.wav", two_tones(number)) for number in numbers]


def state(commands: Commands) -> Path:
    """Where sounds of one's own are kept."""
    return Path(commands.environment["HOME"]) / ".local/state/detector/sounds"


@pytest.mark.model
def test_from_recordings_to_an_event(yamnet: Commands) -> None:
    """What is to be expected is told first; another ring is then an event."""
    learnt = yamnet("learn", "my_bell", *rings(yamnet.folder, 4), "--yes")
    assert (learnt.code, learnt.complaints) == (0, [])
    lines = learnt.out.splitlines()
    assert lines[0] == "my_bell, from 4 takes:"
    assert "takes found by what was learnt from the others: " in lines[1]
    assert "false alarms: " in learnt.out
    assert "the detector takes it in at its next start" in lines[-1]
    heard = yamnet("classify", wav(yamnet.folder / "new.wav", two_tones(99)))
    assert "my_bell " in heard.out
    listed = yamnet("sounds", "list")
    assert listed.out.startswith("my_bell: 4 takes, ")


@pytest.mark.model
def test_without_consent_nothing_is_written(yamnet: Commands) -> None:
    """Nobody is there to be asked; and a no is a no."""
    line = yamnet("learn", "my_bell", *rings(yamnet.folder, 3)).failed(9)
    assert line.startswith("nobody is there to be asked: say --yes")
    assert not state(yamnet).exists()


@pytest.mark.model
@pytest.mark.lengthy
def test_takes_add_up_and_one_can_be_carried_to_another_machine(yamnet: Commands) -> None:
    """Learnt in two goes; renamed, exported, forgotten, and taken in again."""
    folder = yamnet.folder
    assert yamnet("learn", "my_bell", *rings(folder, 3), "--yes").code == 0
    again = yamnet("learn", "my_bell", folder / "ring0.wav", "--yes").failed(9)
    assert "my_bell was learnt from it already (--anew forgets that)" in again
    more = yamnet("learn", "my_bell", *rings(folder, 2, 3), "--yes")
    assert more.out.startswith("my_bell, from 5 takes:")
    other = yamnet("learn", "my_gong", *rings(folder, 3), "--yes").failed(9)
    assert "my_bell was learnt from the same recording" in other

    assert yamnet("sounds", "rename", "my_bell", "front_door").code == 0
    out = folder / "mine.json"
    assert yamnet("sounds", "export", "--out", out).out == f"{out}: front_door\n"
    taken = yamnet("sounds", "import", out).failed(9)
    assert taken == "front_door: there is one of that name already; forget it first"
    assert yamnet("sounds", "forget", "front_door").code == 0
    assert list(own_sounds(state(yamnet))) == []
    assert yamnet("sounds", "import", out).code == 0
    assert list(own_sounds(state(yamnet))) == ["front_door"]


@pytest.mark.model
@pytest.mark.lengthy
def test_recordings_that_cannot_be_learnt_from_are_refused_in_one_line(yamnet: Commands) -> None:
    """Nothing is written."""
    folder = yamnet.folder
    good = rings(folder, 3)
    empty = folder / "empty.wav"
    empty.write_bytes(b"")
    bad = {
        wav(folder / "silent.wav", np.zeros(32_000, np.float32)): (9, "is silent"),
        wav(folder / "short.wav", tone(1000.0, 0.05)): (9, "is too short"),
        wav(folder / "loud.wav", np.clip(9 * two_tones(7), -1, 1)): (9, "is clipped"),
        wav(folder / "copy.wav", np.float32(0.5) * two_tones(0)): (9, "is a copy of"),
        empty: (4, "is empty: 0 bytes"),
        folder / "absent.wav": (4, "cannot be opened"),
    }
    for path, (code, reason) in bad.items():
        assert reason in yamnet("learn", "my_bell", *good, path, "--yes").failed(code)
    assert "2 takes are too few" in yamnet("learn", "my_bell", *good[:2], "--yes").failed(9)
    assert not state(yamnet).exists()


@pytest.mark.model
@pytest.mark.lengthy
def test_an_evening_is_heard_and_counted(yamnet: Commands) -> None:
    """Learnt from in turns: what is told of it is told by what has not heard that part."""
    folder, rng = yamnet.folder, np.random.default_rng(3)
    wav(folder / "evening.wav", np.asarray(0.02 * rng.standard_normal(70 * 16_000), np.float32))
    evening = ("--evening", folder / "evening.wav")
    learnt = yamnet("learn", "my_bell", *rings(folder, 3), *evening, "--yes")
    assert learnt.code == 0, learnt
    assert "  in your own evenings: 0 in 1 min" in learnt.out


@pytest.mark.model
def test_what_is_no_evening_is_refused_before_it_is_learnt_from(yamnet: Commands) -> None:
    """Too short to say anything of, or a microphone that was off."""
    folder = yamnet.folder
    learning: tuple[str | Path, ...] = ("learn", "my_bell", *rings(folder, 3), "--yes", "--evening")
    short = wav(folder / "short.wav", two_tones(5))
    line = yamnet(*learning, short).failed(9)
    assert "short.wav: 3.0 s of an evening are too little: a minute at least is needed" in line
    off = wav(folder / "off.wav", np.zeros(70 * 16_000, np.float32))
    assert "off.wav holds digital silence: the microphone was off" in yamnet(*learning, off).failed(
        9
    )
    assert not state(yamnet).exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("My bell", "is not a name for a sound"),
        ("doorbell", "doorbell is a shipped sound: choose another name, such as my_doorbell"),
        ("bell_ended", "is the name of another kind of event"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_heard(
    bare: Commands, name: str, reason: str
) -> None:
    """Without a model even."""
    assert reason in bare("learn", name, "a.wav", "--yes").failed(9)


def test_a_model_without_an_embedding_cannot_be_learnt_on(detector: Commands) -> None:
    """It is named."""
    files = rings(detector.folder, 3)
    line = detector("learn", "my_bell", *files, "--yes").failed(5)
    assert line == "the model tiny gives no embedding: nothing can be learnt"


def test_where_nothing_was_learnt_the_way_to_it_is_told(detector: Commands) -> None:
    """And an export of nothing is refused."""
    assert "detector learn NAME" in detector("sounds", "list").out
    out = detector.folder / "a.json"
    assert "nothing to export" in detector("sounds", "export", "--out", out).failed(9)
    assert not out.exists()
    assert "there is no such sound" in detector("sounds", "forget", "x").failed(9)


def played(*takes: Samples) -> Iterator[Block]:
    """A microphone that hears takes, each after a second of quiet."""
    at, rng = 0, np.random.default_rng(0)
    for piece in takes:
        for part in (quiet(1.1, rng), piece, quiet(1.2, rng)):
            for start in range(0, len(part), 1600):
                block = part[start : start + 1600]
                yield Block(at, block, at / SAMPLE_RATE_HZ)
                at += len(block)


def ring(seed: int) -> Samples:
    """Through no room, so that it begins and ends where it says."""
    rng = np.random.default_rng(seed)
    return tone(2000.0, 0.6) + quiet(0.6, rng, 0.02)


def test_takes_are_asked_for_until_there_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    """A clipped one is asked for again, and a copy too."""
    loud = np.clip(20 * ring(1), -1, 1).astype(np.float32)
    heard = played(ring(1), loud, ring(2), ring(2), ring(3))
    takes = Guide(SpectralRecogniser(), 3).takes(heard)
    assert len(takes) == 3
    told = capsys.readouterr().out
    assert told.count("good") == 3
    assert "is clipped" in told
    assert "that is a copy of a take before" in told
    assert "█" in told


def test_a_sound_that_goes_on_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """It was cut after six seconds: the rest of it is no take, and nobody is asked for one."""
    whistle = tone(2000.0, 9.0) + quiet(9.0, np.random.default_rng(9), 0.02)
    takes = Guide(SpectralRecogniser(), 3).takes(played(whistle, ring(2), ring(3)))
    assert [round(take.seconds, 1) for take in takes][1:] == [0.6, 0.6]
    told = capsys.readouterr().out
    assert told.index("take 1 of 3") < told.index("it is not quiet yet") < told.index("take 2 of 3")


def test_a_microphone_that_is_not_there_is_told_and_not_waited_for_for_ever(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the source says of itself, once; at last it ends."""
    clock = itertools.count()
    silence = itertools.repeat("no microphone is connected", 100)
    guide = Guide(SpectralRecogniser(), 3, monotonic=lambda: float(next(clock)))
    with pytest.raises(AudioError, match="nothing was heard for 15 s: no microphone is connected"):
        guide.takes(iter(silence))
    assert capsys.readouterr().out.count("no microphone is connected") == 1


def test_where_no_take_is_good_it_ends() -> None:
    """With the last reason."""
    loud = np.clip(20 * ring(1), -1, 1).astype(np.float32)
    with pytest.raises(DataError, match=r"no take was good 5 times in a row; .* is clipped"):
        Guide(SpectralRecogniser(), 3).takes(played(*[loud] * 6))


@pytest.mark.model
@pytest.mark.lengthy
def test_a_copy_of_a_kept_take_is_refused_at_any_level(yamnet: Commands) -> None:
    """As it is among new ones."""
    assert yamnet("learn", "my_bell", *rings(yamnet.folder, 3), "--yes").code == 0
    fainter = wav(yamnet.folder / "fainter.wav", np.float32(0.5) * two_tones(0))
    line = yamnet("learn", "my_bell", fainter, "--yes").failed(9)
    assert line.endswith("fainter.wav: my_bell was learnt from it already (--anew forgets that)")


def test_one_damaged_sound_blocks_neither_list_nor_export(bare: Commands) -> None:
    """It is listed as damaged, and can be forgotten."""
    OwnSounds(state(bare)).write([own_sound("my_bell"), own_sound("my_gong", 9)])
    (state(bare) / "my_gong.json").write_text("junk")
    listed = bare("sounds", "list")
    bell, gong = listed.out.splitlines()
    assert (listed.code, bell[:17]) == (0, "my_bell: 4 takes,")
    assert gong.startswith("my_gong: damaged, learn it anew or forget it: ")
    out = bare.folder / "mine.json"
    assert bare("sounds", "export", "--out", out).out == f"{out}: my_bell\n"
    assert "is not JSON" in bare("sounds", "export", "my_gong", "--out", out).failed(3)
    assert bare("sounds", "forget", "my_gong").code == 0
    assert OwnSounds(state(bare)).names() == ["my_bell"]


def test_a_sound_with_too_few_takes_is_listed_and_can_be_forgotten(bare: Commands) -> None:
    """It was begun by an event; damaged or not."""
    begun = OwnSounds(state(bare))
    begun.keep_takes("my_gong", own_sound("my_gong", 9).takes[:1])
    assert bare("sounds", "list").out == "my_gong: 1 of 3 takes, not listened for yet\n"
    begun.write([own_sound("my_bell")])
    assert [line[:12] for line in bare("sounds", "list").out.splitlines()] == [
        "my_bell: 4 t",
        "my_gong: 1 o",
    ]
    (state(bare) / "my_gong.takes.json").write_text("junk")
    damaged = bare("sounds", "list").out.splitlines()[-1]
    assert damaged.startswith("my_gong: its takes are damaged, begin again or forget it: ")
    assert bare("sounds", "forget", "my_gong").code == 0
    assert begun.begun() == []


def test_a_sound_that_the_configuration_names_is_not_taken_from_under_it(bare: Commands) -> None:
    """The configuration would name a sound that is none: where it does is told."""
    OwnSounds(state(bare)).write([own_sound("my_bell")])
    path = bare.folder / "mine.yaml"
    path.write_text("sounds:\n  baby_cry:\n  my_bell: {threshold: 0.7}\n")
    forgotten = bare("sounds", "forget", "my_bell", "--config", path).failed(9)
    assert forgotten.startswith(f"{path}:3: sounds.my_bell stands in the configuration: remove it")
    renamed = bare("sounds", "rename", "my_bell", "my_gong", "--config", path).failed(9)
    assert f"{path}:3: sounds.my_bell stands in the configuration" in renamed
    assert OwnSounds(state(bare)).names() == ["my_bell"]
    path.write_text("sounds: [baby_cry]\n")
    assert bare("sounds", "rename", "my_bell", "my_gong", "--config", path).code == 0


def test_a_name_that_leads_elsewhere_is_refused(bare: Commands) -> None:
    """Nothing is removed."""
    OwnSounds(state(bare)).write([own_sound("my_bell")])
    precious = state(bare).parent / "precious.json"
    precious.write_text("{}")
    line = bare("sounds", "forget", "../precious").failed(9)
    assert line == "'../precious' is not the name of a sound"
    assert precious.exists()


def test_a_few_events_do_not_take_the_place_of_what_was_learnt(bare: Commands) -> None:
    """Before anything is heard: the takes are kept."""
    OwnSounds(state(bare)).write([own_sound("my_bell")])
    line = bare("learn", "my_bell", "--anew", "--from-event", "abc", "--yes").failed(9)
    assert line.startswith("my_bell is learnt, and 3 takes are needed to learn it anew")
    assert len(OwnSounds(state(bare)).takes("my_bell")) == 4


def test_a_tflite_file_needs_an_extra_which_is_named(bare: Commands) -> None:
    """In one line; nothing is written."""
    OwnSounds(state(bare)).write([own_sound("my_bell"), own_sound("my_gong", 9)])
    absent = bare.folder / "absent"
    absent.mkdir()
    (absent / "tensorflow.py").write_text('raise ImportError("", name="tensorflow")')
    paths = [str(absent), *filter(None, [bare.environment.get("PYTHONPATH")])]
    bare.environment["PYTHONPATH"] = os.pathsep.join(paths)
    out = bare.folder / "mine.tflite"
    line = bare("sounds", "export", "--tflite", "--out", out).failed(9)
    assert line.startswith("a TFLite file of sounds is made by TensorFlow (tensorflow is missing)")
    assert 'pip install "sound-event-detector[crnn]"' in line
    assert not out.exists()


def test_sounds_of_two_models_cannot_be_one_classifier(bare: Commands) -> None:
    """Which one it is, and why."""
    gong = own_sound("my_gong", 9)
    other = replace(gong, head=replace(gong.head, recogniser="ab" * 32))
    OwnSounds(state(bare)).write([own_sound("my_bell"), other])
    out = bare.folder / "mine.tflite"
    line = bare("sounds", "export", "--tflite", "--out", out).failed(9)
    assert line.startswith(
        "my_gong and my_bell cannot be one classifier: of my_gong, it was fitted"
    )
    assert not out.exists()


def test_of_events_nothing_is_claimed_of_other_rooms() -> None:
    """No audio was there to try them with; and a take unlike the others is named."""
    takes = [
        replace(one, heard=replace(one.heard, versions=np.zeros_like(one.heard.versions)))
        for one in [*kept(5), *kept(9, 1, 20)]
    ]
    told = list(lines(classroom().teach("my_bell", takes, [])))
    assert "  in other rooms and noises: unknown, for events hold no audio to try them with" in told
    assert (
        "  unlike the others, and not found by them: 20.wav (another sound? leave it out)" in told
    )


def test_what_the_configuration_tells_otherwise_is_not_learnt(bare: Commands) -> None:
    """It would never be heard by: before anything is heard, where it stands is told."""
    path = bare.folder / "mine.yaml"
    path.write_text("sounds:\n  siren:\n  my_bell: {evidence: [{classes: [Bell]}]}\n")
    line = bare("learn", "my_bell", "a.wav", "--yes", "--config", path).failed(9)
    assert line.startswith(f"{path}")
    assert "sounds.my_bell has `evidence` of its own there, which goes over what is learnt" in line


@pytest.mark.model
@pytest.mark.lengthy
def test_a_sound_that_is_switched_off_is_learnt_and_that_is_told(yamnet: Commands) -> None:
    """Its settings in the configuration are no hindrance."""
    path = yamnet.folder / "mine.yaml"
    path.write_text("sounds:\n  siren:\n  my_bell: {enabled: false}\n")
    learnt = yamnet("learn", "my_bell", *rings(yamnet.folder, 3), "--yes", "--config", path)
    assert learnt.code == 0, learnt
    assert "it is not listened for: sounds.my_bell.enabled is false" in learnt.out
    again = wav(yamnet.folder / "again.wav", two_tones(7))
    assert yamnet("learn", "my_bell", again, "--yes", "--config", path).code == 0
