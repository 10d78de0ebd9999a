"""What the latency benchmark plays: sounds at 20 dB above a quiet room, at random moments."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.config.sounds import shipped_sounds
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.learning.sounding import rms, sounding_rms
from detector.workbench.sounding import read_samples
from detector.workbench.soundscape import episode
from tests.alarms import alarm
from tests.benchmarks.cadence import any_alarm

SHARES = {
    "baby_cry": 14,
    "glass_breaking": 14,
    "scream": 13,
    "smoke_alarm": 9,
    "co_alarm": 4,
    "siren": 9,
    "doorbell": 8,
    "door_knock": 7,
    "phone_ring": 5,
    "dog_bark": 9,
    "cat_meow": 8,
}
"""Of a hundred sounds; more of those that matter."""
PATTERNS = {"smoke_alarm": "t3", "co_alarm": "t4"}
SNR_DB = 20.0
ROOM_DBFS = -46.0
ROOM_TONE = "room_tone/precise_comm__bg_noise9.flac"
LEAD_S = 25.0
"""Of room tone at the beginning: the daemon starts in it."""
TAIL_S = 12.0
_LONGEST_S = 3.0
_PAUSE_S = (1.2, 2.2)
_JOIN_S = 0.5
_PEAK = 0.97


@dataclass(frozen=True, slots=True)
class Played:
    """A sound of the scene."""

    sound: str
    onset_s: float
    """Its first sample, in seconds from the beginning of the scene."""
    end_s: float
    clipped: bool
    """Whether the loudest of it had to be cut off."""

    @property
    def urgent(self) -> bool:
        """Whether it is of the two higher urgencies."""
        return shipped_sounds()[self.sound].urgency in ("urgent", "critical")


@dataclass(frozen=True, slots=True)
class LatencyScene:
    """Everything that is played."""

    samples: NDArray[np.int16]
    """Shape (n,), 16 kHz."""
    played: tuple[Played, ...]


def make_scene(recordings: Path, sounds: int, seed: int) -> LatencyScene:
    """So many sounds; the same ones, in the same places, for the same seed."""
    rng = np.random.default_rng(seed)
    pieces = list(_placed(recordings, sounds, rng))
    ends_s = pieces[-1][1] + len(pieces[-1][2]) / SAMPLE_RATE_HZ
    samples = _room(recordings, round((ends_s + TAIL_S) * SAMPLE_RATE_HZ))
    loud = rms(samples) * 10.0 ** (SNR_DB / 20.0)
    played = []
    for sound, onset_s, piece in pieces:
        louder = piece * np.float32(loud / sounding_rms(piece))
        begin = round(onset_s * SAMPLE_RATE_HZ)
        clipped = bool(np.abs(louder).max() > _PEAK)
        samples[begin : begin + len(piece)] += np.clip(louder, -_PEAK, _PEAK)
        end_s = onset_s + len(piece) / SAMPLE_RATE_HZ
        played.append(Played(sound, begin / SAMPLE_RATE_HZ, end_s, clipped))
    whole = np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)
    return LatencyScene(whole, tuple(played))


def _placed(
    recordings: Path, sounds: int, rng: np.random.Generator
) -> Iterator[tuple[str, float, Samples]]:
    """Sound by sound with its onset; none comes again while an earlier one may still be on."""
    left = {sound: max(1, round(sounds * share / 100)) for sound, share in SHARES.items()}
    left["baby_cry"] += sounds - sum(left.values())
    free_s, now_s = dict.fromkeys(left, 0.0), LEAD_S
    shipped = shipped_sounds()
    while any(left.values()):
        open_ = [sound for sound, count in left.items() if count and free_s[sound] <= now_s]
        if not open_:
            now_s += 1.0
            continue
        weights = np.array([left[sound] * shipped[sound].hold_seconds for sound in open_])
        sound = str(rng.choice(open_, p=weights / weights.sum()))
        left[sound] -= 1
        piece = _piece(recordings, sound, rng)
        yield sound, now_s, piece
        ends_s = now_s + len(piece) / SAMPLE_RATE_HZ
        free_s[sound] = ends_s + shipped[sound].hold_seconds + 3.0
        now_s = ends_s + float(rng.uniform(*_PAUSE_S))


def _piece(recordings: Path, sound: str, rng: np.random.Generator) -> Samples:
    """One episode, from its first sound on."""
    if sound in PATTERNS:
        return alarm(any_alarm(PATTERNS[sound], low=bool(rng.random() < 0.5), rng=rng))
    paths = sorted((recordings / sound).glob("*.flac"))
    piece = episode(read_samples(paths[int(rng.integers(len(paths)))]), rng, sound)
    return piece[: round(_LONGEST_S * SAMPLE_RATE_HZ)].copy()


def _room(recordings: Path, count: int) -> Samples:
    """A quiet room for as long, without seams."""
    tone = read_samples(recordings / ROOM_TONE)
    fade = round(_JOIN_S * SAMPLE_RATE_HZ)
    rising = np.sqrt(np.linspace(0.0, 1.0, fade, dtype=np.float32))
    loop = tone[fade:].copy()
    loop[-fade:] = loop[-fade:] * rising[::-1] + tone[:fade] * rising
    whole = np.resize(loop, count)
    return np.asarray(whole * np.float32(10.0 ** (ROOM_DBFS / 20.0) / rms(whole)), np.float32)
