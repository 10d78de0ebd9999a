"""The real capture process, on whatever sound this machine has."""

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import detector
from detector.audio.process import CaptureProcess, Ear, Launch, start_capture
from detector.audio.wire import Failure, Message
from detector.config.schema import AudioConfig
from detector.core.errors import AudioError
from tests.audio.fake_sound import FakeDevice, FakeEar, FakeSoundSystem


def everything(ear: Ear) -> list[Message]:
    """All that it tells until it ends."""
    told: list[Message] = []
    with suppress(EOFError):
        while True:
            message = ear.next(30.0)
            told += [] if message is None else [message]
    return told


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[CaptureProcess]:
    """Looks for a device that nobody has."""
    started = start_capture(
        AudioConfig(device="no such thing"), environ=os.environ | {"HOME": str(tmp_path)}
    )
    yield started
    started.end()


StandIn = Callable[[str], None]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Has a program of the test's own started as the capture process."""

    def make(body: str) -> None:
        program = tmp_path / "program"
        head = f"#!{sys.executable}\nimport json, os, signal, sys\n"
        program.write_text(head + textwrap.dedent(body))
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(program))

    return make


def python(body: str) -> str:
    """Run code in a process of its own; what it prints."""
    return subprocess.run(
        [sys.executable, "-c", body], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def fake_ear(config: AudioConfig) -> Ear:
    """The one that the microphone's tests use, on a machine with another microphone."""
    return FakeEar(config, FakeSoundSystem([FakeDevice("usb")]).load, time.monotonic)


@pytest.mark.parametrize("launch", [start_capture, fake_ear])
def test_what_is_wrong_is_told_and_it_ends(launch: Launch) -> None:
    """Either there is no such device, or no PortAudio; the fake ends as the real one does."""
    ear = launch(AudioConfig(device="no such thing"))
    told = everything(ear)
    assert len(told) == 1
    assert isinstance(told[0], Failure)
    assert told[0].traceback == ""
    assert "no such thing" in told[0].text or "apt install libportaudio2" in told[0].text
    assert ear.end().startswith("ended with code 0")
    assert ear.end() == ear.end()


@pytest.mark.parametrize("launch", [start_capture, fake_ear])
def test_one_that_is_no_longer_wanted_ends(launch: Launch) -> None:
    """Whatever it is about, and however often it is told."""
    ear = launch(AudioConfig(device="no such thing"))
    assert ear.end() == ear.end()


@pytest.mark.parametrize(("number", "name"), [(6, "SIGABRT"), (9, "SIGKILL"), (40, "signal 40")])
def test_one_that_was_killed_says_by_what(ear: CaptureProcess, number: int, name: str) -> None:
    """As PortAudio's assertions, and the kernel's out-of-memory killer, do."""
    os.kill(ear.pid, number)
    assert everything(ear) == []
    assert ear.end().startswith(f"was ended by {name}")
    assert not Path(f"/proc/{ear.pid}").exists()


def test_what_an_assertion_said_is_its_last_word(
    stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """PortAudio has some; whatever was said before is there to debug only."""
    stand_in(
        """
        for number in range(10_000):
            print("ALSA lib pcm.c: no such card", file=sys.stderr)
        print("pa_linux_alsa.c:3641: Assertion `pfds' failed.", file=sys.stderr, flush=True)
        os.abort()
        """
    )
    ear = start_capture(AudioConfig())
    with caplog.at_level(logging.DEBUG, "detector.audio.process"):
        assert everything(ear) == []
        how = ear.end()
    assert how == "was ended by SIGABRT: pa_linux_alsa.c:3641: Assertion `pfds' failed."
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    assert "no such card" in caplog.text


def test_one_that_hangs_in_closing_is_killed(stand_in: StandIn) -> None:
    """It has nothing more to tell, but it does not end."""
    stand_in("os.close(1); signal.pause()")
    ear = start_capture(AudioConfig())
    assert everything(ear) == []
    assert ear.end() == "hung, and was killed"
    assert not Path(f"/proc/{ear.pid}").exists()


def test_one_that_is_stopped_is_killed_in_bounded_time(ear: CaptureProcess) -> None:
    """It cannot close anything by itself; nothing of it is left."""
    os.kill(ear.pid, signal.SIGSTOP)
    assert ear.next(0.1) is None
    assert ear.end().startswith("hung, and was killed")
    assert not Path(f"/proc/{ear.pid}").exists()


def test_signals_that_are_meant_for_the_daemon_do_not_end_it() -> None:
    """The manager sends SIGTERM to all processes of a service, a terminal SIGINT."""
    body = """
import json, os, signal, sys, threading
from detector.audio import child

def capture(config, out, *, stopping, **_):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
    print("printed by a library", flush=True)
    os.write(out, b"a message")
    assert stopping.wait(10)
    os.write(out, b", and told to end")

child.capture = capture
wanted = {"device": "usb", "channel": "mix", "block_seconds": 0.1, "latency_seconds": 0.3}
child.main([json.dumps(wanted)])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", body],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.read(9) == b"a message"
    out, errors = process.communicate(timeout=30)
    assert out == b", and told to end"
    assert errors == b"printed by a library\n"
    assert process.returncode == 0


def test_a_machine_that_cannot_start_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, to be tried again."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(AudioError, match=r"^the capture process cannot be started: \[Errno 2\]"):
        start_capture(AudioConfig())


def test_it_stays_small() -> None:
    """No numpy, no parser, no model: it is one more process on a small machine."""
    body = """
import sys
import detector.audio.child
try:
    import sounddevice
except OSError:
    pass
heavy = ("numpy", "yaml", "soundfile", "soxr", "paho", "ai_edge_litert", "logging")
print([name for name in heavy if name in sys.modules])
"""
    assert python(body) == "[]"


def test_it_is_given_what_it_needs_and_no_more(stand_in: StandIn, tmp_path: Path) -> None:
    """Neither the watchdog's socket nor the folder of secrets nor a descriptor of ours."""
    seen = tmp_path / "seen.json"
    stand_in(
        f"""
        with open({str(seen)!r}, "w") as file:
            links = ["/proc/self/fd/" + number for number in os.listdir("/proc/self/fd")]
            opened = [os.readlink(link) for link in links if os.path.exists(link)]
            leads = os.getpgid(0) == os.getpid()
            json.dump([dict(os.environ), sys.argv[1:], leads, opened], file)
        """
    )
    secret = {"NOTIFY_SOCKET": "a", "WATCHDOG_USEC": "1", "CREDENTIALS_DIRECTORY": "b"}
    with (tmp_path / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)  # noqa: FBT003 - as a careless library leaves it
        ear = start_capture(
            AudioConfig(device="usb", channel=2), environ={**secret, "HOME": "here"}
        )
        everything(ear)
    ear.end()
    environ, arguments, leads, opened = json.loads(seen.read_text())
    assert environ["HOME"] == "here"
    paths = [path or str(Path.cwd()) for path in sys.path]
    found = environ["PYTHONPATH"].split(os.pathsep)
    assert found[: len(set(paths))] == list(dict.fromkeys(paths))
    assert str(Path(detector.__file__).parents[1]) in found
    assert not set(secret) & set(environ)
    assert arguments[:3] == ["-PS", "-m", "detector.audio.child"]
    assert json.loads(arguments[3]) == {
        "device": "usb",
        "channel": 2,
        "block_seconds": 0.24,
        "latency_seconds": 0.3,
    }
    assert leads, "Ctrl-C on a terminal is for the daemon"
    assert str(tmp_path / "ours") not in opened
