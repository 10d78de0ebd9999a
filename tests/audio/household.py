"""Days in a house as a microphone hears them, put together from real recordings."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from detector.audio.profile import SNIPPET_SAMPLES, floors

Snippets = NDArray[np.float32]
"""What is looked at of a minute, shape (60, 1024)."""

DAY_MINUTES = 24 * 60
_CARDS_NOISE = 10.0 ** (-92.0 / 20.0)
"""Amplitude of what the sound card adds behind the capsule."""


@dataclass
class Household:
    """Room tone all day; by hours speech, television, music, kitchen, rain, traffic and a fridge.

    Args:
        recordings: Folder with a MANIFEST.csv.
        seed: Another one is another household.
    """

    recordings: Path
    seed: int = 0
    gain_db: float = 0.0
    """Of the microphone: below 0 it is covered or turned down."""
    lowpass_hz: float | None = None
    """What a cushion before it lets through."""
    capsule: bool = True
    """Whether one is connected."""
    _pools: dict[str, Snippets] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin at midnight."""
        self._chance = np.random.default_rng(self.seed)
        self._drift_db = 0.0
        self.at_minute = 0

    def minute(self) -> Snippets:
        """The next minute of its life."""
        heard = self._room() if self.capsule else np.zeros((60, SNIPPET_SAMPLES), np.float32)
        heard = heard * np.float32(10.0 ** (self.gain_db / 20.0))
        if self.lowpass_hz is not None:
            heard = _lowpassed(heard, self.lowpass_hz)
        self.at_minute += 1
        hiss = self._chance.normal(0.0, _CARDS_NOISE, heard.shape)
        return np.clip(heard + hiss, -1.0, 1.0).astype(np.float32)

    def _room(self) -> Snippets:
        day, hour = divmod(self.at_minute / 60.0, 24.0)
        awake = 7.0 <= hour < 23.0
        self._drift_db = 0.98 * self._drift_db + self._chance.normal(0.0, 0.3)
        total = self._heard("room_tone", (-58.0 if awake else -66.0) + self._drift_db, share=1.0)
        if self.at_minute % 45 < 15:
            total += self._heard("compressor_motor", -62.0, share=1.0)
        if awake and self._chance.random() < 0.6:
            total += self._heard("speech", self._chance.uniform(-45.0, -25.0), share=0.7)
        if 19.0 <= hour < 22.0:
            total += self._heard("music" if day % 2 else "tv_radio", -38.0, share=1.0)
        if 12.0 <= hour < 13.0:
            total += self._heard("kitchen", -40.0, share=0.8)
        if day % 4 == 2 and 9.0 <= hour < 15.0:
            total += self._heard("rain", -46.0, share=1.0)
        if awake and self._chance.random() < 0.1:
            total += self._heard("traffic", -50.0, share=0.5)
        return total

    def _heard(self, label: str, level_dbfs: float, *, share: float) -> Snippets:
        """A minute of a label at a level; ``share`` of it, for the rest silence."""
        if label not in self._pools:
            steady = label in ("room_tone", "compressor_motor")
            found = _recordings(self.recordings, label, steady=steady)
            # A house has one room tone, but many voices.
            self._pools[label] = found[self.seed % len(found)] if steady else np.concatenate(found)
        pool = self._pools[label]
        first = int(self._chance.integers(len(pool)))
        chosen = pool[(first + np.arange(60)) % len(pool)] * np.float32(10 ** (level_dbfs / 20.0))
        chosen[self._chance.random(60) >= share] = 0.0
        return chosen


def _recordings(recordings: Path, label: str, *, steady: bool) -> list[Snippets]:
    """Snippets of each recording of a label, its floor (if not steady, its peaks) at 0 dBFS."""
    with (recordings / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["label"] == label]
    found = []
    for path in paths[:40]:
        samples, rate_hz = soundfile.read(recordings / path, dtype="float32", always_2d=True)
        mono = samples.mean(axis=1)[:: max(1, round(rate_hz / 16_000))]  # roughly, for noise
        whole = mono[: len(mono) // SNIPPET_SAMPLES * SNIPPET_SAMPLES]
        snippets = whole.reshape(-1, SNIPPET_SAMPLES)
        if len(snippets) < 10:
            continue
        floor = 10.0 ** (floors(snippets)[0] / 20.0)
        level = floor if steady else np.percentile(np.sqrt(np.mean(snippets**2, axis=1)), 75)
        levels = np.sqrt(np.mean(snippets**2, axis=1))
        if level > 1e-5:  # and without the digital silence that some recordings hold
            found.append((snippets[levels > 0.1 * level] / level).astype(np.float32))
    return found


def _lowpassed(heard: Snippets, edge_hz: float) -> Snippets:
    """Twenty-four decibels down for each octave above the edge."""
    spectrum = np.fft.rfft(heard, axis=1)
    frequencies = np.fft.rfftfreq(SNIPPET_SAMPLES, 1.0 / 16_000)
    spectrum /= 1.0 + (frequencies / edge_hz) ** 4
    return np.fft.irfft(spectrum, axis=1).astype(np.float32)
