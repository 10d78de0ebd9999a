"""``detector service``: install it on this machine, or remove it."""

import argparse
import functools
from pathlib import Path

from detector.cli.common import Subparsers, add_command


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "service",
        summary="install or remove the systemd service",
        description="Install detector as a systemd service, or remove it.",
        handler=install,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    installing = add_command(
        actions,
        "install",
        summary="install and start the service",
        description="Install into /opt/detector, with the configuration in /etc/detector and a\n"
        "system user `detector`, and start it. An existing configuration is kept.\n\n"
        "  sudo detector service install\n"
        "  sudo detector service install --instance kitchen   (a second microphone)",
        handler=install,
    )
    removing = add_command(
        actions,
        "uninstall",
        summary="stop and remove the service",
        description="Stop and remove the service; configuration and state are kept.",
        handler=uninstall,
    )
    for action in (installing, removing):
        action.add_argument("--instance", metavar="NAME", help="the service detector@NAME")
        action.add_argument("--dry-run", action="store_true", help="only say what would be done")
        action.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    removing.add_argument("--purge", action="store_true", help="remove configuration and state too")


_say = functools.partial(print, flush=True)
"""Steps stand before what pip and systemd print about them."""


def install(arguments: argparse.Namespace) -> int:
    """Install it, saying each step."""
    from detector.service.installer import install as install_it

    install_it(
        say=_say,
        root=arguments.root,
        instance=arguments.instance,
        dry_run=arguments.dry_run,
    )
    return 0


def uninstall(arguments: argparse.Namespace) -> int:
    """Remove it, saying each step."""
    from detector.service.installer import uninstall as remove_it

    remove_it(
        say=_say,
        root=arguments.root,
        instance=arguments.instance,
        purge=arguments.purge,
        dry_run=arguments.dry_run,
    )
    return 0
