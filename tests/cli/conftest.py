"""Commands in a home of their own, with a tiny model or with none."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.tools import KNOCK, Commands, knocking, tiny_model, wav


@pytest.fixture
def bare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Commands]:
    """Commands on a machine that has neither a model nor a configuration."""
    # Not in tmp_path: the path of a Unix socket may have 107 characters only.
    with TemporaryDirectory() as runtime:
        yield Commands(tmp_path, Path(runtime), capsys)


@pytest.fixture
def detector(bare: Commands) -> Commands:
    """Commands that find a tiny model, and a configuration for it."""
    bare.environment["DETECTOR_MODEL"] = str(tiny_model(bare.folder))
    bare.environment["DETECTOR_CONFIG"] = str(bare.config(KNOCK))
    return bare


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Four seconds with one knock in it, as the tiny model hears it."""
    return wav(tmp_path / "knocking.wav", knocking())
