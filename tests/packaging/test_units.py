"""The units are what systemd understands, well shut, and do not drift apart."""

import difflib
import os
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

UNITS = Path(str(resources.files("detector.systemd")))
DIFFERENCES = {
    "Description=Sound event detector %i (microphone to MQTT)",
    "ExecStart=/opt/detector/venv/bin/detector run --config /etc/detector/%i.yaml",
    "StateDirectory=detector-%i",
    "RuntimeDirectory=detector-%i",
}


def settings(name: str) -> list[str]:
    """The lines of a unit that are no comment."""
    lines = (UNITS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze says."""
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_the_template_differs_from_the_unit_in_the_instance_only() -> None:
    """Four lines name the instance; everything else is one text in two files."""
    unit, template = settings("detector.service"), settings("detector@.service")
    changed = [line for line in difflib.ndiff(unit, template) if line[0] in "+-"]
    assert {line[2:] for line in changed if line[0] == "+"} == DIFFERENCES
    assert len([line for line in changed if line[0] == "-"]) == len(DIFFERENCES)


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "WatchdogSec=30",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "RuntimeDirectory=detector",
        "RuntimeDirectoryMode=0750",
        "StateDirectory=detector",
        "CacheDirectory=detector",
        "LoadCredential=mqtt-password:/etc/detector/mqtt-password",
        "DeviceAllow=char-alsa rw",
        "StateDirectoryMode=0700",
        "UMask=0077",
        "LimitCORE=0",
        "TemporaryFileSystem=/dev/shm:size=16M,mode=1777",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    ],
)
def test_the_unit_keeps_what_the_detector_relies_on(line: str) -> None:
    """Each of these is a promise that code elsewhere is built on."""
    assert line in settings("detector.service")


@pytest.mark.parametrize("setting", ["PrivateDevices", "ProcSubset", "MemoryDenyWriteExecute"])
def test_the_unit_leaves_open_what_would_make_it_deaf(setting: str) -> None:
    """Each would hide the microphone, the processor or the callbacks."""
    assert not [line for line in settings("detector.service") if line.startswith(setting)]


@pytest.mark.system
@pytest.mark.parametrize("name", ["detector.service", "detector@.service"])
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    """``systemd-analyze verify`` has nothing to say, the program being there."""
    text = (UNITS / name).read_text(encoding="utf-8")
    program = shutil.which("true")
    copy = tmp_path / name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program}", text))
    done = analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.system
def test_systemd_would_tell_of_a_line_it_does_not_understand(tmp_path: Path) -> None:
    """The check before this one can fail."""
    copy = tmp_path / "detector.service"
    copy.write_text("[Service]\nExecStart=/bin/true\nWatchDogSeconds=30\n")
    assert "WatchDogSeconds" in analyze("verify", "--man=no", str(copy)).stderr


@pytest.mark.system
@pytest.mark.parametrize("name", ["detector.service", "detector@.service"])
def test_the_exposure_of_the_service_is_two_at_most(name: str) -> None:
    """``systemd-analyze security`` rates it; a bare unit is at 9.2, smaller is better."""
    done = analyze("security", "--offline=true", "--no-pager", str(UNITS / name))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    print(f"{name}: exposure {found[1]}")
    assert float(found[1]) <= 2.0


def drop_ins() -> list[str]:
    """The drop-ins that systemd/README.md offers."""
    text = (Path(__file__).parents[2] / "systemd" / "README.md").read_text(encoding="utf-8")
    return re.findall(r"(?s)```ini\n(.*?)```", text)


@pytest.mark.system
@pytest.mark.parametrize("drop_in", drop_ins(), ids=lambda text: text.split("\n")[1].split("=")[0])
def test_systemd_understands_the_drop_ins_of_the_readme(drop_in: str, tmp_path: Path) -> None:
    """Each, behind the unit's own lines, as ``systemctl edit`` puts it."""
    text = (UNITS / "detector.service").read_text(encoding="utf-8")
    copy = tmp_path / "detector.service"
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", text))
    folder = tmp_path / "detector.service.d"
    folder.mkdir()
    (folder / "override.conf").write_text(drop_in)
    done = analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.system
def test_the_drop_in_for_the_house_shuts_out_the_internet(tmp_path: Path) -> None:
    """With it, ``systemd-analyze security`` finds an address list where there was none."""
    house = next(text for text in drop_ins() if "IPAddressDeny=any" in text)
    unit = (UNITS / "detector.service").read_text(encoding="utf-8")
    verdicts = []
    for name, more in (("open", ""), ("shut", house)):
        copy = tmp_path / f"{name}.service"
        copy.write_text(unit + more)
        verdicts.append(analyze("security", "--offline=true", "--no-pager", str(copy)).stdout)
    assert "does not define an IP address allow list" in verdicts[0]
    assert "defines IP address allow list" in verdicts[1]


@pytest.mark.system
def test_systemd_makes_the_user_with_the_audio_group(tmp_path: Path) -> None:
    """``systemd-sysusers`` in an empty tree: user, group and membership."""
    (tmp_path / "etc").mkdir()
    source = UNITS / "detector.sysusers"
    command = ["systemd-sysusers", f"--root={tmp_path}", str(source)]
    subprocess.run(command, check=True, capture_output=True)
    assert re.search(r"(?m)^detector:", (tmp_path / "etc/passwd").read_text())
    assert re.search(r"(?m)^audio:.*:detector$", (tmp_path / "etc/group").read_text())


def test_the_folder_at_the_top_shows_the_very_files_of_the_package() -> None:
    """One copy only: what lies in systemd/ are links."""
    top = Path(__file__).parents[2] / "systemd"
    for name in ("detector.service", "detector@.service", "detector.sysusers"):
        assert (top / name).is_symlink()
        assert (top / name).samefile(UNITS / name)
