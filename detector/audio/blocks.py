"""How much audio is handed over at a time."""

from dataclasses import replace
from math import ceil

from detector.config.schema import AudioConfig

_PER_SECOND = 1000
_JITTER_SAMPLES = 512
"""A resampler hands over sometimes more and sometimes less, by so much at the most."""


def fitted_to_hop(config: AudioConfig, hop_seconds: float) -> AudioConfig:
    """The same with blocks that are a fraction of the hop, the largest of those allowed.

    Where windows end with blocks, none waits for the rest of a block; and the longer the blocks,
    the seldomer is anybody woken.  They are of whole milliseconds.
    """
    hop = round(hop_seconds * _PER_SECOND)
    parts = max(1, ceil(hop / (config.block_seconds * _PER_SECOND) - 1e-6))
    while hop % parts:
        parts += 1
    return replace(config, block_seconds=hop / parts / _PER_SECOND)


def surplus(first_samples: int, context_samples: int, block_samples: int) -> int:
    """Samples at the head of a stream without which its windows end with its blocks.

    Or just before their ends, where these are uncertain.  May be more than the first block has.

    Args:
        first_samples: Of the first block, or the first few together: no multiple of the others'
            length where a resampler lies between.
        context_samples: Length of a window.
        block_samples: Length of a block.
    """
    margin = _JITTER_SAMPLES if first_samples % block_samples else 0
    return (first_samples - margin - context_samples) % block_samples
