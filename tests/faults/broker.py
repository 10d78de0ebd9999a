"""Faults between us and the broker."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.house import House, house, quiet_port
from tests.faults.recorder import AT, DISCOVERY
from tests.faults.table import Outcome, fault, wait_until

FOUND_WITHIN_S = 30.0
BACK_WITHIN_S = 10.0
DENIED_AGAIN_S = 30.0
"""What was denied is tried so often."""
RULES = """\
user detector-nursery
topic write homeassistant/device/detector_nursery/config
topic read homeassistant/device/detector_nursery/config
topic write detector/nursery/status
topic write detector/nursery/mic/status
topic write detector/nursery/health
topic write detector/nursery/selftest
topic write detector/nursery/level
topic write detector/nursery/armed/state
topic write detector/nursery/sound/#
topic read detector/nursery/armed/set
topic read detector/nursery/sound/+/threshold/set
topic read detector/nursery/cmd
topic read detector/nursery/status
topic read homeassistant/status
{more}
user watcher
topic readwrite #
"""
WATCHER = ("watcher", "look")
LOGIN = "{{host: 127.0.0.1, port: {port}, username: detector-nursery, password_file: password}}"


def lost(home: House, limit_s: float = FOUND_WITHIN_S) -> float:
    """Seconds until the daemon knows that it has no broker."""
    return wait_until(lambda: not home.connected(), limit_s, "the loss is noticed")


def back(home: House, since_s: float, limit_s: float = 60.0) -> float:
    """Seconds from ``since_s`` until everything is told anew and nothing waits."""

    def well() -> bool:
        return home.everything_told(since_s) and home.undelivered() == 0

    wait_until(well, limit_s, "everything is told anew")
    return time.monotonic() - since_s


def all_told(home: House, outcome: Outcome, since_s: float) -> None:
    """How long it takes from ``since_s`` until everything is told anew, which is to be soon."""
    outcome.recovered_s = back(home, since_s)
    outcome.within(outcome.recovered_s, BACK_WITHIN_S, "all told")


@fault
def broker_killed_for_60_s(folder: Path) -> Outcome:
    """SIGKILL to mosquitto, 50 alerts while it is away."""
    outcome = Outcome("mosquitto killed (-9) for 60 s, 50 alerts meanwhile; it forgets everything")
    with house(folder) as home:
        home.broker.kill()
        outcome.detected_s = lost(home)
        home.alerts(50, seconds=55.0)
        began_s = time.monotonic()
        home.broker.start()
        outcome.within(outcome.detected_s, 2.0, "the loss noticed")
        all_told(home, outcome, began_s)
        home.finish(outcome)
        outcome.require(outcome.events.decided >= 50, "fewer than 50 events were decided")
    return outcome


@fault
def broker_restarted_without_persistence(folder: Path) -> Outcome:
    """SIGTERM and a new mosquitto at once."""
    outcome = Outcome(
        "mosquitto restarted while a siren is ON; it has forgotten discovery, states, availability"
    )
    with house(folder) as home:
        home.siren()
        home.broker.stop()
        outcome.detected_s = lost(home)
        began_s = time.monotonic()
        home.broker.start()
        all_told(home, outcome, began_s)
        on = home.recorder.since(began_s, f"{AT}/sound/siren/state", "ON")
        outcome.require(on, "the siren is not ON any more")
        home.finish(outcome)
    return outcome


@fault
def broker_started_late(folder: Path) -> Outcome:
    """The daemon is there 60 s before its broker."""
    outcome = Outcome("mosquitto started 60 s after the daemon, 5 alerts meanwhile")
    with house(folder, broker_runs=False) as home:
        began_s = time.monotonic()
        wait_until(lambda: home.health().get("last_error"), 30.0, "a word about the broker")
        outcome.detected_s = time.monotonic() - began_s
        outcome.require("refuses the connection" in home.log, "the log does not say why")
        time.sleep(max(0.0, 60.0 - outcome.detected_s - 10.0))
        home.alerts(5, seconds=10.0)
        began_s = time.monotonic()
        home.broker.start()
        all_told(home, outcome, began_s)
        home.finish(outcome)
        outcome.require(outcome.events.decided >= 5, "fewer than 5 events were decided")
    return outcome


@fault
def wrong_password_then_right(folder: Path) -> Outcome:
    """The file is put right on the disk, and nobody tells the daemon."""
    outcome = Outcome("wrong password for 20 s, 3 alerts; then its file is put right on the disk")
    settings = _guarded(folder, more="topic write detector/nursery/#\n")
    (folder / "password").write_text("wrong\n")
    with house(folder, broker_settings=settings, mqtt=LOGIN, watcher=WATCHER) as home:
        began_s = time.monotonic()
        wait_until(lambda: "does not let user" in home.log, 30.0, "a word about the password")
        outcome.detected_s = time.monotonic() - began_s
        outcome.require(
            "mqtt.password_file" in str(home.health().get("last_error")),
            "health does not name the password",
        )
        home.alerts(3, seconds=15.0)
        (folder / "password").write_text("right\n")
        began_s = time.monotonic()
        all_told(home, outcome, began_s)
        home.finish(outcome)
        outcome.require(outcome.events.decided >= 3, "fewer than 3 events were decided")
    return outcome


@fault
def publish_denied_by_access_rules(folder: Path) -> Outcome:
    """The event topic is forbidden, then allowed."""
    outcome = Outcome("access rules deny `event` during 5 alerts; then they allow it")
    settings = _guarded(folder)
    (folder / "password").write_text("right\n")
    with house(folder, broker_settings=settings, mqtt=LOGIN, watcher=WATCHER) as home:
        wait_until(lambda: home.everything_told(0.0), 30.0, "a house in which all is well")
        began_s = time.monotonic()
        home.alerts(5, seconds=5.0)
        wait_until(lambda: "event is denied by" in home.log, 10.0, "a word about the rules")
        outcome.detected_s = time.monotonic() - began_s
        outcome.require(
            home.health()["mqtt"]["denied"] >= 5, "health does not count what is denied"
        )
        outcome.require(home.health()["mqtt"]["undelivered"] >= 5, "what is denied is not kept")
        (folder / "rules").write_text(RULES.format(more="topic write detector/nursery/#\n"))
        home.broker.reload()
        began_s = time.monotonic()
        wait_until(lambda: home.undelivered() == 0, 60.0, "delivery")
        outcome.recovered_s = time.monotonic() - began_s
        outcome.within(outcome.recovered_s, DENIED_AGAIN_S + 5.0, "all told")
        home.finish(outcome)
        outcome.require(outcome.events.decided >= 5, "fewer than 5 events were decided")
    return outcome


@fault
def network_black_hole(folder: Path) -> Outcome:
    """The daemon's own network, cut without a word to either side."""
    outcome = Outcome(
        "the daemon in a network namespace of its own, its link down for 60 s (packets dropped, "
        "connection not closed), 3 alerts meanwhile"
    )
    with _network() as net:
        settings = f"allow_anonymous true\nlistener {net.port} {net.address}\nallow_anonymous true"
        mqtt = f"{{{{host: {net.address}, port: {net.port}}}}}"
        with house(folder, broker_settings=settings, mqtt=mqtt, prefix=net.prefix) as home:
            _unanswered(home, outcome, net.cut, net.mend)
            _check_outside(home, outcome)
    return outcome


@fault
def broker_hangs(folder: Path) -> Outcome:
    """SIGSTOP: connections stay open, new ones are taken by the kernel, nobody answers."""
    outcome = Outcome("SIGSTOP to mosquitto for 60 s, 3 alerts meanwhile")
    with house(folder) as home:
        _unanswered(home, outcome, home.broker.freeze, home.broker.thaw)
    return outcome


@fault
def broker_hangs_in_a_quiet_room(folder: Path) -> Outcome:
    """The same with nothing under way that asks for an acknowledgement."""
    outcome = Outcome("SIGSTOP to mosquitto for 60 s, nothing to tell until that is noticed")
    with house(folder) as home:
        _unanswered(home, outcome, home.broker.freeze, home.broker.thaw, alerts_at_once=0)
    return outcome


@fault
def discovery_wiped(folder: Path) -> Outcome:
    """An empty retained message on the discovery topic."""
    outcome = Outcome("somebody clears the retained discovery message while all is well")
    with house(folder) as home:
        ours = home.recorder.last(DISCOVERY)
        began_s = time.monotonic()
        home.recorder.say(DISCOVERY, "", retain=True)
        home.wait_for(DISCOVERY, "", began_s, 5.0)
        outcome.detected_s = home.wait_for(DISCOVERY, str(ours), began_s, 30.0)
        all_told(home, outcome, began_s)
        home.finish(outcome)
    return outcome


def _unanswered(
    home: House,
    outcome: Outcome,
    break_: Callable[[], None],
    mend: Callable[[], None],
    *,
    alerts_at_once: int = 1,
) -> None:
    """Break it for 60 s, with three alerts before and after it is noticed."""
    began_s = time.monotonic()
    break_()
    home.alerts(alerts_at_once)
    outcome.detected_s = lost(home, 60.0)
    home.alerts(3 - alerts_at_once)
    time.sleep(max(0.0, 60.0 - (time.monotonic() - began_s)))
    began_s = time.monotonic()
    mend()
    outcome.within(outcome.detected_s, FOUND_WITHIN_S, "the loss noticed")
    # An attempt that is under way when it ends costs its wait, and the next one its own.
    all_told(home, outcome, began_s)
    home.finish(outcome)
    outcome.require(outcome.events.decided >= 3, "fewer than 3 events were decided")


def _check_outside(home: House, outcome: Outcome) -> None:
    """The broker must have said for us that we are gone: no false online."""
    said = home.recorder.since(0.0, f"{AT}/status", "offline")
    outcome.require(said, "nobody was told that we were gone")


def _guarded(folder: Path, more: str = "") -> str:
    """Settings of a broker with passwords and access rules."""
    passwords, rules = folder / "passwords", folder / "rules"
    passwords.write_text("detector-nursery:right\nwatcher:look\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    rules.write_text(RULES.format(more=more))
    return f"allow_anonymous false\npassword_file {passwords}\nacl_file {rules}"


class Network:
    """A network namespace with one cable to this machine."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name = f"faults{number}"
        self.port = quiet_port()
        self.address = f"10.213.{number}.1"
        self._far = f"10.213.{number}.2"
        self._cable = (f"fa{number}", f"fb{number}")

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs a command in it."""
        return ("ip", "netns", "exec", self.name)

    def open(self) -> None:
        """Make it; takes root."""
        near, far = self._cable
        _ip("netns", "add", self.name)
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
        _ip("addr", "add", f"{self.address}/30", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", self.name, "addr", "add", f"{self._far}/30", "dev", far)
        _ip("-n", self.name, "link", "set", far, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    def cut(self) -> None:
        """Packets go nowhere from now on."""
        _ip("link", "set", self._cable[0], "down")

    def mend(self) -> None:
        """They arrive again."""
        _ip("link", "set", self._cable[0], "up")

    def close(self) -> None:
        """Remove it, and the cable with it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "del", self._cable[0])
        _ip("netns", "del", self.name)


@contextmanager
def _network() -> Iterator[Network]:
    made = Network()
    made.open()
    try:
        yield made
    finally:
        made.close()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
