"""The machine that a service is installed on: its tree, its commands, whether systemd runs it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

import detector
from detector.core.errors import ServiceError
from detector.model.modelfile import sha256_of
from detector.model.store import OFFICIAL, find_model

DISTRIBUTION = "sound-event-detector"
Run = Callable[[Sequence[str]], None]
"""Runs a command; raises ServiceError when it fails."""


def run_command(command: Sequence[str]) -> None:
    """Run a command to its end; what it makes, everybody may read.

    Raises ServiceError when it is not there or fails; it has then told why on standard error.
    """
    try:
        code = subprocess.run(command, check=False, umask=0o022).returncode  # noqa: S603 - ours
    except OSError as error:
        raise ServiceError(f"{command[0]} cannot be run: {error.strerror}") from error
    if code:
        raise ServiceError(f"{shlex.join(command)} failed with exit code {code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where to install. Immutable; below another ``root`` than / nothing is started."""

    root: Path
    run: Run
    find_command: Callable[[str], str | None]
    privileged: bool
    """Whether system folders may be written."""
    systemd_runs: bool
    """Whether systemd is the first process of the system that is installed on."""
    python_prefix: Path
    """Where the Python that runs us is installed, outside any environment."""
    model: Path | None = None
    """The published model, where this user has it already."""

    def path(self, absolute: str) -> Path:
        """An absolute path of the machine, in its tree."""
        return self.root / absolute.lstrip("/")

    @property
    def is_staging(self) -> bool:
        """Whether this is a tree of files and not the running system."""
        return self.root != Path("/")


def this_machine(root: Path = Path("/")) -> Machine:
    """The machine we run on, or a staging tree below ``root``.

    Raises ModelError when the environment names a model that is not there.
    """
    return Machine(
        root=root,
        run=run_command,
        find_command=shutil.which,
        privileged=os.geteuid() == 0 or root != Path("/"),
        systemd_runs=root == Path("/") and Path("/run/systemd/system").is_dir(),
        python_prefix=Path(sys.base_prefix),
        model=model_at_hand(os.environ),
    )


def model_at_hand(environ: Mapping[str, str]) -> Path | None:
    """The published model, where this user or who called sudo has it; by content, not by name."""
    homes = [environ.get("HOME", "/")]
    if caller := environ.get("SUDO_USER"):
        homes.append(str(Path(f"~{caller}").expanduser()))
    for home in homes:
        found = find_model(environ={**environ, "HOME": home})
        if found and sha256_of(found) == OFFICIAL.sha256:
            return found
    return None


def service_python(machine: Machine) -> str:
    """Our own Python, or the system's where ours lies in a home, which the service cannot see.

    Raises ServiceError when neither will do.
    """
    prefix = machine.python_prefix
    if not {"home", "root"} & set(prefix.parts[1:2]):
        return str(prefix / "bin" / f"python3.{sys.version_info.minor}")
    system = "/usr/bin/python3"
    try:
        machine.run(
            [system, "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"]
        )
    except ServiceError as error:
        raise ServiceError(
            f"this Python lives in {prefix}, where the service cannot see it, and {system} is "
            "not 3.11 or newer with venv (apt-get install python3-venv)"
        ) from error
    return system


def installed_source() -> str:
    """What pip is to install: the checkout that we run from, or were installed from, or ourselves.

    Raises ServiceError when pip did not install us.
    """
    checkout = Path(detector.__file__).parents[1]
    if (checkout / "pyproject.toml").exists():
        return str(checkout)
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise ServiceError(
            f"{DISTRIBUTION} was not installed by pip, so neither can the service be"
        ) from error
    return published_or_local(distribution.version, distribution.read_text("direct_url.json"))


def published_or_local(version: str, direct_url: str | None) -> str:
    """The folder or file that ``direct_url.json`` tells of, if it is there; else the version."""
    origin = urlparse(json.loads(direct_url or "{}").get("url", ""))
    local = Path(unquote(origin.path))
    if origin.scheme == "file" and local.exists():
        return str(local)
    return f"{DISTRIBUTION}=={version}"
