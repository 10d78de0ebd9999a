"""Target: our own parsing of a model file, up to where the interpreter takes over."""

import io
import random
import struct
import zipfile
import zlib
from pathlib import Path

from detector.core.errors import ModelError
from detector.model.labels import MAX_LABEL_BYTES, choose_labels, label_lists, read_model_labels
from detector.model.modelfile import read_model_file
from tests.fuzz.mutations import damaged_bytes, odd_text, overwritten
from tests.fuzz.target import Target, require
from tests.model.tools import slicing_model

LABELS = "".join(f"class {i}\n" for i in range(521))
_EXPANDED = 64 * 1024 * 1024


class ModelFiles(Target):
    """A label list, or a ModelError in one line that begins with the file's name."""

    name = "model_file"
    most_growth_mb = 32.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder / "m.tflite"
        self._bases = _bases()
        self._bombs = _bombs()

    def make(self, rng: random.Random) -> bytes:
        """The content of a model file."""
        if rng.random() < 0.02:
            return (
                damaged_bytes(rng.choice(self._bombs), rng, most=2)
                if rng.random() < 0.5
                else rng.choice(self._bombs)
            )
        base = rng.choice(self._bases)
        if rng.random() < 0.5:  # the archive's own structures, which stand at the end
            return overwritten(base, rng, range(len(base) - min(len(base), 400), len(base)))
        made = damaged_bytes(base, rng)
        return made if rng.random() < 0.95 else made[: rng.randrange(64)]

    def feed(self, made: bytes) -> bool:
        """Read it."""
        self._path.write_bytes(made)
        try:
            file = read_model_file(self._path)
            lists = label_lists(self._path, file.content)
            require(sum(len(e.labels) for e in lists) <= MAX_LABEL_BYTES, "too many labels")
            choose_labels(self._path, lists, 521)
            read_model_labels(self._path)
        except ModelError as error:
            line = str(error)
            require(line.startswith(f"{self._path}: "), f"a refusal of what? {line[:200]!r}")
            require(len(line.splitlines()) == 1, f"a refusal of several lines: {line[:200]!r}")
            require(len(line) < 1000, f"a refusal of {len(line)} characters")
            return False
        return True


def _bases() -> list[bytes]:
    names: tuple[tuple[tuple[str, int], ...], ...] = (
        (("labels.txt", zipfile.ZIP_STORED),),
        (("labels.txt", zipfile.ZIP_DEFLATED),),
        (
            ("a.txt", zipfile.ZIP_DEFLATED),
            ("b.txt", zipfile.ZIP_STORED),
            ("c.json", zipfile.ZIP_STORED),
        ),
        (("labels.txt", zipfile.ZIP_BZIP2),),
        (("labels.txt", zipfile.ZIP_LZMA),),
        ((odd_text(random.Random(1)) + ".txt", zipfile.ZIP_STORED),),
    )
    return [_with_archive({n: (LABELS.encode(), how) for n, how in each}) for each in names]


BOMBS = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
"""How a bomb may be packed."""


def packed_bomb(how: int, *, says: int) -> bytes:
    """A model whose label list unpacks to 64 MiB, and says that it is shorter."""
    honest = _with_archive({"labels.txt": (bytes(_EXPANDED), how)})
    return honest.replace(struct.pack("<I", _EXPANDED), struct.pack("<I", says))


def _bombs() -> list[bytes]:
    """Archives that unpack to far more than they may; one in three says so."""
    checksum = struct.pack("<I", zlib.crc32(bytes(_EXPANDED)))
    made = [packed_bomb(how, says=says) for how in BOMBS for says in (_EXPANDED, 3000)]
    return made + [bomb.replace(checksum, bytes(4)) for bomb in made[1::2]]


def _with_archive(entries: dict[str, tuple[bytes, int]]) -> bytes:
    file = io.BytesIO(slicing_model())
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        for name, (content, how) in entries.items():
            archive.writestr(name, content, compress_type=how)
    return file.getvalue()
