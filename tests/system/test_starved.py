"""A daemon that gets no processor: stopped altogether, or one of many who want it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detector.service.control_client import ControlClient
from tests.alerts.tools import Broker, Watcher, until
from tests.audio.tools import Room
from tests.service.life import Notifications
from tests.system.made import Sounds
from tests.system.test_daemon import Detector, listening, told

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

STOPPED_S = 7.0
HOGS_PER_CORE = 2
PING_WITHIN_S = 10.0
"""Of the 30 s after which systemd would end it."""
MORE_MEMORY_KB = 16_000


class Pings(Notifications):
    """What the daemon says to systemd's watchdog."""

    def next_ping(self) -> None:
        """Wait for one that is not said yet."""
        self.all()
        self._socket.settimeout(PING_WITHIN_S)
        self.wait_for("WATCHDOG=1")


def resident_kb(pid: int) -> int:
    """How much memory a process has now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:")))


def asked(room: Room, command: str) -> dict[str, Any]:
    """What the daemon answers."""
    socket = Path(room.environment["XDG_RUNTIME_DIR"]) / "detector" / "control.sock"
    return dict(ControlClient(socket, timeout_s=20.0).request(command))


def classified_s(room: Room) -> float:
    """The end of the newest window, on the source's own time, in which losses are counted."""
    return float(asked(room, "recent")["windows"][-1]["end_s"])


def health(room: Room) -> dict[str, Any]:
    """What the daemon says of itself."""
    return dict(asked(room, "status")["health"])


def age_s(event: dict[str, Any]) -> float:
    """Seconds since the beginning of what an event tells."""
    onset = datetime.fromisoformat(event["onset"])
    return (datetime.now(UTC) - onset).total_seconds()


@pytest.fixture
def heard(room: Room) -> Iterator[Pings]:
    """What it tells systemd."""
    made = Pings(Path(room.environment["HOME"]) / "notify")
    room.environment |= {"NOTIFY_SOCKET": str(made.path), "WATCHDOG_USEC": "30000000"}
    yield made
    made.close()


Listener = tuple[Detector, Watcher]
"""A daemon that hears, and who watches it."""


@pytest.fixture
def listener(
    room: Room, broker: Broker, heard: Pings, any_model: Path, sounds: Sounds
) -> Iterator[Listener]:
    """In a room that is never digitally silent."""
    folder = heard.path.parent
    with listening(room, broker, folder, any_model, sounds.quiet) as (daemon, watcher):
        yield daemon, watcher
        watcher.close()


def hears_an_alarm(room: Room, watcher: Watcher, beeps: Path) -> float:
    """Play one; how long after its beginning it was told, in seconds."""
    player = threading.Thread(target=room.play, args=(beeps,))
    player.start()
    until(lambda: told(watcher, "smoke_alarm"), "the alarm")
    event = next(s for s in watcher.seen if s.topic == "detector/nursery/event")
    took_s = age_s(json.loads(event.payload))
    player.join()
    return took_s


def was_never_offline(watcher: Watcher) -> bool:
    """Whether nobody was told that the microphone is lost."""
    return not [s for s in watcher.seen if s.topic.endswith("status") and s.payload == "offline"]


@contextmanager
def hogs(pid: int) -> Iterator[None]:
    """Programs that want every processor, and come before the daemon."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(thread.name), 5)
    count = HOGS_PER_CORE * (os.cpu_count() or 1)
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in started:
            hog.kill()
            hog.wait(10)


def test_a_daemon_that_was_stopped_goes_on_with_what_is_heard_now(
    room: Room, sounds: Sounds, listener: Listener, heard: Pings
) -> None:
    """Where it is behind it skips, and counts; nobody is told that it is offline."""
    daemon, watcher = listener
    before_kb, before = resident_kb(daemon.process.pid), health(room)
    watcher.forget()
    began_s, from_s = time.monotonic(), classified_s(room)
    daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)  # the fault itself
    daemon.process.send_signal(signal.SIGCONT)
    heard.next_ping()
    assert was_never_offline(watcher)
    took_s = hears_an_alarm(room, watcher, sounds.beeps)
    after, more_kb = health(room), resident_kb(daemon.process.pid) - before_kb
    passed_s, disposed_s = time.monotonic() - began_s, classified_s(room) - from_s
    lost_s = after["gap_seconds"] - before["gap_seconds"]
    print(f"lost {lost_s:.1f} s, {more_kb} kB more, alarm told after {took_s:.1f} s")
    assert took_s < STOPPED_S  # it did not have to work off what it had missed
    assert lost_s < STOPPED_S + 3.0
    assert abs(passed_s - disposed_s) < 3.0  # all of it was classified, or counted as lost
    assert more_kb < MORE_MEMORY_KB
    assert was_never_offline(watcher)
    assert daemon.stop()[0] == 0


def test_a_daemon_that_shares_its_processors_with_hogs_still_hears(
    room: Room, sounds: Sounds, listener: Listener, heard: Pings
) -> None:
    """Two busy programs for each core, all of a higher priority: later, but told, and counted."""
    daemon, watcher = listener
    before_kb = resident_kb(daemon.process.pid)
    watcher.forget()
    with hogs(daemon.process.pid):
        took_s = hears_an_alarm(room, watcher, sounds.beeps)
        heard.next_ping()
        now = health(room)
    more_kb = resident_kb(daemon.process.pid) - before_kb
    counts = {name: now[name] for name in ("dropped_windows", "gaps", "gap_seconds")}
    print(f"{counts}, {more_kb} kB more, alarm told after {took_s:.1f} s")
    assert more_kb < MORE_MEMORY_KB
    assert was_never_offline(watcher)
    assert daemon.stop()[0] == 0
