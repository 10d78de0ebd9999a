"""Brokers that want to know who we are: passwords, access rules, TLS."""

import contextlib
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.alerts.outbox import Outbox
from detector.alerts.sinks import Delivery, DeniedError
from detector.config import TlsConfig
from detector.core.errors import MqttError
from tests.alerts.conftest import MakeSink
from tests.alerts.memory import MemoryOnly
from tests.alerts.tools import PATIENCE_S, SOUNDS, Broker, Watcher, onset, running, until
from tests.clocks import HandClock

pytestmark = pytest.mark.system

AT = "detector/nursery"
USER = "detector-nursery"
SECRET = "correct horse battery staple"
WRONG = "wrong horse battery staple"
PAHO_LEAVES_ITS_SOCKET = "ignore::pytest.PytestUnraisableExceptionWarning"
"""When a TLS handshake fails, paho leaves its socket to the garbage collector."""
RULES = """
user detector-nursery
topic write homeassistant/device/detector_nursery/config
topic read homeassistant/device/detector_nursery/config
topic write detector/nursery/#
topic read detector/nursery/armed/set
topic read detector/nursery/sound/+/threshold/set
topic read detector/nursery/cmd
topic read detector/nursery/status
topic read homeassistant/status

user watcher
topic readwrite #
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Broker]:
    """A broker with passwords and the access rules that the documentation recommends."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    passwords, rules = folder / "passwords", folder / "rules"
    passwords.write_text(f"{USER}:{SECRET}\nwatcher:look\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    rules.write_text(RULES)
    settings = f"allow_anonymous false\npassword_file {passwords}\nacl_file {rules}"
    with running(Broker(folder, settings)) as started:
        yield started


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    """The right password, as an editor leaves it."""
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def login(password_file: Path) -> dict[str, Any]:
    """The settings that go with it."""
    return {"username": USER, "password_file": password_file}


@pytest.fixture
def guarded_watcher(guarded: Broker) -> Iterator[Watcher]:
    """A subscriber that may read everything."""
    made = Watcher(guarded.port, username="watcher", password="look")
    yield made
    made.close()


def test_the_recommended_access_rules_let_everything_through(
    guarded: Broker,
    guarded_watcher: Watcher,
    login: dict[str, Any],
    make_sink: MakeSink,
    commands: list[Any],
) -> None:
    """Events, states, removal of orphans, commands, and Home Assistant's birth."""
    sink = make_sink(guarded.port, mqtt=login, sounds={"baby_cry": SOUNDS["baby_cry"]})
    guarded_watcher.say(
        "homeassistant/device/detector_nursery/config",
        '{"cmps":{"dog_bark":{"p":"binary_sensor"}}}',
        retain=True,
    )
    sink.start()
    guarded_watcher.wait_for(f"{AT}/sound/dog_bark/state", "")
    sink.deliver(Delivery(onset())).result(PATIENCE_S)
    guarded_watcher.wait_for(f"{AT}/event")
    guarded_watcher.say(f"{AT}/cmd", "test_alert")
    guarded_watcher.say(f"{AT}/armed/set", "OFF")
    guarded_watcher.say(f"{AT}/sound/baby_cry/threshold/set", "0.5")
    until(lambda: len(commands) == 3, "three commands")
    guarded_watcher.say("homeassistant/status", "online")
    guarded_watcher.wait_for(f"{AT}/status", "online", count=2)
    assert sink.state.denied == 0


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_told_as_such_and_mended_without_a_restart(
    guarded: Broker,
    password_file: Path,
    make_sink: MakeSink,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
) -> None:
    """The file is read anew at every attempt; the secret is nowhere."""
    caplog.set_level(logging.DEBUG)
    password_file.write_text(WRONG + "\n")
    mqtt = {"username": USER, "password_file": password_file, "protocol": protocol}
    sink = make_sink(guarded.port, mqtt=mqtt)
    sink.start()
    until(lambda: sink.state.last_error is not None, "the refusal")
    error = str(sink.state.last_error)
    assert f"it does not let user {USER} in" in error
    assert "mqtt.password_file" in error
    assert not sink.state.connected
    password_file.write_text(SECRET + "\n")
    until(lambda: sink.ready, "the connection")
    told = caplog.text + error + repr(sink) + repr(vars(sink)) + repr(sink.state)
    assert WRONG not in told
    assert SECRET not in told


def test_the_systemd_credential_serves_where_no_file_is_named(
    guarded: Broker, tmp_path: Path, make_sink: MakeSink
) -> None:
    """As under systemd's LoadCredential=."""
    (tmp_path / "mqtt-password").write_text(SECRET)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    sink = make_sink(guarded.port, mqtt={"username": USER}, environ=environ)
    sink.start()
    until(lambda: sink.ready, "the connection")


def test_no_password_at_all_is_told_as_not_being_let_in(
    guarded: Broker, make_sink: MakeSink
) -> None:
    """Not as a network problem."""
    sink = make_sink(guarded.port)
    sink.start()
    until(lambda: sink.state.last_error is not None, "the refusal")
    assert "it does not let a user without a name in" in str(sink.state.last_error)


def test_a_denied_event_is_counted_told_once_and_kept(
    guarded: Broker,
    password_file: Path,
    make_sink: MakeSink,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only MQTT 5 tells; the line names the topic."""
    mqtt = {"username": USER, "password_file": password_file, "base_topic": "elsewhere"}
    sink = make_sink(guarded.port, mqtt=mqtt | {"discovery": False})
    sink.start()
    until(lambda: sink.ready, "the connection")
    receipt = sink.deliver(Delivery(onset()))
    assert isinstance(receipt.exception(PATIENCE_S), DeniedError)
    outbox = Outbox([sink], HandClock(1000.0), late_after_s=120.0, journal=MemoryOnly())
    outbox.start()
    before = sink.state.denied
    outbox.put(onset())
    until(lambda: sink.state.denied > before, "the next denial")
    assert outbox.undelivered == 1
    outbox.stop()
    lines = [r.getMessage() for r in caplog.records if "elsewhere/nursery/event" in r.getMessage()]
    assert len(lines) == 1
    assert "denied by the broker's access rules" in lines[0]


def test_a_denied_state_does_not_have_its_event_told_again(
    tmp_path: Path, make_sink: MakeSink
) -> None:
    """The event got through; the alert must not ring for ever because of its state."""
    rules = tmp_path / "rules"
    rules.write_text(f"topic write {AT}/event\ntopic write {AT}/status\n")
    with running(Broker(tmp_path, f"allow_anonymous true\nacl_file {rules}")) as broker:
        sink = make_sink(broker.port)
        sink.start()
        until(lambda: sink.ready, "the connection")
        sink.deliver(Delivery(onset())).result(PATIENCE_S)
        sink.stop()
    assert sink.state.denied >= 2


def test_an_event_that_was_denied_comes_without_its_state_when_it_is_allowed(
    tmp_path: Path, make_sink: MakeSink
) -> None:
    """Its state was told at the first attempt; by now it may be over."""
    rules = tmp_path / "rules"
    rules.write_text(f"topic readwrite {AT}/sound/#\ntopic read {AT}/#\n")
    broker = Broker(tmp_path, f"allow_anonymous true\nacl_file {rules}")
    with running(broker):
        sink, watcher = make_sink(broker.port), Watcher(broker.port)
        sink.start()
        until(lambda: sink.ready, "the connection")
        first = sink.deliver(Delivery(onset()))
        assert isinstance(first.exception(PATIENCE_S), DeniedError)
        watcher.wait_for(f"{AT}/sound/baby_cry/state", "ON")
        watcher.forget()
        rules.write_text(f"topic readwrite {AT}/#\n")
        broker.reload()
        again = Delivery(onset(), late=True, backlog=True)  # as the outbox tries it anew
        until(lambda: sink.deliver(again).exception(PATIENCE_S) is None, "the permission")
        watcher.wait_for(f"{AT}/event/backlog")
        assert [seen.payload for seen in watcher.seen if seen.topic.endswith("/state")] == []
        watcher.close()
        sink.stop()


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate for the broker (localhost), one for us, and a stranger."""
    folder = tmp_path_factory.mktemp("certificates")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "stranger"):
        ends = ("-x509", "-days", "2", "-subj", f"/CN={name}")
        _openssl(folder, "req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.pem", *ends)
    for name in ("localhost", "client"):
        asked = ("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        _openssl(folder, "req", *curve, *asked)
        (folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        files = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "2")
        _openssl(folder, "x509", "-req", *files, *signed)
    return folder


@contextlib.contextmanager
def tls_broker(folder: Path, certificates: Path, *more: str) -> Iterator[Broker]:
    """A broker that speaks TLS only."""
    settings = [
        "allow_anonymous true",
        f"cafile {certificates}/ca.pem",
        f"certfile {certificates}/localhost.pem",
        f"keyfile {certificates}/localhost.key",
        *more,
    ]
    with running(Broker(folder, "\n".join(settings))) as started:
        yield started


def test_tls_with_a_certificate_of_our_own_connects(
    tmp_path: Path, certificates: Path, make_sink: MakeSink
) -> None:
    """The broker asks for it, and takes ours."""
    with tls_broker(tmp_path, certificates, "require_certificate true") as broker:
        sink = make_sink(broker.port, mqtt=_tls(certificates, "client"))
        sink.start()
        until(lambda: sink.ready, "the connection")
        sink.deliver(Delivery(onset())).result(PATIENCE_S)
        sink.stop()


@pytest.mark.filterwarnings(PAHO_LEAVES_ITS_SOCKET)
@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"ca": "stranger"}, "its certificate is not accepted: "),
        ({"host": "127.0.0.1"}, "its certificate is not accepted: IP address mismatch"),
        ({"client": None}, "does it want TLS or a client certificate?"),
        ({"enabled": False}, "does it want TLS or a client certificate?"),
    ],
    ids=["another authority", "another host name", "no client certificate", "no TLS"],
)
def test_each_failure_of_tls_gives_one_clear_line(
    tmp_path: Path, certificates: Path, make_sink: MakeSink, changes: dict[str, Any], line: str
) -> None:
    """Naming the broker and what to look at."""
    with tls_broker(tmp_path, certificates, "require_certificate true") as broker:
        mqtt = _tls(certificates, **({"client": "client"} | changes))
        sink = make_sink(broker.port, mqtt=mqtt)
        sink.start()
        until(lambda: sink.state.last_error is not None, "the failure")
        error = str(sink.state.last_error)
        assert line in error
        assert f"{mqtt['host']}:{broker.port}" in error
        assert "mqtt.tls" in error
        assert "\n" not in error
        sink.stop()


@pytest.mark.filterwarnings(PAHO_LEAVES_ITS_SOCKET)
def test_tls_to_a_broker_without_it_says_so(
    broker: Broker, certificates: Path, make_sink: MakeSink
) -> None:
    """A port is easily mistaken."""
    sink = make_sink(broker.port, mqtt=_tls(certificates, "client"))
    sink.start()
    until(lambda: sink.state.last_error is not None, "the failure")
    assert "does this port speak TLS? see mqtt.port and mqtt.tls" in str(sink.state.last_error)


def test_insecure_takes_a_certificate_for_another_host(
    tmp_path: Path, certificates: Path, make_sink: MakeSink
) -> None:
    """But still none of another authority."""
    with tls_broker(tmp_path, certificates) as broker:
        mqtt = _tls(certificates, None, host="127.0.0.1", insecure=True)
        sink = make_sink(broker.port, mqtt=mqtt)
        sink.start()
        until(lambda: sink.ready, "the connection")
        sink.stop()


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("ca", r"^mqtt\.tls\.ca_file: .*missing\.pem cannot be read: No such file"),
        ("client", r"^mqtt\.tls\.certificate_file: .*missing\.pem cannot be read: No such file"),
    ],
)
def test_a_certificate_file_that_is_missing_is_named_at_the_start(
    certificates: Path, make_sink: MakeSink, file: str, line: str
) -> None:
    """With its key and its path."""
    names: dict[str, Any] = {"client": "client", file: "missing"}
    with pytest.raises(MqttError, match=line):
        make_sink(1, mqtt=_tls(certificates, **names)).start()


def test_a_certificate_file_that_is_none_is_named_at_the_start(
    certificates: Path, make_sink: MakeSink
) -> None:
    """Here a key given as the authority."""
    with pytest.raises(MqttError, match=r"^mqtt\.tls: these certificates .*client\.csr"):
        make_sink(1, mqtt=_tls(certificates, None, ca="client.csr")).start()


def _tls(
    certificates: Path,
    client: str | None,
    *,
    ca: str = "ca",
    host: str = "localhost",
    enabled: bool = True,
    insecure: bool = False,
) -> dict[str, Any]:
    """Settings for TLS, from the names of the files."""

    def pem(name: str) -> Path:
        return certificates / (name if "." in name else f"{name}.pem")

    own = {} if client is None else {"certificate_file": pem(client)}
    if client is not None:
        own["key_file"] = certificates / "client.key"
    tls = TlsConfig(enabled=enabled, ca_file=pem(ca), insecure=insecure, **own)
    return {"host": host, "tls": tls}
