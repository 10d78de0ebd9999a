"""Looking on while it hears: on a terminal, in a pipe, by itself and beside the service."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.cli.tools import KNOCK, Commands, daemon, ended, knocking, s16, wav

TWO = f"{KNOCK}  ring: {{evidence: [{{classes: [ring]}}], threshold: 0.95, release_threshold: 0}}\n"


def test_lines_for_a_pipe_say_why_a_sound_does_or_does_not_fire(detector: Commands) -> None:
    """A line a window, one for each event."""
    outcome = detector.process("listen", "--stdin", stdin=s16(knocking(2.5)))
    assert outcome.code == 0
    title, *lines = outcome.out.splitlines()
    assert title == "here, own ears"
    assert " ".join(lines[0].split()) == (
        "0.50 s -20.0 dBFS knock 0.10, ring 0.10, cry 0.10 | knock: 0.10 < 0.50"
    )
    events = [line for line in lines if line.startswith("***")]
    assert len(events) == 1
    assert events[0].startswith("*** knock (here-")


def test_beside_why_stands_what_came_next(detector: Commands, tmp_path: Path) -> None:
    """Which other sound was the most probable."""
    config = detector.config(TWO)
    outcome = detector("listen", "--config", config, "--file", wav(tmp_path / "a.wav", knocking(2)))
    assert outcome.code == 0
    assert "| knock: 0.10 < 0.50; next best: ring 0.10 | ring: 0.10 < 0.95" in outcome.out
    assert outcome.out.count("ring: 0.90 < 0.95; next best: knock 0.90\n") >= 1


@pytest.mark.parametrize("columns", [50, 100, 200])
def test_what_came_next_moves_nothing_on_a_terminal(detector: Commands, columns: int) -> None:
    """It stands where there is room, and is cut off where there is none."""
    config = detector.config(TWO)
    with Terminal(rows=24, columns=columns) as terminal:
        environment = {"TERM": "xterm", "COLUMNS": "", "LINES": ""}
        process = detector.popen(
            "listen", "--stdin", "--config", config, stdout=terminal.slave, environment=environment
        )
        assert process.stdin is not None
        process.stdin.write(s16(knocking()))
        process.stdin.flush()
        terminal.read_until(lambda seen: "knock_ended" in seen)
        process.stdin.close()
        process.stdin = None
        screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.read_to_end())
        assert ended(process).code == 0
    rows = re.findall(r"^(?:knock|ring).*(?=\r)", screen, re.MULTILINE)
    whys = {re.search(r"[█·┃|]{20}  (?=\S)", row) for row in rows if "█" in row or "·" in row}
    assert {why and why.end() for why in whys} == {len("sound  probability  ") + 22}
    assert ("next best: ring 0." in screen) is (columns > 50)


def test_json_lines_are_those_of_the_control_socket(detector: Commands, tmp_path: Path) -> None:
    """Windows and events, each an object with its kind."""
    outcome = detector("listen", "--json", "--file", wav(tmp_path / "a.wav", knocking(2.0)))
    assert outcome.code == 0
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    windows = [line["snapshot"] for line in lines if "snapshot" in line]
    assert [window["end_s"] for window in windows] == [0.5, 0.98, 1.46, 1.94]
    assert windows[0]["sounds"] == [
        {
            "sound": "knock",
            "probability": 0.1,
            "threshold": 0.5,
            "state": "idle",
            "why": "0.10 < 0.50",
        }
    ]
    (event,) = (line["event"] for line in lines if "event" in line)
    assert (event["event_type"], event["node"]) == ("knock", "here")


def test_it_stops_by_itself_after_a_time(detector: Commands, tmp_path: Path) -> None:
    """Long before the end of the recording; that is a success."""
    config = detector.config(Path(detector.environment["DETECTOR_CONFIG"]).read_text())
    path = wav(tmp_path / "long.wav", knocking(300), subtype="PCM_U8")
    outcome = detector("listen", "--config", config, "--seconds", "0.7", "--file", path)
    assert outcome.code == 0
    assert 0 < outcome.out.count("dBFS") < 20


def test_standard_input_is_heard(detector: Commands) -> None:
    """As by the daemon."""
    outcome = detector.process("listen", "--stdin", stdin=s16(knocking()))
    assert outcome.code == 0
    assert "*** knock_ended (here-" in outcome.out


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200), (5, 20), (1, 1), (0, 0)])
def test_a_terminal_of_any_size_shows_what_is_heard(
    detector: Commands, rows: int, columns: int
) -> None:
    """Level, classes, sounds and events where they have room; it never crashes."""
    with Terminal(rows=rows, columns=columns) as terminal:
        environment = {"TERM": "xterm", "COLUMNS": "", "LINES": ""}
        process = detector.popen(
            "listen", "--stdin", stdout=terminal.slave, environment=environment
        )
        assert process.stdin is not None
        process.stdin.write(s16(knocking()))
        process.stdin.flush()
        roomy = columns >= 80
        terminal.read_until(
            lambda seen: "knock_ended" in seen if roomy else seen.count("\x1b[H") >= 4
        )
        process.stdin.close()
        process.stdin = None
        screen = terminal.read_to_end()
        outcome = ended(process)
    assert outcome.code == 0
    assert "Traceback" not in outcome.err + screen
    if roomy:
        for word in ("here, own ears", "level", "█", "dBFS", "hears", "knock 0.10", "probability"):
            assert word in screen
        assert "0.10 < 0.50" in screen


def test_beside_the_service_it_shows_what_the_service_hears(detector: Commands) -> None:
    """Windows and events come through the control socket."""
    with daemon(detector) as one:
        one.wait()
        looking = detector.popen("listen", "--json")
        assert looking.stdout is not None
        assert b"status" in looking.stdout.readline()  # it is there, and nothing is heard yet
        one.hear()
        kinds: set[str] = set()
        while not {"snapshot", "event"} <= kinds:
            line = json.loads(looking.stdout.readline())
            kinds |= set(line)
        looking.send_signal(signal.SIGINT)
        assert ended(looking).code == 130
        assert one.end().code == 0


def test_a_service_that_hears_nothing_is_looked_at_for_as_long_as_asked(
    detector: Commands,
) -> None:
    """No window ever comes; its state is shown instead."""
    with daemon(detector) as one:
        one.wait()
        outcome = detector.process("listen", "--seconds", "1.5")
        assert outcome.code == 0
        title, *lines = outcome.out.splitlines()
        assert title == "here (the running service)"
        assert lines
        assert all(line.startswith("microphone ") for line in lines)
        assert one.end().code == 0


def test_a_service_that_stops_ends_the_looking_on(detector: Commands) -> None:
    """With a word and an exit code: whoever looks on must not take silence for peace."""
    with daemon(detector) as one:
        one.wait()
        looking = detector.popen("listen")
        assert looking.stdout is not None
        assert looking.stdout.readline().startswith(b"here (the running service)")
        looking.stdout.readline()
        assert one.end().code == 0
        outcome = ended(looking)
    assert outcome.code == 7
    assert "the service has ended" in outcome.err or "the daemon broke off" in outcome.err
    assert "Traceback" not in outcome.err
