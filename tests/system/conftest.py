"""A room with a microphone in it, and a broker: both real; and sounds to be played there."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.tools import Broker, running
from tests.audio.tools import Room
from tests.system.made import Sounds, made_sounds


@pytest.fixture
def room() -> Iterator[Room]:
    """A room with a real microphone in it."""
    if not Room.is_possible():
        pytest.skip("pulseaudio and its tools are not installed")
    with tempfile.TemporaryDirectory() as folder:  # short: Unix sockets lie in it
        made = Room(Path(folder))
        made.open()
        yield made
        made.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A real mosquitto."""
    with running(Broker(tmp_path)) as started:
        yield started


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Sounds:
    """A quiet room, and an alarm."""
    return made_sounds(tmp_path_factory.mktemp("sounds"))
