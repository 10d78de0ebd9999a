"""What a room and a microphone do to a sound: reflections, gain, a narrow band.

Synthetic, and the same for scenes and for training.
"""

from dataclasses import dataclass

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How a sound reaches us."""

    rt60_s: float | None = None
    """Reverberation time; None: an anechoic room."""
    direct_to_tail_db: float = 6.0
    """Direct sound against all reflections together: near positive, far negative."""
    gain_db: float = 0.0
    """Of the microphone."""
    is_narrow: bool = False
    """Whether it passes up to 4 kHz only, as telephones do."""

    def heard(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Samples, shape (n,), as they arrive, shape (n,), clipped to full scale."""
        result = samples
        if self.rt60_s is not None:
            result = convolve(result, impulse_response(self, rng))
        if self.is_narrow:
            result = low_pass(result, 3_800.0)
        return np.asarray(np.clip(10 ** (self.gain_db / 20) * result, -1.0, 1.0), np.float32)


def some_surroundings(rng: np.random.Generator) -> Surroundings:
    """A home's: mostly a furnished room, any distance, now and then a narrow-band microphone."""
    return Surroundings(
        rt60_s=float(rng.uniform(0.15, 0.8)) if rng.random() < 0.7 else None,
        direct_to_tail_db=float(rng.uniform(-3.0, 12.0)),
        gain_db=float(rng.uniform(-18.0, 6.0)),
        is_narrow=bool(rng.random() < 0.1),
    )


def impulse_response(surroundings: Surroundings, rng: np.random.Generator) -> Samples:
    """Direct sound, then noise that decays by 60 dB in the reverberation time; shape (n,)."""
    rt60_s = surroundings.rt60_s or 0.0
    count = max(1, int(min(rt60_s, 1.2) * SAMPLE_RATE_HZ))
    time_s = np.arange(count) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(count) * 10 ** (-3.0 * time_s / max(rt60_s, 1e-3))
    tail[time_s < 0.002] = 0.0
    energy = float(np.sum(tail**2))
    if energy > 0.0:
        tail *= 10 ** (-surroundings.direct_to_tail_db / 20) / np.sqrt(energy)
    tail[0] = 1.0
    return np.asarray(tail, np.float32)


def convolve(samples: Samples, response: Samples) -> Samples:
    """Samples, shape (n,), through a response, shape (m,): the first n of what comes out."""
    size = 1 << (len(samples) + len(response) - 1).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    return np.asarray(np.fft.irfft(spectrum, size)[: len(samples)], np.float32)


def low_pass(samples: Samples, cut_off_hz: float) -> Samples:
    """Without what lies above a frequency, with a soft edge of 10 % of it; shape (n,)."""
    spectrum = np.fft.rfft(samples)
    frequency_hz = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE_HZ)
    edge = np.clip((1.05 * cut_off_hz - frequency_hz) / (0.1 * cut_off_hz), 0.0, 1.0)
    return np.asarray(np.fft.irfft(spectrum * edge, len(samples)), np.float32)
