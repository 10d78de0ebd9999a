"""Events and classes of recordings."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from detector.service.scene import ALARM_BEGINS_S, alarm_scene
from tests.cli.terminal import Terminal
from tests.cli.tools import Commands, ended, knocking, wav


def document(line: str) -> dict[str, Any]:
    """The JSON object of one line."""
    parsed = json.loads(line)
    assert isinstance(parsed, dict)
    return parsed


def test_the_table_has_events_and_the_best_classes(detector: Commands, recording: Path) -> None:
    """For a person."""
    outcome = detector("classify", recording)
    assert (outcome.code, outcome.complaints) == (0, [])
    lines = outcome.out.splitlines()
    assert lines[0] == f"{recording}  (0:04.0)"
    assert lines[1].split()[:4] == ["0:01.4", "knock", "0.90", "≥"]
    assert "uncalibrated" in lines[1]
    assert lines[2].split()[:2] == ["0:02.4", "knock_ended"]
    assert lines[3] == "  best classes:"
    assert "knock 0.90, ring 0.90, cry 0.90" in lines[4]


def test_json_is_one_object_a_file(detector: Commands, recording: Path, tmp_path: Path) -> None:
    """For a script: times are the file's own."""
    quiet = wav(tmp_path / "quiet.wav", knocking()[:SAMPLE_RATE_HZ])
    outcome = detector("classify", "--json", recording, quiet)
    assert outcome.code == 0
    first, second = (document(line) for line in outcome.out.splitlines())
    assert (first["file"], first["duration_s"]) == (str(recording), 4.0)
    onset, offset = first["events"]
    assert (onset["event_type"], onset["sound"], onset["phase"]) == ("knock", "knock", "onset")
    assert onset["offset_s"] is None
    assert abs(onset["onset_s"] - 1.0) <= 0.5
    assert (offset["event_type"], offset["phase"]) == ("knock_ended", "offset")
    assert abs(offset["offset_s"] - 2.0) <= 0.5
    assert onset["probability"] == 0.9
    # Neither has what only a running service knows.
    assert not {"id", "onset", "offset", "node"} & {*onset, *offset}
    window = first["windows"][0]
    assert (window["start_s"], window["end_s"]) == (0.0, 0.5)
    assert window["classes"][0] == {"class": "knock", "score": 0.1}
    assert window["level_dbfs"] == -20.0
    assert (second["events"], second["duration_s"]) == ([], 1.0)


def test_a_broken_file_does_not_stop_the_others(
    detector: Commands, recording: Path, tmp_path: Path
) -> None:
    """They are classified, it is named, and the code is that of the failure."""
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    copy = shutil.copy(recording, tmp_path / "copy.wav")
    outcome = detector("classify", recording, broken, copy)
    assert "cannot be decoded" in outcome.failed(4)
    assert outcome.out.count("knock_ended") == 2
    outcome = detector("classify", "--json", broken, recording)
    assert outcome.failed(4).startswith(str(broken))
    assert [document(line)["file"] for line in outcome.out.splitlines()] == [str(recording)]


@pytest.mark.parametrize("samples", [1, 3, 7999, 8000, 8001])
def test_a_file_shorter_than_a_window_is_filled_up_with_silence(
    detector: Commands, tmp_path: Path, samples: int
) -> None:
    """And is heard: the knock is in its first samples."""
    path = wav(tmp_path / "short.wav", knocking()[SAMPLE_RATE_HZ:][:samples])
    outcome = detector("classify", "--json", path)
    assert outcome.code == 0
    heard = document(outcome.out)
    assert len(heard["windows"]) == (1 if samples <= 8000 else 2)
    assert [event["event_type"] for event in heard["events"]] == ["knock", "knock_ended"]


def test_a_name_of_odd_bytes_is_shown_escaped(detector: Commands, tmp_path: Path) -> None:
    """Whatever stands in a folder, its name is no reason for a traceback."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.wav")
    outcome = detector.process("classify", path)
    assert outcome.code == 4
    assert "Traceback" not in outcome.err
    assert "\\udcff" in outcome.err


def test_progress_is_shown_on_a_terminal_only(detector: Commands, recording: Path) -> None:
    """On standard error; what is piped on stays clean."""
    piped = detector.process("classify", recording)
    with Terminal(rows=24, columns=80) as terminal:
        process = detector.popen("classify", recording, stderr=terminal.slave)
        seen = terminal.read_to_end()
        shown = ended(process)
    assert shown.code == piped.code == 0
    assert shown.out == piped.out
    assert recording.name in seen
    assert recording.name not in piped.err


@pytest.mark.model
def test_all_shipped_sounds_are_listened_for_on_demand(
    bare: Commands, model_path: Path, tmp_path: Path
) -> None:
    """Not only the configured ones."""
    config = bare.config("node: here\nsounds: [smoke_alarm]\n")
    scene = wav(tmp_path / "scene.wav", alarm_scene(), subtype="PCM_16")
    options = ("--json", "--config", config, "--model", model_path, scene)
    few, all_of_them = bare("classify", *options), bare("classify", "--all", *options)
    onsets = [
        {event["sound"] for event in document(outcome.out)["events"]}
        for outcome in (few, all_of_them)
    ]
    assert onsets[0] == {"smoke_alarm"}
    assert onsets[1] >= {"smoke_alarm", "siren", "phone_ring"}
    (alarm,) = (e for e in document(few.out)["events"] if e["phase"] == "onset")
    assert abs(alarm["onset_s"] - ALARM_BEGINS_S) <= 1.0
