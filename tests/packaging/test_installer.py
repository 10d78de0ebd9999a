"""The service installer, on a tree of its own and with commands that only note themselves."""

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.errors import ServiceError
from detector.model.store import OFFICIAL
from detector.service.installer import configuration, install, uninstall
from detector.service.target import (
    Machine,
    installed_source,
    model_at_hand,
    published_or_local,
    run_command,
    service_python,
)


class Commands:
    """Notes commands; the one that makes an environment and the model's leave their files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []
        self.fails: str | None = None

    def __call__(self, command: Sequence[str]) -> None:
        """Run nothing."""
        line = " ".join(command).replace(str(self.root), "")
        self.ran.append(line)
        if self.fails and self.fails in line:
            raise ServiceError(f"{line} failed with exit code 1")
        if "-m venv" in line:
            pip = self.root / "opt/detector/venv/bin/pip"
            pip.parent.mkdir(parents=True)
            pip.touch()


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Commands on the tree."""
    return Commands(tmp_path)


@pytest.fixture
def machine(tmp_path: Path, commands: Commands) -> Machine:
    """A machine that systemd runs, all of whose files lie in the tree."""
    return Machine(
        root=tmp_path,
        run=commands,
        find_command=lambda name: f"/usr/bin/{name}",
        privileged=True,
        systemd_runs=True,
        python_prefix=Path("/usr"),
    )


@pytest.fixture
def said() -> list[str]:
    """What the installer told."""
    return []


def nowhere(name: str) -> None:
    """Finds no command."""


def files(root: Path) -> set[str]:
    """Every file and link below, by its path from there."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_an_installation_is_complete_and_in_order(
    machine: Machine, commands: Commands, said: list[str], tmp_path: Path
) -> None:
    """User, environment, configuration, model, units, and only then the start."""
    install(say=said.append, source="the-detector==1", machine=machine)
    assert files(tmp_path) == {
        "etc/sysusers.d/detector.conf",
        "opt/detector/venv/bin/pip",
        "usr/local/bin/detector",
        "etc/detector/detector.yaml",
        "etc/detector/mqtt-password",
        "etc/systemd/system/detector.service",
        "etc/systemd/system/detector@.service",
    }
    minor = service_python(machine).rpartition(".")[2]
    assert commands.ran == [
        "systemd-sysusers --root= /etc/sysusers.d/detector.conf",
        f"/usr/bin/python3.{minor} -m venv --clear /opt/detector/venv",
        "/opt/detector/venv/bin/python -m pip install --quiet --upgrade the-detector==1",
        "systemctl daemon-reload",
        "systemctl enable detector.service",
        "systemctl restart detector.service",
    ]
    assert said[-1] == "run systemctl restart detector.service"


def test_the_password_file_is_empty_and_for_root_alone(
    machine: Machine, said: list[str], tmp_path: Path
) -> None:
    """The unit wants it to exist; nobody else may read what will stand in it."""
    install(say=said.append, source="x", machine=machine)
    password = tmp_path / "etc/detector/mqtt-password"
    assert password.read_text() == ""
    assert mode(password) == 0o600
    assert mode(tmp_path / "etc/detector/detector.yaml") == 0o644


def test_a_second_installation_keeps_configuration_and_password(
    machine: Machine, commands: Commands, said: list[str], tmp_path: Path
) -> None:
    """Only the package and the units are renewed; the environment is not made anew."""
    install(say=said.append, source="x", machine=machine)
    config, password = (tmp_path / "etc/detector" / n for n in ("detector.yaml", "mqtt-password"))
    config.write_text("node: mine\n")
    password.write_text("secret")
    commands.ran.clear()
    install(say=said.append, source="x", machine=machine)
    assert (config.read_text(), password.read_text()) == ("node: mine\n", "secret")
    assert not [line for line in commands.ran if "-m venv" in line]
    assert "keep /etc/detector/detector.yaml as it is" in said


def test_a_dry_run_tells_every_step_and_does_none(
    machine: Machine, commands: Commands, said: list[str], tmp_path: Path
) -> None:
    """What is told is what a real run tells afterwards, also to one who is not root."""
    install(say=said.append, source="x", machine=replace(machine, privileged=False), dry_run=True)
    assert (files(tmp_path), commands.ran) == (set(), [])
    told: list[str] = []
    install(say=told.append, source="x", machine=machine)
    assert said == told


def test_without_root_it_says_so_and_touches_nothing(
    machine: Machine, said: list[str], tmp_path: Path
) -> None:
    """One line that names the way out."""
    with pytest.raises(ServiceError, match="needs root: say it again with sudo"):
        install(say=said.append, source="x", machine=replace(machine, privileged=False))
    assert files(tmp_path) == set()


def test_an_instance_gets_a_configuration_and_a_node_of_its_own(
    machine: Machine, commands: Commands, said: list[str], tmp_path: Path
) -> None:
    """Two listeners of one machine must not be one device to Home Assistant."""
    install(say=said.append, source="x", machine=machine, instance="kitchen")
    text = (tmp_path / "etc/detector/kitchen.yaml").read_text()
    assert [line for line in text.splitlines() if line.startswith("node:")] == ["node: kitchen"]
    assert commands.ran[-1] == "systemctl restart detector@kitchen.service"
    assert not (tmp_path / "etc/detector/detector.yaml").exists()


@pytest.mark.parametrize("name", ["detector", "Kitchen", "a/b", "", "../x", "-v", "a b"])
def test_an_instance_whose_name_would_do_harm_is_refused(
    name: str, machine: Machine, said: list[str]
) -> None:
    """It becomes a file name, a unit and a topic."""
    with pytest.raises(ServiceError, match="lower-case letters, digits"):
        install(say=said.append, source="x", machine=machine, instance=name)


def test_a_model_that_is_there_is_copied_for_all_to_read(
    machine: Machine, commands: Commands, said: list[str], tmp_path: Path
) -> None:
    """Nothing is fetched twice."""
    model = tmp_path / "home.tflite"
    model.write_bytes(b"TFL3")
    model.chmod(0o600)
    install(say=said.append, source="x", machine=replace(machine, model=model))
    copied = tmp_path / "var/cache/detector" / OFFICIAL.file_name
    assert copied.read_bytes() == b"TFL3"
    assert mode(copied) == 0o644
    assert not [line for line in commands.ran if "fetch" in line]


def test_a_model_that_is_where_it_belongs_stays_there(
    machine: Machine, commands: Commands, said: list[str], tmp_path: Path
) -> None:
    """Neither copied onto itself nor fetched."""
    model = tmp_path / "var/cache/detector" / OFFICIAL.file_name
    model.parent.mkdir(parents=True)
    model.write_bytes(b"TFL3")
    install(say=said.append, source="x", machine=replace(machine, model=model))
    assert model.read_bytes() == b"TFL3"
    assert "keep the model in /var/cache/detector" in said


def test_a_machine_without_sysusers_gets_the_user_from_useradd_once(
    machine: Machine, commands: Commands, said: list[str], tmp_path: Path
) -> None:
    """And none where the user is there already."""
    bare = replace(machine, find_command=nowhere)
    install(say=said.append, source="x", machine=bare)
    assert commands.ran[0].startswith("useradd ")
    assert commands.ran[0].endswith("--groups audio detector")
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\ndetector:x:9:9::/:/bin/false\n")
    commands.ran.clear()
    install(say=said.append, source="x", machine=bare)
    assert not [line for line in commands.ran if "useradd" in line]


def test_where_systemd_does_not_run_it_says_what_to_type_later(
    machine: Machine, commands: Commands, said: list[str]
) -> None:
    """In a container the units are put there and nothing is started."""
    bare = replace(machine, systemd_runs=False, find_command=nowhere)
    install(say=said.append, source="x", machine=bare)
    assert "systemctl daemon-reload && systemctl enable --now detector.service" in said[-1]
    assert not [line for line in commands.ran if "systemctl" in line]


def test_a_step_that_fails_ends_the_installation_before_the_start(
    machine: Machine, commands: Commands, said: list[str]
) -> None:
    """A service without its package is not started."""
    commands.fails = "pip install"
    with pytest.raises(ServiceError, match=r"install --quiet .* failed with exit code 1"):
        install(say=said.append, source="x", machine=machine)
    assert not [line for line in commands.ran if "systemctl" in line]


def test_a_folder_that_cannot_be_written_is_named(
    machine: Machine, said: list[str], tmp_path: Path
) -> None:
    """An operating system's refusal is one line with the path."""
    (tmp_path / "etc").write_text("a file where a folder should be")
    with pytest.raises(ServiceError, match=r"write /etc/sysusers.d/detector.conf: .*etc"):
        install(say=said.append, source="x", machine=machine)


def test_a_command_of_somebody_else_is_not_replaced(
    machine: Machine, said: list[str], tmp_path: Path
) -> None:
    """Another program named detector stays, at installation and at removal."""
    other = tmp_path / "usr/local/bin/detector"
    other.parent.mkdir(parents=True)
    other.write_text("theirs")
    install(say=said.append, source="x", machine=machine)
    uninstall(say=said.append, machine=machine)
    assert other.read_text() == "theirs"


@pytest.fixture
def installed(machine: Machine, commands: Commands, tmp_path: Path) -> Path:
    """A tree with a service and an instance that have run for a while."""
    for instance in (None, "kitchen"):
        install(say=lambda _: None, source="x", machine=machine, instance=instance)
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    for unit in ("detector.service", "detector@kitchen.service", "other.service"):
        (wants / unit).symlink_to("/somewhere")
    for kept in ("var/lib/detector/state.db", "var/lib/detector-kitchen/state.db"):
        (tmp_path / kept).parent.mkdir(parents=True)
        (tmp_path / kept).touch()
    commands.ran.clear()
    return tmp_path


def test_removal_takes_all_but_configuration_and_state(
    machine: Machine, commands: Commands, said: list[str], installed: Path
) -> None:
    """Both the service and the instance are stopped first."""
    uninstall(say=said.append, machine=machine)
    assert commands.ran == [
        "systemctl disable --now detector.service",
        "systemctl disable --now detector@kitchen.service",
        "systemctl daemon-reload",
    ]
    assert {name for name in files(installed) if ".wants" not in name} == {
        "etc/detector/detector.yaml",
        "etc/detector/kitchen.yaml",
        "etc/detector/mqtt-password",
        "var/lib/detector/state.db",
        "var/lib/detector-kitchen/state.db",
    }
    assert not (installed / "opt/detector").exists()


def test_purging_takes_configuration_and_state_too(
    machine: Machine, said: list[str], installed: Path
) -> None:
    """Nothing of ours is left but what systemctl itself would have removed."""
    uninstall(say=said.append, machine=machine, purge=True)
    assert {name for name in files(installed) if ".wants" not in name} == set()


def test_purging_takes_the_user_where_there_is_one(
    machine: Machine, commands: Commands, said: list[str], installed: Path
) -> None:
    """Its files are gone, so nothing is left to belong to nobody."""
    (installed / "etc/passwd").write_text("detector:x:9:9::/:/bin/false\n")
    uninstall(say=said.append, machine=machine)
    assert not [line for line in commands.ran if line.startswith("userdel")]
    uninstall(say=said.append, machine=machine, purge=True)
    assert commands.ran[-1].startswith("userdel ")


def test_removing_an_instance_leaves_the_rest_alone(
    machine: Machine, commands: Commands, said: list[str], installed: Path
) -> None:
    """Only that one is stopped."""
    before = files(installed)
    uninstall(say=said.append, machine=machine, instance="kitchen")
    assert commands.ran == ["systemctl disable --now detector@kitchen.service"]
    assert files(installed) == before


def test_without_systemd_removal_takes_the_links_itself(
    machine: Machine, said: list[str], installed: Path
) -> None:
    """And only ours."""
    uninstall(say=said.append, machine=replace(machine, systemd_runs=False))
    wants = installed / "etc/systemd/system/multi-user.target.wants"
    assert [path.name for path in wants.iterdir()] == ["other.service"]


def test_removal_twice_is_no_error(machine: Machine, said: list[str], installed: Path) -> None:
    """The second time there is nothing to remove."""
    uninstall(say=said.append, machine=machine, purge=True)
    said.clear()
    uninstall(say=said.append, machine=replace(machine, systemd_runs=False))
    uninstall(say=said.append, machine=replace(machine, systemd_runs=False))
    assert said[-1] == "keep /etc/detector and /var/lib/detector"


@pytest.mark.parametrize("prefix", ["/root", "/home/ann/.local/share/uv"])
def test_a_python_in_a_home_is_replaced_by_the_systems(
    prefix: str, machine: Machine, commands: Commands
) -> None:
    """The service sees no home."""
    at_home = replace(machine, python_prefix=Path(prefix))
    assert service_python(at_home) == "/usr/bin/python3"
    commands.fails = "/usr/bin/python3"
    with pytest.raises(ServiceError, match=f"lives in {prefix}.*apt-get install python3-venv"):
        service_python(at_home)


def test_a_command_that_fails_or_is_not_there_is_one_line() -> None:
    """With its exit code, or why it could not be run."""
    run_command(["true"])
    with pytest.raises(ServiceError, match=r"^false failed with exit code 1$"):
        run_command(["false"])
    with pytest.raises(ServiceError, match=r"^no-such-command cannot be run: No such file"):
        run_command(["no-such-command"])


def test_the_shipped_configuration_is_what_is_installed() -> None:
    """For the service without an instance, to the letter."""
    top = Path(__file__).parents[2] / "config" / "detector.yaml"
    assert configuration(None) == top.read_text(encoding="utf-8")


@pytest.mark.model
def test_the_published_model_is_known_by_its_content(model_path: Path, tmp_path: Path) -> None:
    """In a cache or named by the environment; any other file is left where it is."""
    cached = tmp_path / ".cache/detector" / OFFICIAL.file_name
    cached.parent.mkdir(parents=True)
    cached.symlink_to(model_path.resolve())
    assert model_at_hand({"HOME": str(tmp_path)}) == cached
    assert model_at_hand({"DETECTOR_MODEL": str(model_path)}) == model_path
    other = tmp_path / "other.tflite"
    other.write_bytes(b"TFL3")
    assert model_at_hand({"DETECTOR_MODEL": str(other)}) is None


def test_from_a_checkout_the_checkout_is_installed() -> None:
    """Whether or not pip knows of it."""
    assert installed_source() == str(Path(__file__).parents[2])


def test_an_installed_package_installs_what_it_came_from(tmp_path: Path) -> None:
    """A folder that is still there, else the same version from the index."""
    folder = tmp_path / "a folder"
    url = f'{{"url": "{folder.as_uri()}", "dir_info": {{}}}}'
    assert published_or_local("1.2", url) == "sound-event-detector==1.2"
    folder.mkdir()
    assert published_or_local("1.2", url) == str(folder)
    assert published_or_local("1.2", None) == "sound-event-detector==1.2"
