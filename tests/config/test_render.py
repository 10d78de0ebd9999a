"""What ``config show`` and ``config schema`` print."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest
import yaml

from detector.config.describe import walk
from detector.config.json_schema import json_schema
from detector.config.loader import parse_config
from detector.config.render import effective_config, schema_text, value_text
from detector.config.setting import Origin
from detector.config.sounds import shipped_sounds

SHIPPED_FILE = Path(__file__).parents[2] / "config" / "detector.yaml"


def test_what_is_shown_loads_to_the_same_configuration(tmp_path: Path) -> None:
    """Whatever texts and paths are in it."""
    password = tmp_path / "pass word: #1"
    password.write_text("x", encoding="utf-8")
    text = f"""
node: n1
name: "yes"
area: 'Baby''s "room" # 1: ünï 🎈'
audio: {{device: "1:30", channel: 2}}
mqtt: {{host: "1e3", username: "2001-13-45", password_file: "{password}", base_topic: "null"}}
sounds:
  baby_cry: {{threshold: 0.2, label: "- x"}}
  own: {{evidence: [{{classes: ["A, b", "~"]}}, {{classes: [C], pooling: noisy_or}}]}}
"""
    config = parse_config(text, "d.yaml")
    assert parse_config(effective_config(config), "shown") == config


def test_every_value_is_shown_with_its_origin() -> None:
    """File and line, shipped, or default."""
    text = "mqtt:\n  host: broker\nsounds:\n  siren:\n    threshold: 0.4\n"
    lines = [
        " ".join(line.split())
        for line in effective_config(parse_config(text, "d.yaml")).split("\n")
    ]
    for line in (
        "host: broker # d.yaml:2",
        "port: null # default",
        "threshold: 0.4 # d.yaml:5",
        "hold_seconds: 15 # shipped",
        '- "Ambulance (siren)" # shipped',
        "icon: mdi:alarm-light # shipped",
        'protocol: "5" # default',
        "- kind: head # shipped",
    ):
        assert line in lines


def test_an_origin_put_in_later_is_shown() -> None:
    """A threshold set from Home Assistant says so."""
    config = parse_config("", "d.yaml")
    changed = {**config.origins, "name": Origin("set from Home Assistant")}
    shown = effective_config(replace(config, origins=MappingProxyType(changed)))
    assert "# set from Home Assistant\n" in shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (600.0, "600"), (0.48, "0.48"), (1e-05, "1e-05"),
        ("plain words", "plain words"), ("no", '"no"'), ("12", '"12"'), ("a: b", '"a: b"'),
        ("mdi:bell", "mdi:bell"), ("", '""'), ("x ", '"x "'), (Path("/a/b"), "/a/b"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_yaml_reads_it(value: object, text: str) -> None:
    """In quotes only where it must be."""
    assert value_text(value) == text


def test_the_schema_names_every_setting_with_what_it_may_be() -> None:
    """One readable text."""
    text = schema_text()
    paths = [line[:-1] for line in text.split("\n") if line and not line.startswith(" ")]
    assert paths == [path for path, _ in walk()]
    assert (
        """\
audio.block_seconds:
    How much audio the sound system hands over at a time, at most: it is a fraction of the hop,
    so that a window is complete with a block, and not within one.
    → a number from 0.01 to 1 s (default: 0.24)
"""
        in text
    )
    assert (
        "→ letters, digits, _ and -, at most 40, beginning with a letter or digit (default:" in text
    )
    assert "→ one of max, mean, noisy_or (required)" in text
    assert "→ a path (default: none)" in text
    assert all(len(line) <= 96 for line in text.split("\n"))


def accepts(text: str) -> bool:
    """Whether the JSON Schema finds nothing wrong with a YAML text."""
    validator = jsonschema.Draft202012Validator(json_schema())
    return bool(validator.is_valid(yaml.safe_load(text)))


def test_the_json_schema_is_one_and_takes_the_shipped_file() -> None:
    """And what ``config show`` prints."""
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert accepts(SHIPPED_FILE.read_text(encoding="utf-8"))
    everything = parse_config(f"sounds: [{', '.join(shipped_sounds())}]", "x")
    assert accepts(effective_config(everything))
    assert accepts("sounds: [baby_cry]\nmqtt:\n  host: h\nlog:")


@pytest.mark.parametrize(
    "text",
    [
        "[]", "nam: x", "node: my room", "audio: {source: radio}", "audio: {channel: 0}",
        "audio: {block_seconds: 2}", "mqtt: {port: 70000}", "mqtt: {base_topic: a/}", "sounds: {}",
        "sounds: []", "sounds: [nope]", "sounds: {Nope: {}}", "sounds: {own: {}}",
        "sounds: {own: {evidence: []}}", "sounds: {own: {evidence: [{classes: []}]}}",
        "sounds: {siren: {urgency: huge}}", "sounds: {siren: {threshold: 0}}",
        "model: {threads: 1.5}", "mqtt: {tls: {enabled: maybe}}",
    ],
)  # fmt: skip
def test_the_json_schema_refuses_what_the_loader_refuses(text: str, problems: Any) -> None:
    """As far as single settings go."""
    assert not accepts(text)
    assert problems(text)
