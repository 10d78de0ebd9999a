"""Help that teaches, quickly."""

import argparse
import subprocess
import sys
from collections.abc import Iterator

import pytest

from detector import __version__
from detector.cli import build_parser
from detector.core.errors import (
    AudioError,
    ConfigError,
    ControlError,
    DataError,
    ModelError,
    MqttError,
    ServiceError,
)
from tests.cli.tools import Commands

HEAVY = (
    "numpy",
    "yaml",
    "sounddevice",
    "soundfile",
    "soxr",
    "paho",
    "rich",
    "ai_edge_litert",
    "tflite_runtime",
)


def parsers(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command and action, with what is typed for it."""
    yield path, parser
    for action in parser._actions:  # noqa: SLF001 - argparse has no other list of its commands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            for name, below in action.choices.items():
                yield from parsers(below, (*path, name))


COMMANDS = [path for path, _ in parsers(build_parser())]


def loaded_by(code: str) -> set[str]:
    """The heavy packages that a new interpreter has loaded after running this."""
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    return {name.split(".")[0] for name in done.stderr.split()} & set(HEAVY)


def test_the_commands_are_those_that_the_documentation_names() -> None:
    """A new command is to be described, and tested, before it stands here."""
    assert {" ".join(path) for path in COMMANDS} == {
        "",
        "run",
        "listen",
        "classify",
        "scan",
        "explain",
        "record",
        "learn",
        "sounds",
        "sounds list",
        "sounds forget",
        "sounds rename",
        "sounds export",
        "sounds import",
        "feedback",
        "calibrate",
        "train",
        "train mfcc",
        "train crnn",
        "evaluate",
        "demo",
        "doctor",
        "devices",
        "history",
        "test-alert",
        "selftest",
        "arm",
        "disarm",
        "config",
        "config check",
        "config show",
        "config schema",
        "model",
        "model fetch",
        "model path",
        "model verify",
        "model labels",
        "service",
        "service install",
        "service uninstall",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_teaches(bare: Commands, path: tuple[str, ...]) -> None:
    """It says how it is called and, in a whole sentence, what it does."""
    helped = bare(*path, "--help")
    assert helped.code == 0
    assert helped.err == ""
    assert helped.out.startswith(f"usage: {' '.join(('detector', *path))}")
    description = dict(parsers(build_parser()))[path].description or ""
    assert description.strip() in helped.out
    assert "." in description, "not a sentence"
    assert len(description.split()) >= 6, "too short to teach"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    """But for what is named by its metavariable alone, such as FILE."""
    parser = dict(parsers(build_parser()))[path]
    options = [action for action in parser._actions if action.option_strings]  # noqa: SLF001 - as above
    assert [action.option_strings for action in options if not action.help] == []


def test_the_help_names_every_exit_code(bare: Commands) -> None:
    """Those of the failures, and the three that are not failures of ours."""
    told = bare("--help").out
    codes = told[told.index("exit codes:") :]
    heard = (ConfigError, AudioError, ModelError, MqttError)
    failures = (*heard, ControlError, ServiceError, DataError)
    assert [one.exit_code for one in failures] == [3, 4, 5, 6, 7, 8, 9]
    for code in (0, 1, 2, *(one.exit_code for one in failures), 130):
        assert f"  {code} " in codes.replace("\n", "  ")


def test_the_help_says_that_it_is_no_safety_device(bare: Commands) -> None:
    """Before anybody relies on it."""
    assert "not a life-safety device" in " ".join(bare("--help").out.split())


def test_the_version_is_told(bare: Commands) -> None:
    """The one of the package."""
    assert bare("--version").out == f"detector {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("run",), ("classify",)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Not even numpy: help is there at once, on the slowest machine."""
    typed = [*arguments, "--help"]
    code = f"from detector.cli import main\ntry: main({typed})\nexcept SystemExit: pass"
    assert loaded_by(code) == set()


def test_the_check_of_what_is_loaded_would_notice() -> None:
    """It sees what a command loads that needs something heavy."""
    code = "from detector.cli import main; main(['config', 'schema'])"
    assert "yaml" in loaded_by(code) or "numpy" in loaded_by(code)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sing",),
        ("run", "--loud"),
        ("run", "--file", "a.wav", "--stdin"),
        ("classify",),
        ("config",),
        ("model",),
        ("service",),
        ("test-alert", "a", "b"),
        ("listen", "--seconds", "nan"),
        ("listen", "--seconds", "-1"),
        ("listen", "--seconds", "soon"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_with_the_usage_and_code_2(
    bare: Commands, arguments: tuple[str, ...]
) -> None:
    """As of any command line."""
    outcome = bare(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("usage: detector")
    assert ": error: " in outcome.err
