"""Soak: hours of recordings through the whole daemon, as fast as it goes.

    python -m tests.soak [--hours 72] [--seed 1] [--every 5] [--markdown]

Feeds ``detector run --stdin``, with all sounds on, a real broker (mosquitto) and a subscriber.
Samples memory, descriptors, threads, the outbox and its file.  Ends with code 1 unless the memory
at the end is within 2 MB of that after the first hour, no descriptor or thread was added, no
window lost, and every message that was decided delivered, once.  With the model of DETECTOR_MODEL
and the recordings of DETECTOR_AUDIO, or else the built-in model and sounds made by code.
"""

import argparse
import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from detector.config import ModelConfig
from detector.config.sounds import shipped_sounds
from detector.service.standin import load_file
from tests.alerts.tools import Broker, running
from tests.anymodel import any_model
from tests.soak.listener import Listener
from tests.soak.process import Daemon
from tests.soak.run import Feeder, Sample, Soak
from tests.soak.sounds import house

BROKER = "allow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true"
CONFIG = """
node: soak
mqtt: {{host: 127.0.0.1, port: {port}}}
sounds: [{sounds}]
"""
HEAD = (
    "audio h",
    "RSS MB",
    "PSS MB",
    "files",
    "threads",
    "delivered",
    "waiting",
    "dropped",
    "state MB",
)


def main() -> int:
    """Run, print a row now and then, and the verdict; the exit code."""
    arguments = _arguments()
    tell = _MarkdownTable() if arguments.markdown else _Table()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        soak = _soak(Path(name), arguments, tell)
    print("\n" + "\n".join(f"- {fact}" for fact in soak.facts))
    for problem in soak.problems:
        print(f"NOT RIGHT: {problem}")
    return 1 if soak.problems else 0


def _soak(folder: Path, arguments: argparse.Namespace, tell: "_Table") -> Soak:
    recordings = os.environ.get("DETECTOR_AUDIO")
    pieces = house(
        Path(recordings) if recordings else None, hours=arguments.hours, seed=arguments.seed
    )
    spec = load_file(any_model(), ModelConfig()).recogniser.spec
    with running(Broker(folder, BROKER)) as broker, closing(Listener(broker.port)) as listener:
        config = CONFIG.format(port=broker.port, sounds=", ".join(shipped_sounds()))
        with closing(Daemon(folder, config, "--stdin")) as daemon:
            soak = Soak(daemon, listener, spec, tell)
            try:
                soak.run(Feeder(daemon, pieces, soak.may_go_on), every_s=arguments.every)
            except OSError as error:
                soak.problems.append(f"{error}\n{daemon.log[-3000:]}")
            soak.facts.append(f"sounds: {dict(listener.sounds.most_common())}")
    return soak


class _Table:
    """Prints a row at each whole step of audio, rather than all."""

    def __init__(self) -> None:
        self._print(HEAD)

    def __call__(self, sample: Sample) -> None:
        usage = sample.usage
        self._print(
            (
                f"{sample.audio_h:.2f}", f"{usage.rss_mb:.1f}", f"{usage.pss_mb:.1f}",
                usage.descriptors, usage.threads, sample.delivered, sample.undelivered,
                sample.dropped, f"{sample.stored_mb:.2f}",
            )
        )  # fmt: skip

    def _print(self, cells: tuple[object, ...]) -> None:
        print("".join(f"{cell:>10}" for cell in cells), flush=True)


class _MarkdownTable(_Table):
    """The same for the docs."""

    def __init__(self) -> None:
        super().__init__()
        print("|" + "---:|" * len(HEAD))

    def _print(self, cells: tuple[object, ...]) -> None:
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _arguments() -> argparse.Namespace:
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=summary)
    parser.add_argument("--hours", type=float, default=72.0, help="of audio")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two samples")
    parser.add_argument("--markdown", action="store_true", help="a table for the docs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
