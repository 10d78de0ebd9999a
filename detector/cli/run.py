"""``detector run``: the daemon."""

import argparse
import os
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    add_source_options,
    load,
    load_model,
    reloaded_model,
    with_source,
)

if TYPE_CHECKING:
    from detector.audio.process import Launch
    from detector.config import Config

_DESCRIPTION = """\
Listen for good: recognise the configured sounds, and tell them over MQTT, or, without a
broker, as JSON lines on standard output.

  detector run
  arecord -f S16_LE -r 16000 -c 1 -t raw | detector run --stdin
  ffmpeg -i rtsp://camera/audio -f s16le -ar 16000 -ac 1 - | detector run --stdin

SIGTERM or Ctrl-C stops it, SIGHUP makes it read its configuration anew.
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "run",
        summary="listen for good (the daemon)",
        description=_DESCRIPTION,
        handler=run,
    )
    add_source_options(parser)
    add_config_option(parser)
    add_model_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon until it is told to stop or its source ends."""
    from detector.audio.ahead import started_ahead
    from detector.audio.blocks import fitted_to_hop

    os.umask(0o077)  # whoever started us: what we write is for our own user alone
    config = with_source(load(arguments, level=None), arguments)
    with started_ahead(fitted_to_hop(config.audio, config.model.hop_seconds)) as launch:
        return _listen(arguments, config, launch)


def _listen(arguments: argparse.Namespace, config: "Config", launch: "Launch") -> int:
    """What is imported here takes longer than to open a device, so that comes before."""
    from detector.model.meantime import Patience
    from detector.service.clock import SystemClock
    from detector.service.daemon import Daemon
    from detector.service.machine import device_info
    from detector.service.parts import Surroundings

    model = load_model(arguments, config, rests=True, patience=Patience())
    stands_in = bool(model.facts.stands_in)
    around = Surroundings(
        clock=SystemClock(),
        environ=os.environ,
        device=device_info(),
        load_config=lambda: with_source(load(arguments, level=None), arguments),
        load_model=lambda changed: reloaded_model(arguments, changed, may_stand_in=stands_in),
        launch=launch,
    )
    return Daemon(config, model, around).run()
