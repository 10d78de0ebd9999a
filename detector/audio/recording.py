"""Audio written to files, for those who ask for it: FLAC, for their owner alone."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from detector.audio.file import create_flac, holds_audio, samples_in
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import AudioError

if TYPE_CHECKING:
    from soundfile import SoundFile

LONGEST_S = 600.0
"""A file holds no more than this."""
KEPT_FREE_BYTES = 100 * 1024 * 1024
"""Recording ceases while this much of the disk is left to others."""

Free = Callable[[Path], int]


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class RecordingFolder:
    """Writes what it is given into files named by day and time. For one thread.

    Args:
        folder: Where to; it is made, for its owner alone.
        now: The time of day.
        free: How many bytes are left on the disk of a folder.
    """

    def __init__(
        self, folder: Path, *, now: Callable[[], datetime], free: Free = _free_bytes
    ) -> None:
        self._folder = folder
        self._now = now
        self._free = free
        self._file: SoundFile | None = None
        self._in_file = 0
        self._made: list[Path] = []
        """Folders that were made for it, innermost first."""
        self.paths: list[Path] = []
        """The files so far."""
        self.samples = 0
        """Samples written so far."""

    @property
    def seconds(self) -> float:
        """How much has been recorded."""
        return self.samples / SAMPLE_RATE_HZ

    def write(self, samples: Samples) -> None:
        """Write samples, shape (n,), beginning a new file where one is full.

        Raises AudioError where a file cannot be made or written, or the disk is nearly full; no
        file or folder without anything in it is left behind then.
        """
        if self._in_file >= LONGEST_S * SAMPLE_RATE_HZ:
            self.cut()
        try:
            file = self._file or self._begin()
            self._check_space()
            file.write(samples)
        except AudioError:
            self._leave_nothing_empty()
            raise
        except (OSError, RuntimeError, AssertionError) as error:
            path = self.paths[-1]
            self._leave_nothing_empty()
            raise AudioError(_unwritable(path, str(error))) from error
        self._in_file += len(samples)
        self.samples += len(samples)

    def cut(self) -> None:
        """End the file, if one is being written: the next samples do not join its last.

        Raises AudioError where the end of it could not be written.
        """
        if self._file is None:
            return
        path, wanted = self.paths[-1], self._in_file
        self._leave_nothing_empty()
        if samples_in(path) != wanted:
            raise AudioError(_unwritable(path, "its end is missing"))

    def _leave_nothing_empty(self) -> None:
        """End the file; what has nothing in it goes, with the folders that were made for it."""
        file, heard = self._file, self._in_file
        self._file, self._in_file = None, 0
        with suppress(OSError, RuntimeError):  # whoever asks will look at what is there
            if file is not None:
                file.close()
        with suppress(OSError):
            if file is not None and not (heard and holds_audio(self.paths[-1])):
                self.paths.pop().unlink()
            for folder in self._made if not self.paths else ():
                folder.rmdir()  # but for one with something in it

    def _begin(self) -> "SoundFile":
        self._check_space()
        self._make_folder()
        # Before the two underscores: what recordings have in common, for calibration.
        name = self._now().strftime("%Y-%m-%d__%H%M%S")
        path, number = self._folder / f"{name}.flac", 1
        while path.exists():
            number += 1
            path = self._folder / f"{name}-{number}.flac"
        self._file = create_flac(path, SAMPLE_RATE_HZ)
        self.paths.append(path)
        return self._file

    def _make_folder(self) -> None:
        missing = [one for one in (self._folder, *self._folder.parents) if not one.exists()]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise AudioError(f"{self._folder} cannot be made: {error.strerror}") from error
        self._made += missing

    def _check_space(self) -> None:
        there = (one for one in (self._folder, *self._folder.parents) if one.exists())
        left = self._free(next(there, Path()))
        if left < KEPT_FREE_BYTES:
            raise AudioError(
                f"{self._folder}: the disk is nearly full ({left // 2**20} MiB left); what was "
                "recorded so far is kept"
            )


def _unwritable(path: Path, why: str) -> str:
    return f"{path} cannot be written; is the disk full? ({why.rstrip('.')})"
