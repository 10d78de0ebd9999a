"""The README names everything that others build on."""

import argparse
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from detector.alerts.messages import (
    Health,
    MqttHealth,
    attributes_payload,
    event_types,
    level_payload,
)
from detector.alerts.topics import Topics
from detector.cli import build_parser
from detector.config.describe import walk
from detector.config.sounds import shipped_sounds
from detector.core import errors
from detector.core.audio import MicState
from detector.core.events import OffsetReason, Phase, Urgency
from tests.alerts.tools import onset

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config" / "detector.yaml").read_text(encoding="utf-8")


def named(word: str) -> bool:
    """Whether the README has the word as code, alone or with other words."""
    return re.search(rf"`[^`\n]*(?<![\w-]){re.escape(word)}(?![\w-])[^`\n]*`", README) is not None


def topics() -> list[str]:
    """Every topic of a node, as the README writes them."""
    every = Topics("detector", "nursery")
    plain = [
        getattr(every, name)
        for name, value in vars(Topics).items()
        if isinstance(value, property) and name != "every_threshold_set"
    ]
    of_sounds = [*every.retained_of("<name>"), every.threshold_set("<name>")]
    return [topic.removeprefix("detector/nursery/") for topic in [*plain, *of_sounds]]


@pytest.mark.parametrize("topic", topics())
def test_every_topic_is_named(topic: str) -> None:
    """In the contract's tables."""
    assert f"| `{topic}` |" in README


def test_every_field_of_the_event_is_named() -> None:
    """Those of the schema, which a test of its own freezes."""
    schema = json.loads((ROOT / "detector/alerts/event.schema.json").read_text(encoding="utf-8"))
    assert [name for name in schema["properties"] if not named(name)] == []


def test_every_field_of_the_other_messages_is_named() -> None:
    """Attributes, level and health."""
    names = [
        *attributes_payload(onset()),
        *level_payload(0.0, 0.0),
        *(field.name for field in fields(Health)),
        *(field.name for field in fields(MqttHealth)),
    ]
    assert [name for name in names if not named(name)] == []


def test_every_word_of_the_vocabulary_is_named() -> None:
    """Event types, phases, reasons, urgencies, microphone states, sounds."""
    words = [
        *(kind for kind in event_types({}) if kind),
        *(str(word) for kind in (Phase, OffsetReason, Urgency, MicState) for word in kind),
        *shipped_sounds(),
    ]
    assert [word for word in words if not named(word)] == []


def test_the_example_event_is_one() -> None:
    """It has every required field, and nothing unknown."""
    schema = json.loads((ROOT / "detector/alerts/event.schema.json").read_text(encoding="utf-8"))
    block = re.search(r"```json\n(.*?)\n```", README, re.DOTALL)
    assert block is not None
    example = json.loads(block.group(1))
    assert set(schema["required"]) <= set(example) <= set(schema["properties"])


def commands(parser: argparse.ArgumentParser, above: str = "") -> list[str]:
    """Every command and action there is, ``config check``."""
    found = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for name, below in action.choices.items():
                deeper = commands(below, f"{above}{name} ")
                found += deeper or [f"{above}{name}"]
    return found


def test_every_command_is_named() -> None:
    """With its actions."""
    assert [name for name in commands(build_parser()) if not named(name)] == []


def test_every_exit_code_is_documented_in_both_places() -> None:
    """README and --help."""
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.DetectorError)
    }
    for text in (README, build_parser().format_help()):
        documented = text[text.lower().index("exit codes") :]
        assert all(re.search(rf"\b{code}\s", documented) for code in codes)


def test_every_setting_stands_in_the_example_configuration() -> None:
    """And each setting of a sound in the README."""
    for key, _ in walk():
        leaf = key.rsplit(".", maxsplit=1)[-1].replace("[]", "")
        assert re.search(rf"\b{leaf}\b", EXAMPLE), key
        if key.startswith("sounds.<name>.") and key.count(".") == 2:
            assert named(leaf), key


def test_links_lead_somewhere() -> None:
    """To files of this repository, and to headings of this page."""
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_it_says_that_it_is_no_life_safety_device() -> None:
    """Where a person could think otherwise: first screen of the README, help, and blueprint."""
    blueprint = (ROOT / "docs/homeassistant/sound_alert.yaml").read_text(encoding="utf-8")
    for text in (README[:2500], build_parser().format_help(), blueprint):
        assert "not a life-safety device" in " ".join(text.replace(">", " ").split())
