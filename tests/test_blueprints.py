"""The Home Assistant blueprints, as far as they can be held without Home Assistant."""

from pathlib import Path
from typing import Any

import pytest
import yaml

BLUEPRINTS = sorted((Path(__file__).parents[1] / "docs/homeassistant").glob("*.yaml"))


class Input(str):
    """What stands behind ``!input``."""

    __slots__ = ()


class Loader(yaml.SafeLoader):
    """YAML with Home Assistant's ``!input``."""


def _input(loader: yaml.SafeLoader, node: yaml.Node) -> Input:
    assert isinstance(node, yaml.ScalarNode)
    return Input(loader.construct_scalar(node))


Loader.add_constructor("!input", _input)


def load(path: Path) -> dict[str, Any]:
    """A blueprint."""
    found = yaml.load(path.read_text(encoding="utf-8"), Loader)
    assert isinstance(found, dict)
    return found


def inputs_used(value: Any) -> set[str]:
    """Every ``!input`` in a part of a blueprint."""
    if isinstance(value, Input):
        return {str(value)}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name for part in parts for name in inputs_used(part)}


def texts(value: Any) -> list[str]:
    """Every string in a part of a blueprint."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in texts(part)]


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_every_input_is_declared_and_used(path: Path) -> None:
    """One that is not is refused by Home Assistant, or does nothing."""
    blueprint = load(path)
    declared = set(blueprint["blueprint"]["input"])
    used = inputs_used({key: part for key, part in blueprint.items() if key != "blueprint"})
    assert used == declared


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_it_is_an_automation_of_a_version_that_knows_its_words(path: Path) -> None:
    """The plural keys ``triggers`` and ``actions`` came with 2024.10."""
    blueprint = load(path)
    about = blueprint["blueprint"]
    assert about["domain"] == "automation"
    assert about["homeassistant"]["min_version"] == "2024.10.0"
    assert {"triggers", "actions", "mode"} <= set(blueprint)
    assert all("selector" in each and "name" in each for each in about["input"].values())


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_no_template_names_an_input_directly(path: Path) -> None:
    """Templates see variables only."""
    blueprint = load(path)
    known = {*blueprint.get("variables", {}), "repeat"}
    declared = set(blueprint["blueprint"]["input"]) - known
    templates = [text for text in texts(blueprint["actions"]) if "{{" in text]
    assert not [name for name in declared for text in templates if f" {name} " in text]


def test_both_are_there() -> None:
    """One that alerts, and one that tells when nobody listens."""
    assert [path.stem for path in BLUEPRINTS] == ["listener_not_working", "sound_alert"]
