"""The whole road of a pipe: raw samples in, events as JSON lines out."""

import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from detector.service.scene import SCENE_SOUNDS, alarm_scene
from tests.cli.tools import KNOCK, PATIENCE_S, Commands, ended, knocking, s16


def test_samples_in_events_out_and_0_at_the_end(detector: Commands) -> None:
    """Two lines for a knock: its onset and its offset; nothing else on standard output."""
    outcome = detector.process("run", "--stdin", stdin=s16(knocking()))
    assert outcome.code == 0
    onset, offset = (json.loads(line) for line in outcome.out.splitlines())
    assert (onset["event_type"], onset["phase"], onset["node"]) == ("knock", "onset", "here")
    assert (offset["event_type"], offset["phase"]) == ("knock_ended", "offset")
    assert onset["id"] == offset["id"]
    assert abs(offset["duration_s"] - 1.0) <= 0.2


def test_a_sound_that_is_on_at_the_end_is_ended(detector: Commands) -> None:
    """Nobody is left with a lamp that burns for ever."""
    outcome = detector.process("run", "--stdin", stdin=s16(knocking()[:32_000]))
    assert outcome.code == 0
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert [event["event_type"] for event in events] == ["knock", "knock_ended"]
    assert events[-1]["reason"] == "stopped"


def test_rate_and_channels_of_the_pipe_are_settings(detector: Commands) -> None:
    """48 kHz stereo, of which the second channel is heard."""
    config = detector.config(
        KNOCK + "audio: {stdin_rate_hz: 48000, stdin_channels: 2, channel: 2}\n"
    )
    slow = np.repeat(knocking(), 3)
    stereo = np.stack([np.zeros_like(slow), slow], axis=1)
    outcome = detector.process("run", "--stdin", "--config", config, stdin=s16(stereo))
    assert outcome.code == 0
    assert [json.loads(line)["sound"] for line in outcome.out.splitlines()] == ["knock"] * 2


def test_events_come_while_the_pipe_still_runs(detector: Commands) -> None:
    """Not at its end: each line is flushed."""
    process = detector.popen("run", "--stdin", stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(s16(knocking()))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["event_type"] == "knock"
    assert json.loads(process.stdout.readline())["event_type"] == "knock_ended"
    assert process.poll() is None
    assert ended(process, b"").code == 0


def test_a_reader_of_events_that_goes_away_is_told_and_survived(detector: Commands) -> None:
    """A warning, no traceback; it goes on listening until its pipe ends."""
    process = detector.popen("run", "--stdin")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    outcome = ended(process, s16(np.tile(knocking(), 3)))
    assert outcome.code == 0
    assert "Traceback" not in outcome.err
    assert "Exception ignored" not in outcome.err
    warnings = [line for line in outcome.err.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert "events can no longer be written as JSON lines: " in warnings[0]
    assert outcome.err.count("knock_ended") == 3


def test_in_a_pipeline_of_the_shell(detector: Commands, tmp_path: Path) -> None:
    """As the help shows it, up to the first event."""
    raw = tmp_path / "knocking.raw"
    raw.write_bytes(s16(knocking()))
    outcome = detector.shell('cat "$1" | detector run --stdin | head -n 1', raw)
    assert outcome.code == 0
    assert json.loads(outcome.out)["event_type"] == "knock"
    assert "Traceback" not in outcome.err


def test_a_terminal_signal_ends_it_well_while_it_waits(detector: Commands) -> None:
    """A pipe that says nothing is waited for without end, and left at once."""
    process = detector.popen("run", "--stdin")
    assert process.stdin is not None
    process.stdin.write(s16(knocking()))
    process.stdin.flush()
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)
    assert ended(process).code == 0


@pytest.mark.model
def test_the_scene_through_a_pipe(bare: Commands, model_path: Path) -> None:
    """The real model hears the cry, the telephone, the siren and the alarm, begun and ended."""
    config = bare.config(f"node: here\nsounds: [{', '.join(SCENE_SOUNDS)}]\n")
    outcome = bare.process(
        "run", "--stdin", "--config", config, "--model", model_path, stdin=s16(alarm_scene())
    )
    assert outcome.code == 0
    events = [json.loads(line) for line in outcome.out.splitlines()]
    types = [event["event_type"] for event in events]
    assert [one for one in types if "ended" not in one and "possible" not in one] == [*SCENE_SOUNDS]
    assert {f"{sound}_ended" for sound in SCENE_SOUNDS} <= set(types)
