"""The broker's password is used, and is in nothing that anybody could read.

Everything that a daemon and the commands beside it say is searched for it: logs at their most
talkative, errors, tracebacks, stacks, configuration, control socket, messages, files, processes.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
import soundfile

from detector.service.control_client import ControlClient
from detector.service.scene import alarm_scene
from tests.alerts.tools import Broker, Watcher, free_port, running, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

SECRET = "Zq7/hunter2+Kaese%40"
FORMS = (
    SECRET,
    quote(SECRET, safe=""),
    base64.b64encode(SECRET.encode()).decode().rstrip("="),
    SECRET.encode().hex(),
    json.dumps(SECRET)[1:-1],
    "hunter2",
)
SETTINGS = "password_file {folder}/passwords\nallow_anonymous false"
BROKEN_LIBRARY = """
import sys
import paho.mqtt.client
def broken(client, *_arguments, **_more):
    held = client._password  # at hand where it breaks, as it would be
    raise RuntimeError("a defect in a library")
paho.mqtt.client.Client.connect = broken
from detector.cli import main
sys.exit(main())
"""


def found_in(data: bytes) -> list[str]:
    """The forms of the password that stand in something."""
    return [form for form in FORMS if form.encode() in data]


@dataclass
class Stage:
    """A broker that wants a password, a configuration, and everything that was said."""

    folder: Path
    broker: Broker
    model: Path
    said: dict[str, bytes] = field(default_factory=dict)
    started: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "detector.yaml"

    def configure(self, **mqtt: object) -> None:
        """Listen to a scene, over and over; tell this broker."""
        broker = {"host": "127.0.0.1", "port": self.broker.port, "username": "detector"} | mqtt
        document = {
            "node": "nursery",
            "audio": {"source": "file", "path": str(self.folder / "scene.wav")},
            "mqtt": broker,
            "sounds": {"siren": {"hold_seconds": 1}, "phone_ring": {}},
            "log": {"level": "debug"},
        }
        self.config.write_text(json.dumps(document))

    def environ(self) -> dict[str, str]:
        """As systemd would have it."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DETECTOR_MODEL": str(self.model),
            "STATE_DIRECTORY": str(self.folder / "state"),
            "RUNTIME_DIRECTORY": str(self.folder / "run"),
            "XDG_RUNTIME_DIR": str(self.folder),
            "CREDENTIALS_DIRECTORY": str(self.folder / "credentials"),
        }

    def ask(self, *command: str) -> str:
        """A command beside it; all its output is kept."""
        done = subprocess.run(
            [sys.executable, "-m", "detector", *command, "--config", str(self.config)],
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=60,
        )
        self.said[f"{' '.join(command)} {len(self.said)}"] = done.stdout
        return done.stdout.decode()

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """A daemon, at its most talkative."""
        program = words or ("-m", "detector")
        command = [sys.executable, *program, "run", "--verbose", "--config", str(self.config)]
        with self.log.open("wb") as log:
            daemon = subprocess.Popen(command, env=self.environ(), stdout=log, stderr=log)
        self.started.append(daemon)
        return daemon

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.folder / "log"

    def wait_for_word(self, text: str) -> None:
        """Until the daemon has said something."""
        log = self.log
        until(lambda: text in log.read_text(errors="replace"), text)

    def look_at(self, daemon: "subprocess.Popen[bytes]") -> None:
        """What anybody on the machine may see of its processes, and what it has written."""
        for process in (daemon.pid, *children(daemon.pid)):
            for name in ("cmdline", "environ", "comm"):
                self.said[f"/proc/{process}/{name}"] = Path(f"/proc/{process}/{name}").read_bytes()
        for name in ("state", "run"):  # outbox, overrides and diary
            for path in (self.folder / name).rglob("*"):
                if path.is_file():
                    self.said[str(path)] = path.read_bytes()

    def end(self, daemon: "subprocess.Popen[bytes]", number: signal.Signals) -> str:
        """Its whole log."""
        log = self.log
        daemon.send_signal(number)
        daemon.wait(20)
        self.said["log"] = log.read_bytes()
        return log.read_text(errors="replace")

    def assert_silent(self) -> None:
        """Nothing of all that holds the password."""
        assert self.said
        assert {name: found_in(data) for name, data in self.said.items() if found_in(data)} == {}


def children(pid: int) -> list[int]:
    """Processes below a process."""
    found = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return found + [deeper for child in found for deeper in children(child)]


@pytest.fixture
def stage(any_model: Path) -> Iterator[Stage]:
    """A broker that knows the password, and a scene to listen to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for made in ("broker", "credentials"):
            (folder / made).mkdir()
        soundfile.write(folder / "scene.wav", alarm_scene(), 16_000)
        (folder / "broker" / "passwords").write_text(f"detector:{SECRET}\nwatcher:seen\n")
        subprocess.run(["mosquitto_passwd", "-U", folder / "broker" / "passwords"], check=True)
        broker = Broker(folder / "broker", SETTINGS.format(folder=folder / "broker"))
        made_stage = Stage(folder, broker, any_model)
        with running(broker):
            yield made_stage
        for daemon in made_stage.started:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait(10)


def by_file(stage: Stage) -> None:
    """The password stands in a file that the configuration names."""
    (stage.folder / "mine").write_text(SECRET + "\n")
    stage.configure(password_file="mine")


def by_credential(stage: Stage) -> None:
    """The password is handed over by systemd."""
    (stage.folder / "credentials" / "mqtt-password").write_text(SECRET + "\n")
    stage.configure()


@pytest.mark.parametrize("give", [by_file, by_credential])
def test_a_daemon_that_is_let_in_does_not_show_it(
    stage: Stage, give: Callable[[Stage], None]
) -> None:
    """Log at debug, messages, control socket, processes, files, and the commands beside it."""
    give(stage)
    watcher = Watcher(stage.broker.port, username="watcher", password="seen")
    daemon = stage.start()
    watcher.wait_for("detector/nursery/status", "online")  # the broker has checked it
    control = ControlClient(stage.folder / "run" / "control.sock")
    until(control.path.exists, "the control socket, which comes after the outlets")
    stage.said["status"] = json.dumps(control.request("status")).encode()
    watcher.say("detector/nursery/sound/siren/threshold/set", "0.75")
    watcher.wait_for("detector/nursery/sound/siren/threshold/state", "0.75")
    for command in (("config", "check"), ("config", "show"), ("doctor",)):
        stage.ask(*command)
    stage.look_at(daemon)
    assert "connected to broker" in stage.end(daemon, signal.SIGTERM)
    watcher.wait_for("detector/nursery/status", "offline")
    messages = [f"{seen.topic} {seen.payload}" for seen in watcher.seen]
    stage.said["messages"] = "\n".join(messages).encode()
    watcher.close()
    stage.assert_silent()


def test_a_password_that_is_refused_is_not_shown(stage: Stage) -> None:
    """The error names the user and where the password comes from."""
    by_file(stage)
    (stage.folder / "mine").write_text(SECRET + "!\n")
    daemon = stage.start()
    stage.wait_for_word("it does not let user detector in")
    stage.end(daemon, signal.SIGTERM)
    assert "FAILED" in stage.ask("doctor")
    stage.assert_silent()


def test_a_user_name_with_a_password_in_it_is_not_shown_whole(stage: Stage) -> None:
    """Other programs take ``user:password`` as one word."""
    by_file(stage)
    stage.configure(username=f"detector:{SECRET}", password_file="mine")
    daemon = stage.start()
    stage.wait_for_word("it does not let user detector:******** in")
    stage.end(daemon, signal.SIGTERM)
    stage.assert_silent()


@pytest.mark.parametrize(
    ("mqtt", "word"),
    [
        ({"tls": {"enabled": True}}, "does this port speak TLS"),
        ({"port": free_port()}, "refuses the connection"),
        ({"host": "nowhere.invalid"}, "nobody knows this name"),
    ],
    ids=["TLS", "nobody listens", "no such name"],
)
def test_a_broker_that_cannot_be_reached_does_not_bring_it_to_light(
    stage: Stage, mqtt: dict[str, object], word: str
) -> None:
    """Each error is one line without it."""
    by_file(stage)
    stage.configure(password_file="mine", **mqtt)
    daemon = stage.start()
    stage.wait_for_word(word)
    stage.end(daemon, signal.SIGTERM)
    stage.ask("doctor")
    stage.assert_silent()


def test_neither_a_traceback_nor_the_stacks_of_the_watchdog_show_it(stage: Stage) -> None:
    """A library that breaks with the password at hand, then SIGABRT as the watchdog sends it."""
    by_file(stage)
    daemon = stage.start("-c", BROKEN_LIBRARY)
    stage.wait_for_word("a defect in a library")
    stage.wait_for_word("listening as nursery")
    log = stage.end(daemon, signal.SIGABRT)
    assert "Traceback" in log
    assert "Fatal Python error: Aborted" in log
    stage.assert_silent()


def test_a_configuration_with_the_password_in_it_is_refused_without_showing_it(
    stage: Stage,
) -> None:
    """By every command that reads one; the places are in tests/config/test_secrets.py."""
    stage.configure(host=f"mqtt://detector:{SECRET}@127.0.0.1", password=SECRET)
    for command in (("config", "check"), ("config", "show"), ("doctor",), ("run",), ("listen",)):
        assert "mqtt.password: is not known" in stage.ask(*command)
    stage.assert_silent()


def test_the_search_finds_what_it_searches_for(stage: Stage) -> None:
    """In each of its forms."""
    for form in FORMS:
        stage.said = {"a log": f"connecting with {form} now".encode()}
        with pytest.raises(AssertionError, match="a log"):
            stage.assert_silent()
