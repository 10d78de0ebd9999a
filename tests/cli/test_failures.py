"""How commands end that do not succeed: codes, one clear line, and tracebacks only for defects."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.tools import PATIENCE_S, Commands, ended, knocking, s16, text


def test_an_expected_failure_is_one_line_and_its_code(detector: Commands) -> None:
    """In a process of its own, as a script sees it."""
    line = detector.process("classify", "absent.wav").failed(4)
    assert line == "absent.wav cannot be opened: No such file or directory"


def test_what_nobody_expected_shows_its_traceback(detector: Commands, tmp_path: Path) -> None:
    """A defect must be found: here, one in a package that we use."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "yaml.py").write_text("raise ZeroDivisionError('a defect')\n")
    path = f"{tmp_path / 'broken'}{os.pathsep}{detector.environment['PYTHONPATH']}"
    outcome = detector.process("config", "check", environment={"PYTHONPATH": path})
    assert outcome.code == 1
    assert outcome.err.startswith("Traceback")
    assert "ZeroDivisionError: a defect" in outcome.err
    assert outcome.complaints == []


def test_an_interrupted_command_ends_with_130(detector: Commands) -> None:
    """Ctrl-C while it listens; no traceback."""
    process = detector.popen("listen", "--stdin")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(bytes(32_000))
    process.stdin.flush()
    assert process.stdout.readline() == b"here, own ears\n"
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    outcome = ended(process, b"")
    assert outcome.code == 130
    assert "Traceback" not in outcome.err


@contextmanager
def half_read(
    process: "subprocess.Popen[bytes]",
) -> Iterator[bytes]:
    """The first line of what a process writes; then nobody reads any more."""
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.stdout.close()
        process.stdout = None


@pytest.mark.parametrize(
    "arguments",
    [("config", "schema"), ("classify", "--json"), ("listen", "--json", "--file")],
    ids=" ".join,
)
def test_a_reader_that_goes_away_is_no_failure(
    detector: Commands, recording: Path, arguments: tuple[str, ...]
) -> None:
    """As with `| head -1`: no traceback, code 0."""
    file = () if arguments[0] == "config" else (recording,)
    many = 400 if arguments[0] == "classify" else 1  # more than a pipe holds
    process = detector.popen(*arguments, *(file * many), stdin=subprocess.DEVNULL)
    with half_read(process) as line:
        assert line
    outcome = ended(process)
    assert outcome.code == 0
    assert "Traceback" not in outcome.err
    assert "Exception ignored" not in outcome.err
    assert outcome.complaints == []


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_no_harm(
    detector: Commands, recording: Path, closed: str
) -> None:
    """As under a launcher that closes them all."""
    outcome = detector.shell(f'detector classify "$1" {closed}', recording)
    assert outcome.code == 0
    assert "Traceback" not in outcome.err


def test_a_closed_standard_input_is_told(detector: Commands) -> None:
    """By the daemon and by whoever looks on: it is as good as empty."""
    for command in ("run", "listen"):
        line = detector.shell(f"detector {command} --stdin <&-").failed(4)
        assert line.startswith("standard input ended before any audio arrived")


def test_an_encoding_that_lacks_our_signs_is_no_failure(
    detector: Commands, recording: Path
) -> None:
    """They are escaped."""
    outcome = detector.process("classify", recording, environment={"PYTHONIOENCODING": "latin-1"})
    assert outcome.code == 0
    assert "0.90 \\u2265 0.50" in outcome.out


def test_the_log_of_a_person_has_the_time_and_that_of_the_journal_the_priority(
    detector: Commands,
) -> None:
    """The journal has the time itself, and shows errors in red."""
    heard = s16(knocking())
    for_person = detector.process("run", "--stdin", stdin=heard)
    assert for_person.code == 0
    assert any(line[2] == line[5] == ":" for line in for_person.err.splitlines() if len(line) > 8)
    journal = {"JOURNAL_STREAM": "8:1"}
    for_journal = detector.process("run", "--stdin", stdin=heard, environment=journal)
    assert any(line.startswith("<6>") for line in for_journal.err.splitlines())


def test_the_daemon_ends_well_on_both_signals(detector: Commands) -> None:
    """SIGTERM from systemd, Ctrl-C from a person: 0 both times."""
    for number in (signal.SIGTERM, signal.SIGINT):
        process = detector.popen("run", "--stdin")
        wait_for(process, "listening as here for knock")
        process.send_signal(number)
        process.wait(PATIENCE_S)  # before its standard input ends
        outcome = ended(process)
        assert outcome.code == 0
        assert "Traceback" not in outcome.err


def wait_for(process: "subprocess.Popen[bytes]", said: str) -> None:
    """Read what a process says on standard error until it has said this."""
    assert process.stderr is not None
    killer = threading.Timer(PATIENCE_S, process.kill)
    killer.start()
    try:
        for line in process.stderr:
            if said in text(line):
                return
    finally:
        killer.cancel()
    pytest.fail(f"it ended without saying: {said}")
