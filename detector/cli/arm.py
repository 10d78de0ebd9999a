"""``detector arm`` and ``detector disarm``: have the running service tell sounds, or cease to."""

import argparse
from functools import partial

from detector.cli.common import Subparsers, add_command, required_service

_ARMING = """\
Have the running service tell sounds again, after `detector disarm` or the switch in Home
Assistant. An event says so.
"""
_DISARMING = """\
Have the running service cease to tell sounds, until somebody arms it again: with `detector arm`,
or the switch in Home Assistant. It goes on listening, stays disarmed over restarts, and tells
an event that says so.
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe both commands."""
    for name, summary, description in (
        ("arm", "have the running service tell sounds again", _ARMING),
        ("disarm", "have the running service cease to tell sounds", _DISARMING),
    ):
        parser = add_command(
            commands,
            name,
            summary=summary,
            description=description,
            handler=partial(run, command=name),
        )
        parser.add_argument("--node", help="which service, if several run here")


def run(arguments: argparse.Namespace, command: str) -> int:
    """Ask for it."""
    print(required_service(arguments.node).request(command)["done"])
    return 0
