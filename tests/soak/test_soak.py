"""A short soak: the daemon, a broker, real recordings, and nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.model, pytest.mark.recordings]


def test_five_minutes_of_a_house_lose_nothing(model_path: Path, recordings: Path) -> None:
    """Every window is classified, every message delivered once; hours more by hand."""
    command = [sys.executable, "-m", "tests.soak", "--hours", "0.08", "--every", "1"]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "598 windows classified; 598 expected" in done.stdout
