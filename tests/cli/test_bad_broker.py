"""A broker that is wrong: the doctor says what to do, and the daemon says so and goes on."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.alerts.tools import Broker, Watcher, free_port, running, until
from tests.cli.tools import KNOCK, Commands, Daemon, daemon

pytestmark = pytest.mark.system

GUARDED = """\
allow_anonymous false
password_file {folder}/passwords
"""
RULES = """\
allow_anonymous true
acl_file {folder}/rules
"""
TLS = """\
allow_anonymous true
certfile {folder}/broker.pem
keyfile {folder}/broker.key
"""

Setting = tuple[Broker | None, str]
"""A broker, and the lines of the configuration that lead there."""


def guarded(folder: Path) -> Setting:
    """A broker that knows another password than we do."""
    (folder / "passwords").write_text("detector:right\n")
    subprocess.run(["mosquitto_passwd", "-U", folder / "passwords"], check=True)
    (folder / "mine").write_text("wrong\n")
    broker = Broker(folder, GUARDED.format(folder=folder))
    return broker, f"port: {broker.port}, username: detector, password_file: {folder}/mine"


def strict(folder: Path, rules: str) -> Setting:
    """A broker with access rules."""
    (folder / "rules").write_text(rules + "\n")
    broker = Broker(folder, RULES.format(folder=folder))
    return broker, f"port: {broker.port}"


def untrusted(folder: Path) -> Setting:
    """A broker whose certificate is signed by nobody."""
    asked = "req -x509 -days 2 -subj /CN=localhost -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    files = ["-nodes", "-keyout", str(folder / "broker.key"), "-out", str(folder / "broker.pem")]
    subprocess.run(["openssl", *asked.split(), *files], check=True, capture_output=True)
    broker = Broker(folder, TLS.format(folder=folder))
    return broker, f"port: {broker.port}, tls: {{enabled: true}}"


def without_tls(folder: Path) -> Setting:
    """A broker that is spoken to in TLS, and knows none."""
    broker = Broker(folder)
    return broker, f"port: {broker.port}, tls: {{enabled: true}}"


WRONG: dict[str, tuple[Callable[[Path], Setting], str, str]] = {
    "wrong password": (guarded, "it does not let user detector in", "mqtt.password_file"),
    "unknown host": (
        lambda _folder: (None, "host: broker.invalid"),
        "broker broker.invalid:1883: nobody knows this name",
        "see mqtt.host",
    ),
    "nobody there": (
        lambda _folder: (None, f"port: {free_port()}"),
        "it refuses the connection",
        "does the broker run",
    ),
    "untrusted certificate": (untrusted, "its certificate is not accepted", "mqtt.tls.ca_file"),
    "no TLS": (without_tls, "broker 127.0.0.1:", "does this port speak TLS?"),
}
DENIED: dict[str, tuple[Callable[[Path], Setting], str, str]] = {
    "publishing denied": (
        lambda folder: strict(folder, "topic read #"),
        "we may not publish on detector/here/cmd",
        "compare the broker's access rules",
    ),
    "reading denied": (
        lambda folder: strict(folder, "topic write #"),
        "we may not read detector/here/cmd",
        "compare the broker's access rules",
    ),
}


@contextmanager
def arranged(
    detector: Commands, make: Callable[[Path], Setting]
) -> Iterator[tuple[Path, Broker | None]]:
    """The broker while it runs, and a configuration that leads there."""
    broker, lines = make(detector.folder)
    host = "" if "host:" in lines else "host: 127.0.0.1, "
    # When a TLS handshake fails, paho leaves its socket to the garbage collector.
    detector.environment["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
    config = detector.config(f"{KNOCK}mqtt: {{{host}{lines}}}\n")
    if broker is None:
        yield config, None
        return
    with running(broker):
        yield config, broker


@pytest.mark.parametrize(("make", "said", "remedy"), (WRONG | DENIED).values(), ids=WRONG | DENIED)
def test_the_doctor_says_what_is_wrong_with_the_broker_and_what_to_do(
    detector: Commands, make: Callable[[Path], Setting], said: str, remedy: str
) -> None:
    """In one line, or with a remedy below it; and checks the rest."""
    with arranged(detector, make) as (config, _):
        outcome = detector.process("doctor", "--config", config)
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    lines = outcome.out.splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("broker "))
    assert lines[at].startswith("broker       FAILED   ")
    assert said in lines[at]
    assert remedy in lines[at] + lines[at + 1]
    assert "right" not in outcome.err + outcome.out  # the secret
    assert any(line.startswith("service ") for line in lines)


@pytest.mark.parametrize(("make", "said", "remedy"), WRONG.values(), ids=WRONG)
def test_the_daemon_says_what_is_wrong_with_the_broker_and_goes_on(
    detector: Commands, make: Callable[[Path], Setting], said: str, remedy: str
) -> None:
    """It hears, keeps what it would tell, shows it in its health, and ends well."""
    with arranged(detector, make) as (config, _), daemon(detector, config) as one:
        until(lambda: said in one.log and remedy in one.log, "a word about the broker")
        one.hear()
        until(lambda: one.health()["mqtt"]["undelivered"] > 0, "an event that is kept")
        health = one.health()
        assert not health["mqtt"]["connected"]
        status = one.status()["status"]
        assert "mqtt down: broker " in status
        assert said in status
        outcome = one.end()
    assert outcome.code == 0
    assert "WARNING" in next(line for line in outcome.err.splitlines() if said in line)
    assert "Traceback" not in outcome.err
    assert "right\n" not in outcome.err


def test_a_denied_message_is_told_counted_and_survived(detector: Commands) -> None:
    """The doctor, asked beside the daemon, says so too."""
    rules = "topic read #\ntopic write homeassistant/#\ntopic write detector/here/cmd"
    with (
        arranged(detector, lambda folder: strict(folder, rules)) as (config, _),
        daemon(detector, config) as one,
    ):
        until(lambda: one.health()["mqtt"]["denied"] > 0, "a denied message")
        assert "is denied by the broker's access rules" in one.log
        checked = detector.process("doctor", "--config", config)
        assert checked.code == 1
        (line,) = (line for line in checked.out.splitlines() if line.startswith("broker "))
        assert "FAILED   the broker denied " in line
        assert one.health()["mqtt"]["connected"]
        outcome = one.end()
    assert outcome.code == 0
    assert "Traceback" not in outcome.err


COMMANDS: dict[str, tuple[str, bytes, str]] = {
    "malformed": ("armed/set", b"perhaps", "'perhaps' is neither ON nor OFF"),
    "no text": ("armed/set", b"\xff\xfe", "is not UTF-8 text"),
    "oversized": (
        "cmd",
        b"test_alert " + b"x" * 100_000,
        "100011 bytes; a command has at most 256",
    ),
    "no number": ("sound/knock/threshold/set", b"nan", "'nan' is not a number from"),
    "out of bounds": ("sound/knock/threshold/set", b"7", "'7' is not a number from"),
    "unknown sound": ("sound/siren/threshold/set", b"0.5", "'siren' is not listened for"),
    "unknown command": ("cmd", b"rm -rf /", "'rm -rf /' is no command"),
    "empty": ("cmd", b"", "'' is no command"),
    "JSON": ("cmd", b'{"test_alert": 1}', "is no command"),
}


@pytest.mark.parametrize(("topic", "payload", "said"), COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_command_is_refused_with_a_warning(
    served: tuple[Daemon, Watcher], topic: str, payload: bytes, said: str
) -> None:
    """Naming the topic, the value and what would be right; nothing is changed."""
    one, watcher = served
    watcher.say(f"detector/here/{topic}", payload)
    until(lambda: said in one.log, "a warning")
    (line,) = (line for line in one.log.splitlines() if said in line)
    assert "WARNING command refused: " in line
    assert f"detector/here/{topic}: " in line
    assert len(line) < 300
    assert one.status()["armed"] is True
    assert one.end().code == 0
    assert "Traceback" not in one.log


@pytest.fixture
def served(detector: Commands) -> Iterator[tuple[Daemon, Watcher]]:
    """A daemon on a broker that lets everybody in, and somebody else there."""

    def friendly(folder: Path) -> Setting:
        broker = Broker(folder)
        return broker, f"port: {broker.port}"

    with arranged(detector, friendly) as (config, broker), daemon(detector, config) as one:
        assert broker is not None
        watcher = Watcher(broker.port)
        watcher.wait_for("detector/here/status", "online")
        yield one, watcher
        watcher.close()


def test_a_retained_command_is_not_obeyed(detector: Commands) -> None:
    """It would be obeyed anew at every connection: a listener that disarms itself each time."""

    def friendly(folder: Path) -> Setting:
        broker = Broker(folder)
        return broker, f"port: {broker.port}"

    with arranged(detector, friendly) as (config, broker):
        assert broker is not None
        watcher = Watcher(broker.port)
        watcher.say("detector/here/armed/set", "OFF", retain=True)
        with daemon(detector, config) as one:
            until(lambda: "a retained command is not obeyed" in one.log, "a warning")
            assert one.status()["armed"] is True
            assert one.end().code == 0
        watcher.close()
