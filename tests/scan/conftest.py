"""Recordings and settings for the tiny model, whose scores are the samples themselves."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from detector.config.loader import parse_config
from detector.core.audio import SAMPLE_RATE_HZ
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.scan.scanning import ScanSettings
from detector.scan.settings import settings_of
from tests.cli.tools import KNOCK, knocking, tiny_model, wav


@pytest.fixture
def settings(tmp_path: Path) -> ScanSettings:
    """Listens for a knock."""
    return settings_for(tmp_path)


def settings_for(folder: Path, text: str = KNOCK, hop_seconds: float = 0.48) -> ScanSettings:
    """Settings for the tiny model and a configuration."""
    config = parse_config(text, "test", folder=folder)
    model = tiny_model(folder)
    spec = WindowRecogniser(Classifier(model), hop_seconds=hop_seconds).spec
    return settings_of(config, model=model, spec=spec, runtime="auto")


def knocks(folder: Path, count: int, seconds: float = 4.0) -> list[Path]:
    """Recordings with a knock in each, in the order of their names."""
    return [wav(folder / f"knock-{n:02d}.wav", knocking(seconds)) for n in range(count)]


def long_silence(path: Path, seconds: float) -> Path:
    """A WAV file of zeros that takes no room on the disk."""
    size = 2 * round(seconds * SAMPLE_RATE_HZ)
    wav(path, np.zeros(0, np.float32), subtype="PCM_16")
    header = bytearray(path.read_bytes())
    header[4:8], header[-4:] = struct.pack("<I", len(header) - 8 + size), struct.pack("<I", size)
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    return path
