"""Noise that is the same every time."""

import numpy as np
from numpy.typing import NDArray


def white_noise(length: int) -> NDArray[np.float64]:
    """White, −1 … +1, shape (length,).

    numpy's own generator would be a megabyte of code for this alone.
    """
    numbers = np.arange(1, length + 1, dtype=np.uint32)
    for factor in (2654435761, 2246822519, 3266489917):
        numbers *= np.uint32(factor)
        numbers ^= numbers >> np.uint32(15)
    return numbers / 2.0**31 - 1.0
