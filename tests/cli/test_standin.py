"""Without YAMNet, and without a network: the built-in model stands in, and says so."""

import argparse
import json
import re
import socket
from pathlib import Path

import numpy as np
import pytest

from detector.cli.common import reloaded_model
from detector.config.loader import parse_config
from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.errors import ModelError
from detector.model.embedded import embedded_model
from detector.service.scene import alarm_scene
from detector.service.standin import STANDS_IN
from tests.cli.tools import Commands, wav

pytestmark = [pytest.mark.runtime, pytest.mark.timeout(60)]


def test_the_demo_finds_its_cry_and_its_alarm(bare: Commands) -> None:
    """And warns that another model was to be there."""
    outcome = bare.process("demo", "--fast")
    assert outcome.code == 0, outcome.err
    assert "the smoke alarm was found" in outcome.out
    assert "told: baby_cry, " in outcome.out
    assert STANDS_IN in outcome.err
    assert "smoke_alarm: told by the times of the beeps alone" in outcome.err


@pytest.mark.lengthy
def test_the_demo_does_not_wait_for_hosts_that_never_answer(bare: Commands) -> None:
    """Their connection is taken, and then nothing is said: as behind many a firewall."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        bare.environment |= {"http_proxy": proxy, "https_proxy": proxy}
        outcome = bare.process("demo", "--fast", "--verbose")
    assert outcome.code == 0, outcome.err
    assert "it did not begin to arrive within " in outcome.err


def test_the_daemon_runs_on_it(bare: Commands, tmp_path: Path) -> None:
    """From a recording to an event."""
    recording = wav(tmp_path / "alarm.wav", np.asarray(alarm_scene()[: 32 * SAMPLE_RATE_HZ]))
    bare.environment["DETECTOR_CONFIG"] = str(
        bare.config("sounds: [smoke_alarm, siren, cough]\naudio: {realtime: false}\n")
    )
    outcome = bare.process("run", "--file", recording)
    assert outcome.code == 0, outcome.err
    events = [json.loads(line) for line in outcome.out.splitlines() if line.startswith("{")]
    assert "smoke_alarm" in [event["event_type"] for event in events]
    assert "cough: NOT listened for: the model in use does not know them" in outcome.err


def test_the_doctor_warns_and_names_the_remedy(bare: Commands) -> None:
    """It is no failure."""
    outcome = bare.process("doctor")
    assert f"model        warning  built-in, 12 classes, on {'ai-edge-litert'}" in outcome.out or (
        "model        warning  built-in, 12 classes, on tflite-runtime" in outcome.out
    )
    assert "detector model fetch" in outcome.out


def test_a_model_that_is_named_is_not_replaced(bare: Commands) -> None:
    """Whoever names one wants that one."""
    line = bare("run", "--stdin", "--model", bare.folder / "gone.tflite").failed(5)
    assert "cannot read the model that --model names" in line


def test_a_model_that_is_asked_for_by_its_content_is_not_replaced(bare: Commands) -> None:
    """The built-in one has another."""
    bare.environment["DETECTOR_CONFIG"] = str(
        bare.config(f"model: {{sha256: '{'0' * 64}'}}\nsounds: [siren]\n")
    )
    outcome = bare.process("run", "--stdin")
    assert outcome.code == 5
    assert "there is no model on this machine" in outcome.err


def test_it_can_be_named_like_any_other(bare: Commands) -> None:
    """Then it stands in for nothing, and nothing is warned of but what it does not know."""
    outcome = bare.process("demo", "--fast", "--model", str(embedded_model()))
    assert outcome.code == 0, outcome.err
    assert STANDS_IN not in outcome.err


def test_it_is_said_that_another_hop_waits(bare: Commands, tmp_path: Path) -> None:
    """It has the one that it was settled for, whatever the configuration says."""
    config = bare.config("model: {hop_seconds: 0.3}\nsounds: [siren]\n")
    recording = wav(tmp_path / "hush.wav", np.zeros(2 * SAMPLE_RATE_HZ, np.float32))
    outcome = bare("classify", "-c", config, recording)
    assert outcome.code == 0, outcome.err
    assert "its hop is 0.48 s; model.hop_seconds, 0.3, waits for YAMNet" in outcome.err


def test_nothing_is_learnt_that_would_be_lost_with_it(bare: Commands, tmp_path: Path) -> None:
    """What rests on what it remembers fits no other model."""
    takes = [wav(tmp_path / f"{n}.wav", np.zeros(SAMPLE_RATE_HZ, np.float32)) for n in range(3)]
    line = bare("learn", "my_bell", *takes, "--yes").failed(5)
    assert "a sound of your own rests on YAMNet, which is not here: detector model fetch" in line
    folder = tmp_path / "data" / "hungry"
    folder.mkdir(parents=True)
    wav(folder / "a.wav", np.zeros(SAMPLE_RATE_HZ, np.float32))
    line = bare("train", "mfcc", folder.parent, "--compare").failed(5)
    assert "the embedding rests on YAMNet" in line


def test_an_evaluation_leaves_out_what_it_does_not_know(bare: Commands, tmp_path: Path) -> None:
    """And says so; it fell over it once."""
    rng = np.random.default_rng(0)
    for label in ("siren", "room_tone"):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for group in range(2):
            samples = 0.1 * rng.standard_normal(5 * SAMPLE_RATE_HZ)
            wav(folder / f"{group}__1.wav", samples.astype(np.float32))
    amounts = ("--hours", "0.1", "--evenings", "0")
    outcome = bare("evaluate", tmp_path / "data", *amounts)
    assert outcome.code == 0, outcome.err
    assert re.search(r"\bcough\b.*: NOT listened for", outcome.err)
    assert "| siren |" in outcome.out
    assert "| cough |" not in outcome.out
    line = bare("evaluate", tmp_path / "data", "--sounds", "cough", *amounts).failed(9)
    assert "cough is no sound that is listened for" in line


def test_a_check_of_the_configuration_tells_what_it_makes_of_it(bare: Commands) -> None:
    """Before anybody relies on what is not listened for."""
    outcome = bare("config", "check", "-c", bare.config("sounds: [siren, cough]\n"))
    assert outcome.code == 0, outcome.err
    assert "while the built-in model stands in: cough: NOT listened for" in outcome.out


def test_a_model_that_is_lost_is_no_reason_to_hear_less(bare: Commands) -> None:
    """A reload goes on with what was loaded; only where it stands in already, it may again."""
    arguments = argparse.Namespace(model=None)
    config = parse_config("sounds: [siren]\n", "here")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DETECTOR_MODEL", raising=False)
        patch.delenv("CACHE_DIRECTORY", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(bare.folder))
        with pytest.raises(ModelError, match="no model; looked at"):
            reloaded_model(arguments, config, may_stand_in=False)
        model = reloaded_model(arguments, config, may_stand_in=True)
    assert model.facts.stands_in == STANDS_IN
