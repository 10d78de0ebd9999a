"""The shape of the house, held by reading its imports."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "detector"
MODULES = sorted(PACKAGE.rglob("*.py"))

ALLOWED = {
    "core": {"core"},
    "config": {"config", "core"},
    "audio": {"audio", "config", "core"},
    "model": {"model", "config", "core"},
    "events": {"events", "config", "core"},
    "alerts": {"alerts", "config", "core"},
    "learning": {"learning", "events", "model", "audio", "config", "core"},
    "service": {"service", "learning", "alerts", "events", "model", "audio", "config", "core"},
    "workbench": {"workbench", "service", "learning", "alerts", "events", "model", "audio"}
    | {"config", "core"},
    "scan": {"scan", "service", "alerts", "events", "model", "audio", "config", "core"},
    "cli": {"cli", "scan", "workbench", "service", "learning", "alerts", "events", "model"}
    | {"audio", "config", "core"},
    "systemd": set(),
    "heads": set(),
}
"""Which rooms a room may import from."""

OWNERS = {
    "sounddevice": {"audio/portaudio.py"},
    "soundfile": {"audio/file.py"},
    "soxr": {"audio/resampling.py"},
    "ai_edge_litert": {"model/interpreter.py"},
    "tflite_runtime": {"model/interpreter.py"},
    "paho": {"alerts/mqtt.py"},
    "yaml": {"config"},
    "rich": {"cli/listen.py", "cli/progress.py"},
    "pyarrow": {"scan/table.py"},
    "distributed": {"scan/cluster.py"},
    "keras": {"workbench/crnnnet.py"},
    "tensorflow": {"workbench/crnnnet.py", "workbench/ownclasses.py"},
    **{name: {"workbench/clipmodels.py"} for name in ("sklearn", "threadpoolctl")},
    **{name: {"workbench"} for name in ("pandas", "sed_scores_eval")},
}
"""The one module, or the room, that may import a third-party package; numpy is everybody's."""


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module, and whether only the type checker imports it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module), id(node) in for_types


def place(path: Path) -> str:
    """``alerts/mqtt.py``."""
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_rooms_import_only_what_lies_below_them(path: Path) -> None:
    """The four rooms do not know each other; nobody imports the command line."""
    room = place(path).split("/")[0]
    if room.endswith(".py"):
        return  # the package itself: __init__ and __main__
    for name, _ in imports(path):
        if name.startswith("detector."):
            assert name.split(".")[1] in ALLOWED[room], f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_each_third_party_package_has_one_importer(path: Path) -> None:
    """So that one can be replaced by changing one module."""
    for name, for_types in imports(path):
        package = name.split(".")[0]
        if for_types or package in sys.stdlib_module_names or package in ("detector", "numpy"):
            continue
        owners = OWNERS.get(package)
        assert owners is not None, f"{place(path)} imports {name}, which nobody owns"
        here = place(path)
        assert {here, here.split("/")[0]} & owners, f"{here} imports {name}; that is {owners}'s"


def test_the_words_and_the_decisions_touch_no_clock_and_no_disk() -> None:
    """``core`` and ``events`` are pure: time and data come in as arguments."""
    forbidden = {"time", "os", "io", "threading", "socket", "subprocess", "pathlib", "logging"}
    for path in MODULES:
        if place(path).split("/")[0] in ("core", "events"):
            used = {name.split(".")[0] for name, _ in imports(path)} & forbidden
            assert not used, f"{place(path)} imports {used}"


def test_every_test_file_is_collected() -> None:
    """A test in a file that pytest never looks at is no test."""
    for path in (PACKAGE.parent / "tests").rglob("*.py"):
        holds_tests = any(
            isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            for node in ast.parse(path.read_text(encoding="utf-8")).body
        )
        assert not holds_tests or path.name.startswith("test_"), path
