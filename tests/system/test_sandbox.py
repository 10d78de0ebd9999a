"""The unit's sandbox and the daemon fit each other: traced through a whole life of the real one.

The system calls and address families are enforced by the kernel, with the filters that the unit
asks systemd for; the paths and peers are compared with what it allows.  The microphone is
PulseAudio's, since these machines have no sound card: what only PulseAudio's library does is
labelled so below, and a Raspberry Pi without a sound server does none of it.
"""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from detector.service.control_client import ControlClient
from tests.alerts.tools import Broker, Watcher, running
from tests.audio.tools import Room
from tests.service.life import Notifications
from tests.system import unit
from tests.system.made import Sounds
from tests.system.test_daemon import room_tone
from tests.system.trace import STRACE, Trace, is_possible

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

JAIL = Path(__file__).with_name("jail.py")
CONFIG = """
node: nursery
audio: {{device: roommic}}
mqtt: {{host: localhost, port: {port}, username: detector}}
sounds:
  smoke_alarm: {{confirm_seconds: 2.5, possible_seconds: null, hold_seconds: 4}}
"""
SOUND_SERVER = r"/run/pulse(/|$)|/home/\.(config|pulse|asoundrc)"
"""In the room's folder: what PulseAudio's library makes; a system service has no such server."""
SOUND_DEVICES = r"/dev/(snd/|dsp\d*$)"
"""ALSA's, and OSS's of old, for which PortAudio looks in vain."""
PRIVATE_MEMORY = r"/dev/shm(/|$)"
"""The unit gives the service one of its own; PortAudio's JACK library writes there."""
TELEPHONE_BYTES_PER_S = 8_000
"""A telephone's audio, the poorest anybody calls audio."""
REFUSED_ON_PURPOSE = {
    "mbind": "numpy asks for memory near its processor",
    "set_mempolicy": "so does the model's runtime, or numpy",
    "sched_setscheduler": "the JACK and PulseAudio libraries ask for priority; Nice= gives it",
    "get_mempolicy": "as mbind",
    "fchown": "SQLite, only where it runs as root, as these tests may",
}


@dataclass
class Life:
    """A daemon's whole life, and what was seen of it."""

    folder: Path
    broker_port: int
    trace: Trace
    modes: dict[str, int]
    """Type and mode of all in the state and runtime directories, shortly before its end."""
    seconds: float
    log: str
    exit_code: int
    limits: str


class Jailed:
    """``detector run`` under strace and under the unit's filters, but with an umask of 0."""

    def __init__(self, room: Room, folder: Path, model: Path) -> None:
        self.folder = folder
        self.notifications = Notifications(folder / "notify", patience_s=60.0)
        for name, mode in (("runtime", 0o750), ("credentials", 0o700), ("trace", 0o700)):
            (folder / name).mkdir()
            (folder / name).chmod(mode)
        (folder / "credentials" / "mqtt-password").write_text("\n")
        rules = {"calls": sorted(unit.system_calls()), "families": sorted(unit.address_families())}
        command: list[str | Path] = [
            *(*STRACE, folder / "trace" / "trace", sys.executable, JAIL, json.dumps(rules)),
            *(sys.executable, "-m", "detector", "run", "--config", folder / "detector.yaml"),
        ]
        environ = {
            **room.environment,
            **unit.environment(),
            "DETECTOR_MODEL": str(model),
            "STATE_DIRECTORY": str(folder / "state"),
            "RUNTIME_DIRECTORY": str(folder / "runtime"),
            "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "30000000",
        }
        with (folder / "log").open("wb") as log:
            self.strace = subprocess.Popen(command, env=environ, stderr=log, umask=0)

    def pid(self) -> int:
        """The daemon's own."""
        children = Path(f"/proc/{self.strace.pid}/task/{self.strace.pid}/children")
        return int(children.read_text().split()[0])

    def modes(self) -> dict[str, int]:
        """Of all that lies in its directories."""
        places = [self.folder / name for name in ("state", "runtime")]
        found = [path for place in places for path in (place, *sorted(place.rglob("*")))]
        return {str(path.relative_to(self.folder)): path.stat().st_mode for path in found}

    def stop(self) -> int:
        """SIGTERM; its exit code, which strace hands on."""
        os.kill(self.pid(), signal.SIGTERM)
        return self.strace.wait(30)

    def close(self) -> None:
        """Whatever happened, it is gone."""
        if self.strace.poll() is None:
            os.kill(self.pid(), signal.SIGKILL)
            self.strace.wait(10)
        self.notifications.close()


@contextmanager
def jailed(room: Room, folder: Path, model: Path) -> Iterator[Jailed]:
    """One while it is needed; its log is shown."""
    made = Jailed(room, folder, model)
    try:
        yield made
    finally:
        made.close()
        print((folder / "log").read_text())


def wait_for(watcher: Watcher, topic: str, payload: str | None = None) -> None:
    """Traced, everything takes its time."""
    deadline = time.monotonic() + 60.0
    while not [
        seen for seen in watcher.seen if seen.topic == topic and payload in (None, seen.payload)
    ]:
        assert time.monotonic() < deadline, f"no {topic} {payload or ''}: {watcher.topics()}"
        time.sleep(0.05)


def everything_happens(daemon: Jailed, room: Room, broker: Broker, sounds: Sounds) -> None:
    """Hearing, telling, commands, clients, a reload; broker and microphone lost and found."""
    watcher = Watcher(broker.port)
    daemon.notifications.wait_for("READY=1")
    with room_tone(room, sounds.quiet):
        wait_for(watcher, "detector/nursery/mic/status", "online")
        player = threading.Thread(target=room.play, args=(sounds.beeps,))
        player.start()
        wait_for(watcher, "detector/nursery/sound/smoke_alarm/state", "ON")
        watcher.say("detector/nursery/sound/smoke_alarm/threshold/set", "0.75")
        watcher.say("detector/nursery/armed/set", "OFF")
        wait_for(watcher, "detector/nursery/armed/state", "OFF")
        control = ControlClient(daemon.folder / "runtime" / "control.sock", timeout_s=20.0)
        assert control.request("status")["ok"]
        control.request("arm")
        control.request("test_alert")
        player.join()
        os.kill(daemon.pid(), signal.SIGHUP)
        daemon.notifications.wait_for("RELOADING=1")
        daemon.notifications.wait_for("READY=1")
        watcher.close()
        broker.stop()
        room.close()
        broker.start()
        watcher = Watcher(broker.port)
        wait_for(watcher, "detector/nursery/mic/status", "offline")
    room.open()
    with room_tone(room, sounds.quiet):
        wait_for(watcher, "detector/nursery/mic/status", "online")
    watcher.close()


@pytest.fixture(scope="module")
def life(any_model: Path, sounds: Sounds) -> Iterator[Life]:
    """One life for all tests of this module."""
    if not (Room.is_possible() and is_possible()):
        pytest.skip("pulseaudio, its tools and strace are needed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "broker").mkdir()
        room = Room(folder)
        room.open()
        try:
            with running(Broker(folder / "broker")) as broker:
                (folder / "detector.yaml").write_text(CONFIG.format(port=broker.port))
                began = time.monotonic()
                with jailed(room, folder, any_model) as daemon:
                    everything_happens(daemon, room, broker, sounds)
                    modes = daemon.modes()
                    limits = Path(f"/proc/{daemon.pid()}/status").read_text()
                    code = daemon.stop()
                seconds = time.monotonic() - began
                trace = Trace(folder / "trace", "-m")
                log = (folder / "log").read_text()
                yield Life(folder, broker.port, trace, modes, seconds, log, code, limits)
        finally:
            room.close()


def test_it_lives_a_whole_life_under_the_units_own_filters(life: Life) -> None:
    """The kernel refuses what the unit refuses; the daemon does all it should, and ends well."""
    assert life.exit_code == 0
    assert "Traceback" not in life.log
    assert re.search(r"Seccomp:\s*2", life.limits)
    assert re.search(r"NoNewPrivs:\s*1", life.limits)


def test_it_is_refused_nothing_that_it_needs(life: Life) -> None:
    """What the filter refuses is asked for by libraries that do without."""
    refused = life.trace.refused() - unit.system_calls()
    print(f"refused: {refused}; used: {sorted({call.name for call in life.trace.calls})}")
    assert refused <= set(REFUSED_ON_PURPOSE)


def test_it_writes_in_its_own_directories_only(life: Life) -> None:
    """Made, changed, renamed, removed, opened for writing: all lies where the unit lets it."""
    own = "|".join(str(life.folder / name) for name in ("state", "runtime"))
    allowed = re.compile(
        rf"({own})(/|$)|/dev/null$|{SOUND_DEVICES}|{PRIVATE_MEMORY}|{life.folder}({SOUND_SERVER})"
    )
    strange = {path for path in life.trace.written_paths() if not allowed.match(path)}
    assert not strange
    assert any(path.startswith(f"{life.folder}/state/") for path in life.trace.written_paths())


def test_the_unit_gives_it_a_memory_folder_of_its_own() -> None:
    """What the JACK library writes in /dev/shm leaves the service no more than /tmp does."""
    assert unit.settings("TemporaryFileSystem")[0].startswith("/dev/shm:")
    assert unit.settings("PrivateTmp") == ["yes"]
    assert unit.settings("ProtectSystem") == ["strict"]


def test_it_needs_every_address_family_that_it_may_use_and_no_other(life: Life) -> None:
    """The C library asks for AF_NETLINK too, to sort addresses, and does without."""
    asked = life.trace.families()
    assert asked <= unit.address_families() | {"AF_NETLINK"}
    assert {"AF_UNIX", "AF_INET"} <= asked
    assert unit.address_families() == {"AF_UNIX", "AF_INET", "AF_INET6"}


def test_it_connects_to_the_broker_and_to_nothing_else_beyond_the_machine(life: Life) -> None:
    """Broker, resolver, systemd, the sound server, its own socket, its own loopback pair."""
    own = [call.arguments for call in life.trace.named("getsockname") if not call.failed]
    pairs = set(re.findall(r"sin_port=htons\((\d+)\)", " ".join(own)))
    allowed = re.compile(
        rf"inet (127\.0\.0\.1|::1):({life.broker_port}|{'|'.join(pairs)})$|inet [^ ]+:53$"
        rf"|unix (/var)?/run/(nscd/|systemd/resolve/|avahi-daemon/)"
        rf"|unix {life.folder}/(notify|runtime/control\.sock|run/pulse/native)$"
        r"|unix /dev/shm/jack_"
    )
    went = life.trace.addresses("connect", "sendto", "sendmsg")
    assert not {address for address in went if not allowed.match(address)}
    assert any(address.endswith(f":{life.broker_port}") for address in went)


def test_nobody_can_connect_to_it_from_beyond_the_machine(life: Life) -> None:
    """It listens on its control socket, and for a moment on the loopback (paho's wake-up pair)."""
    bound = life.trace.addresses("bind")
    allowed = {
        f"unix {life.folder}/runtime/control.sock",
        "inet 127.0.0.1:0",
        "inet 0.0.0.0:0",  # before it connects
        "inet :::0",
    }
    assert bound <= allowed


def test_what_it_sends_is_too_little_to_be_audio(life: Life) -> None:
    """In all its life, with four discoveries, far less than a telephone's audio would be."""
    sent = life.trace.network_bytes()
    print(f"{sent} bytes over the network in {life.seconds:.0f} s")
    assert 1_000 < sent < life.seconds * TELEPHONE_BYTES_PER_S / 3


def test_what_it_writes_is_its_own_whatever_the_umask(life: Life) -> None:
    """Files 0600, folders 0700; the control socket is the group's too, in systemd's folder."""
    print({name: oct(mode) for name, mode in life.modes.items()})
    wanted = {"runtime": 0o750, "runtime/control.sock": 0o660}
    for name, mode in life.modes.items():
        usual = 0o700 if stat.S_ISDIR(mode) else 0o600
        assert stat.S_IMODE(mode) == wanted.get(name, usual), name
    assert len(life.modes) >= 4
