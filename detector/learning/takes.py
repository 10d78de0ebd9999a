"""Takes: a recording cut into the times the sound was made, each fit to be learnt from or refused.

A pause of 1.5 s parts two takes.  What cannot be learnt from is told in one line.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import DataError
from detector.core.level import rms_dbfs, to_dbfs
from detector.core.recognition import Array
from detector.learning.sounding import STEP_SAMPLES, faded, loudness, sounding

FEWEST = 3
"""Takes to learn from."""
PAUSE_S = 1.5
LONGEST_S = 5.0
"""What lies after it in a take is not looked at."""
SHORTEST_S = 0.1
"""Less is a slip of the finger, or a click of the switch."""
FAINTEST_DBFS = -60.0
"""A take of which the loudest 10 ms are fainter is silence."""
MOST_CLIPPED = 0.02
"""Share of samples at full scale; beyond it the sound is another one."""
_FULL_SCALE = 0.999
_FAINTER_DB = 12.0
"""An episode so much fainter than the loudest of its recording is something else: a step."""
_NOISE_QUANTILE = 0.1
_ABOVE_NOISE_DB = 6.0
_ALIKE = 0.9995
"""Correlation of two takes beyond which they are one recording: electronic chimes come near."""
_LENGTHS_ALIKE = 0.1
_SKETCH_NUMBERS = 256
_SKETCHES_ALIKE = 0.998
"""Cosine of two sketches; those of two recordings that are not one are near 0."""


@dataclass(frozen=True, slots=True)
class Take:
    """One time that the sound was made."""

    name: str
    """For people: the file, and where in it."""
    samples: Samples
    """Shape (n,), from its first sound to its last."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def digest(self) -> str:
        """Tells it from any other."""
        whole = np.asarray(np.rint(np.clip(self.samples, -1, 1) * 32767), "<i2")
        return hashlib.sha256(whole.tobytes()).hexdigest()

    @property
    def sketch(self) -> Array:
        """Tells a copy of it at any level, shape (256,): sums of its samples with random signs.

        No audio can be made of it.
        """
        rng, size = np.random.default_rng(0), round(LONGEST_S * SAMPLE_RATE_HZ)
        place, sign = rng.integers(_SKETCH_NUMBERS, size=size), rng.choice((-1.0, 1.0), size)
        count = min(size, len(self.samples))
        weights = sign[:count] * self.samples[:count]
        sums = np.bincount(place[:count], weights, minlength=_SKETCH_NUMBERS)
        return np.asarray(sums / max(float(np.linalg.norm(sums)), 1e-9), np.float32)


def are_alike(one: Array | None, other: Array | None) -> bool:
    """Whether two sketches are of one recording; those that are not there are of none."""
    if one is None or other is None or one.shape != other.shape:
        return False
    return abs(float(one @ other)) > _SKETCHES_ALIKE


def takes_of(name: str, samples: Samples) -> list[Take]:
    """The takes in a recording, shape (n,); raises DataError where it cannot be learnt from."""
    seconds = len(samples) / SAMPLE_RATE_HZ
    if seconds < SHORTEST_S:
        raise DataError(
            f"{name} is too short ({seconds:.2f} s): record the sound from its begin on"
        )
    loudest_dbfs = to_dbfs(float(loudness(samples).max()))
    if loudest_dbfs < FAINTEST_DBFS:
        raise DataError(
            f"{name} is silent ({loudest_dbfs:.0f} dBFS at its loudest): record it nearer, or with "
            "more gain"
        )
    spans = list(_episodes(samples))
    takes = [_cut(name, samples, span, alone=len(spans) == 1) for span in spans]
    for take in takes:
        _check(take)
    if not takes:
        raise DataError(
            f"{name}: nothing in it sounds for {SHORTEST_S:g} s: record the sound alone, from its "
            "begin on"
        )
    return takes


def _episodes(samples: Samples) -> Iterator[tuple[int, int]]:
    """Where it sounds, in steps of 10 ms, parted at long pauses; faint ones are left out."""
    level = loudness(samples)
    on = np.flatnonzero(sounding(samples) & (level > _above_noise(level)))
    breaks = np.flatnonzero(np.diff(on) > PAUSE_S * 100)
    starts = np.concatenate([on[:1], on[breaks + 1]])
    ends = np.concatenate([on[breaks], on[-1:]]) + 1
    peaks = [float(level[a:b].max()) for a, b in zip(starts, ends, strict=True)]
    least = max(peaks) * 10 ** (-_FAINTER_DB / 20)
    for start, end, peak in zip(starts, ends, peaks, strict=True):
        if peak >= least and ((end - start) >= SHORTEST_S * 100 or len(peaks) == 1):
            yield int(start), int(end)


def _above_noise(level: NDArray[np.float64]) -> float:
    """What a sound must be louder than: where there is noise, the end of the sound is in it."""
    noise, loudest = float(np.quantile(level, _NOISE_QUANTILE)), float(level.max())
    return min(noise * 10 ** (_ABOVE_NOISE_DB / 20), loudest * 10 ** (-_ABOVE_NOISE_DB / 20))


def _cut(name: str, samples: Samples, span: tuple[int, int], *, alone: bool) -> Take:
    begin, end = (step * STEP_SAMPLES for step in span)
    end = min(end, begin + round(LONGEST_S * SAMPLE_RATE_HZ))
    where = name if alone else f"{name} at {begin / SAMPLE_RATE_HZ:.1f} s"
    return Take(where, faded(samples[begin:end], 0.005))


def _check(take: Take) -> None:
    if take.seconds < SHORTEST_S:
        raise DataError(
            f"{take.name} is too short ({take.seconds:.2f} s of sound): {SHORTEST_S:g} s are needed"
        )
    clipped = float(np.mean(np.abs(take.samples) >= _FULL_SCALE))
    if clipped > MOST_CLIPPED:
        raise DataError(
            f"{take.name} is clipped ({clipped:.0%} of it at full scale): record it with less gain"
        )


def check_copies(takes: Sequence[Take]) -> None:
    """Raise DataError where two takes are one recording."""
    copies = [(one, other) for one, other in combinations(takes, 2) if is_copy(one, other)]
    originals = len(takes) - len({id(other) for _, other in copies})
    if copies and originals == 1 and len(takes) > 2:
        raise DataError(
            f"all {len(takes)} takes are copies of one, {takes[0].name}: make the sound anew for "
            "each"
        )
    if copies:
        one, other = copies[0]
        raise DataError(f"{other.name} is a copy of {one.name}: make the sound anew for each take")


def is_copy(one: Take, other: Take) -> bool:
    """Whether they are one recording, perhaps at another level."""
    lengths = sorted((len(one.samples), len(other.samples)))
    if lengths[0] < lengths[1] * (1.0 - _LENGTHS_ALIKE):
        return False
    size = 1 << sum(lengths).bit_length()
    spectra = [np.fft.rfft(take.samples.astype(np.float64), size) for take in (one, other)]
    correlation = np.abs(np.fft.irfft(spectra[0] * np.conj(spectra[1]), size)).max()
    energies = [float(np.sum(np.square(take.samples, dtype=np.float64))) for take in (one, other)]
    return bool(correlation > _ALIKE * np.sqrt(energies[0] * energies[1]))


def level_dbfs(take: Take) -> float:
    """How loud it is, over its whole length."""
    return rms_dbfs(take.samples)
