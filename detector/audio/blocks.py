"""How much audio is handed over at a time."""

from dataclasses import replace
from math import ceil

from detector.config.schema import AudioConfig

_PER_SECOND = 1000


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

    Args:
        first_samples: Length of the first block: shorter than the others, where a
            resampler withholds some.
        context_samples: Length of a window.
        block_samples: Length of the other blocks.

    None where there would be nothing left of the first block.
    """
    samples = (first_samples - context_samples) % block_samples
    return samples if samples < first_samples else 0
