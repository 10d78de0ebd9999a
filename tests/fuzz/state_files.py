"""Targets: what lies in the state directory: overrides, diary, feedback, outbox's database."""

import json
import logging
import math
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from detector.alerts.history import Question, read_history
from detector.alerts.journal import Journal
from detector.alerts.left import Left
from detector.alerts.messages import delivery_payload, to_json
from detector.alerts.sinks import Delivery
from detector.alerts.store import DeliveryState
from detector.audio.profile import Profile
from detector.core.errors import DetectorError
from detector.service.build import gate_settings
from detector.service.diary import Diary
from detector.service.feedbackfile import FORMAT, MOST_EXAMPLES, VERSION, FeedbackFile
from detector.service.jsondoc import packed
from detector.service.overrides import Overrides
from tests.alerts.tools import offset, onset
from tests.clocks import HandClock
from tests.fuzz.mutations import damaged_bytes, odd_number, odd_text, overwritten
from tests.fuzz.target import Target, require
from tests.service.bench import configured

NODE = "nursery"
CLOCK = HandClock()
MODEL = "0" * 64


class StateFiles(Target):
    """Overrides and diary: read, or set aside; never is more believed than could be set."""

    name = "state_file"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        self._config = configured()

    def make(self, rng: random.Random) -> tuple[str, bytes]:
        """Which file, and its content."""
        which = rng.choice(("overrides", "diary", "feedback"))
        documents = {"overrides": _overrides, "diary": _diary, "feedback": _feedback}
        document = documents[which](rng)
        raw = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
        if rng.random() < 0.4:
            raw = damaged_bytes(raw, rng, most=4)
        if rng.random() < 0.05:
            raw = rng.choice((b"", b"[" * 5000, rng.randbytes(200), b'{"a":' * 5000, b"\0" * 100))
        return which, raw

    def feed(self, made: tuple[str, bytes]) -> bool:
        """Start with it, and save."""
        which, content = made
        path = self.folder / f"{which}-{NODE}.json"
        path.write_bytes(content)
        read = {
            "overrides": self._read_overrides,
            "diary": self._read_diary,
            "feedback": self._read_feedback,
        }
        read[which]()
        aside = path.with_suffix(".damaged")
        accepted = not aside.exists()
        aside.unlink(missing_ok=True)
        return accepted

    def _read_overrides(self) -> None:
        overrides = Overrides(self.folder, NODE)
        overrides.load()
        overrides.reconcile(self._config)
        require(isinstance(overrides.armed, bool), "armed is no switch")
        for name, override in overrides.thresholds.items():
            require(name in self._config.sounds, f"{name} is no sound")
            require(0.0 < override.value <= 1.0, f"a threshold of {override.value}")
        overrides.set_armed(armed=True)
        overrides.save()
        json.loads(overrides.path.read_text(encoding="utf-8"))

    def _read_feedback(self) -> None:
        file = FeedbackFile(self.folder, "feedback", MODEL)
        told = file.read()
        require(len(told.examples) <= MOST_EXAMPLES, "more examples than are ever kept")
        for one in told.examples:
            level = one.moment.level(gate_settings(self._config.sounds["dog_bark"]), None)
            require(0.0 <= level < math.inf, f"told at {level}")
        if told.veto is not None:
            numbers = np.zeros((2, told.veto.directions.shape[1]), np.float32)
            require(bool(np.isfinite(told.veto.likeness(numbers)).all()), "no likeness")
        file.write(told)

    def _read_diary(self) -> None:
        diary = Diary(self.folder, NODE, CLOCK)
        diary.open()
        diary.live(armed=True)
        for told in (diary.deaf_seconds, diary.deaf_seconds_today):
            require(all(0.0 <= s < 1e12 for s in told.values()), f"deaf for {told}")
        learnt = diary.recall("a microphone")
        if learnt is not None:
            _recall(learnt)
        diary.save()
        to_json(diary.deaf_seconds)


def _recall(learnt: Any) -> None:
    """As the monitor does."""
    try:
        profile = Profile.from_document(learnt)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return
    json.dumps(profile.to_document(), allow_nan=False)


def _overrides(rng: random.Random) -> Any:
    thresholds = {
        rng.choice(("dog_bark", "baby_cry", odd_text(rng, most=8))): {
            "value": rng.choice((round(rng.random(), 3), _odd(rng))),
            "replaced": rng.choice((0.5, _odd(rng))),
        }
        for _ in range(rng.randint(0, 3))
    }
    return _spoilt({"armed": rng.random() < 0.5, "thresholds": thresholds}, rng)


def _feedback(rng: random.Random) -> Any:
    numbers = rng.choice((0, 1, 4))
    example = {
        "judgement": rng.choice(("right", "wrong", "missed", odd_text(rng, most=6))),
        "event": odd_text(rng, most=12),
        "at": odd_text(rng, most=12),
        **{
            name: rng.choice(([0.1, 0.2], [0.1, _odd(rng)], [_number(rng)] * 2))
            for name in ("starts_s", "ends_s", "probabilities")
        },
        "embeddings": _spoilt(packed(np.full((2, numbers), 0.5, np.float32)), rng),
    }
    veto = {
        "centre": packed(np.zeros(4, np.float32), "float32"),
        "scale": packed(np.full(4, rng.choice((1.0, 0.0, 1e-30)), np.float32), "float32"),
        "directions": packed(np.ones((rng.choice((1, 0, 3)), 4), np.float32), "float32"),
        "at": rng.choice((0.8, _odd(rng))),
    }
    step = {
        "examples": [odd_text(rng)],
        "dropped": rng.choice((None, example)),
        "override": rng.choice((None, {"value": 0.5, "replaced": _odd(rng)})),
        "threshold": rng.choice((0.5, _odd(rng))),
        "veto": rng.choice((None, veto)),
    }
    document = {
        "format": FORMAT,
        "version": rng.choice((VERSION, VERSION, _odd(rng))),
        "identity": MODEL,
        "examples": [example] * rng.choice((0, 1, 40)),
        "veto": rng.choice((None, _spoilt(veto, rng))),
        "steps": [step] * rng.choice((0, 1, 9)),
    }
    return _spoilt(document, rng)


def _diary(rng: random.Random) -> Any:
    profile = Profile().to_document()
    profile["minutes"] = rng.choice((0, 5000, _odd(rng)))
    profile["usual"][0] = {
        "from": rng.choice((0, 3, _odd(rng))),
        "minutes": [_number(rng)] * rng.randint(0, 4),
    }
    beat = {
        "wall_s": _number(rng),
        "boot_id": rng.choice(("boot", "", odd_text(rng))),
        "monotonic_s": _number(rng),
        "armed": rng.random() < 0.5,
    }
    document = {
        "heartbeat": _spoilt(beat, rng),
        "day": rng.choice((None, "2026-01-01", "0001-01-01", "9999-12-31", odd_text(rng))),
        "deaf_seconds": {rng.choice(("missing", "total", "")): _number(rng)},
        "microphones": {"a microphone": _spoilt(profile, rng)},
    }
    return _spoilt(document, rng)


def _spoilt(document: dict[str, Any], rng: random.Random) -> Any:
    """Mostly as it is."""
    if document and rng.random() < 0.15:
        document[rng.choice(list(document))] = _odd(rng)
    return document


def _number(rng: random.Random) -> Any:
    return rng.choice((0, 1e9, rng.uniform(0, 2e9), 1.8e9, _odd(rng)))


def _odd(rng: random.Random) -> Any:
    return rng.choice(
        (None, True, -1, 1e300, -1e300, 10**400, float("nan"), float("inf"), "", odd_text(rng),
         odd_number(rng), [], {}, [1], {"a": 1}, 1e11, -62_135_596_800, 253_402_300_799)
    )  # fmt: skip


class OutboxFile(Target):
    """A damaged database is read as far as it goes, or set aside; what is decided now is kept."""

    name = "outbox"
    usual_count = 5000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        self._path = folder / "outbox.sqlite"
        self._left: list[Left] = []
        written_outbox(self._path)
        self._base = self._path.read_bytes()

    def _journal(self) -> Journal:
        return Journal(self._path, ["MQTT"], CLOCK, self._left.append, retry_s=0.05)

    def make(self, rng: random.Random) -> bytes | list[tuple[str, tuple[Any, ...]]]:
        """The content of the file, or statements that spoil it as SQL."""
        kind = rng.random()
        if kind < 0.35:
            return _statements(rng)
        if kind < 0.6:
            return overwritten(
                self._base, rng, range(len(self._base)), most=rng.choice((1, 4, 200))
            )
        if kind < 0.7:
            return overwritten(self._base, rng, range(100))
        if kind < 0.9:
            return damaged_bytes(self._base, rng)
        return rng.choice(
            (b"", rng.randbytes(rng.randint(1, 9000)), self._base[: rng.randrange(len(self._base))])
        )

    def feed(self, made: bytes | list[tuple[str, tuple[Any, ...]]]) -> bool:
        """Start with it, decide something, stop; then read the history."""
        self._clear()
        self._path.write_bytes(made if isinstance(made, bytes) else self._base)
        if isinstance(made, list):
            _spoil(self._path, made)
        self._live()
        require(self._is_in_history(), "what was decided is not in the history")
        for left in self._left:
            _tell(left)
        return not self._path.with_name(self._path.name + ".damaged").exists()

    def _clear(self) -> None:
        self._left.clear()
        for path in self.folder.glob("outbox*"):
            path.unlink()

    def _live(self) -> None:
        journal = self._journal()
        journal.start()
        try:
            self._decide(journal)
        finally:
            journal.stop()

    def _decide(self, journal: Journal) -> None:
        event = onset(number=777)
        journal.record(event)
        journal.settle(event, "MQTT", DeliveryState.DELIVERED)
        deadline = time.monotonic() + 2.0
        while (journal.unwritten or journal.error) and time.monotonic() < deadline:
            time.sleep(0.001)
        require(not journal.error, f"it never gets over {journal.error}")

    def _is_in_history(self) -> bool:
        try:
            entries = read_history(self._path, Question())
        except DetectorError as error:
            require("malformed" in str(error), f"the history cannot be read: {error}")
            self.notes["an index is damaged, which SQLite's quick check does not see"] += 1
            return True  # told in one line, until the next write notices
        return any(entry["id"] == "nursery-777" for entry in entries)


def written_outbox(path: Path) -> None:
    """A database with thirty messages."""
    journal = Journal(path, ["MQTT"], CLOCK, lambda _left: None)
    journal.start()
    for number in range(20):
        for event in (onset(number=number), offset(number=number))[: 1 + number % 2]:
            journal.record(event).result(5)
            if number % 3:
                journal.settle(event, "MQTT", DeliveryState.DELIVERED)
    journal.stop()


def _tell(left: Left) -> None:
    """What was left can be told."""
    for events in (*left.waiting.values(), left.on):
        for event in events:
            to_json(delivery_payload(Delivery(event)))


def _spoil(path: Path, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for text, values in statements:
            try:
                db.execute(text, values)
            except (sqlite3.Error, OverflowError, UnicodeEncodeError):
                continue  # SQLite itself will not have it


def _statements(rng: random.Random) -> list[tuple[str, tuple[Any, ...]]]:
    made: list[tuple[str, tuple[Any, ...]]] = []
    for _ in range(rng.randint(1, 3)):
        column = rng.choice(("id", "phase", "kind", "sound", "onset_unix_s", "decided_unix_s",
                             "decided_monotonic_s", "boot_id", "body", "body", "body"))  # fmt: skip
        value = (
            _body(rng)
            if column == "body"
            else rng.choice((b"\xff", b"", *(_odd(rng) for _ in range(2))))
        )
        if isinstance(value, list | dict):
            value = json.dumps(value)
        seq = rng.randint(1, 30)
        made.append(
            rng.choice(
                (
                    (f"UPDATE events SET {column} = ? WHERE seq = ?", (value, seq)),
                    (f"UPDATE events SET {column} = CAST(? AS TEXT) WHERE seq = ?", (value, seq)),
                    (
                        "UPDATE deliveries SET state = ?, settled_unix_s = ?",
                        (odd_text(rng), _odd_scalar(rng)),
                    ),
                    ("UPDATE deliveries SET sink = ? WHERE seq = ?", (odd_text(rng), seq)),
                    (
                        "UPDATE sqlite_sequence SET seq = ?",
                        (rng.choice((0, -5, 2**63 - 1, 2**62)),),
                    ),
                    ("DELETE FROM events WHERE seq = ?", (seq,)),
                    (f"PRAGMA user_version = {rng.choice((0, 2, -1, 99))}", ()),
                    (f"DROP TABLE {rng.choice(('events', 'deliveries'))}", ()),
                    ("ALTER TABLE events RENAME COLUMN body TO bodies", ()),
                    ("DROP INDEX deliveries_waiting", ()),
                )
            )
        )
    return made


def _odd_scalar(rng: random.Random) -> Any:
    value = _odd(rng)
    return None if isinstance(value, list | dict | int) else value


def _body(rng: random.Random) -> Any:
    if rng.random() < 0.2:
        return rng.choice(
            ("", "null", "[]", "{}", "1", "[" * 5000, b"\xff\xfe", '{"phase": "onset"}')
        )
    body = json.loads(to_json(delivery_payload(Delivery(onset()))))
    for _ in range(rng.randint(1, 2)):
        body[rng.choice(list(body))] = _odd(rng)
    return json.dumps(body)
