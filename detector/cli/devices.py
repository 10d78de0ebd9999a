"""``detector devices``: which microphones there are."""

import argparse
import json

from detector.cli.common import Subparsers, add_command


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "devices",
        summary="list the microphones",
        description="List the devices that can be listened to.\n\n"
        "Put part of a name into the configuration (audio.device): names survive a reboot,\n"
        "numbers do not.",
        handler=run,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """List them; none is an error."""
    from detector.audio.check import list_devices
    from detector.core.errors import AudioError

    devices = list_devices()
    if not devices:
        raise AudioError(
            "no microphone found; plug one in, and see that this user is in the group `audio`"
        )
    for device in devices:
        rates = ", ".join(f"{rate / 1000:g}" for rate in device.rates_hz)
        if arguments.json:
            print(json.dumps(device.as_dict(), ensure_ascii=False))
        else:
            print(f"{device.id:>3}  {device.name}")
            print(f"     {device.channels} channels, {rates or 'no usable rate'} kHz", end="")
            print(f", {device.host_api}")
    return 0
