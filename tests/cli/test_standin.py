"""Without YAMNet, and without a network: the built-in model stands in, and says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from detector.model.embedded import embedded_model
from detector.service.scene import alarm_scene
from detector.service.standin import STANDS_IN
from tests.cli.tools import Commands, wav

pytestmark = pytest.mark.timeout(60)


def test_the_demo_finds_its_alarm(bare: Commands) -> None:
    """And warns that another model was to be there."""
    outcome = bare.process("demo", "--fast")
    assert outcome.code == 0, outcome.err
    assert "the smoke alarm was found" in outcome.out
    assert STANDS_IN in outcome.err
    assert "smoke_alarm: told by the times of the beeps alone" in outcome.err


def test_the_daemon_runs_on_it(bare: Commands, tmp_path: Path) -> None:
    """From a recording to an event."""
    recording = wav(tmp_path / "alarm.wav", np.asarray(alarm_scene()[: 24 * SAMPLE_RATE_HZ]))
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
