"""What the machine says of itself and of the time, from files that stand in for the kernel's."""

import time
from datetime import UTC
from pathlib import Path

from detector import __version__
from detector.service.clock import SystemClock
from detector.service.machine import device_info


def write(root: Path, path: str, text: str) -> None:
    """A file of the kernel's."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_a_raspberry_pi_tells_its_model_and_serial_number(tmp_path: Path) -> None:
    """Without the zero byte and the tabs."""
    write(tmp_path, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    write(tmp_path, "proc/cpuinfo", "processor\t: 0\n\nHardware\t: BCM2835\nSerial\t\t: 10a3f1\n")
    info = device_info(tmp_path)
    assert info.hardware == "Raspberry Pi 4 Model B Rev 1.4"
    assert info.serial == "10a3f1"
    assert info.software == __version__


def test_a_machine_that_tells_neither_has_neither(tmp_path: Path) -> None:
    """A PC has no device tree, and no serial number in its cpuinfo."""
    write(tmp_path, "proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU\n")
    info = device_info(tmp_path)
    assert (info.hardware, info.serial) == ("", "")
    assert device_info(tmp_path / "nowhere").serial == ""


def test_the_clock_is_the_machines_own() -> None:
    """Monotonic for ages, UTC for people."""
    clock = SystemClock()
    before_s = time.monotonic()
    assert before_s <= clock.monotonic() <= time.monotonic()
    assert clock.wall().tzinfo is UTC
    assert abs(clock.wall().timestamp() - time.time()) < 60.0


def test_a_boot_has_an_id_where_the_kernel_tells_it(tmp_path: Path) -> None:
    """Else it is empty."""
    assert SystemClock(tmp_path).boot_id == ""
    write(tmp_path, "proc/sys/kernel/random/boot_id", "6d2a\n")
    assert SystemClock(tmp_path).boot_id == "6d2a"


def test_whether_the_clock_is_right_is_known_only_with_timesyncd(tmp_path: Path) -> None:
    """Without it nobody can tell; with it, once it has been set."""
    clock = SystemClock(tmp_path)
    assert clock.synchronised() is None
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    assert clock.synchronised() is False
    write(tmp_path, "run/systemd/timesync/synchronized", "")
    assert clock.synchronised() is True
