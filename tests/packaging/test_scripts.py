"""The shell scripts: well-formed, and clear about what a machine lacks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ["script/run", "script/test", "script/lib.sh", ".ci/run"]
SHELL_TOOLS = ["bash", "cat", "dirname", "env", "id", "sed", "sha256sum", "rm"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_bash_can_read_the_script(name: str) -> None:
    """``bash -n`` finds nothing."""
    subprocess.run(["bash", "-n", str(ROOT / name)], check=True)


@pytest.mark.parametrize("name", ["script/run", "script/test", ".ci/run"])
def test_the_script_can_be_run_and_stops_at_the_first_fault(name: str) -> None:
    """Executable, with a shebang, and strict."""
    assert os.access(ROOT / name, os.X_OK)
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout with scripts only, on a machine that has a shell and hardly anything else."""
    shutil.copytree(ROOT / "script", tmp_path / "tree/script")
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "tree")
    for tool in SHELL_TOOLS:
        path = shutil.which(tool)
        assert path, f"{tool} is not on this machine"
        program(tmp_path, tool, f'exec {path} "$@"')
    program(tmp_path, "ldconfig", "echo libportaudio.so.2")
    return tmp_path


def program(machine: Path, name: str, body: str) -> None:
    """Put a program there."""
    file = machine / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    file.chmod(0o755)


def script(machine: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script there."""
    command = [str(machine / "tree/script" / arguments[0]), *arguments[1:]]
    path = str(machine / "bin")
    # The scripts add the system's folders themselves; here that would find the real machine.
    library = machine / "tree/script/lib.sh"
    library.write_text(library.read_text().replace("PATH=$PATH:/usr/sbin:/sbin\n", ""))
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": path, **environment}
    )


def test_a_32_bit_system_is_told_so_in_one_line(machine: Path) -> None:
    """There is no model runtime for it, so nothing is tried."""
    program(machine, "dpkg", "echo armhf")
    done = script(machine, "run")
    assert done.returncode == 1
    assert done.stderr.startswith("run: 64-bit OS needed: this one is armhf")
    assert done.stderr.count("\n") == 1


def test_a_32_bit_python_on_a_64_bit_system_is_told_so(machine: Path) -> None:
    """A 64-bit kernel under a 32-bit userland is common on a Raspberry Pi."""
    program(machine, "python3", "case $2 in *calcsize*) echo 4;; *) echo 3.11;; esac")
    done = script(machine, "run")
    assert done.returncode == 1
    assert "64-bit OS needed: python3 is a 32-bit program" in done.stderr


def test_an_old_python_is_named_with_what_is_needed(machine: Path) -> None:
    """And where to find a newer one."""
    program(machine, "python3", "echo 3.9")
    done = script(machine, "run")
    assert done.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 needed; python3 is 3.9" in done.stderr


def test_the_python_asked_for_is_not_replaced_by_another(machine: Path) -> None:
    """``PYTHON=`` is a wish, not a hint."""
    program(machine, "python3", "echo 3.11")
    done = script(machine, "run", PYTHON="python9")
    assert done.returncode == 1
    assert "python9 cannot be run" in done.stderr


def lacking(machine: Path) -> None:
    """Let the machine lack PortAudio and the means to make environments."""
    program(machine, "ldconfig", "echo libc.so.6")
    body = "case $2 in *ensurepip*) exit 1;; *calcsize*) echo 8;; *) echo 3.11;; esac"
    program(machine, "python3", body)


def test_what_is_missing_is_listed_for_one_who_is_not_root(machine: Path) -> None:
    """Neither root nor sudo: the very command to give."""
    lacking(machine)
    program(machine, "id", "echo 1000")
    program(machine, "apt-get", "exit 99")
    done = script(machine, "run")
    assert done.returncode == 1
    assert "libportaudio2 (to hear the microphone)" in done.stderr
    assert "run as root: apt-get install libportaudio2 python3.11-venv" in done.stderr


@pytest.mark.parametrize("user", ["0", "1000"])
def test_all_that_is_missing_is_installed_in_one_call(machine: Path, user: str) -> None:
    """As root, or by sudo; afterwards the script goes on."""
    lacking(machine)
    program(machine, "id", f"echo {user}")
    program(machine, "apt-get", f'echo "$@" >> {machine}/asked')
    program(machine, "sudo", f'echo sudo >> {machine}/asked; exec "$@"')
    done = script(machine, "run")
    asked = (machine / "asked").read_text().splitlines()
    calls = [line for line in asked if line != "sudo"]
    assert calls[0].split()[0] == "update"
    assert calls[1].split()[0] == "install"
    assert calls[1].endswith(" libportaudio2 python3.11-venv")
    assert (asked.count("sudo"), len(calls)) == (0 if user == "0" else 2, 2)
    assert "making .venv/3.11" in done.stderr


def detector_there(machine: Path) -> None:
    """An environment that is ready, in which detector notes how it is called."""
    root = (machine / "tree").resolve()
    body = """
    case "$*" in
      *calcsize*) echo 8;;
      *version_info*) echo 3.11;;
    esac"""
    program(machine, "python3", body)
    environment = machine / "tree/.venv/3.11"
    (environment / "bin").mkdir(parents=True)
    shutil.copy(machine / "bin/python3", environment / "bin/python")
    program(environment, "detector", 'echo "called: $*"; [ "$1" != devices ] || exit 4')
    (environment / "made-for").write_text(f"{root}\n")
    command = ["sha256sum", str(root / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, check=True)
    (environment / "stamp-run").write_bytes(done.stdout)


def test_a_machine_that_is_ready_runs_without_a_word(machine: Path) -> None:
    """Nothing to install, nothing to say; ``run`` is the default."""
    detector_there(machine)
    done = script(machine, "run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "called: run\n", "")


def test_arguments_reach_the_command_as_they_are(machine: Path) -> None:
    """Spaces and all."""
    detector_there(machine)
    assert script(machine, "run", "classify", "a b.wav").stdout == "called: classify a b.wav\n"


def test_the_exit_code_is_the_commands(machine: Path) -> None:
    """So that a script around it can tell."""
    detector_there(machine)
    assert script(machine, "run", "devices").returncode == 4


def count(folder: Path, cases: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What script/count_tests.py makes of some test cases."""
    (folder / "x.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return subprocess.run(
        [sys.executable, str(ROOT / "script/count_tests.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


PASSED = '<testcase name="p"/>'
FAILED = '<testcase name="f"><failure/></testcase><testcase name="e"><error/></testcase>'
SKIPPED = '<testcase classname="c" name="s"><skipped message="no model"/></testcase>'


def test_tests_are_counted_over_all_runs(tmp_path: Path) -> None:
    """An error is a failure."""
    done = count(tmp_path, PASSED + FAILED)
    assert (done.returncode, done.stdout) == (1, "1 passed, 2 failed, 0 skipped\n")
    assert count(tmp_path, PASSED).returncode == 0


def test_no_tests_at_all_is_a_failure(tmp_path: Path) -> None:
    """Also where all are skipped."""
    assert count(tmp_path, "").returncode == 1
    assert count(tmp_path, SKIPPED).returncode == 1


def test_a_skipped_test_is_a_failure_in_ci_only(tmp_path: Path) -> None:
    """With its reason; elsewhere the reasons stand on one line, with how many tests each took."""
    other = '<testcase classname="c" name="o"><skipped message="no sounds"/></testcase>'
    done = count(tmp_path, PASSED + other + 2 * SKIPPED)
    told = "2 skipped: no model; 1 skipped: no sounds\n1 passed, 0 failed, 3 skipped\n"
    assert (done.returncode, done.stdout) == (0, told)
    done = count(tmp_path, PASSED + SKIPPED, CI="true")
    assert done.returncode == 1
    assert "c.s: no model" in done.stdout


def test_the_other_runtime_gets_every_package_but_litert() -> None:
    """Read from pyproject.toml, so that there is one list."""
    command = [sys.executable, str(ROOT / "script/other_runtime.py")]
    packages = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "tflite-runtime==" in packages
    assert "paho-mqtt" in packages
    assert "ai-edge-litert" not in packages
