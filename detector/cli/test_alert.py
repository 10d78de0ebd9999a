"""``detector test-alert``: prove the way from here to the lamp."""

import argparse

from detector.cli.common import Subparsers, add_command, required_service

_DESCRIPTION = """\
Have the running service send a test alert: the sound goes ON, an event with `test: true`
is sent, and 3 s later the sound goes OFF. Whatever is to flash or shake should do so now.

  detector test-alert
  detector test-alert smoke_alarm
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "test-alert",
        summary="have the running service send a test alert",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("sound", nargs="?", metavar="SOUND", help="default: the first one")
    parser.add_argument("--node", help="which service, if several run here")


def run(arguments: argparse.Namespace) -> int:
    """Ask for it."""
    service = required_service(arguments.node)
    print(service.request("test_alert", sound=arguments.sound)["done"])
    return 0
