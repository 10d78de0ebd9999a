"""The tone of the self-test, and how to tell that a microphone carried it.

It is a telephone's dial tone: 350 and 440 Hz together, 2.5 s long.  Among the patterns that were
tried (single tones from 250 Hz to 3 kHz, chords, keypad tones, glides) it is the one that YAMNet
is sure of at every level and in every room, and that resembles no sound that is shipped: from −10
to −48 dBFS, with reverberation of 0 to 0.8 s, over a quiet room's noise, and through a loudspeaker
that lacks 12 dB of either part, the best window scores 0.59 or more in ``TONE_CLASSES`` (median
0.85), and no class of a shipped sound scores more than 0.11; ``tests/service/test_tone_figures.py``
measures it.  Other sound can drown it: over rain, speech or television it must be 24 to 30 dB
louder to be recognised, and over music louder still.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, Samples
from detector.core.level import rms_dbfs, to_dbfs

TONE_HZ = (350.0, 440.0)
TONE_SECONDS = 2.5
LEAD_SECONDS = 0.6
"""Silence before it: amplifiers wake up, and some sound systems lose their beginning."""
TONE_PEAK = 0.3
"""Modest: the loudspeaker's own volume does the rest."""
TONE_CLASSES = ("Dial tone", "Telephone", "Tuning fork", "Bell", "Busy signal", "Sine wave")
"""What YAMNet takes it for: a telephone's where it is loud, a tuning fork's where it is soft."""

SLICE_SAMPLES = SAMPLE_RATE_HZ // 10
"""The level is looked at in slices of 0.1 s, which hold whole periods of both parts."""
MARGIN_DB = 10.0
"""How far above the time before a slice must be at the tone's frequencies to count as carrying."""
_FADED_DB = 20.0
"""Nor may a slice be softer than the loudest by more than this."""
_LEAST_SECONDS = 1.5
_MOST_SECONDS = 5.0
"""The tone, the room after it, and what a sound system may stretch."""
_EDGE_SECONDS = 0.05


def tone_samples(rate_hz: int = SAMPLE_RATE_HZ, *, peak: float = TONE_PEAK) -> Samples:
    """The tone, shape (n,), with soft edges so that no click is heard."""
    t = np.arange(round(TONE_SECONDS * rate_hz)) / rate_hz
    parts = sum(np.sin(2 * np.pi * hz * t) for hz in TONE_HZ)
    edge = np.minimum(1.0, np.minimum(t, TONE_SECONDS - t) / _EDGE_SECONDS)
    return np.asarray(peak / len(TONE_HZ) * edge * parts, np.float32)


def tone_dbfs(samples: Samples) -> float:
    """Level at the tone's frequencies, the louder of the two; shape (n,), n near SLICE_SAMPLES."""
    t = np.arange(len(samples)) / SAMPLE_RATE_HZ
    waves = (np.exp(-2j * np.pi * hz * t) for hz in TONE_HZ)
    amplitude = max(2.0 * abs(complex(np.dot(samples, wave))) / len(samples) for wave in waves)
    return to_dbfs(amplitude)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a microphone made of the tone; as a string, half a line for a person."""

    seconds: float
    """How long it was heard."""
    tone_level_dbfs: float
    """At the tone's frequencies, while it was heard (or at the loudest, where it was not)."""
    before_dbfs: float
    """At the tone's frequencies, before."""
    clearance_db: float
    """The tone over everything else that was there before: little, where the room is loud."""

    @property
    def passed(self) -> bool:
        """Whether that was the tone."""
        return _LEAST_SECONDS <= self.seconds <= _MOST_SECONDS

    def __str__(self) -> str:
        heard = f"{self.tone_level_dbfs:.0f} dBFS for {self.seconds:.1f} s"
        return f"{heard}, {self.before_dbfs:.0f} dBFS before"


def judge(blocks: Sequence[Block], *, begins_s: float) -> Carried | None:
    """What was carried of a tone that began at or after ``begins_s``, on the capture clock.

    None where too little was heard before it, or after it, to tell.
    """
    before, after = _slices(blocks, begins_s)
    if len(before) < 3 or len(after) < _LEAST_SECONDS / 0.1:
        return None
    quiet_dbfs = float(np.median([tone_dbfs(one) for one in before]))
    levels = np.array([tone_dbfs(one) for one in after])
    # Where it was digitally silent before, the least noise is far above that.
    carrying = levels >= max(quiet_dbfs + MARGIN_DB, float(np.max(levels)) - _FADED_DB)
    level = float(np.median(levels[carrying])) if carrying.any() else float(np.max(levels))
    noise = float(np.median([rms_dbfs(one) for one in before]))
    return Carried(0.1 * int(carrying.sum()), level, quiet_dbfs, level - noise)


def _slices(blocks: Sequence[Block], begins_s: float) -> tuple[list[Samples], list[Samples]]:
    """Whole slices of 0.1 s before and after a moment; what straddles it is neither."""
    before: list[Samples] = []
    after: list[Samples] = []
    for block in _joined(blocks):
        first_s = block.captured_monotonic_s - len(block.samples) / SAMPLE_RATE_HZ
        for start in range(0, len(block.samples) - SLICE_SAMPLES + 1, SLICE_SAMPLES):
            starts_s = first_s + start / SAMPLE_RATE_HZ
            piece = block.samples[start : start + SLICE_SAMPLES]
            if starts_s + 0.1 <= begins_s:
                before.append(piece)
            elif starts_s >= begins_s:
                after.append(piece)
    return before, after


def _joined(blocks: Sequence[Block]) -> list[Block]:
    """Blocks that follow each other made one, since a block may be shorter than a slice."""
    runs: list[list[Block]] = []
    for block in blocks:
        if runs and runs[-1][-1].end_sample == block.start_sample:
            runs[-1].append(block)
        else:
            runs.append([block])
    return [
        Block(
            run[0].start_sample,
            np.concatenate([block.samples for block in run]),
            run[-1].captured_monotonic_s,
        )
        for run in runs
    ]
