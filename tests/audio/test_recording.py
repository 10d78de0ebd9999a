"""Audio written to files: named by day and time, ten minutes at most, never to the last byte."""

import stat
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from detector.audio.recording import KEPT_FREE_BYTES, LONGEST_S, RecordingFolder
from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.errors import AudioError

PLENTY = 10 * KEPT_FREE_BYTES


def at(folder: Path, free: int = PLENTY) -> RecordingFolder:
    """A folder on a disk with so many bytes left, at half past six."""
    return RecordingFolder(
        folder, now=lambda: datetime(2026, 11, 20, 18, 30).astimezone(), free=lambda _folder: free
    )


def test_what_is_written_is_what_was_heard(tmp_path: Path) -> None:
    """As 16 bit, in a file that is named by day and time and is its owner's alone."""
    heard = np.linspace(-0.9, 0.9, 1600, dtype=np.float32)
    folder = at(tmp_path / "a" / "evening")
    folder.write(heard)
    folder.cut()
    (path,) = folder.paths
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert (path.name, rate_hz) == ("2026-11-20__183000.flac", SAMPLE_RATE_HZ)
    assert np.abs(samples - heard).max() < 1e-4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert folder.seconds == pytest.approx(0.1)


def test_a_file_ends_after_ten_minutes(tmp_path: Path) -> None:
    """And the next has a name of its own, even in the same second."""
    folder = at(tmp_path)
    minute = np.zeros(60 * SAMPLE_RATE_HZ, np.float32)
    for _ in range(round(LONGEST_S / 60.0) + 1):
        folder.write(minute)
    folder.cut()
    assert [path.name for path in folder.paths] == [
        "2026-11-20__183000.flac",
        "2026-11-20__183000-2.flac",
    ]
    assert soundfile.info(folder.paths[0]).duration == LONGEST_S


def test_what_does_not_join_goes_into_another_file(tmp_path: Path) -> None:
    """No recording pretends that nothing was lost in it."""
    folder = at(tmp_path)
    for _ in range(2):
        folder.write(np.zeros(1600, np.float32))
        folder.cut()
    folder.cut()
    assert len(folder.paths) == 2


def test_it_ceases_before_the_disk_is_full(tmp_path: Path) -> None:
    """In one line; nothing is made."""
    folder = at(tmp_path / "evening", free=KEPT_FREE_BYTES - 1)
    with pytest.raises(AudioError, match=r"the disk is nearly full \(99 MiB left\)"):
        folder.write(np.zeros(1600, np.float32))
    assert folder.paths == []
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_what_was_recorded(tmp_path: Path) -> None:
    """Whole: it can be read to its end."""
    left = iter([PLENTY, PLENTY, 0])
    folder = RecordingFolder(
        tmp_path, now=lambda: datetime.now().astimezone(), free=lambda _folder: next(left)
    )
    folder.write(np.full(16_000, 0.1, np.float32))
    with pytest.raises(AudioError, match="the disk is nearly full"):
        folder.write(np.full(16_000, 0.1, np.float32))
    assert [len(soundfile.read(path)[0]) for path in folder.paths] == [16_000]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where a file is in its place."""
    (tmp_path / "evening").write_text("")
    with pytest.raises(AudioError, match="evening cannot be made: File exists"):
        at(tmp_path / "evening").write(np.zeros(1600, np.float32))
