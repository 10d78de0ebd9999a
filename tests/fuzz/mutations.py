"""How inputs are damaged."""

import random
import struct
from collections.abc import Callable

_EDGES = (0, 7, 8, 15, 16, 31, 32, 63, 64)
INTERESTING = (2, 3, 0xFFFFFFFE, *((1 << b) - 1 for b in _EDGES), *(1 << b for b in _EDGES[:-1]))


def damaged_bytes(content: bytes, rng: random.Random, *, most: int = 8) -> bytes:
    """The content after up to ``most`` flips, cuts, insertions, repetitions and odd numbers."""
    data = bytearray(content)
    for _ in range(rng.randint(1, most)):
        rng.choice(_DAMAGES)(data, rng)
    return bytes(data)


def overwritten(content: bytes, rng: random.Random, places: range, *, most: int = 8) -> bytes:
    """The content with up to ``most`` numbers or bytes changed at some of these places."""
    data = bytearray(content)
    for _ in range(rng.randint(1, most)):
        _number(data, rng, rng.choice(places))
    return bytes(data)


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _odd_number(data: bytearray, rng: random.Random) -> None:
    if data:
        _number(data, rng, rng.randrange(len(data)))


def _number(data: bytearray, rng: random.Random, at: int) -> None:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(INTERESTING) if rng.random() < 0.7 else rng.getrandbits(64)
    raw = struct.pack(rng.choice("<>") + "Q", value & (1 << 8 * width) - 1)
    part = raw[:width] if rng.random() < 0.5 else raw[-width:]
    data[at : at + width] = part[: len(data) - at]


def _cut(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randint(1, 64)]


def _end_early(data: bytearray, rng: random.Random) -> None:
    if rng.random() < 0.3:
        del data[rng.randrange(len(data) + 1) :]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randint(1, 32))


def _repeat(data: bytearray, rng: random.Random) -> None:
    at, to = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
    data[to:to] = data[at : at + rng.randint(1, 64)]


_DAMAGES = (_flip, _flip, _byte, _odd_number, _odd_number, _odd_number, _cut, _end_early, _insert,
            _repeat)  # fmt: skip


def odd_text(rng: random.Random, *, most: int = 40) -> str:
    """Any characters that there are, mostly of one kind."""
    kind = rng.choice(_CHARACTERS)
    length = rng.randint(0, most)
    kinds = (kind if rng.random() < 0.8 else rng.choice(_CHARACTERS) for _ in range(length))
    return "".join(one(rng) for one in kinds)


def odd_number(rng: random.Random) -> str:
    """A number, or almost one, as somebody may write it."""
    return rng.choice(_NUMBERS)(rng)


_ODD_CHARACTERS = "0123456789.-+eE_ \t\n\0\u2028\ufeff\u0660\u00b2'\"\\{}[]/#"
_CHARACTERS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: chr(rng.randrange(0x20, 0x7F)),
    lambda rng: chr(rng.randrange(0x100)),
    lambda rng: chr(rng.randrange(0xD800)),
    lambda rng: chr(rng.randrange(0xE000, 0x110000)),
    lambda rng: rng.choice(_ODD_CHARACTERS),
)
_ODD_NUMBERS = "nan inf -inf -0 0 1 1e400 .5 0x1 1_0 ٠.٥ ½ +0.5 0,5 0.5\0"
_NUMBERS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: repr(rng.uniform(-2.0, 2.0)),
    lambda rng: f"{rng.random():.{rng.randrange(30)}f}",
    lambda rng: str(rng.choice(INTERESTING)),
    lambda rng: f"{rng.random()}e{rng.randint(-400, 400)}",
    lambda rng: rng.choice((*_ODD_NUMBERS.split(" "), " 0.5\n", "9" * 250)),
)
