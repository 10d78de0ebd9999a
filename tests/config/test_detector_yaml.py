"""The configuration file that is shipped shows everything and changes nothing."""

import re
from pathlib import Path

import pytest
import yaml

from detector.config.describe import REQUIRED, Known, walk
from detector.config.loader import load_config, parse_config
from detector.config.render import value_text
from detector.config.sounds import DEFAULT_SOUNDS, shipped_sounds

PATH = Path(__file__).parents[2] / "config" / "detector.yaml"
LINES = PATH.read_text(encoding="utf-8").splitlines()
SETTINGS = dict(walk())
IN_A_SOUND = [path for path in SETTINGS if "<name>" in path]


def values_in_the_file() -> dict[str, str]:
    """Text of every value by key path, with the example of a sound uncommented."""
    start = LINES.index("  # vacuum_cleaner:")
    end = LINES.index("# The broker.")
    freed = [re.sub(r"^  # ", "  ", line) for line in LINES[start:end]]
    document = yaml.safe_load("\n".join(["sounds:", *freed]))
    return _flat({**yaml.safe_load(PATH.read_text(encoding="utf-8")), **document}, "")


def _flat(value: object, key: str) -> dict[str, str]:
    if isinstance(value, dict):
        key = key.replace(".vacuum_cleaner", ".<name>")
        parts = [_flat(inner, f"{key}.{name}" if key else name) for name, inner in value.items()]
        return {path: text for part in parts for path, text in part.items()} | {key: ""}
    if isinstance(value, list) and isinstance(value[0], dict):
        return _flat(value[0], f"{key}[]") | {key: ""}
    return {key: value_text(value)}


def default(known: Known) -> str:
    """Text of a default, nothing for a section or what has none."""
    no_value = known.default is REQUIRED or known.section or known.is_mapping
    return "" if no_value and not known.optional else value_text(known.default)


def test_it_loads_to_exactly_the_defaults() -> None:
    """Whoever copies it as it stands changes nothing."""
    assert load_config(PATH, environ={}) == parse_config("", "defaults")


OPTIONAL_SECTIONS = ("fitted_for.", "second_stage.")
"""Of which the file has null, and names their settings in words."""


@pytest.mark.parametrize(
    "path", [path for path in SETTINGS if not any(one in path for one in OPTIONAL_SECTIONS)]
)
def test_every_setting_stands_there_with_its_default(path: str) -> None:
    """Nothing has to be looked up elsewhere, and nothing there is out of date."""
    if path == "node":
        assert "# node: nursery" in LINES  # the default depends on the machine
    elif path.endswith(".classes"):
        assert path in values_in_the_file()
    else:
        assert values_in_the_file()[path] == default(SETTINGS[path])


def test_nothing_stands_there_that_is_no_setting() -> None:
    """The example of a sound included."""
    shipped = {f"sounds.{name}" for name in shipped_sounds()} | {
        "",
        "sounds.<name>",
        "sounds.<name>.evidence[]",
    }
    assert set(values_in_the_file()) - shipped <= set(SETTINGS)


def test_every_value_has_a_comment_above_it() -> None:
    """Of the sounds, the section as a whole has one."""
    bare = [
        line
        for above, line in zip(["", *LINES], LINES, strict=False)
        if re.match(r" *[a-z_]+:( |$)", line) and not above.lstrip().startswith("#")
    ]
    assert bare == [f"  {name}:" for name in DEFAULT_SOUNDS]


def test_all_shipped_sounds_are_offered_and_three_are_on() -> None:
    """One only has to take the # away."""
    offered = [line.split(":")[0] for line in LINES if re.match(r"  (# )?[a-z_]+:( #|$)", line)]
    names = [name.strip().removeprefix("# ") for name in offered]
    shipped = [name for name in names if name in shipped_sounds()]
    assert sorted(shipped) == sorted(shipped_sounds())
    assert [name.strip() for name in offered if name.strip() in shipped_sounds()] == list(
        DEFAULT_SOUNDS
    )


def test_the_example_of_a_sound_works_when_it_is_uncommented() -> None:
    """It is no decoration."""
    text = "\n".join(re.sub(r"^  # (?=vacuum| )", "  ", line) for line in LINES)
    config = parse_config(text, "d.yaml")
    assert list(config.sounds) == [*DEFAULT_SOUNDS, "vacuum_cleaner"]
    assert config.sounds["vacuum_cleaner"].label == "Vacuum cleaner"
