"""``detector config``: check it, show what is in force, describe every setting."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import Subparsers, add_command, add_config_option, add_model_option

if TYPE_CHECKING:
    from detector.config import Config
    from detector.core.errors import Problem
    from detector.service.fitted import InUse


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
        "Class names are checked against the model, where there is one; of heads and calibrations\n"
        "that were fitted for another, which are not used, a line is told for each reason.",
        handler=check,
    )
    showing = add_command(
        actions,
        "show",
        summary="every value in force, and where it comes from",
        description="Every value in force, and where it comes from, with thresholds that were\n"
        "set at run time. A password never stands in the configuration, so none is shown.",
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
    from detector.core.errors import ConfigError
    from detector.model.store import find_model
    from detector.service.heads import read_heads
    from detector.service.secondstage import read_stages

    config = load(arguments)
    found = find_model(option=arguments.model, configured=config.model.path, environ=os.environ)
    problems, set_aside = ([], frozenset()) if found is None else _held_against(config, found)
    if problems := [*problems, *read_heads(config)[1], *read_stages(config)[1]]:
        raise ConfigError(problems)
    if found is None:
        print("class names were not checked: there is no model yet (detector model fetch)")
        _tell_of_stand_in(config)
    sounds = ", ".join(config.enabled_sounds)
    print(f"{config.origins['']}: in order; node {config.node}, sounds: {sounds}")
    if config.calibration is not None:
        from detector.config.calibration import read_calibration

        calibrated = read_calibration(config.calibration).sounds
        of = [name for name in calibrated if name in config.sounds and name not in set_aside]
        print(f"{config.calibration}: {', '.join(of) or 'none of these sounds'}")
    return 0


def _held_against(config: "Config", model: Path) -> "tuple[list[Problem], frozenset[str]]":
    """Classes that a model does not have, and for which sounds the calibration is set aside.

    What was fitted for another model is told at once: it is no mistake, and the detector runs.
    """
    from detector.config.checks import check_classes
    from detector.model.labels import read_model_labels
    from detector.service.fitted import in_force, warnings_of

    use = _in_use(model, config.model.hop_seconds)
    force = in_force(config, use)
    problems = check_classes(force.config, read_model_labels(model))
    for line in () if problems else warnings_of(config, use):
        print(line)
    return problems, frozenset(force.misfits)


def _in_use(model: Path, hop_s: float | None = None) -> "InUse":
    """A model as evidence is fitted for it; without a hop, at the one that its file names."""
    from detector.model.labels import read_model_labels
    from detector.model.modelfile import read_model_file
    from detector.model.stepfile import step_facts
    from detector.service.fitted import InUse

    labels, file = read_model_labels(model), read_model_file(model)
    facts = step_facts(model, file.content)
    hop_s = hop_s or (facts.hop_s if facts else 0.0)
    return InUse(file.sha256, hop_s, facts.tellings if facts else {}, frozenset(labels))


def _tell_of_stand_in(config: "Config") -> None:
    """What the built-in model makes of it, for as long as there is no other."""
    from detector.core.errors import ConfigError
    from detector.model.embedded import embedded_model
    from detector.service.fitted import warnings_of

    path = embedded_model()
    if path is None or config.model.sha256 is not None:
        return
    try:
        lines = list(warnings_of(config, _in_use(path)))
    except ConfigError as error:
        lines = [str(error.problems[0])]
    for line in lines:
        print(f"while the built-in model stands in: {line}")


def show(arguments: argparse.Namespace) -> int:
    """Print the configuration in force."""
    from detector.cli.common import load
    from detector.config.render import effective_config
    from detector.service.overrides import overridden

    print(effective_config(overridden(load(arguments), os.environ)), end="")
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """Describe every setting."""
    from detector.config.render import json_schema, schema_text

    if arguments.json:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    else:
        print(schema_text(), end="")
    return 0
