"""Audio files: WAV, FLAC, OGG and MP3, decoded block by block."""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.audio.format import Channel, Format
from detector.audio.pulled import PulledSource, Sleep
from detector.core.audio import End
from detector.core.clock import Clock
from detector.core.errors import AudioError

if TYPE_CHECKING:
    from soundfile import SoundFile

_UNKNOWN_FRAMES = 2**62
"""libsndfile says 2**63 − 1 for a stream that was written without knowing its length."""
_UNKNOWN_WAV_BYTES = 0x7FFFFFFF
"""From here on, a WAV's size stands for "until the end" (ffmpeg and sox write it into pipes)."""
_SHORT_WAV = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)
"""libsndfile's note on a WAV whose header promises more than there is."""
_RATES_HZ = (1000, 768_000)
"""What sound is recorded at; a damaged header that says more, or less, asks for absurd memory."""
_MOST_SAMPLES = 1 << 20
"""Decoded at a time, of all channels together."""
_SUFFIXES = {
    "WAV": (".wav", ".wave"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3",),
    "AIFF": (".aiff", ".aif", ".aifc"),
    "CAF": (".caf",),
    "W64": (".w64",),
    "RF64": (".rf64",),
    "AU": (".au",),
}
"""What recordings are called, by libsndfile's names of the formats."""
_TOLERANCE_SECONDS = 0.2
"""MP3's padding makes its length a little vague."""


class FileSource(PulledSource):
    """Plays an audio file of any rate and number of channels, in bounded memory.

    Args:
        path: The file.
        realtime: At its own pace (true) or as fast as it is read (false).
        channel: Which channel to hear.
        clock: The pace.
        sleep: Waits for seconds; default: until ``stop`` at the latest.
    """

    def __init__(
        self,
        path: Path,
        *,
        realtime: bool,
        channel: Channel,
        clock: Clock,
        sleep: Sleep | None = None,
    ) -> None:
        super().__init__(str(path), channel=channel, realtime=realtime, clock=clock, sleep=sleep)
        self._path = path
        self._file: SoundFile | None = None
        self._promised_s: float | None = None
        self._damaged = False

    @property
    def duration_s(self) -> float:
        """Its length in seconds, as it says itself; where it does not, as far as it was heard."""
        if self._file is None:
            return 0.0
        told = self._file.frames < _UNKNOWN_FRAMES
        return float((self._file.frames if told else self._pulled_frames) / self._file.samplerate)

    def _open(self) -> Format:
        _check_readable(self._path)
        self._file = file = _decode(self._path)
        if file.frames == 0:
            raise AudioError(f"{self._path} holds no audio")
        # Asked now, for the file may be gone when it has been heard.
        self._promised_s = _promised_seconds(file, self._path)
        _check_rate(self._path, int(file.samplerate))
        return Format(int(file.samplerate), int(file.channels))

    def _pull(self, count: int, timeout_s: float) -> NDArray[Any]:
        del timeout_s  # a file is there at once
        file = self._opened
        frames: NDArray[Any] = np.zeros((0, file.channels), np.float32)
        try:
            most = max(1, _MOST_SAMPLES // file.channels)
            frames = file.read(min(count, most), dtype="float32", always_2d=True)
        except RuntimeError:  # LibsndfileError is one
            self._damaged = True
        return frames

    def _end(self) -> End:
        heard_s = self._pulled_frames / self._opened.samplerate
        promised_s = self._promised_s or heard_s
        if self._damaged or promised_s - heard_s > _TOLERANCE_SECONDS:
            raise AudioError(
                f"{self._path} is damaged or truncated: it ends after {heard_s:.1f} s of "
                f"{promised_s:.1f} s"
            )
        return End()

    def _close(self) -> None:
        super()._close()
        if self._file is not None:
            self._file.close()

    @property
    def _opened(self) -> "SoundFile":
        if self._file is None:
            raise RuntimeError("read before start")
        return self._file


def readable_suffixes() -> frozenset[str]:
    """What the names of files that can be heard end in, such as ``.wav`` and ``.flac``.

    Raises AudioError where the library that reads them is missing.
    """
    formats = _library().available_formats()
    return frozenset(one for name in formats for one in _SUFFIXES.get(name, ()))


def _check_readable(path: Path) -> None:
    """Raise AudioError with the operating system's reason, which libsndfile would hide."""
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            path.open("rb").close()
    except OSError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror}") from error
    if stat.S_ISDIR(found.st_mode):
        raise AudioError(f"{path} is a directory, not an audio file")
    if not stat.S_ISREG(found.st_mode):
        raise AudioError(f"{path} is not a file; what is piped in is heard with source: stdin")
    if found.st_size == 0:
        raise AudioError(f"{path} is empty: 0 bytes")


def _check_rate(path: Path, rate_hz: int) -> None:
    low, high = _RATES_HZ
    if not low <= rate_hz <= high:
        raise AudioError(
            f"{path} has a sample rate of {rate_hz} Hz, not one from {low} to {high} Hz: it is "
            f"damaged, or no sound"
        )


def create_flac(path: Path, rate_hz: int) -> "SoundFile":
    """A new FLAC file of one channel and 16 bit, for its owner alone.

    Raises AudioError where it cannot be made, or is there already.
    """
    soundfile = _library()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise AudioError(f"{path} cannot be made: {error.strerror}") from error
    try:
        made: SoundFile = soundfile.SoundFile(
            descriptor, "w", samplerate=rate_hz, channels=1, format="FLAC", subtype="PCM_16"
        )
    except (OSError, RuntimeError) as error:  # LibsndfileError is one
        path.unlink(missing_ok=True)
        raise AudioError(f"{path} cannot be made: {error}") from error
    return made


def samples_in(path: Path) -> int:
    """How many samples a file says that it has; 0 where it does not, or is none."""
    soundfile = _library()
    try:
        told = int(soundfile.info(os.fsencode(path)).frames)
    except (OSError, RuntimeError):
        return 0
    return told if told < _UNKNOWN_FRAMES else 0


def holds_audio(path: Path) -> bool:
    """Whether anything of a file can be decoded."""
    try:
        with _decode(path) as file:
            return len(file.read(1)) > 0
    except (AudioError, OSError, RuntimeError):
        return False


def _library() -> Any:
    try:
        import soundfile
    except OSError as error:
        raise AudioError(
            "the library that reads and writes audio files is missing: apt install libsndfile1"
        ) from error
    return soundfile


def _decode(path: Path) -> "SoundFile":
    soundfile = _library()
    base: Any = soundfile.SoundFile

    class Forward(base):  # type: ignore[misc] # it has no types
        """Never seeks: soundfile would after each read, and lose the end of a streamed FLAC."""

        def seekable(self) -> bool:
            return False

    try:
        return Forward(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path} cannot be decoded: it is not WAV, FLAC, OGG or MP3, or it is damaged"
        ) from error


def _promised_seconds(file: "SoundFile", path: Path) -> float | None:
    """How long the file says it is; None where it does not say, or only guesses."""
    frames = float(file.frames)
    if frames >= _UNKNOWN_FRAMES or (file.format == "MP3" and not _counts_itself(path)):
        return None
    short = _SHORT_WAV.search(file.extra_info)
    if short is not None and int(short[1]) < _UNKNOWN_WAV_BYTES:
        frames *= int(short[1]) / max(1, int(short[2]))
    return frames / float(file.samplerate)


def _counts_itself(path: Path) -> bool:
    """Whether an MP3 has the header that tells its length; without it the length is a guess."""
    with path.open("rb") as file:
        head = file.read(10)
        # An ID3 tag comes first; its size is written seven bits to the byte.
        tagged = head[:3] == b"ID3" and len(head) == 10
        file.seek(
            10 + sum(b << (7 * (9 - i)) for i, b in enumerate(head) if i > 5) if tagged else 0
        )
        start = file.read(256)
    return b"Xing" in start or b"Info" in start
