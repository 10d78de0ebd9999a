"""``detector sounds``: the sounds of one's own: list, forget, rename, export, import."""

import argparse
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    load,
    load_model,
    running_service,
)
from detector.core.errors import ConfigError, ControlError, DataError

if TYPE_CHECKING:
    from detector.config import Config
    from detector.service.ownsounds import OwnSound, OwnSounds

_PATIENCE_S = 10.0
"""For the service to read its configuration anew."""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "sounds",
        summary="the sounds of your own that were learnt here",
        description="List, forget, rename, export or import sounds that `detector learn` has "
        "learnt.\nThe running service follows at once.",
        handler=show,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for action in [*_plain(actions), *_files(actions)]:
        action.add_argument("--node", help="which service, if several run here")
        add_config_option(action)


def _plain(actions: "Subparsers[argparse.ArgumentParser]") -> "list[argparse.ArgumentParser]":
    listing = add_command(
        actions,
        "list",
        summary="what was learnt, from how much, and how good it is",
        description="What was learnt here, from how many takes, and what was expected of it then.",
        handler=show,
    )
    forgetting = add_command(
        actions,
        "forget",
        summary="cease to listen for one, and forget its takes",
        description="Cease to listen for a sound, and forget what it was learnt from.",
        handler=forget,
    )
    forgetting.add_argument("name", metavar="NAME")
    renaming = add_command(
        actions,
        "rename",
        summary="give one another name",
        description="Give a sound another name. In Home Assistant it is then another entity.",
        handler=rename,
    )
    renaming.add_argument("name", metavar="NAME")
    renaming.add_argument("new", metavar="NEW")
    return [listing, forgetting, renaming]


def _files(actions: "Subparsers[argparse.ArgumentParser]") -> "list[argparse.ArgumentParser]":
    exporting = add_command(
        actions,
        "export",
        summary="write some into a file, for another machine",
        description="Write sounds into a file: their heads, labels, and the embeddings of their "
        "takes. It holds no audio.",
        handler=export,
    )
    exporting.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    exporting.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to")
    exporting.add_argument(
        "--tflite",
        action="store_true",
        help="as one TFLite model for other programs, from an embedding to a probability for each "
        "(needs the extra crnn)",
    )
    importing = add_command(
        actions,
        "import",
        summary="take them in from such a file",
        description="Take in the sounds of an exported file. They must have been learnt with the "
        "model that is in use here.",
        handler=take_in,
    )
    importing.add_argument("file", type=Path, metavar="FILE")
    add_model_option(importing)
    return [exporting, importing]


def store_of(arguments: argparse.Namespace, config: "Config") -> "OwnSounds":
    """Where sounds of one's own are kept: by the service where it runs, else as configured."""
    from detector.config.own import FOLDER_NAME
    from detector.service.overrides import state_directory
    from detector.service.ownsounds import OwnSounds

    folder = state_directory(config, os.environ)
    client = running_service(arguments.node)
    if client is not None:
        folder = Path(str(client.request("status").get("state_directory", folder)))
    sounds = OwnSounds(folder / FOLDER_NAME)
    sounds.names()  # which says so where we may not see them
    if folder.exists() and not os.access(folder, os.W_OK):
        raise DataError(f"{folder} cannot be written: it is the service's; say it again with sudo")
    return sounds


def check_name(name: str) -> None:
    """Raise DataError for what cannot be the name of a sound of one's own."""
    from detector.config.setting import NAME_PATTERN
    from detector.config.sounds import is_reserved, shipped_sounds

    if not re.fullmatch(NAME_PATTERN, name):
        raise DataError(
            f"{name!r} is not a name for a sound: write lower-case letters, digits and _, "
            "beginning with a letter, at most 40"
        )
    if name in shipped_sounds():
        raise DataError(f"{name} is a shipped sound: choose another name, such as my_{name}")
    if is_reserved(name):
        raise DataError(f"{name} is the name of another kind of event: choose another")


def reloaded(arguments: argparse.Namespace, *wanted: str) -> None:
    """Have the running service follow, and say what became of that."""
    client = running_service(arguments.node)
    if client is None:
        print("the detector takes it in at its next start")
        return
    client.request("reload")
    ends_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends_s:
        time.sleep(0.3)
        try:
            listened_for = client.request("status")["sounds"]
        except ControlError:
            continue  # between two
        if set(wanted) <= set(listened_for):
            print(f"the running service listens for {', '.join(listened_for)}")
            return
    raise ControlError("the running service did not take it in: see its log")


def show(arguments: argparse.Namespace) -> int:
    """Print them."""
    store = store_of(arguments, load(arguments))
    names = store.names()
    for name in names:
        print(_told(store, name))
    begun = store.begun()
    for name in begun:
        print(_told_of_begun(store, name))
    if not (names or begun):
        print("no sound of your own was learnt here; detector learn NAME")
    return 0


def _told(store: "OwnSounds", name: str) -> str:
    """One of them, in one line."""
    try:
        sound = store.read(name)
    except (ConfigError, DataError) as error:
        return f"{name}: damaged, learn it anew or forget it: {error}"
    figures = sound.head.provenance["figures"]
    return (
        f"{name}: {figures['takes']} takes, {figures['takes_found']} found by the others; "
        f"{figures['false_alarms']} false alarms in {figures['hours']} h; learnt on "
        f"{sound.head.day}"
    )


def _told_of_begun(store: "OwnSounds", name: str) -> str:
    """One that has too few takes yet, in one line."""
    from detector.learning.takes import FEWEST

    try:
        count = len(store.takes(name))
    except (ConfigError, DataError) as error:
        return f"{name}: its takes are damaged, begin again or forget it: {error}"
    return f"{name}: {count} of {FEWEST} takes, not listened for yet"


def _check_unnamed(config: "Config", name: str, what: str) -> None:
    """Raise DataError where the configuration names a sound that would be no more."""
    origin = config.origins.get(f"sounds.{name}")
    if origin is not None:
        raise DataError(f"{origin}: sounds.{name} stands in the configuration: {what}")


def forget(arguments: argparse.Namespace) -> int:
    """Remove one."""
    config = load(arguments)
    _check_unnamed(config, arguments.name, "remove it there first, then forget it")
    store_of(arguments, config).forget(arguments.name)
    print(f"{arguments.name} is forgotten")
    reloaded(arguments)
    return 0


def rename(arguments: argparse.Namespace) -> int:
    """Give one another name."""
    check_name(arguments.new)
    config = load(arguments)
    _check_unnamed(config, arguments.name, f"remove it there first, and then write {arguments.new}")
    store_of(arguments, config).rename(arguments.name, arguments.new)
    print(f"{arguments.name} is {arguments.new} now")
    reloaded(arguments, arguments.new)
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write some of them into a file."""
    from detector.service.ownfiles import write_file
    from detector.service.ownsounds import bundle_of

    store = store_of(arguments, load(arguments))
    found = [store.read(name) for name in arguments.names] or store.read_all()
    if not found:
        raise DataError("no sound of your own was learnt here: there is nothing to export")
    write_file(arguments.out, _as_tflite(found) if arguments.tflite else bundle_of(found))
    print(f"{arguments.out}: {', '.join(sound.name for sound in found)}")
    return 0


def _as_tflite(sounds: "list[OwnSound]") -> bytes:
    from detector.workbench.ownclasses import classes_graph

    return classes_graph(sounds)


def take_in(arguments: argparse.Namespace) -> int:
    """Take in those of a file, if they fit the model and there are none of their names."""
    from detector.service.ownsounds import sounds_in

    config = load(arguments)
    store, found = store_of(arguments, config), sounds_in(arguments.file)
    spec = load_model(arguments, config).recogniser.spec
    there = set(store.names())
    for sound in found:
        check_name(sound.name)
        if misfit := sound.misfit(spec):
            raise DataError(f"{arguments.file}: {sound.name} cannot be used: {misfit}")
        if sound.name in there:
            raise DataError(f"{sound.name}: there is one of that name already; forget it first")
    store.write(found)
    names = [sound.name for sound in found]
    print(f"taken in: {', '.join(names)}")
    reloaded(arguments, *names)
    return 0
