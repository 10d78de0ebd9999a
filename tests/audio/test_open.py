"""From the configuration to a source."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from detector.audio.file import FileSource
from detector.audio.microphone import MicrophoneSource
from detector.audio.open import open_source
from detector.audio.stdin import StreamSource
from detector.config.schema import AudioConfig
from detector.core.errors import AudioError
from tests.clocks import HandClock


def test_each_kind_of_source_is_made(tmp_path: Path, clock: HandClock) -> None:
    """Nothing is opened before its start, so that a file may be missing yet."""
    for config, kind in (
        (AudioConfig(), MicrophoneSource),
        (AudioConfig(source="file", path=tmp_path / "nope.wav"), FileSource),
        (AudioConfig(source="stdin"), StreamSource),
    ):
        source = open_source(config, clock=clock, keep_samples=15_600, stdin=io.BytesIO())
        assert isinstance(source, kind)
        assert not source.status.available
        assert source.live == (kind is MicrophoneSource)
        source.stop()


def test_a_file_without_a_path_is_refused(clock: HandClock) -> None:
    """The key is named."""
    with pytest.raises(AudioError, match="is file, but audio"):
        open_source(AudioConfig(source="file"), clock=clock, keep_samples=15_600)


def test_a_long_window_makes_a_long_ring(clock: HandClock) -> None:
    """A recogniser may look at 30 s."""
    source = open_source(AudioConfig(), clock=clock, keep_samples=30 * 16_000)
    assert source.live


def test_nothing_heavy_is_imported_to_know_the_sources() -> None:
    """`detector --help` is quick."""
    script = (
        "import sys, detector.audio; "
        "print([name for name in ('sounddevice', 'soundfile', 'soxr') if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
