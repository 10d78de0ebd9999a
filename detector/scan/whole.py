"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detector.core.errors import DetectorError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A draft beside ``path`` to be written, which takes its place in the end.

    Raises DetectorError where that fails; what was there before is left then.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.fchmod(handle, 0o644)
        try:
            yield Path(name)
            os.fsync(handle)
            Path(name).replace(path)
        finally:
            os.close(handle)
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise DetectorError(f"{path} cannot be written: {error.strerror or error}") from error
