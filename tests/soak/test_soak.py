"""A short soak: the daemon, a broker, the sounds of a house, and nothing lost."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.system
def test_five_minutes_of_a_house_lose_nothing() -> None:
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
    print(done.stdout)
    assert re.search(r"- (5[0-9]{2}) windows classified; \1 expected", done.stdout)
