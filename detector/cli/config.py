"""``detector config``: check it, show what is in force, describe every setting."""

import argparse
import json
import os

from detector.cli.common import Subparsers, add_command, add_config_option, add_model_option


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "config",
        summary="check, show or describe the configuration",
        description="Check the configuration, show what is in force, or describe every setting.",
        handler=check,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = add_command(
        actions,
        "check",
        summary="report all problems at once",
        description="Report all problems at once, each with its line, key, value and remedy.\n"
        "Class names are checked against the model, where there is one.",
        handler=check,
    )
    showing = add_command(
        actions,
        "show",
        summary="every value in force, and where it comes from",
        description="Every value in force, and where it comes from. A password never stands\n"
        "in the configuration, so none is shown.",
        handler=show,
    )
    for action in (checking, showing):
        add_config_option(action)
    add_model_option(checking)
    describing = add_command(
        actions,
        "schema",
        summary="every setting with its meaning, default and bounds",
        description="Every setting with its meaning, default and bounds.",
        handler=schema,
    )
    describing.add_argument("--json", action="store_true", help="as a JSON Schema")


def check(arguments: argparse.Namespace) -> int:
    """Say that it is right, or raise with all that is wrong."""
    from detector.cli.common import load
    from detector.config.checks import check_classes
    from detector.core.errors import ConfigError
    from detector.model.labels import read_model_labels
    from detector.model.store import find_model

    config = load(arguments)
    found = find_model(option=arguments.model, configured=config.model.path, environ=os.environ)
    if found is None:
        print("class names were not checked: there is no model yet (detector model fetch)")
    elif problems := check_classes(config, read_model_labels(found)):
        raise ConfigError(problems)
    sounds = ", ".join(config.enabled_sounds)
    print(f"{config.origins['']}: in order; node {config.node}, sounds: {sounds}")
    if config.calibration is not None:
        from detector.config.calibration import read_calibration

        of = [name for name in read_calibration(config.calibration).sounds if name in config.sounds]
        print(f"{config.calibration}: {', '.join(of) or 'none of these sounds'}")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print the configuration in force."""
    from detector.cli.common import load
    from detector.config.render import effective_config

    print(effective_config(load(arguments)), end="")
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """Describe every setting."""
    from detector.config.render import json_schema, schema_text

    if arguments.json:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    else:
        print(schema_text(), end="")
    return 0
