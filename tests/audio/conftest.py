"""Clocks and rooms for the tests of hearing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audio.tools import Room
from tests.clocks import HandClock


@pytest.fixture
def clock() -> HandClock:
    """A clock that is moved by hand."""
    return HandClock()


@pytest.fixture
def room() -> Iterator[Room]:
    """A room with a real PulseAudio microphone in it."""
    if not Room.is_possible():
        pytest.skip("pulseaudio and its tools are not installed")
    # Not in tmp_path: the path of a Unix socket may have 107 characters only.
    with tempfile.TemporaryDirectory() as folder:
        made = Room(Path(folder))
        made.open()
        yield made
        made.close()
