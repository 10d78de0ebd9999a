"""The figures of the fleet, for people."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]


def _times(phase: str, what: str) -> Callable[[Figures], str]:
    def cell(figures: Figures) -> str:
        times = figures[phase][what] if what else figures[phase]
        if not times["count"]:
            return "none"
        return f"{times['p50']:.2f} / {times['p95']:.2f} / {times['max']:.2f} s"

    return cell


def _count(phase: str, *names: str) -> Callable[[Figures], str]:
    return lambda figures: ", ".join(str(figures[phase][name]) for name in names)


def _volume(phase: str) -> Callable[[Figures], str]:
    return lambda f: f"{f[phase]['messages']:,}, {f[phase]['payload_bytes'] / 1e6:.1f} MB"


def _cost(phase: str) -> Callable[[Figures], str]:
    return lambda figures: f"{figures[phase]['broker_cpu_s']:.2f} s"


ROWS: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("bare connections at once: greeted", _times("bare", "")),
    ("… never greeted, turned away by the kernel", _count("bare", "lost", "refused")),
    ("all start: online, at a subscriber", _times("start", "told")),
    ("… not connected, turned away by the kernel", _count("start", "not", "refused")),
    ("… nodes known to who listens to everything", _count("start", "discovered")),
    ("… messages to them", _volume("start")),
    ("an alert on every node within 1 s: delivered", _times("alerts", "delivered")),
    ("… lost, twice", _count("alerts", "lost", "doubled")),
    ("broker back after 8 s: connected", _times("restart", "connected")),
    ("… not connected, turned away by the kernel", _count("restart", "not", "refused")),
    ("… queued alerts delivered", _times("restart", "delivered")),
    ("… lost, twice", _count("restart", "lost", "doubled")),
    ("… the broker's processor time", _cost("restart")),
    ("Home Assistant's birth: all told anew", _times("birth", "told")),
    ("… nodes known to it", _count("birth", "discovered")),
    ("… messages", _volume("birth")),
    ("… the broker's processor time", _cost("birth")),
    ("messages that the broker dropped in all", _count("birth", "dropped")),
    ("the broker's open files", _count("descriptors", "open")),
    ("the broker's memory in KB", _count("descriptors", "rss_kb")),
)


def as_text(figures: Figures) -> str:
    """A table for a terminal."""
    rows = _rows(figures)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([_about(figures), "", *lines])


def as_markdown(figures: Figures) -> str:
    """docs/fleet.md."""
    head, *rows = ["| " + " | ".join(row) + " |" for row in _rows(figures)]
    rule = "|---" * (len(figures["variants"]) + 1) + "|"
    return INTRODUCTION.format(**figures) + "\n".join([head, rule, *rows]) + "\n" + SETTINGS


def _about(figures: Figures) -> str:
    return "{nodes} nodes, one mosquitto, load {load_before:.1f} before; p50 / p95 / max".format(
        **figures
    )


def _rows(figures: Figures) -> list[list[str]]:
    variants = figures["variants"]
    body = [[name, *(cell(one) for one in variants.values())] for name, cell in ROWS]
    return [["", *variants], *body]


INTRODUCTION = """# A fleet on one broker

Made by `python -m tests.benchmarks.fleet --markdown`; not to be edited. {nodes} nodes, each
the publishing half of the daemon (sink, outbox and journal, four threads), many to a process,
beside one mosquitto 2.0 on the two cores of one machine, and two subscribers: so these times hold
the work of all nodes as well, which in a real fleet is spread over {nodes} machines. Journals
lie in memory. Times are p50 / p95 / max.

"""
SETTINGS = """
## What must be set

- `max_queued_messages` of mosquitto (1,000 as installed) for subscribers that listen to everything,
  as Home Assistant does: when all nodes announce themselves at once, some 10,000 messages wait for
  it, and what is beyond the limit is dropped without a word. Those nodes stay unknown until Home
  Assistant's next start, which they spread over five seconds by themselves. Alerts are not touched
  by it: one for each node, to who listens to alerts alone, is within the limit.
- Open files: the broker needs one for each node and a few more; `ulimit -n` of 1,024 is too low
  from about 1,000 nodes on (systemd: `LimitNOFILE=`).
- The listener's backlog is 100 in mosquitto, and nothing can be set: of many that call in the same
  millisecond the kernel turns away the rest, who call again after a second by themselves.
- `max_inflight_messages` (20) can stay: an alert waits for its own node's alerts only.
- Nothing in the nodes: with waits between attempts that differ by half the kernel turns away fewer,
  but nobody is connected sooner than the spread between two runs. What takes long with TLS is the
  handshakes' arithmetic, of all nodes on the same two cores as the broker's.

Home Assistant itself keeps no session: what a broker that has come back is told before Home
Assistant is back, too, reaches it as state (retained), not as an event. The subscriber to alerts
here keeps one, and the broker its database (`persistence true`): nothing is lost then.
"""
