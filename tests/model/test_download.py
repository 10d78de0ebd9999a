"""Fetching over a real HTTP server on this machine, and everything that can go wrong."""

import hashlib
import os
import re
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from detector.core.errors import ModelError
from detector.model.download import FetchError, fetch

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves the file, and what a broken server serves instead."""

    bodies: ClassVar[dict[str, bytes]] = {
        "/good": CONTENT,
        "/wrong": CONTENT[:-1] + b"!",
        "/truncated": CONTENT[:-1000],
        "/login-page": b"<html>Please sign in</html>",
    }

    def do_GET(self) -> None:
        """Answer by path."""
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
        elif self.path == "/endless":
            self._endless()
        elif self.path in self.bodies:
            body = self.bodies[self.path]
            self.send_response(200)
            length = len(CONTENT) if self.path == "/truncated" else len(body)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(65_536))
        except OSError:  # the reader has had enough, which is the point
            self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach this machine directly, whatever its environment says."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    """Where the file is to be, in a folder that is not there yet."""
    return tmp_path / "cache" / "yamnet.tflite"


def get(*urls: str, to: Path, timeout_s: float = 20.0) -> str:
    """Fetch the file."""
    return fetch(urls, to, sha256=SHA256, size=len(CONTENT), timeout_s=timeout_s)


def assert_nothing_left(destination: Path) -> None:
    """Neither a file nor a temporary one."""
    assert list(destination.parent.iterdir()) == []


def test_good_file_is_put_in_place(server: str, destination: Path) -> None:
    """Whole, readable for the service's user, and nothing beside it."""
    assert get(f"{server}/good", to=destination) == f"{server}/good"
    assert destination.read_bytes() == CONTENT
    assert stat.S_IMODE(destination.stat().st_mode) == 0o644
    assert list(destination.parent.iterdir()) == [destination]


def test_redirect_is_followed(server: str, destination: Path) -> None:
    """Published addresses move."""
    get(f"{server}/moved", to=destination)
    assert destination.read_bytes() == CONTENT


def test_file_address_is_taken(tmp_path: Path, destination: Path) -> None:
    """A stick brought from a machine with internet; blanks are percent-encoded."""
    stick = tmp_path / "my stick" / "yamnet.tflite"
    stick.parent.mkdir()
    stick.write_bytes(CONTENT)
    get(stick.as_uri(), to=destination)
    assert destination.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/wrong", "wrong content: SHA-256 [0-9a-f]{64} instead of " + SHA256),
        ("/truncated", "ended after 255000 of 256000 bytes"),
        ("/login-page", "ended after 27 of 256000 bytes"),
        ("/endless", "more than the 256000 bytes of the right file"),
        ("/absent", "the server answers 404 Not Found"),
    ],
)
def test_wrong_answers_are_refused_and_leave_nothing(
    server: str, destination: Path, path: str, reason: str
) -> None:
    """The address and the reason are told, one line each."""
    with pytest.raises(FetchError) as caught:
        get(server + path, to=destination)
    assert caught.match(rf"{path}: {reason}")
    assert len(str(caught.value).splitlines()) == 2
    assert_nothing_left(destination)


def test_next_address_is_tried(server: str, destination: Path) -> None:
    """Until one is right; its address is returned."""
    urls = [f"{server}/{path}" for path in ("wrong", "absent", "good", "endless")]
    assert get(*urls, to=destination) == f"{server}/good"
    assert destination.read_bytes() == CONTENT


def test_all_failures_are_told_in_order(server: str, destination: Path) -> None:
    """One line per address."""
    urls = [f"{server}/absent", f"{server}/login-page"]
    with pytest.raises(FetchError) as caught:
        get(*urls, to=destination)
    assert [url for url, _ in caught.value.attempts] == urls
    first, *rest = str(caught.value).splitlines()
    assert first == "the model could not be fetched:"
    assert rest == caught.value.lines()


def test_silent_server_is_given_up(destination: Path) -> None:
    """A connection that is taken but never answered."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(FetchError, match=r"no answer within 0\.2 s"):
            get(url, to=destination, timeout_s=0.2)
    assert_nothing_left(destination)


def test_refused_connection_is_told(destination: Path) -> None:
    """Nobody listens on a port that was just given back."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/"
    with pytest.raises(FetchError, match="Connection refused"):
        get(url, to=destination)


def test_something_that_is_no_http_server_is_told(destination: Path) -> None:
    """A broker's port, say."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(FetchError, match=r"220 mail\.example"):
            get(f"http://127.0.0.1:{other.getsockname()[1]}/", to=destination)
        thread.join()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///nowhere/yamnet.tflite", "No such file or directory"),
        ("ftp://127.0.0.1/yamnet.tflite", "not an https, http, file address"),
        ("yamnet.tflite", "not an https, http, file address"),
        ("http://", "no host given"),
        ("http://[half", "Invalid IPv6 URL"),
    ],
)
def test_addresses_that_cannot_be_opened_are_told(destination: Path, url: str, reason: str) -> None:
    """With the reason for each."""
    with pytest.raises(FetchError, match=re.escape(f"{url}: {reason}")):
        get(url, to=destination)


def test_old_file_stays_until_the_new_one_is_whole(server: str, destination: Path) -> None:
    """Whoever looks meanwhile sees the old one."""
    destination.parent.mkdir()
    destination.write_bytes(b"old")
    seen = []

    def look(done: int, total: int | None) -> None:
        seen.append((done, total, destination.read_bytes()))

    url = f"{server}/good"
    fetch([url], destination, sha256=SHA256, size=len(CONTENT), progress=look)
    assert destination.read_bytes() == CONTENT
    assert {content for _, _, content in seen} == {b"old"}
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1][:2] == (len(CONTENT), len(CONTENT))


def test_failed_fetch_keeps_the_old_file(server: str, destination: Path) -> None:
    """It may be of use yet."""
    destination.parent.mkdir()
    destination.write_bytes(b"old")
    with pytest.raises(FetchError):
        get(f"{server}/wrong", to=destination)
    assert destination.read_bytes() == b"old"
    assert list(destination.parent.iterdir()) == [destination]


def test_interruption_leaves_nothing_behind(server: str, destination: Path) -> None:
    """Control-C in the middle."""

    def interrupt(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    url = f"{server}/good"
    with pytest.raises(KeyboardInterrupt):
        fetch([url], destination, sha256=SHA256, size=len(CONTENT), progress=interrupt)
    assert_nothing_left(destination)


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """Let no file grow beyond this, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_told_at_once(server: str, destination: Path) -> None:
    """It is not the address's fault: no other is tried."""
    with file_size_limit(100_000), pytest.raises(ModelError, match="File too large") as caught:
        get(f"{server}/good", f"{server}/absent", to=destination)
    assert not isinstance(caught.value, FetchError)
    assert str(destination.parent) in str(caught.value)
    assert_nothing_left(destination)


def test_folder_that_cannot_be_made_is_told(server: str, tmp_path: Path) -> None:
    """The path and the reason."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ModelError, match=r"file/cache: cannot write the model there: Not a dir"):
        get(f"{server}/good", to=tmp_path / "file" / "cache" / "yamnet.tflite")


def test_folder_in_the_way_is_told(server: str, destination: Path) -> None:
    """It is not replaced."""
    destination.mkdir(parents=True)
    with pytest.raises(ModelError, match=r"yamnet\.tflite: cannot write the model there: Is a dir"):
        get(f"{server}/good", to=destination)
    assert list(destination.parent.iterdir()) == [destination]


def test_what_a_killed_process_left_is_removed_and_what_is_at_work_is_not(
    server: str, tmp_path: Path
) -> None:
    """Else a slow line would fill the disk, start by start."""
    destination = tmp_path / "model.tflite"
    old, young, other = (
        tmp_path / name for name in (".model.tflite.old", ".model.tflite.new", ".another.old")
    )
    for path in (old, young, other):
        path.write_bytes(b"half of it")
    for path in (old, other):
        os.utime(path, (1e9, 1e9))
    fetch([f"{server}/good"], destination, sha256=SHA256, size=len(CONTENT))
    assert sorted(tmp_path.iterdir()) == sorted([young, other, destination])
