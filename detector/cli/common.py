"""What several commands share: options, logging, loading of configuration and model."""

import argparse
import functools
import logging
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from detector.config import Config
    from detector.core.recognition import RecogniserSpec
    from detector.model.meantime import Patience
    from detector.service.control_client import ControlClient
    from detector.service.parts import LoadedModel

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it

FETCH_TIMEOUT_S = 6.0
"""How long each address of the model may be silent: meanwhile nothing is heard."""
_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}


def add_command(
    commands: "Subparsers[argparse.ArgumentParser]",
    name: str,
    *,
    summary: str,
    description: str,
    handler: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """A command with its help; the description teaches, and may hold examples."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(handler=handler)
    return parser


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """``--config`` and ``--verbose``."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration; default: $DETECTOR_CONFIG, ~/.config/detector/detector.yaml, "
        "/etc/detector/detector.yaml, else all defaults",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="tell more of what happens")


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """``--model``."""
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        metavar="FILE",
        help="TFLite model; default: $DETECTOR_MODEL, the configuration, the cache",
    )


def load(arguments: argparse.Namespace, *, level: str | None = "warning") -> "Config":
    """The configuration that the options name, with logging set up: None means as it says."""
    from detector.config.loader import load_config

    config = load_config(arguments.config, environ=os.environ)
    set_up_logging("debug" if arguments.verbose else level or config.log.level)
    return config


def set_up_logging(level: str) -> None:
    """Log to standard error: with priorities for the journal, with the time for a person."""
    handler = logging.StreamHandler(_standard_error())
    handler.setFormatter(_Journal() if "JOURNAL_STREAM" in os.environ else _Person())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _standard_error() -> TextIO:
    """Standard error under a descriptor of our own.

    While sounddevice initialises PortAudio, which takes seconds, it points descriptor 2 at
    /dev/null against ALSA's chatter: what is logged meanwhile would be lost.
    """
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError):
        return sys.stderr
    return _duplicate(descriptor)


@functools.cache
def _duplicate(descriptor: int) -> TextIO:
    return os.fdopen(os.dup(descriptor), "w", buffering=1, errors="backslashreplace")


class _Journal(logging.Formatter):
    """sd-daemon(3): the priority in front, since the journal has the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelname, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _Person(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")


def load_model(
    arguments: argparse.Namespace,
    config: "Config",
    *,
    rests: bool = False,
    patience: "Patience | None" = None,
) -> "LoadedModel":
    """The model, having classified one window of silence: the first one takes longest.

    With ``rests`` it rests in quiet, if it is configured to: for whoever listens for days.
    With ``patience`` a fetch that takes longer goes on aside: for whoever must have an ear.
    Where there is none, none is named and none can be fetched, the one that comes with the detector
    stands in, which is said.  Raises ModelError where one is damaged or no classifier.
    """
    from detector.core.errors import ModelError
    from detector.service.standin import load_file, load_stand_in

    try:
        path = fetched_model(arguments, config, patience)
    except ModelError as error:
        return load_stand_in(error, arguments.model, config.model, os.environ)
    return load_file(path, config.model, rests=rests and config.model.rest)


def reloaded_model(
    arguments: argparse.Namespace, config: "Config", *, may_stand_in: bool
) -> "LoadedModel":
    """The model of a configuration that was read anew, for the daemon: nothing is fetched.

    The built-in one stands in only where it does already: one that is lost from the disk meanwhile
    is no reason to hear less.  Raises ModelError.
    """
    from detector.core.errors import ModelError
    from detector.service.standin import load_file, load_stand_in

    try:
        path = found_model(arguments, config)
    except ModelError as error:
        if not may_stand_in:
            raise
        return load_stand_in(error, arguments.model, config.model, os.environ)
    return load_file(path, config.model, rests=config.model.rest)


def check_wanted(model: "LoadedModel", what: str) -> None:
    """Raise ModelError where a model only stands in: what rests on it is soon worth nothing."""
    from detector.core.errors import ModelError

    if model.facts.stands_in:
        raise ModelError(f"{what} rests on YAMNet, which is not here: detector model fetch")


def served_by(config: "Config", spec: "RecogniserSpec") -> "Config":
    """With the evidence of a model that names sounds, if it is one, and those that it knows."""
    from detector.service.named import named

    served = named(config, spec.tellings, frozenset(spec.labels), spec.content_hash)
    for line in served.lines():
        logging.getLogger(__name__).warning("%s", line)
    return served.config


def found_model(arguments: argparse.Namespace, config: "Config") -> Path:
    """Where the model is; raises ModelError where it is not."""
    from detector.core.errors import ModelError
    from detector.model.store import cache_candidates, find_model

    found = find_model(option=arguments.model, configured=config.model.path, environ=os.environ)
    if found is None:
        places = ", ".join(str(candidate) for candidate in cache_candidates(os.environ))
        raise ModelError(f"no model; looked at {places}. Fetch it: detector model fetch")
    return found


def fetched_model(
    arguments: argparse.Namespace, config: "Config", patience: "Patience | None" = None
) -> Path:
    """Where the model is; fetches it, with a progress bar, where it is not."""
    from detector.cli.progress import download_progress
    from detector.model.store import resolve_model

    with download_progress() as progress:
        return resolve_model(
            option=arguments.model,
            configured=config.model.path,
            environ=os.environ,
            progress=progress,
            timeout_s=FETCH_TIMEOUT_S,
            patience=patience,
        )


def running_service(node: str | None = None) -> "ControlClient | None":
    """A client for the daemon that runs on this machine, if one answers.

    With ``node``, only the one of that name; without, the first that answers.
    """
    from detector.core.errors import ControlError
    from detector.service.control_client import ControlClient, find_sockets

    for path in find_sockets(os.environ):
        client = ControlClient(path)
        try:
            if node in (None, client.request("ping").get("node")):
                return client
        except ControlError as error:
            logging.getLogger(__name__).debug("%s", error)
    return None


def required_service(node: str | None = None) -> "ControlClient":
    """The same; raises ControlError where none answers."""
    from detector.core.errors import ControlError

    client = running_service(node)
    if client is None:
        raise ControlError(
            "no running service found; start one (detector run), or join its group: "
            "sudo usermod -aG detector $USER"
        )
    return client


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """``--file`` and ``--stdin``: hear something else than what is configured."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--file", type=Path, metavar="FILE", help="hear this recording, at its own pace"
    )
    group.add_argument(
        "--stdin",
        action="store_true",
        help="hear raw signed 16-bit samples from standard input (see audio.stdin_rate_hz)",
    )


def positive_seconds(text: str) -> float:
    """An option's number of seconds; raises ArgumentTypeError for what is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def with_source(config: "Config", arguments: argparse.Namespace) -> "Config":
    """The configuration with the source that the options name."""
    if arguments.file is not None:
        audio = replace(config.audio, source="file", path=arguments.file)
    elif arguments.stdin:
        audio = replace(config.audio, source="stdin")
    else:
        return config
    return replace(config, audio=audio)
