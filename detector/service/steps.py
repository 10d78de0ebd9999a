"""Steps of an installation: each a line for a person and an action on the machine's files."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import ServiceError
from detector.service.target import Machine

Say = Callable[[str], None]
"""Told every step, a line each."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: what, in words, and how."""

    what: str
    do: Callable[[], None]


def carry_out(steps: list[Step], machine: Machine, say: Say, *, dry_run: bool) -> None:
    """Tell each step and, unless it is a dry run, do it. Raises ServiceError."""
    if not (dry_run or machine.privileged):
        raise ServiceError("this changes the system and needs root: say it again with sudo")
    for step in steps:
        say(step.what)
        if dry_run:
            continue
        try:
            step.do()
        except OSError as error:
            raise ServiceError(f"{step.what}: {error.strerror}: {error.filename}") from error


def run_step(machine: Machine, *command: str) -> Step:
    """A command to run."""
    return Step(f"run {shlex.join(command)}", lambda: machine.run(command))


def write_step(
    machine: Machine, name: str, text: str, *, mode: int = 0o644, words: str = ""
) -> Step:
    """A file to write."""
    return Step(f"write {name}{words}", lambda: write(machine.path(name), text, mode))


def remove_steps(machine: Machine, name: str) -> Iterator[Step]:
    """A file or folder to remove, if it is there."""
    path = machine.path(name)
    if os.path.lexists(path):
        yield Step(f"remove {name}", lambda: remove(path))


def nothing() -> None:
    """Do nothing: the step only tells."""


def make_folder(path: Path) -> None:
    """A folder that everybody may look into, with those above it."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)


def write(path: Path, text: str, mode: int) -> None:
    """Write a file that at no moment is readable by more than ``mode`` says."""
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    beside.write_text(text, encoding="utf-8")
    beside.chmod(mode)
    beside.replace(path)


def copy(source: Path, target: Path) -> None:
    """Copy a file, for everybody to read."""
    make_folder(target.parent)
    shutil.copyfile(source, target)
    target.chmod(0o644)


def make_link(link: Path, target: str) -> None:
    """A symbolic link."""
    make_folder(link.parent)
    link.symlink_to(target)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
