"""Fetch a published file: verified by size and SHA-256, put in place whole or not at all."""

import glob
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from detector import __version__
from detector.core.errors import ModelError

Progress = Callable[[int, int | None], None]
"""Called with the bytes fetched so far and the bytes there are, where that is known."""

_PIECE_BYTES = 64 * 1024
_SCHEMES = ("https", "http", "file")
_PERMISSIONS = 0o644
_LEFT_OVER_S = 600.0
"""A temporary file that nobody wrote to for longer belongs to nobody."""


class FetchError(ModelError):
    """No address gave the file. ``attempts`` holds each address and what was wrong with it."""

    def __init__(self, attempts: Sequence[tuple[str, str]]) -> None:
        self.attempts = tuple(attempts)
        super().__init__("\n".join(["the model could not be fetched:", *self.lines()]))

    def lines(self) -> list[str]:
        """One line for each address that was tried."""
        return [f"  {url}: {reason}" for url, reason in self.attempts]


class _AddressError(Exception):
    """An address did not give the file; the next one may."""


class _Response(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Temporary:
    path: Path
    file: IO[bytes]


def fetch(
    urls: Sequence[str],
    destination: Path,
    *,
    sha256: str,
    size: int,
    progress: Progress | None = None,
    timeout_s: float = 20.0,
) -> str:
    """Put the file of ``size`` bytes and that SHA-256 at ``destination``; the address it is from.

    Addresses (http, https or file) are tried in order.  ``timeout_s`` is how long one may be
    silent.  Whatever happens, ``destination`` is the whole right file or what it was before.

    Raises FetchError where no address gives the file, ModelError where it cannot be written.
    """
    attempts: list[tuple[str, str]] = []
    for url in urls:
        with _temporary_beside(destination) as temporary:
            try:
                with _open(url, timeout_s) as response:
                    _copy(response, temporary, sha256=sha256, size=size, progress=progress)
            except _AddressError as error:
                attempts.append((url, str(error)))
                continue
            _put_in_place(temporary, destination)
            return url
    raise FetchError(attempts)


@contextmanager
def _temporary_beside(destination: Path) -> Iterator[_Temporary]:
    """Open a temporary file in the destination's folder, so that it can be renamed; then gone."""
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        _clear_left_over(destination)
        descriptor, name = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
    except OSError as error:
        raise _unwritable(destination.parent, error) from error
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            yield _Temporary(Path(name), file)
    finally:
        Path(name).unlink(missing_ok=True)


def _clear_left_over(destination: Path) -> None:
    """What a process that was killed meanwhile has left; one at work writes all the time."""
    for path in destination.parent.glob(f".{glob.escape(destination.name)}.*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT_OVER_S:
                path.unlink()


@contextmanager
def _open(url: str, timeout_s: float) -> Iterator[_Response]:
    """Open an address; whatever the network does wrong until it is closed is an _AddressError."""
    try:
        with urllib.request.urlopen(_request(url), timeout=timeout_s) as response:  # noqa: S310 - _request checks the scheme
            yield response
    except urllib.error.HTTPError as error:
        error.close()
        raise _AddressError(f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _AddressError(_reason(error, timeout_s)) from error


def _request(url: str) -> urllib.request.Request:
    if urllib.parse.urlsplit(url).scheme not in _SCHEMES:
        raise _AddressError(f"not an {', '.join(_SCHEMES)} address")
    return urllib.request.Request(url, headers={"User-Agent": f"detector/{__version__}"})  # noqa: S310 - checked above


def _reason(error: Exception, timeout_s: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return " ".join(str(cause).split()) or type(cause).__name__


def _copy(
    response: _Response,
    temporary: _Temporary,
    *,
    sha256: str,
    size: int,
    progress: Progress | None,
) -> None:
    """Copy and verify; never reads much past the size that is expected."""
    digest = hashlib.sha256()
    done = 0
    while piece := response.read(_PIECE_BYTES):
        done += len(piece)
        if done > size:
            raise _AddressError(f"more than the {size} bytes of the right file")
        digest.update(piece)
        _write(temporary, piece)
        if progress is not None:
            progress(done, size)
    if done < size:
        raise _AddressError(f"ended after {done} of {size} bytes")
    if digest.hexdigest() != sha256:
        raise _AddressError(f"wrong content: SHA-256 {digest.hexdigest()} instead of {sha256}")


def _write(temporary: _Temporary, piece: bytes) -> None:
    """Write all of the piece; a disk that fills up is our failure, not the address's."""
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[temporary.file.write(rest) :]
    except OSError as error:
        raise _unwritable(temporary.path.parent, error) from error


def _put_in_place(temporary: _Temporary, destination: Path) -> None:
    try:
        os.fchmod(temporary.file.fileno(), _PERMISSIONS)
        os.fsync(temporary.file.fileno())
        temporary.path.replace(destination)
    except OSError as error:
        raise _unwritable(destination, error) from error


def _unwritable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"{path}: cannot write the model there: {error.strerror or error}")
