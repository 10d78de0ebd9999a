"""One take as it would sound elsewhere: in other rooms, at other levels, in other noise. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import EMBEDDING, LOGITS, Array, Observation, Recogniser
from detector.learning.hearing import observe
from detector.learning.rooms import Surroundings, some_surroundings
from detector.learning.sounding import rms, sounding_rms
from detector.learning.takes import Take

VERSIONS = 24
"""Of each take, beside the take as it is."""
_BEFORE_S = (1.0, 1.96)
_AFTER_S = 1.0
_TAIL_S = 0.25
_SNR_DB = (0.0, 30.0)
_CLEAN_SNR_DB = 40.0
_LEVEL_DBFS = (-60.0, -34.0)
"""Of the noise behind."""
_ROOM_SHARE = 0.85
_COLOUR = (0.0, 1.2)
"""How steeply the noise falls towards high frequencies; 0 is white, 0.5 pink, 1 brown."""
_HUM_SHARE = 0.3
_LOUDEST_PEAK = 0.97
_FULL_SHARE = 0.85
"""A window holds a sound that has so much of it, or of what fits into a window."""
_FITS = 0.6


@dataclass(frozen=True, slots=True)
class Heard:
    """What the recogniser made of one take and its versions."""

    embeddings: Array
    """Of the windows that hold the sound, shape (windows, numbers)."""
    versions: NDArray[np.intp]
    """Which version each is of, shape (windows,); 0 is the take as it is."""
    around: Array
    """Of windows in which it does not sound, shape (windows, numbers)."""
    logits: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    """Of the take as it is, the mean over its windows, shape (classes,); nothing where unknown."""


def hear_take(
    take: Take,
    recogniser: Recogniser,
    *,
    grounds: Sequence[Samples] = (),
    versions: int = VERSIONS,
    seed: int = 0,
) -> Heard:
    """A take and so many versions of it; ``grounds`` are backgrounds of one's own to mix into.

    Half of the versions are then in those, the others in noise that is made here.
    """
    rng = np.random.default_rng([seed, int(take.digest[:8], 16)])
    inside, around, numbers = list[Array](), list[Array](), list[int]()
    logits = list[Array]()
    for version in range(versions + 1):
        strip, begin, end = _strip(take.samples, grounds, rng, is_clean=version == 0)
        for observation in observe(strip, [recogniser])[0]:
            embedding = np.asarray(observation.outputs[EMBEDDING], np.float32)
            holds = _holds(observation, begin, end)
            if holds:
                inside.append(embedding)
                numbers.append(version)
                logits += [observation.outputs[LOGITS]] if version == 0 else []
            elif holds is not None:
                around.append(embedding)
    mean = np.asarray(np.mean(logits, axis=0), np.float32)
    return Heard(np.stack(inside), np.array(numbers, np.intp), np.stack(around), mean)


def _strip(
    piece: Samples, grounds: Sequence[Samples], rng: np.random.Generator, *, is_clean: bool
) -> tuple[Samples, int, int]:
    """Some seconds with the sound in them; where it begins and ends."""
    surroundings = Surroundings()
    if not is_clean and rng.random() < _ROOM_SHARE:
        surroundings = some_surroundings(rng)
    tail = np.zeros(int(_TAIL_S * SAMPLE_RATE_HZ), np.float32)
    sound = surroundings.heard(np.concatenate([piece, tail]), rng)
    at = int(rng.uniform(*_BEFORE_S) * SAMPLE_RATE_HZ)
    count = at + len(sound) + int(_AFTER_S * SAMPLE_RATE_HZ)
    ground = _ground(count, grounds, rng)
    ground *= np.float32(10 ** (rng.uniform(*_LEVEL_DBFS) / 20) / rms(ground))
    snr_db = _CLEAN_SNR_DB if is_clean else rng.uniform(*_SNR_DB)
    span = ground[at : at + len(sound)]
    span += np.float32(rms(span) / sounding_rms(sound) * 10 ** (snr_db / 20)) * sound
    peak = float(np.abs(ground).max())
    if peak > _LOUDEST_PEAK:
        ground *= np.float32(_LOUDEST_PEAK / peak)
    return ground, at, at + len(piece)


def _ground(count: int, grounds: Sequence[Samples], rng: np.random.Generator) -> Samples:
    if not grounds or rng.random() < 0.5:
        return noise(count, rng)
    whole = grounds[int(rng.integers(len(grounds)))]
    whole = np.tile(whole, -(-count // len(whole)))
    at = int(rng.integers(len(whole) - count + 1))
    piece = whole[at : at + count] + np.float32(1e-5) * rng.standard_normal(count)
    return np.asarray(piece, np.float32)


def noise(count: int, rng: np.random.Generator) -> Samples:
    """Noise of some colour, now and then with mains hum; shape (count,), RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency_hz = np.maximum(np.fft.rfftfreq(count, 1.0 / SAMPLE_RATE_HZ), 30.0)
    made = np.fft.irfft(spectrum * frequency_hz ** -rng.uniform(*_COLOUR), count)
    made /= np.sqrt(np.mean(made**2))
    if rng.random() < _HUM_SHARE:
        hum_hz = float(rng.choice([50.0, 60.0])) * int(rng.integers(1, 5))
        time_s = np.arange(count) / SAMPLE_RATE_HZ
        made += rng.uniform(0.2, 1.0) * np.sin(2.0 * np.pi * hum_hz * time_s)
    return np.asarray(made / np.sqrt(np.mean(made**2)), np.float32)


def _holds(observation: Observation, begin: int, end: int) -> bool | None:
    """Whether a window holds a sound, in samples; None where it holds a part of it."""
    first, last = (
        round(at_s * SAMPLE_RATE_HZ) for at_s in (observation.start_s, observation.end_s)
    )
    overlap = min(end, last) - max(begin, first)
    if overlap <= 0:
        return False
    needed = _FULL_SHARE * min(end - begin, _FITS * (last - first))
    return True if overlap >= needed else None
