"""Recognisers over audio in memory. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, Samples
from detector.core.recognition import Observation, Recogniser, RecogniserSpec

Observed = tuple[tuple[Observation, ...], ...]
"""What every recogniser made of some audio, by its place."""

_BLOCK_SAMPLES = SAMPLE_RATE_HZ


def observe(samples: Samples, recognisers: Sequence[Recogniser]) -> Observed:
    """What the recognisers make of samples, shape (n,), heard from their beginning.

    The last window is filled up with silence, as everywhere.  Raises ModelError where one fails.
    """
    whole = padded(samples, recognisers[0].spec)
    return tuple(tuple(_observations(whole, recogniser.fresh())) for recogniser in recognisers)


def padded(samples: Samples, spec: RecogniserSpec) -> Samples:
    """With the silence that completes the window in which the last of the audio lies."""
    window, hop = spec.context_samples, spec.hop_samples
    lacking = window - len(samples) if len(samples) <= window else -(len(samples) - window) % hop
    return np.concatenate([samples, np.zeros(lacking, np.float32)])


def blocks(samples: Samples, block_samples: int) -> Iterator[Block]:
    """Samples, shape (n,), as a source would hand them over from time 0 on."""
    for start in range(0, len(samples), block_samples):
        piece = samples[start : start + block_samples]
        yield Block(start, piece, (start + len(piece)) / SAMPLE_RATE_HZ)


def _observations(samples: Samples, recogniser: Recogniser) -> Iterator[Observation]:
    for block in blocks(samples, _BLOCK_SAMPLES):
        yield from recogniser.feed(block)
