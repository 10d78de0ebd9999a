"""What the machine says of itself."""

from pathlib import Path

from detector import __version__
from detector.alerts.homeassistant import DeviceInfo


def device_info(root: Path = Path("/")) -> DeviceInfo:
    """For Home Assistant: the board and its serial number, as far as the kernel tells them."""
    return DeviceInfo(
        software=__version__,
        hardware=_text(root / "proc/device-tree/model"),
        serial=_serial(root / "proc/cpuinfo"),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _serial(cpuinfo: Path) -> str:
    for line in _text(cpuinfo).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "Serial":
            return value.strip()
    return ""
