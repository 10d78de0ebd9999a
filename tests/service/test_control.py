"""The control socket, both ends: real sockets, good and bad manners."""

import json
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from detector.core.errors import ControlError
from detector.service.control import (
    MAX_CLIENTS,
    MAX_REQUEST_BYTES,
    QUEUED_LINES,
    Answer,
    ControlServer,
    runtime_directory,
)
from detector.service.control_client import ControlClient, find_sockets
from tests.alerts.tools import until
from tests.service.bench import PATIENCE_S


def _refuse(_request: Mapping[str, Any]) -> Answer:
    raise ControlError("not today")


def _fail(_request: Mapping[str, Any]) -> Answer:
    raise ZeroDivisionError


HANDLERS = {
    "ping": lambda _request: {"node": "nursery"},
    "echo": lambda request: {"said": request["word"]},
    "odd": lambda _request: {"path": "caf\udce9"},
    "refuse": _refuse,
    "fail": _fail,
}


def running(folder: Path) -> Iterator[ControlServer]:
    """A server that answers."""
    made = ControlServer(folder / "run" / "control.sock")
    made.handlers = HANDLERS
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[ControlServer]:
    """The server that most tests share, as its clients would."""
    with tempfile.TemporaryDirectory() as folder:
        yield from running(Path(folder))


@pytest.fixture
def own_server(short_path: Path) -> Iterator[ControlServer]:
    """A server for one test, which may stop it."""
    yield from running(short_path)


@pytest.fixture
def client(server: ControlServer) -> ControlClient:
    """A client of that server."""
    return ControlClient(server.path, timeout_s=PATIENCE_S)


def connected(path: Path) -> socket.socket:
    """A raw connection."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(PATIENCE_S)
    made.connect(str(path))
    return made


def say(path: Path, said: bytes) -> list[dict[str, Any]]:
    """What comes back to these bytes, until the server or we have no more to say."""
    with connected(path) as connection, connection.makefile("rb") as answers:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in answers]


def test_a_request_is_answered(client: ControlClient) -> None:
    """With what its handler makes of it."""
    assert client.request("echo", word="Größe ✓") == {"ok": True, "said": "Größe ✓"}


def test_several_requests_go_over_one_connection(server: ControlServer) -> None:
    """In order."""
    answers = say(server.path, b'{"command": "ping"}\n{"command": "echo", "word": 1}\n')
    assert answers == [{"ok": True, "node": "nursery"}, {"ok": True, "said": 1}]


def test_an_expected_failure_is_an_error_with_its_reason(client: ControlClient) -> None:
    """As a person should read it."""
    with pytest.raises(ControlError, match=r"^not today$"):
        client.request("refuse")


def test_a_defect_is_logged_and_hurts_nobody_else(
    client: ControlClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is pointed to the log, and the server goes on."""
    with pytest.raises(ControlError, match="internal error, see the log"):
        client.request("fail")
    assert "ZeroDivisionError" in caplog.text
    assert client.request("ping")["node"] == "nursery"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        b"null",
        b'"ping"',
        b"7",
        b'{"command": null}',
        b'{"command": ["ping"]}',
        b'{"command": "reboot"}',
        b"\xff\xfe\x00\x80",
        b"\0" * 100,
        b"[" * (MAX_REQUEST_BYTES - 1),
        b'{"command":' * 370,
        b"GET / HTTP/1.1\r",
    ],
)
def test_garbage_is_answered_with_what_would_be_right(server: ControlServer, line: bytes) -> None:
    """And the connection goes on."""
    refused, answered = say(server.path, line + b'\n{"command": "ping"}\n')
    assert refused["ok"] is False
    assert refused["error"].endswith(
        "its command is one of audio, echo, fail, odd, ping, refuse, subscribe"
    )
    assert answered["ok"] is True


def test_a_request_that_is_too_long_is_refused_and_ends_the_connection(
    server: ControlServer, client: ControlClient
) -> None:
    """The rest of it is not to be taken for requests; others are served as before."""
    with connected(server.path) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"x" * (MAX_REQUEST_BYTES + 1))
        assert json.loads(answers.readline()) == {"ok": False, "error": "request too long"}
        assert answers.readline() == b""
    assert client.request("ping")["ok"]


def test_the_longest_request_is_still_answered(server: ControlServer) -> None:
    """The line's end is counted in."""
    request = json.dumps({"command": "echo", "word": ""})[:-2].encode()
    word = b"x" * (MAX_REQUEST_BYTES - len(request) - 3)
    (answer,) = say(server.path, request + word + b'"}\n')
    assert answer["said"] == word.decode()


def test_half_a_line_is_waited_for_without_holding_up_others(
    server: ControlServer, client: ControlClient
) -> None:
    """The other half may come."""
    with connected(server.path) as slow, slow.makefile("rb") as answers:
        slow.sendall(b'{"command": ')
        assert client.request("ping")["ok"]
        slow.sendall(b'"ping"}\n')
        assert json.loads(answers.readline())["node"] == "nursery"


def test_half_a_line_and_no_more_is_no_harm(server: ControlServer, client: ControlClient) -> None:
    """The client went away in the middle."""
    (answer,) = say(server.path, b'{"command": "pi')
    assert answer["ok"] is False
    with connected(server.path) as rude:
        rude.sendall(b'{"command": "ping"}\n' * 50)
    assert client.request("ping")["ok"]


def test_clients_beyond_the_limit_are_turned_away_until_others_leave(
    server: ControlServer, client: ControlClient
) -> None:
    """Threads are bounded, and a place is free again after its client has gone."""
    with ExitStack() as stack:
        for _ in range(MAX_CLIENTS):
            one = stack.enter_context(connected(server.path))
            one.sendall(b'{"command": "ping"}\n')
            assert one.recv(1000)
        with pytest.raises(ControlError, match="no answer"):
            client.request("ping")
    until(lambda: _answers(client), "a free place")


def _answers(client: ControlClient) -> bool:
    try:
        return bool(client.request("ping")["ok"])
    except ControlError:
        return False


def test_many_clients_are_answered_at_the_same_time(client: ControlClient) -> None:
    """Each gets its own answer."""
    answers: dict[int, int] = {}

    def ask(number: int) -> None:
        answers[number] = client.request("echo", word=number)["said"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(MAX_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert answers == {number: number for number in range(MAX_CLIENTS)}


def test_the_socket_is_for_the_owner_and_the_group(server: ControlServer) -> None:
    """And a directory that had to be made is for the owner alone."""
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700


def test_a_second_daemon_on_the_same_socket_is_refused(
    server: ControlServer, client: ControlClient
) -> None:
    """The first keeps it."""
    second = ControlServer(server.path)
    with pytest.raises(ControlError, match="another detector is running here"):
        second.start()
    second.stop()
    assert client.request("ping")["node"] == "nursery"


def test_a_socket_that_nobody_answers_on_is_replaced(short_path: Path) -> None:
    """A daemon that was killed leaves one behind."""
    path = short_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    server = ControlServer(path)
    server.handlers = HANDLERS
    server.start()
    assert ControlClient(path).request("ping")["ok"]
    server.stop()


def test_starting_and_stopping_twice_is_once(
    short_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The socket is gone after a stop, and it can begin anew."""
    server = ControlServer(short_path / "control.sock")
    server.handlers = HANDLERS
    server.stop()
    for _ in range(2):
        server.start()
        server.start()
        assert ControlClient(server.path).request("ping")["ok"]
        server.stop()
        server.stop()
        assert not server.path.exists()
    assert caplog.records == []


def test_a_directory_that_cannot_be_made_is_one_clear_line(short_path: Path) -> None:
    """With the path and the system's reason."""
    (short_path / "file").write_text("in the way")
    server = ControlServer(short_path / "file" / "control.sock")
    with pytest.raises(ControlError, match=r"control\.sock: no control socket: .*exists"):
        server.start()


def test_a_path_too_long_for_a_socket_is_said_at_both_ends(short_path: Path) -> None:
    """The system has no error number for this."""
    path = short_path / ("x" * 100) / "control.sock"
    with pytest.raises(ControlError, match="path too long"):
        ControlServer(path).start()
    with pytest.raises(ControlError, match="path too long"):
        ControlClient(path).request("ping")


Subscription = Generator[dict[str, Any], None, None]


@pytest.fixture
def subscription(own_server: ControlServer) -> Subscription:
    """A subscriber of that server, and the server knows."""
    stream = ControlClient(own_server.path, timeout_s=PATIENCE_S).subscribe()
    received: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: received.append(next(stream)))
    reader.start()
    until(lambda: own_server.has_subscribers, "the subscription")
    own_server.broadcast({"event": 0})
    reader.join(PATIENCE_S)
    assert received == [{"event": 0}]
    return stream


def test_a_subscriber_gets_what_is_broadcast_until_the_stop(
    own_server: ControlServer, subscription: Subscription
) -> None:
    """In order, and then the stream ends."""
    own_server.broadcast({"event": 1})
    own_server.broadcast({"snapshot": "ü"})
    assert [next(subscription), next(subscription)] == [{"event": 1}, {"snapshot": "ü"}]
    own_server.stop()
    assert list(subscription) == []


def test_without_a_subscriber_a_broadcast_is_nothing(own_server: ControlServer) -> None:
    """Not even made into text."""
    assert not own_server.has_subscribers
    own_server.broadcast({"event": object()})


def test_a_subscriber_that_does_not_read_holds_up_nobody(own_server: ControlServer) -> None:
    """It misses lines; the broadcaster returns at once, and a stop still ends it."""
    with connected(own_server.path) as sleeper, sleeper.makefile("rb") as stream:
        sleeper.sendall(b'{"command": "subscribe"}\n')
        assert json.loads(stream.readline()) == {"ok": True}
        long = "x" * 10_000
        count = 20 * QUEUED_LINES
        for number in range(count):
            own_server.broadcast({"event": number, "long": long})
        own_server.stop()
        numbers = [json.loads(line)["event"] for line in stream if line.strip()]
    assert numbers == sorted(numbers)
    assert 0 < len(numbers) < count


def test_a_stop_reaches_a_subscriber_whose_queue_is_full(short_path: Path) -> None:
    """What waits for it makes room for the farewell."""
    server = ControlServer(short_path / "control.sock")
    server.start()
    queue = server.subscribe()
    for number in range(2 * QUEUED_LINES):
        server.broadcast({"event": number})
    server.stop()
    assert queue.get_nowait() is None
    assert queue.empty()


def test_a_subscriber_that_left_is_forgotten(
    own_server: ControlServer, subscription: Subscription
) -> None:
    """At the next line that cannot be sent to it."""
    subscription.close()

    def forgotten() -> bool:
        own_server.broadcast({"event": 1})
        return not own_server.has_subscribers

    until(forgotten, "the subscriber's end")


def test_text_that_no_encoding_has_arrives_nevertheless(server: ControlServer) -> None:
    """A file's name can hold any byte; in JSON, its backslash escape says which."""
    (answer,) = say(server.path, b'{"command": "odd"}\n')
    assert answer["path"] == "caf\udce9"


@pytest.fixture
def impostor(short_path: Path) -> Iterator[Callable[[bytes], ControlClient]]:
    """Makes clients of a program that says the given bytes, whatever it is asked, and leaves."""
    path = short_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        threads: list[threading.Thread] = []

        def serve(answer: bytes) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        def make(answer: bytes) -> ControlClient:
            threads.append(threading.Thread(target=serve, args=(answer,)))
            threads[-1].start()
            return ControlClient(path, timeout_s=PATIENCE_S)

        yield make
        for thread in threads:
            thread.join(PATIENCE_S)


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"7\n", b'{"ok": true', b"\xff\n"])
def test_an_answer_that_is_none_is_a_control_error(
    impostor: Callable[[bytes], ControlClient], answer: bytes
) -> None:
    """Nobody sees a traceback because something else listens there."""
    with pytest.raises(ControlError, match="no answer from the daemon"):
        impostor(answer).request("ping")


def test_a_refusal_without_a_reason_is_one(impostor: Callable[[bytes], ControlClient]) -> None:
    """It can only come from another version."""
    with pytest.raises(ControlError, match="refused"):
        impostor(b'{"ok": false}\n').request("ping")


def test_a_stream_that_breaks_off_is_a_control_error(
    impostor: Callable[[bytes], ControlClient],
) -> None:
    """In the middle of a line, as when the daemon is killed."""
    stream = impostor(b'{"ok": true}\n{"event": 1}\n{"eve').subscribe()
    assert next(stream) == {"event": 1}
    with pytest.raises(ControlError, match="the daemon broke off"):
        next(stream)


def test_a_socket_that_is_not_there_is_a_control_error(short_path: Path) -> None:
    """With its path."""
    client = ControlClient(short_path / "none.sock")
    assert client.path == short_path / "none.sock"
    with pytest.raises(ControlError, match=r"none\.sock: nobody answers: No such file"):
        client.request("ping")
    with pytest.raises(ControlError, match="nobody answers"):
        next(client.subscribe())


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/run/user/1"}, "/run/a"),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, "/run/user/1/detector"),
    ],
)
def test_the_socket_lies_where_systemd_or_the_user_has_it(
    environ: Mapping[str, str], expected: str
) -> None:
    """The service's own directory comes first."""
    assert runtime_directory(environ) == Path(expected)


def test_without_either_it_lies_in_a_directory_of_the_users_own() -> None:
    """Its name has the user's number."""
    assert runtime_directory({}).name.startswith("detector-")


def test_sockets_are_found_the_users_own_first(short_path: Path) -> None:
    """Then those of the services; what is no socket is none."""
    own = short_path / "user" / "detector" / "control.sock"
    nursery = short_path / "detector-nursery" / "control.sock"
    plain = short_path / "detector" / "control.sock"
    for path in (own, nursery, plain):
        path.parent.mkdir(parents=True)
    plain.write_text("no socket")
    with ExitStack() as stack:
        for path in (own, nursery):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            stack.enter_context(listener).bind(str(path))
        environ = {"XDG_RUNTIME_DIR": str(short_path / "user")}
        found = find_sockets(environ, system=short_path)
        assert [path for path in found if path.is_relative_to(short_path)] == [own, nursery]
        assert own not in find_sockets({}, system=short_path)


def test_a_socket_that_another_user_laid_under_our_name_is_passed_over(short_path: Path) -> None:
    """In a folder for everybody, a name proves nothing."""
    path = short_path / "detector" / "control.sock"
    made = ControlServer(path)
    made.start()
    environ = {"XDG_RUNTIME_DIR": str(short_path)}
    try:
        assert path in find_sockets(environ, system=short_path / "nowhere")
        assert path not in find_sockets(environ, system=short_path / "nowhere", user_id=4711)
    finally:
        made.stop()
