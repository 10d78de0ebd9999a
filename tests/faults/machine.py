"""Faults of the machine below us: no processor, another time of day, no disk, a bad disk."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.house import House, house
from tests.faults.recorder import AT
from tests.faults.table import Outcome, fault, wait_until

STOPPED_S = 10.0
HOUR_S = 3600
BACK_WITHIN_S = 40.0
"""What cannot be written is tried again every so often."""
HEARD_WITHIN_S = 20.0
SLEEP = """\
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""
"""Python sleeps until a monotonic time, and libfaketime takes that for a time of day: EINVAL."""
THRESHOLD = f"{AT}/sound/siren/threshold"


@fault
def stopped_for_10_s(folder: Path) -> Outcome:
    """SIGSTOP: it does nothing, and cannot know."""
    outcome = Outcome("the daemon stopped (SIGSTOP) for 10 s, 3 alerts asked for meanwhile")
    with house(folder) as home:
        assert home.daemon is not None
        before = home.health()["gap_seconds"]
        home.daemon.send_signal(signal.SIGSTOP)
        for _ in range(3):
            home.recorder.say(f"{AT}/cmd", "test_alert siren")
            time.sleep(STOPPED_S / 3)
        began_s = time.monotonic()
        home.daemon.send_signal(signal.SIGCONT)
        outcome.recovered_s = wait_until(lambda: hears(home), HEARD_WITHIN_S, "audio of now")
        home.siren()
        lost_s = home.health()["gap_seconds"] - before
        outcome.done += f"; then a siren. {lost_s:.1f} s of audio counted as lost"
        outcome.require(lost_s < STOPPED_S + 3.0, f"{lost_s:.1f} s counted as lost")
        home.finish(outcome)
        asked = [event for event in home.recorder.events() if event["event_type"] == "test_alert"]
        outcome.require(len(asked) == 3, f"{len(asked)} of the 3 alerts asked for were told")
        gone = home.recorder.since(began_s, f"{AT}/mic/status", "offline")
        outcome.require(len(gone) <= 1, "mic/status went to and fro")  # one is our farewell
    return outcome


@fault
def clock_stepped_by_an_hour(folder: Path) -> Outcome:
    """Libfaketime gives the daemon another time of day; the machine's own is left alone."""
    outcome = Outcome(
        "the daemon's wall clock stepped an hour forward while a siren is ON, and two hours back "
        "while another is (libfaketime; the machine's own clock stays)"
    )
    clock = folder / "clock"
    clock.write_text("+0\n")
    (folder / "sitecustomize.py").write_text(SLEEP)
    with house(folder, hold_seconds=3.0, prefix=faked_clock(clock)) as home:
        began_s = time.monotonic()
        for offset_s in (HOUR_S, -HOUR_S):
            since_s = time.monotonic()
            home.siren()
            clock.write_text(f"{offset_s:+d}\n")
            home.wait_for(f"{AT}/sound/siren/state", "OFF", since_s, 25.0)
        home.siren()
        home.wait_for(f"{AT}/sound/siren/state", "OFF", time.monotonic() - 0.1, 25.0)
        lived_s, uptime_s = time.monotonic() - began_s, home.health()["uptime_s"]
        outcome.require(lived_s < uptime_s < lived_s + 60.0, f"an uptime of {uptime_s} s")
        gone = home.recorder.since(began_s, f"{AT}/mic/status", "offline")
        outcome.require(not gone, "the microphone was told to be gone")
        home.finish(outcome)
        require_events_in_order(home, outcome)
        outcome.require(outcome.events.late == 0, "events that were in time are called late")
    return outcome


@fault
def state_directory_full(folder: Path) -> Outcome:
    """A small tmpfs, filled to the last byte."""
    outcome = Outcome("no room in the state directory (a full tmpfs), 5 alerts; then room again")
    with house(folder, daemon_runs=False) as home, mounted(home) as place:
        begin(home)
        fill(place / "ballast")
        cannot_write(home, outcome)
        began_s = time.monotonic()
        (place / "ballast").unlink()
        can_write(home, outcome, began_s)
        home.finish(outcome)
    return outcome


@fault
def state_directory_read_only(folder: Path) -> Outcome:
    """As a worn SD card goes, found so at a start: the kernel lets nobody turn an open one."""
    outcome = Outcome("the state directory read-only at a start, 5 alerts; then writable again")
    with house(folder, daemon_runs=False) as home, mounted(home) as place:
        begin(home)
        home.stop_daemon()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        begin(home)
        cannot_write(home, outcome)
        began_s = time.monotonic()
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
        can_write(home, outcome, began_s)
        home.finish(outcome)
    return outcome


@fault
def database_overwritten_while_running(folder: Path) -> Outcome:
    """Every file of it, in place."""
    outcome = Outcome("outbox and its WAL overwritten with garbage while running, then 5 alerts")
    with house(folder) as home:
        home.alerts(3, seconds=1.0)
        wait_until(lambda: home.undelivered() == 0, 10.0, "delivery")
        began_s = time.monotonic()
        home.destroyed = home.decided()
        for path in state(home).glob("outbox-*.sqlite*"):
            overwrite(path)
        home.alerts(5, seconds=2.0)
        outcome.recovered_s = written_again(home, began_s)
        home.alerts(1)
        require_set_aside(home, outcome, "outbox")
        home.finish(outcome)
        require_alerts(home, outcome, 9)
    return outcome


@fault
def database_overwritten_while_stopped(folder: Path) -> Outcome:
    """All that it keeps, at once."""
    outcome = Outcome("every file of the state directory overwritten with garbage between two runs")
    with house(folder) as home:
        home.recorder.say(f"{THRESHOLD}/set", "0.75")
        wait_until(lambda: home.recorder.last(f"{THRESHOLD}/state") == "0.75", 10.0, "a threshold")
        home.alerts(3, seconds=1.0)
        wait_until(lambda: home.undelivered() == 0, 10.0, "delivery")
        home.stop_daemon()
        home.destroyed = home.decided()
        for path in state(home).iterdir():
            overwrite(path)
        began_s = time.monotonic()
        home.start_daemon()
        wait_until(lambda: home.everything_told(began_s), 30.0, "a house in which all is well")
        outcome.recovered_s = time.monotonic() - began_s
        home.alerts(5, seconds=1.0)
        require_set_aside(home, outcome, "outbox", "overrides")
        home.finish(outcome)
        require_alerts(home, outcome, 8)
    return outcome


def hears(home: House) -> bool:
    """Whether what it takes now is of now."""
    health = home.health()
    age_s = health.get("last_audio_age_s")
    return health.get("mic_state") == "ok" and age_s is not None and age_s < 1.0


def faked_clock(offset: Path) -> tuple[str, ...]:
    """What goes before a command whose time of day is the machine's, plus what a file says."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "libfaketime is not installed"
    return (
        "env",
        f"LD_PRELOAD={libraries[0]}",
        f"FAKETIME_TIMESTAMP_FILE={offset}",
        f"PYTHONPATH={offset.parent}",
        "FAKETIME_NO_CACHE=1",
        "DONT_FAKE_MONOTONIC=1",
    )


def require_events_in_order(home: House, outcome: Outcome) -> None:
    """Three sirens, each with its end; onsets an hour apart, though durations are as heard."""
    told = [event for event in home.recorder.events() if event["kind"] == "sound"]
    phases = [(event["phase"], event["id"]) for event in told]
    ids = [id_ for phase, id_ in phases if phase == "onset"]
    wanted = [(phase, id_) for id_ in ids for phase in ("onset", "offset")]
    outcome.require(phases == wanted and len(set(ids)) == 3, f"events out of order: {phases}")
    lasted = [event["duration_s"] for event in told if event["phase"] == "offset"]
    outcome.require(all(0.0 < seconds < 15.0 for seconds in lasted), f"durations {lasted}")
    onsets = [datetime.fromisoformat(e["onset"]) for e in told if e["phase"] == "onset"]
    hours = [round((onset - datetime.now(UTC)).total_seconds() / HOUR_S) for onset in onsets]
    outcome.require(hours == [0, 1, -1], f"onsets are off by {hours} hours")


def state(home: House) -> Path:
    """The daemon's state directory."""
    return home.folder / "state" / "detector"


@contextmanager
def mounted(home: House) -> Iterator[Path]:
    """A state directory on a small file system of its own. Needs root."""
    place = state(home)
    place.mkdir(parents=True)
    command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", place]
    subprocess.run(command, check=True)
    try:
        yield place
    finally:
        if home.daemon is not None:
            home.kill_daemon()
        subprocess.run(["umount", "--lazy", place], check=True)


def begin(home: House) -> None:
    """Start the daemon, and wait until all is well."""
    began_s = time.monotonic()
    home.start_daemon()
    wait_until(lambda: home.everything_told(began_s), 30.0, "a house in which all is well")


def fill(path: Path) -> None:
    """Take all the room there is."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def cannot_write(home: House, outcome: Outcome) -> None:
    """It says so, and tells all the same; a threshold set now counts at once."""
    began_s = time.monotonic()
    home.alerts(5, seconds=2.0)
    wait_until(lambda: home.health().get("storage_error"), 10.0, "a word about the disk")
    outcome.detected_s = time.monotonic() - began_s
    home.recorder.say(f"{THRESHOLD}/set", "0.75")
    wait_until(lambda: home.recorder.last(f"{THRESHOLD}/state") == "0.75", 10.0, "a threshold")
    wait_until(lambda: len(home.recorder.events()) >= 5, 15.0, "alerts, although none is written")
    outcome.require(home.recorder.last(f"{AT}/mic/status") == "online", "it does not listen")


def can_write(home: House, outcome: Outcome, began_s: float) -> None:
    """By itself, what was kept in memory gets to the disk, the threshold too."""
    outcome.recovered_s = written_again(home, began_s)
    overrides = state(home) / "overrides-nursery.json"
    wait_until(
        lambda: overrides.exists() and "0.75" in overrides.read_text(),
        BACK_WITHIN_S,
        "the threshold on the disk",
    )
    require_alerts(home, outcome, 5)
    kept = {phase for _, phase in home.decided()}
    outcome.require("onset" in kept, "what was decided meanwhile is not in the history")


def written_again(home: House, began_s: float) -> float:
    """Seconds from ``began_s`` until events are kept on the disk again."""
    wait_until(lambda: home.health().get("storage_error", "?") is None, BACK_WITHIN_S, "the disk")
    return time.monotonic() - began_s


def overwrite(path: Path) -> None:
    """Garbage, in place and of the same size."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        file.write(os.urandom(max(size, 4096)))


def require_set_aside(home: House, outcome: Outcome, *names: str) -> None:
    """What is damaged is kept for a person to look at, and said."""
    found = " ".join(path.name for path in state(home).iterdir())
    for name in names:
        outcome.require(f"{name}-nursery" in home.log, f"nothing is said of {name}")
        aside = [path for path in found.split() if path.startswith(name) and "damaged" in path]
        outcome.require(aside, f"the damaged {name} is not set aside: {found}")


def require_alerts(home: House, outcome: Outcome, count: int) -> None:
    """So many different test alerts were told."""
    ids = {e["id"] for e in home.recorder.events() if e["event_type"] == "test_alert"}
    outcome.require(len(ids) == count, f"{len(ids)} of {count} alerts were told")
