"""What pip installs holds everything that the detector reads at run time."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MUST_HOLD = {
    "detector/py.typed",
    "detector/config/detector.yaml",
    "detector/config/sounds.yaml",
    "detector/embedded/crnn.tflite",
    "detector/embedded/CARD.md",
    "detector/systemd/detector.service",
    "detector/systemd/detector@.service",
    "detector/systemd/detector.sysusers",
}
LICENCES = ("LICENSE", "NOTICE", "docs/recordings.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of the tree, so that nothing is left in the real one."""
    copy = tmp_path_factory.mktemp("tree") / "source"
    copy.mkdir()
    (copy / "docs").mkdir()
    for name in ("pyproject.toml", "README.md", *LICENCES):
        shutil.copy(ROOT / name, copy / name)
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "detector", copy / "detector", ignore=unwanted)
    out = copy.parent / "out"
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(out)]
    subprocess.run([*command, str(copy)], check=True)
    (file,) = out.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.mark.system
def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """A unit or a schema that a pattern of pyproject.toml forgets is found here."""
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "detector").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there >= MUST_HOLD
    assert there - set(wheel.namelist()) == set()


@pytest.mark.system
def test_the_wheel_holds_licence_and_notice(wheel: zipfile.ZipFile) -> None:
    """And the authors of the recordings that it points to; in the metadata folder, whole."""
    for name in LICENCES:
        (held,) = (entry for entry in wheel.namelist() if entry.endswith(f"/licenses/{name}"))
        assert wheel.read(held) == (ROOT / name).read_bytes()


@pytest.mark.system
def test_the_wheel_holds_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    """Tests and scripts stay at home."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"detector"}


def test_the_configuration_at_the_top_is_the_one_in_the_package() -> None:
    """One copy only: the file people look for is a link to the one that ships."""
    top = ROOT / "config" / "detector.yaml"
    assert top.is_symlink()
    assert top.samefile(ROOT / "detector" / "config" / "detector.yaml")


def test_the_licence_is_the_plain_apache_text() -> None:
    """No copyright line of somebody else's work before it."""
    first, *_, last = (ROOT / "LICENSE").read_text(encoding="utf-8").split()
    assert (first, last) == ("Apache", "License.")
