"""Installs the detector as a service, and removes it again.

A list of steps is made first, each a line for a person and an action; then it is carried out, or
only told (``dry_run``).  Carried out twice, it changes nothing the second time but the version.
A configuration that is there is never overwritten.
"""

import os
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from detector.core.errors import ServiceError
from detector.model.store import OFFICIAL
from detector.service.steps import (
    Say,
    Step,
    carry_out,
    copy,
    make_link,
    nothing,
    remove_steps,
    run_step,
    write_step,
)
from detector.service.target import Machine, installed_source, service_python, this_machine

HOME = "/opt/detector"
VENV = f"{HOME}/venv"
COMMAND = f"{VENV}/bin/detector"
LINK = "/usr/local/bin/detector"
CONFIG = "/etc/detector"
PASSWORD = f"{CONFIG}/mqtt-password"
CACHE = "/var/cache/detector"
STATE = "/var/lib/detector"
UNITS = "/etc/systemd/system"
SYSUSERS = "/etc/sysusers.d/detector.conf"
INSTANCE_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def install(
    *,
    say: Say,
    root: Path = Path("/"),
    instance: str | None = None,
    source: str | None = None,
    dry_run: bool = False,
    machine: Machine | None = None,
) -> None:
    """Make /opt/detector/venv, user, configuration and units, and start the service.

    ``instance`` installs ``detector@instance`` with a configuration of its own; ``source`` is
    what pip installs (default: what we are). Raises ServiceError where the machine does not let
    us, and ModelError when the environment names a model that is not there.
    """
    machine = machine or this_machine(root)
    steps = install_steps(machine, instance, source or installed_source())
    carry_out(list(steps), machine, say, dry_run=dry_run)


def uninstall(
    *,
    say: Say,
    root: Path = Path("/"),
    instance: str | None = None,
    purge: bool = False,
    dry_run: bool = False,
    machine: Machine | None = None,
) -> None:
    """Stop and remove the service; /etc/detector and /var/lib/detector stay unless ``purge``.

    With ``instance`` only that instance is stopped and disabled. Raises ServiceError where the
    machine does not let us.
    """
    machine = machine or this_machine(root)
    if instance:
        steps = list(stop_steps(machine, [unit_name(instance)]))
    else:
        steps = list(uninstall_steps(machine, purge=purge))
    carry_out(steps, machine, say, dry_run=dry_run)


def unit_name(instance: str | None) -> str:
    """``detector.service`` or ``detector@kitchen.service``. Raises ServiceError for a bad name."""
    if instance is None:
        return "detector.service"
    if not INSTANCE_PATTERN.fullmatch(instance) or instance == "detector":
        raise ServiceError(
            f"instance {instance!r}: lower-case letters, digits, _ and -, such as kitchen; "
            "and not detector, whose file belongs to the service without an instance"
        )
    return f"detector@{instance}.service"


def install_steps(machine: Machine, instance: str | None, source: str) -> Iterator[Step]:
    """Everything that an installation is, in its order."""
    unit = unit_name(instance)
    yield from user_steps(machine)
    yield from package_steps(machine, source)
    yield from configuration_steps(machine, instance)
    yield model_step(machine)
    for name in ("detector.service", "detector@.service"):
        yield write_step(machine, f"{UNITS}/{name}", unit_file(name))
    yield from start_steps(machine, unit)


def user_steps(machine: Machine) -> Iterator[Step]:
    """The user ``detector``, who may open microphones."""
    yield write_step(machine, SYSUSERS, unit_file("detector.sysusers"))
    root = [f"--root={machine.root}"] if machine.is_staging else []
    if machine.find_command("systemd-sysusers"):
        yield run_step(machine, "systemd-sysusers", *root, str(machine.path(SYSUSERS)))
    elif not has_user(machine):
        prefix = ["--root", str(machine.root)] if machine.is_staging else []
        words = "--system --user-group --no-create-home --shell /usr/sbin/nologin --groups audio"
        yield run_step(machine, "useradd", *prefix, *words.split(), "detector")


def package_steps(machine: Machine, source: str) -> Iterator[Step]:
    """The environment with us in it, and a command that everybody finds."""
    venv = machine.path(VENV)
    if not (venv / "bin" / "pip").exists():
        yield run_step(machine, service_python(machine), "-m", "venv", "--clear", str(venv))
    pip = [str(venv / "bin" / "python"), "-m", "pip"]
    yield run_step(machine, *pip, "install", "--quiet", "--upgrade", source)
    link = machine.path(LINK)
    if not os.path.lexists(link):
        yield Step(f"link {LINK} to {COMMAND}", lambda: make_link(link, COMMAND))


def configuration_steps(machine: Machine, instance: str | None) -> Iterator[Step]:
    """The configuration and the broker's password, each only if it is not there yet."""
    name = f"{CONFIG}/{instance or 'detector'}.yaml"
    if machine.path(name).exists():
        yield Step(f"keep {name} as it is", nothing)
    else:
        yield write_step(machine, name, configuration(instance))
    if not machine.path(PASSWORD).exists():
        yield write_step(machine, PASSWORD, "", mode=0o600, words=" (empty: no password)")


def model_step(machine: Machine) -> Step:
    """The model: the one that is at hand, or fetched by what was just installed."""
    target = machine.path(f"{CACHE}/{OFFICIAL.file_name}")
    model = machine.model
    if model == target:
        return Step(f"keep the model in {CACHE}", nothing)
    if model is not None:
        return Step(f"copy the model {model} to {CACHE}", lambda: copy(model, target))
    if machine.is_staging:
        return Step(
            f"no model here; on the machine itself: {COMMAND} model fetch --system", nothing
        )
    return run_step(machine, str(machine.path(COMMAND)), "model", "fetch", "--system")


def start_steps(machine: Machine, unit: str) -> Iterator[Step]:
    """Started now and at every boot, as far as there is a systemd to ask."""
    if machine.systemd_runs:
        yield run_step(machine, "systemctl", "daemon-reload")
        yield run_step(machine, "systemctl", "enable", unit)
        yield run_step(machine, "systemctl", "restart", unit)
    elif machine.is_staging and machine.find_command("systemctl"):
        yield run_step(machine, "systemctl", f"--root={machine.root}", "enable", unit)
    else:
        later = f"systemctl daemon-reload && systemctl enable --now {unit}"
        yield Step(f"systemd does not run here; where it does: {later}", nothing)


def uninstall_steps(machine: Machine, *, purge: bool) -> Iterator[Step]:
    """Everything that an installation made, in reverse."""
    yield from stop_steps(machine, enabled_units(machine))
    for name in ("detector@.service", "detector.service"):
        yield from remove_steps(machine, f"{UNITS}/{name}")
    if machine.systemd_runs:
        yield run_step(machine, "systemctl", "daemon-reload")
    if machine.path(LINK).is_symlink() and str(machine.path(LINK).readlink()) == COMMAND:
        yield from remove_steps(machine, LINK)
    yield from remove_steps(machine, SYSUSERS)
    yield from remove_steps(machine, CACHE)
    if purge:
        yield from purge_steps(machine)
    else:
        yield Step(f"keep {CONFIG} and {STATE}", nothing)
    yield from remove_steps(machine, HOME)  # last, since we may be running from there


def purge_steps(machine: Machine) -> Iterator[Step]:
    """What is the user's own: configuration, state of every instance, and the system user."""
    instances = sorted(path.name for path in machine.path("/var/lib").glob("detector-*"))
    for name in (CONFIG, STATE, *(f"/var/lib/{instance}" for instance in instances)):
        yield from remove_steps(machine, name)
    if has_user(machine):
        prefix = ["--root", str(machine.root)] if machine.is_staging else []
        yield run_step(machine, "userdel", *prefix, "detector")


def stop_steps(machine: Machine, units: list[str]) -> Iterator[Step]:
    """Stopped now and not started again."""
    for unit in units:
        if machine.systemd_runs:
            yield run_step(machine, "systemctl", "disable", "--now", unit)
        else:
            yield from remove_steps(machine, f"{UNITS}/multi-user.target.wants/{unit}")


def enabled_units(machine: Machine) -> list[str]:
    """Our units that start at boot."""
    wants = machine.path(f"{UNITS}/multi-user.target.wants")
    return sorted(path.name for path in wants.glob("detector[.@]*service"))


def has_user(machine: Machine) -> bool:
    """Whether the user is there already."""
    users = machine.path("/etc/passwd")
    return users.exists() and "\ndetector:" in "\n" + users.read_text(encoding="utf-8")


def unit_file(name: str) -> str:
    """The text of a file in detector/systemd."""
    return (resources.files("detector.systemd") / name).read_text(encoding="utf-8")


def configuration(instance: str | None) -> str:
    """The shipped configuration; for an instance with a node of its own, lest two be one."""
    text = (resources.files("detector.config") / "detector.yaml").read_text(encoding="utf-8")
    if instance is None:
        return text
    named, found = re.subn(r"(?m)^(# ?)?node:.*$", f"node: {instance}", text, count=1)
    return named if found else f"node: {instance}\n{text}"
