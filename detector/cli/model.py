"""``detector model``: fetch it, find it, verify it, list its classes."""

import argparse
import os

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    fetched_model,
    found_model,
    load,
)

_SEARCH = """\
The model is searched for in this order: --model, $DETECTOR_MODEL, the configuration's
model.path, the service's, the user's and the system's cache.
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "model",
        summary="fetch, find or verify the model",
        description=_SEARCH,
        handler=path,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    fetching = add_command(
        actions,
        "fetch",
        summary="download YAMNet into the cache",
        description="Download YAMNet (4.1 MB) into the cache, verified by its SHA-256.\n\n"
        "On a machine without a network, bring the file and name it:\n"
        "  detector model fetch --url file:///media/usb/yamnet.tflite",
        handler=fetch,
    )
    fetching.add_argument(
        "--url",
        action="append",
        metavar="URL",
        help="an address instead of the official ones; the content must be the official one",
    )
    fetching.add_argument(
        "--system", action="store_true", help="into the system's cache, for all users"
    )
    for name, summary, handler in (
        ("path", "print where the model is", path),
        ("verify", "check the model and say what it is", verify),
        ("labels", "list the model's classes", labels),
    ):
        action = add_command(actions, name, summary=summary, description=_SEARCH, handler=handler)
        add_config_option(action)
        add_model_option(action)


def fetch(arguments: argparse.Namespace) -> int:
    """Download it, unless it is there already."""
    from detector.cli.common import set_up_logging
    from detector.cli.progress import download_progress
    from detector.model.store import fetch_model

    set_up_logging("info")
    with download_progress() as progress:
        found = fetch_model(
            urls=arguments.url, system=arguments.system, environ=os.environ, progress=progress
        )
    print(found)
    return 0


def path(arguments: argparse.Namespace) -> int:
    """Print the path."""
    print(found_model(arguments, load(arguments)))
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Load it and say what it is."""
    from detector.model.store import OFFICIAL
    from detector.model.trial import open_model

    config = load(arguments)
    found = fetched_model(arguments, config)
    classifier = open_model(
        found,
        runtime=config.model.runtime,
        threads=config.model.threads,
        sha256=config.model.sha256,
    )
    official = classifier.content_hash == OFFICIAL.sha256
    print(f"file      {found}")
    print(f"sha256    {classifier.content_hash}")
    print(f"identity  {'the official YAMNet' if official else 'not the official YAMNet'}")
    print(f"window    {classifier.window_samples} samples at 16 kHz")
    print(f"classes   {len(classifier.labels)}")
    print(f"runtime   {classifier.runtime_name}")
    return 0


def labels(arguments: argparse.Namespace) -> int:
    """List the classes, one a line."""
    from detector.model.labels import read_model_labels

    for index, name in enumerate(read_model_labels(found_model(arguments, load(arguments)))):
        print(f"{index:>3}  {name}")
    return 0
