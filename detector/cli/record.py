"""``detector record``: recordings of one's own, to calibrate with; nothing leaves the machine."""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_source_options,
    load,
    running_service,
    with_source,
)
from detector.cli.lines import Line, LineQueue
from detector.core.errors import AudioError, ControlError, DetectorError

if TYPE_CHECKING:
    from detector.audio.recording import RecordingFolder
    from detector.core.audio import Block, Gap
    from detector.service.control_client import ControlClient

_DESCRIPTION = """\
Record what the microphone hears, into FLAC files of at most ten minutes that only you can read.
Nothing is recorded unless you ask for it here, and nothing leaves this machine.

  detector record --sound doorbell --minutes 2    ring it a few times
  detector record --minutes 60                    an ordinary evening, none of the sounds in it

They go to recordings/doorbell and recordings/evening, where `detector calibrate recordings` finds
them. Those of one day count as one occasion: record on several days. Stop with Ctrl-C.

Where the service runs, it hands over what it hears (and says so in its log); else the microphone is
opened here.
"""
_REPORT_EVERY_S = 60.0
"""Where nobody watches a terminal."""
_READ_TIMEOUT_S = 0.25


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "record",
        summary="record your own sounds, or an evening without any, to calibrate with",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument(
        "--minutes", type=_minutes, default=10.0, metavar="N", help="for how long (default: 10)"
    )
    parser.add_argument(
        "--sound", metavar="NAME", help="what will be heard (default: none of the sounds)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("recordings"),
        metavar="DIR",
        help="where to (default: recordings)",
    )
    parser.add_argument("--node", help="which service, if several run here")
    parser.add_argument(
        "--own", action="store_true", help="open the microphone even if the service runs"
    )
    add_source_options(parser)
    add_config_option(parser)


def _minutes(text: str) -> float:
    from detector.cli.common import positive_seconds

    try:
        return positive_seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0") from None


def run(arguments: argparse.Namespace) -> int:
    """Record until the time is over, or until interrupted."""
    from detector.audio.recording import RecordingFolder

    label = _label(arguments.sound)
    folder = RecordingFolder(arguments.out / label, now=lambda: datetime.now().astimezone())
    named = arguments.own or arguments.file or arguments.stdin
    client = None if named else running_service(arguments.node)
    last_said = ""
    try:
        with own_ears(arguments) if client is None else service_ears(client) as items:
            last_said = _record(folder, items, 60.0 * arguments.minutes)
    except KeyboardInterrupt:
        pass
    finally:
        try:
            folder.cut()
        finally:
            _summary(folder, label)
    if not folder.paths:
        raise AudioError(f"nothing was heard, nothing is recorded{last_said and ': '}{last_said}")
    return 0


def _label(sound: str | None) -> str:
    """The folder's name; raises DetectorError for what cannot be the name of a sound."""
    import re

    from detector.config.setting import NAME_PATTERN

    if sound is None:
        return "evening"
    if not re.fullmatch(NAME_PATTERN, sound):
        raise DetectorError(
            f"{sound!r} is not a name for a sound: write lower-case letters, digits and _, "
            "beginning with a letter"
        )
    return sound


def _record(folder: "RecordingFolder", items: "Iterator[Block | Gap | str]", seconds: float) -> str:
    """Until the time is over, of audio or of the clock; what the source said of itself last."""
    from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap

    progress, ends_s = _Progress(seconds), time.monotonic() + 1.2 * seconds + 5.0
    joins_at: int | None = None
    for item in items:
        if isinstance(item, Block):
            if joins_at not in (None, item.start_sample):
                folder.cut()  # we were too slow, and the service did not wait
            joins_at = item.end_sample
            left = round(seconds * SAMPLE_RATE_HZ) - folder.samples
            folder.write(item.samples[:left])
            progress.show(folder, item)
        elif isinstance(item, Gap):
            folder.cut()
        else:
            progress.say_once(item)
        if folder.samples >= round(seconds * SAMPLE_RATE_HZ) or time.monotonic() > ends_s:
            break
    return progress.last_said


class _Progress:
    """One line that is written anew on a terminal, or one a minute elsewhere."""

    def __init__(self, seconds: float) -> None:
        self._of = seconds
        self._live = sys.stderr.isatty()
        self._due_s = 0.0
        self.last_said = ""
        """What was told of the source last; empty once it is heard."""

    def show(self, folder: "RecordingFolder", block: "Block") -> None:
        """How far it is, and how loud."""
        self.last_said = ""
        from detector.cli.show import level_bar, level_text, seconds
        from detector.core.level import rms_dbfs

        if not self._live and folder.seconds < self._due_s:
            return
        self._due_s += _REPORT_EVERY_S
        level = rms_dbfs(block.samples)
        done = f"{seconds(folder.seconds)} of {seconds(self._of)}"
        self.say(f"{done}  {level_bar(level, 30)} {level_text(level)}  {folder.paths[-1]}")

    def say_once(self, text: str) -> None:
        """What a source says of itself, four times a second: a line where it is news."""
        if text != self.last_said:
            self.last_said = text
            self.say(text)

    def say(self, text: str) -> None:
        """A line of any kind."""
        print(
            f"\r\x1b[K{text}" if self._live else text,
            end="" if self._live else "\n",
            file=sys.stderr,
            flush=True,
        )


def _summary(folder: "RecordingFolder", label: str) -> None:
    from detector.cli.show import seconds

    if sys.stderr.isatty():
        print(file=sys.stderr)
    if not folder.paths:
        return  # an error says why
    for path in folder.paths:
        print(path)
    print(f"{seconds(folder.seconds)} of {label} recorded, for your eyes only", file=sys.stderr)


@contextmanager
def service_ears(client: "ControlClient") -> "Iterator[Iterator[Block | Gap | str]]":
    """What the service hears, and what its source says of itself."""
    queue = LineQueue()

    def read() -> None:
        try:
            for line in client.subscribe("audio"):
                queue.put(line)
            queue.failure = ControlError(f"{client.path}: the service has ended")
        except (OSError, ValueError) as error:
            queue.failure = ControlError(f"{client.path}: the service hung up: {error}")
        except DetectorError as error:
            queue.failure = error
        finally:
            queue.ended.set()

    # A daemon thread: it waits for audio that may never come.
    threading.Thread(target=read, name="detector-record", daemon=True).start()
    try:
        yield _items(queue.lines(lambda: str(client.request("status")["status"])))
    finally:
        queue.close()


def _items(lines: Iterator[Line]) -> "Iterator[Block | Gap | str]":
    from detector.service.along import heard_in

    for line in lines:
        item = heard_in(line)
        if item is not None:
            yield item
        elif "status" in line:
            yield str(line["status"])


@contextmanager
def own_ears(arguments: argparse.Namespace) -> "Iterator[Iterator[Block | Gap | str]]":
    """The same of a source of our own, as the options and the configuration say."""
    from detector.audio.open import open_source
    from detector.core.audio import SAMPLE_RATE_HZ, End, Source
    from detector.service.clock import SystemClock

    config = with_source(load(arguments), arguments)
    source = open_source(config.audio, clock=SystemClock(), keep_samples=SAMPLE_RATE_HZ)

    def read(source: Source) -> "Iterator[Block | Gap | str]":
        while not isinstance(item := source.read(_READ_TIMEOUT_S), End):
            yield source.status.description if item is None else item

    source.start()
    try:
        yield read(source)
    finally:
        source.stop()
