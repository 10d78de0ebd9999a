"""A fleet against one broker: how soon everybody is connected, and every alert is there.

    python -m tests.benchmarks.fleet [--nodes 1000] [--variants 0,3] [--json | --markdown]

Every node is the sink, the outbox and the journal of the daemon, many to a process, against a real
mosquitto on this machine; journals lie in memory.  Two subscribers listen, in processes of their
own: one to the alerts, with a session that outlives its connection, and one to everything.

The phases: so many bare connections at once; all nodes start; every node alerts within one second;
the broker is down, every node alerts, and it comes back; Home Assistant says that it has started.
Run for a broker that is set up for a fleet, for one as it is installed, with TLS, and with nodes
whose waits between attempts to connect differ.  docs/fleet.md is what --markdown prints.
"""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tests.alerts.tools import Broker
from tests.benchmarks.fleet_nodes import Part, run_nodes
from tests.benchmarks.fleet_report import as_markdown, as_text
from tests.benchmarks.fleet_storm import overflows, storm
from tests.benchmarks.fleet_subscribers import ALERTS, EVERYTHING, Ears, run_subscriber
from tests.faults.house import quiet_port

PATIENCE_S = 120.0
DOWN_S = 8.0
_SETTLE_S = 2.5
"""The broker tells its own figures every second."""
_IN_A_PROCESS = 125
"""Nodes: paho waits with select, which knows no descriptor above 1023, and a node has six."""
AS_INSTALLED = "allow_anonymous true\nsys_interval 1"
FOR_A_FLEET = "max_queued_messages 0\nmax_inflight_messages 100"
"""Per subscriber: as many as come, rather than 1,000; and 100 at a time, rather than 20."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What is compared."""

    name: str
    broker: str = f"{AS_INSTALLED}\n{FOR_A_FLEET}"
    spread: float = 0.0
    """How much the nodes' waits between attempts to connect differ."""
    tls: bool = False
    """With a key of RSA 4096, which costs here what RSA 2048 does on a Raspberry Pi 4."""


VARIANTS = (
    Variant("set up for a fleet"),
    Variant("broker as installed", AS_INSTALLED),
    Variant("waits differ by half", spread=0.5),
    Variant("TLS", tls=True),
    Variant("TLS, waits differ by half", tls=True, spread=0.5),
)


@dataclass
class Helper:
    """Another process, and the pipe to it."""

    process: Any
    pipe: Connection

    def tell(self, *what: object) -> None:
        """Ask; the answer comes later."""
        self.pipe.send(what)

    def answer(self) -> Any:
        """What it answers."""
        if not self.pipe.poll(2 * PATIENCE_S):
            raise TimeoutError("a process of the fleet does not answer")
        return self.pipe.recv()

    def ask(self, *what: object) -> Any:
        """Ask and wait."""
        self.tell(*what)
        return self.answer()


@dataclass
class Fleet:
    """Everything that runs."""

    broker: Broker
    nodes: list[Helper]
    alerts: Helper
    everything: Helper
    count: int
    figures: dict[str, Any] = field(default_factory=dict)

    def of_all(self, *what: object) -> list[Any]:
        """Ask all processes with nodes at once."""
        for one in self.nodes:
            one.tell(*what)
        return [one.answer() for one in self.nodes]

    def when(self, what: str, patience_s: float = PATIENCE_S) -> list[float | None]:
        """When it was so of each node."""
        told = self.of_all(what, time.monotonic() + patience_s)
        return [at for part in told for at in part]

    def broker_cpu_s(self) -> float:
        """What the broker has used of a processor."""
        fields = Path(f"/proc/{self.broker.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--variants", default="", help="only those, by number: 0,3")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = os.getloadavg()[0]
    chosen = [int(number) for number in asked.variants.split(",") if number]
    variants = [VARIANTS[number] for number in chosen] or VARIANTS
    results = {one.name: measure(asked.nodes, one) for one in variants}
    figures = {"nodes": asked.nodes, "load_before": load, "open_files": hard, "variants": results}
    if asked.json:
        print(json.dumps(figures, indent=1))
    else:
        print((as_markdown if asked.markdown else as_text)(figures))


def measure(count: int, variant: Variant) -> dict[str, Any]:
    """All phases, for one variant."""
    with _fleet(count, variant) as fleet:
        fleet.figures["bare"] = _bare(fleet)
        fleet.figures["start"] = _phase(fleet, _start)
        fleet.figures["alerts"] = _phase(fleet, _alerts)
        fleet.figures["restart"] = _phase(fleet, _restart)
        fleet.figures["birth"] = _phase(fleet, _birth)
        fleet.figures["descriptors"] = _descriptors(fleet)
        return fleet.figures


@contextmanager
def _fleet(count: int, variant: Variant) -> Iterator[Fleet]:
    memory = Path("/dev/shm")
    with ExitStack() as stack:
        where = memory if memory.is_dir() else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
        broker = Broker(folder, f"{variant.broker}\npersistence true")
        broker.settings += f"\npersistence_location {folder}/"
        broker.port = quiet_port()
        parts = _parts(count, variant, broker)
        broker.start()
        stack.callback(broker.kill)
        alerts = _spawn(run_subscriber, broker.port, ALERTS, keeps=True)
        everything = _spawn(run_subscriber, broker.port, EVERYTHING, keeps=False)
        nodes = [_spawn(run_nodes, part) for part in parts]
        helpers = [*nodes, alerts, everything]
        stack.callback(_end, helpers)
        for one in helpers:
            one.answer()
        yield Fleet(broker, nodes, alerts, everything, count)


def _parts(count: int, variant: Variant, broker: Broker) -> list[Part]:
    """The nodes of each process; where they need TLS, the broker gets a listener with it."""
    port, certificate = broker.port, None
    if variant.tls:
        port, certificate = quiet_port(), _certificate(broker.folder)
        broker.settings += f"\nlistener {port} 127.0.0.1"
        broker.settings += f"\ncertfile {certificate}\nkeyfile {certificate}"
    shares = np.array_split(np.arange(count), -(-count // _IN_A_PROCESS))
    return [
        Part(
            range(int(share[0]), int(share[-1]) + 1),
            of=count,
            port=port,
            folder=broker.folder,
            spread=variant.spread,
            certificate=certificate,
        )
        for share in shares
    ]


def _end(helpers: Sequence[Helper]) -> None:
    """Let all of them take leave, then make sure."""
    for one in helpers:
        with suppress(OSError):  # it is gone already
            one.tell("stop")
    for one in helpers:
        one.process.join(30.0)
        one.process.kill()


def _certificate(folder: Path) -> Path:
    """Of the broker, signed by itself, with its key."""
    path = folder / "broker.pem"
    made = ("-x509", "-newkey", "rsa:4096", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1")
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", path.name)
    subprocess.run(["openssl", "req", *made, *names], cwd=folder, check=True, capture_output=True)
    with path.open("a") as file:
        file.write((folder / "key.pem").read_text())
    return path


def _spawn(target: Any, *arguments: object, **named: object) -> Helper:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), kwargs=named, daemon=True)
    process.start()
    return Helper(process, ours)


def _bare(fleet: Fleet) -> dict[str, Any]:
    before = overflows()
    took_s = storm(fleet.broker.port, fleet.count)
    return {**_spread(took_s), "lost": fleet.count - len(took_s), "refused": overflows() - before}


def _phase(fleet: Fleet, run: Callable[[Fleet], dict[str, Any]]) -> dict[str, Any]:
    """Run it, and count what it cost the broker."""
    fleet.alerts.ask("forget"), fleet.everything.ask("forget")
    cpu_s, refused, began_s = fleet.broker_cpu_s(), overflows(), time.monotonic()
    figures = run(fleet)
    if run is _restart:
        cpu_s = 0.0
    ears: Ears = fleet.everything.ask("ears")
    return figures | {
        "broker_cpu_s": fleet.broker_cpu_s() - cpu_s,
        "refused": overflows() - refused,
        "seconds": time.monotonic() - began_s,
        "messages": ears.messages,
        "payload_bytes": ears.payload_bytes,
        "dropped": int(ears.broker.get("publish/messages/dropped", 0)),
    }


def _start(fleet: Fleet) -> dict[str, Any]:
    at_s = time.monotonic() + 0.5
    fleet.of_all("start", at_s)
    connected = [at - at_s for at in fleet.when("ready") if at is not None]
    heard = _until_heard(fleet, 1, fleet.count)
    return {
        "connected": _spread(connected),
        "not": fleet.count - len(connected),
        "told": _spread([at - at_s for at in heard.online.values()]),
        "discovered": len(heard.discoveries),
    }


def _alerts(fleet: Fleet) -> dict[str, Any]:
    return _delivered(fleet, _put(fleet, "one"))


def _put(fleet: Fleet, tag: str) -> dict[str, float]:
    put: dict[str, float] = {}
    for part in fleet.of_all("alert", time.monotonic() + 0.2, tag):
        put |= part
    return put


def _delivered(fleet: Fleet, put: dict[str, float], since_s: float | None = None) -> dict[str, Any]:
    """How long each alert took to the subscriber, from when it was put or from one moment."""
    ends_s = time.monotonic() + PATIENCE_S
    while fleet.alerts.ask("counts")[0] < len(put) and time.monotonic() < ends_s:
        if not sum(fleet.of_all("undelivered")):
            ends_s = min(ends_s, time.monotonic() + 5.0)
        time.sleep(0.1)
    time.sleep(1.0)  # for what might come twice
    came: list[tuple[str, float]] = fleet.alerts.ask("ears").alerts
    first: dict[str, float] = {}
    for id_, at_s in came:
        first.setdefault(id_, at_s)
    took = [at - (since_s or put[id_]) for id_, at in first.items() if id_ in put]
    lost, doubled = len(put) - len(took), len(came) - len(first)
    return {"delivered": _spread(took), "lost": lost, "doubled": doubled}


def _restart(fleet: Fleet) -> dict[str, Any]:
    """The broker is away for a while, in which every node alerts."""
    stopped_s = time.monotonic()
    fleet.broker.stop()
    fleet.when("away")
    put = _put(fleet, "two")
    time.sleep(max(0.0, stopped_s + DOWN_S - time.monotonic()))
    fleet.everything.ask("forget")
    began_s = time.monotonic()
    fleet.broker.start()
    connected = [at - began_s for at in fleet.when("ready") if at is not None]
    figures = {"connected": _spread(connected), "not": fleet.count - len(connected)}
    figures |= _delivered(fleet, put, began_s)
    heard = _until_heard(fleet, 1, fleet.count)
    return figures | {"told": _spread([at - began_s for at in heard.online.values()])}


def _birth(fleet: Fleet) -> dict[str, Any]:
    began_s = time.monotonic()
    fleet.everything.ask("birth")
    heard = _until_heard(fleet, 1, fleet.count)
    return {
        "told": _spread([at - began_s for at in heard.online.values()]),
        "discovered": len(heard.discoveries),
    }


def _until_heard(fleet: Fleet, place: int, count: int) -> Ears:
    """Wait until the subscriber of everything has so many of a kind, or no more come."""
    last, changed_s = (0, 0, 0, 0), time.monotonic()
    while last[place] < count and time.monotonic() - changed_s < 8.0:
        now = fleet.everything.ask("counts")
        if now != last:
            last, changed_s = now, time.monotonic()
        time.sleep(0.1)
    time.sleep(_SETTLE_S)
    ears: Ears = fleet.everything.ask("ears")
    return ears


def _descriptors(fleet: Fleet) -> dict[str, int]:
    pid = fleet.broker.pid
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return {"open": len(list(Path(f"/proc/{pid}/fd").iterdir())), "rss_kb": kb}


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {"count": 0}
    middle, late = np.percentile(seconds, [50, 95])
    return {"count": len(seconds), "p50": middle, "p95": late, "max": max(seconds)}


if __name__ == "__main__":
    main()
