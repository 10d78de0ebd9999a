"""``detector listen``: what it hears now, and why a sound does or does not fire."""

import argparse
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    add_source_options,
    load,
    load_model,
    positive_seconds,
    running_service,
    with_source,
)
from detector.cli.explained import why_text
from detector.cli.lines import Line, LineQueue
from detector.core.errors import ControlError, DetectorError

if TYPE_CHECKING:
    from rich.console import Group

    from detector.service.control_client import ControlClient
    from detector.service.worker import Worker

_DESCRIPTION = """\
Show what is heard now: the level, the best classes of the model, and for each sound its
probability against its threshold and why it did or did not fire. Stop with Ctrl-C.

Where the service runs, it shows what the service hears; else it opens the microphone itself.
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "listen",
        summary="what it hears now, and why a sound does or does not fire",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("--node", help="which service, if several run here")
    parser.add_argument(
        "--own", action="store_true", help="open the microphone even if the service runs"
    )
    parser.add_argument(
        "--seconds", type=positive_seconds, metavar="N", help="stop by itself after so many seconds"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a window or event")
    add_source_options(parser)
    add_config_option(parser)
    add_model_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show windows and events until interrupted."""
    named = arguments.own or arguments.file or arguments.stdin
    client = None if named else running_service(arguments.node)
    with _own_ears(arguments) if client is None else _service(client) as (title, lines):
        _show(arguments, title, _until(lines, arguments.seconds))
    return 0


def _until(lines: Iterator[Line], seconds: float | None) -> Iterator[Line]:
    ends_s = None if seconds is None else time.monotonic() + seconds
    for line in lines:
        yield line
        if ends_s is not None and time.monotonic() >= ends_s:
            return


@contextmanager
def _service(client: "ControlClient") -> Iterator[tuple[str, Iterator[Line]]]:
    queue = LineQueue()

    def read() -> None:
        try:
            for line in client.subscribe():
                queue.put(line)
            queue.failure = ControlError(f"{client.path}: the service has ended")
        except (OSError, ValueError) as error:
            queue.failure = ControlError(f"{client.path}: the service hung up: {error}")
        except DetectorError as error:
            queue.failure = error
        finally:
            queue.ended.set()

    status = client.request("status")
    # A daemon thread: it waits for lines that may never come.
    threading.Thread(target=read, name="detector-listen", daemon=True).start()
    try:
        title = f"{status['node']} (the running service)"
        yield title, queue.lines(lambda: str(client.request("status")["status"]))
    finally:
        queue.close()


@contextmanager
def _own_ears(arguments: argparse.Namespace) -> Iterator[tuple[str, Iterator[Line]]]:
    """The same lines from a pipeline of our own; nothing is told to anybody else."""
    from detector.alerts.messages import delivery_payload
    from detector.alerts.sinks import Delivery
    from detector.audio.open import open_source
    from detector.core.events import Event
    from detector.service.aside import Aside
    from detector.service.build import build_pipeline
    from detector.service.clock import SystemClock
    from detector.service.parts import snapshot_document
    from detector.service.pipeline import Snapshot
    from detector.service.worker import Worker

    config = with_source(load(arguments), arguments)
    model, clock = load_model(arguments, config), SystemClock()
    queue = LineQueue()

    def show(snapshot: Snapshot) -> None:
        queue.put({"snapshot": snapshot_document(snapshot)})

    def tell(events: list[Event]) -> None:
        for event in events:
            queue.put({"event": delivery_payload(Delivery(event))})

    spec = model.recogniser.spec
    aside = Aside()
    pipeline = build_pipeline(
        config, [model.recogniser], clock=clock, on_snapshot=show, ask=aside.ask
    )
    source = open_source(config.audio, clock=clock, keep_samples=spec.context_samples)
    worker = Worker(source=source, pipeline=pipeline, clock=clock, on_events=tell)
    queue.ended = worker.ended
    source.start()
    worker.start()
    try:
        yield f"{config.node}, own ears", queue.lines(lambda: _source_status(worker))
    finally:
        queue.close()
        worker.stop()
        aside.stop()
        source.stop()
    if worker.failure is not None:
        raise worker.failure


def _source_status(worker: "Worker") -> str:
    status = worker.source.status
    if worker.source.live:
        return f"microphone {worker.mic_state}: {status.description}"
    return status.description


def _show(arguments: argparse.Namespace, title: str, lines: Iterator[Line]) -> None:
    if arguments.json:
        _show_json(lines)
    elif sys.stdout.isatty():
        _show_live(title, lines)
    else:
        print(title)
        for line in lines:
            if text := _plain(line):
                print(text, flush=True)


def _show_json(lines: Iterator[Line]) -> None:
    import json

    for line in lines:
        print(json.dumps(line, ensure_ascii=False), flush=True)


def _plain(line: Line) -> str:
    """One line of text a window, for pipes and logs."""
    if "event" in line:
        return f"*** {_event_text(line['event'])} ({line['event']['id']})"
    if "snapshot" not in line:
        return str(line.get("status", ""))
    window = line["snapshot"]
    best = ", ".join(f"{one['class']} {one['score']:.2f}" for one in window["classes"][:3])
    heard = window["sounds"]
    sounds = " | ".join(f"{one['sound']}: {why_text(heard, one)}" for one in heard)
    return f"{window['end_s']:9.2f} s {window['level_dbfs']:7.1f} dBFS  {best} | {sounds}"


def _event_text(event: Line) -> str:
    """Its type, and what a second stage makes of it."""
    found = event.get("second_stage")
    if not found:
        return str(event["event_type"])
    return f"{event['event_type']}: {found['label']} {found['probability']:.2f}"


def _show_live(title: str, lines: Iterator[Line]) -> None:
    """A screen that is drawn anew at every window."""
    from rich.live import Live

    events: deque[str] = deque(maxlen=8)
    window: Line | None = None
    status = title
    with Live(refresh_per_second=8, screen=True) as live:
        for line in lines:
            if "event" in line:
                now = time.strftime("%H:%M:%S")
                events.append(f"{now}  {_event_text(line['event'])}")
            elif "snapshot" in line:
                window, status = line["snapshot"], title
            elif "status" in line:
                status = f"{title}: {line['status']}"
            live.update(_screen(status, window, events))


def _screen(title: str, window: Line | None, events: "deque[str]") -> "Group":
    from rich.console import Group
    from rich.text import Text

    from detector.cli.show import level_bar, level_text

    rows: list[Any] = [Text(title, style="bold")]
    if window is not None:
        level = window["level_dbfs"]
        rows.append(Text(f"level  {level_bar(level, 40)} {level_text(level)}"))
        best = ", ".join(f"{one['class']} {one['score']:.2f}" for one in window["classes"])
        hears = Text(f"hears  {best}", no_wrap=True, overflow="ellipsis")
        rows += [hears, Text(""), _sounds_table(window["sounds"])]
    rows += [Text(""), *(Text(event, style="bold green") for event in events)]
    return Group(*rows)


def _sounds_table(sounds: list[Line]) -> Any:
    from rich.table import Table

    # The last column has whatever room is left: however long its text, the others stay in place.
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    for heading in ("sound", "probability", ""):
        table.add_column(heading, no_wrap=True)
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
    styles = {"on": "bold red", "confirming": "yellow", "refractory": "dim"}
    for one in sounds:
        bar = _probability_bar(one["probability"], one["threshold"], 20)
        style = styles.get(one["state"])
        probability = f"{one['probability']:.2f}"
        table.add_row(one["sound"], probability, bar, why_text(sounds, one), style=style)
    return table


def _probability_bar(probability: float, threshold: float, width: int) -> str:
    """A bar with a mark at the threshold."""
    filled, mark = round(width * probability), min(width - 1, round(width * threshold))
    cells = ["█" if i < filled else "·" for i in range(width)]
    cells[mark] = "┃" if mark < filled else "|"
    return "".join(cells)
