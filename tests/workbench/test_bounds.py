"""The workbench stays on its own: the service does without it, and without its packages."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "detector"
WORKBENCH = sorted((PACKAGE / "workbench").glob("*.py"))
EXTRA = {"scipy", "sklearn", "pandas", "sed_eval", "sed_scores_eval", "psds_eval", "matplotlib"}
"""What only the workbench may import, and that only where it is used."""


def at_import(path: Path) -> set[str]:
    """Packages that are imported as the module is: not within a function or for types only."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
        todo += ast.iter_child_nodes(node)
    return found


def test_a_service_loads_nothing_of_the_workbench() -> None:
    """Nor any package of its extra."""
    script = (
        "import sys, detector.cli, detector.cli.run, detector.service.daemon, detector.cli.common\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )
    loaded = done.stdout.split()
    assert "detector.service.daemon" in loaded
    assert [name for name in loaded if name.startswith("detector.workbench")] == []
    assert {name.split(".")[0] for name in loaded} & EXTRA == set()


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda p: p.name)
def test_a_command_loads_the_workbench_only_when_it_is_run(path: Path) -> None:
    """Help is quick."""
    assert [name for name in at_import(path) if "workbench" in name] == []


@pytest.mark.parametrize("path", WORKBENCH, ids=lambda path: path.name)
def test_heavy_packages_are_loaded_where_they_are_used(path: Path) -> None:
    """So that what needs none of them works without the extra."""
    assert {name.split(".")[0] for name in at_import(path)} & EXTRA == set()


def test_the_extra_names_every_package_that_is_used() -> None:
    """Whoever installs it has them all."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = " ".join(project["optional-dependencies"]["workbench"])
    used = {
        name.split(".")[0]
        for path in WORKBENCH
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    } & EXTRA
    names = {"sklearn": "scikit-learn", "sed_scores_eval": "sed-scores-eval"}
    assert [one for one in used if names.get(one, one) not in told] == []
