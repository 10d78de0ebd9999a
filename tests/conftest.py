"""What tests need from the outside: the real model and the real recordings, by environment."""

import os
from pathlib import Path

import pytest

from tests import anymodel


def _from_environment(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: {what}")
    path = Path(value)
    if not path.exists():
        pytest.fail(f"{variable} names {path}, which does not exist")
    return path


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The real YAMNet file."""
    return _from_environment("DETECTOR_MODEL", "the YAMNet file, see the README")


@pytest.fixture(scope="session")
def any_model() -> Path:
    """YAMNet where DETECTOR_MODEL names it, else the built-in model: where any will do."""
    path = anymodel.any_model()
    if not path.exists():
        pytest.fail(f"DETECTOR_MODEL names {path}, which does not exist")
    return path


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of labelled recordings, with its MANIFEST.csv."""
    return _from_environment("DETECTOR_AUDIO", "the folder of labelled recordings")
