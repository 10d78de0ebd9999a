"""Target: lines on the control socket, from their bytes to the answer."""

import json
import logging
import os
import random
import sys
from pathlib import Path
from typing import Any

from detector.alerts.homeassistant import DeviceInfo
from detector.service.answers import Answers
from detector.service.control import MAX_REQUEST_BYTES
from detector.service.diary import Diary
from detector.service.monitor import ModelFacts
from detector.service.parts import LoadedModel, Parts, Surroundings
from tests.clocks import HandClock
from tests.fuzz.mutations import damaged_bytes, odd_number, odd_text
from tests.fuzz.target import Target, require
from tests.service.bench import LABELS, YAML, configured
from tests.service.fakes import ToldRecogniser
from tests.service.life import tell

COMMANDS = ("ping", "status", "recent", "test_alert", "arm", "disarm", "set_threshold",
            "subscribe", "selftest", "stop", "history")  # fmt: skip
_OFTEN = tuple(command for command in COMMANDS if command != "recent")
"""That one waits for the worker's next turn."""
FIELDS = ("command", "sound", "value", "seconds", "by", "id", "since_unix_s", "until_unix_s",
          "limit")  # fmt: skip


class ControlRequests(Target):
    """Every line is answered by one line of JSON, with the result or one line of error."""

    name = "control"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - test alerts, as JSON lines
        recording = tell(folder / "quiet.wav", *[0.0] * 3600)
        self._config = configured(
            f"{YAML}\naudio: {{source: file, path: {recording}, realtime: true}}\n"
            f"state_directory: {folder}\n"
        )
        self._clock = HandClock()
        self._recogniser = ToldRecogniser(LABELS)
        self._parts = self._put_together()
        answers = Answers(node="nursery", ask=lambda work: work(), parts=lambda: self._parts)
        # A self-test takes seconds of the main loop, which is not here; ``socket`` asks for it.
        self._parts.control.handlers = {**answers.handlers(), "selftest": lambda _request: {}}
        self._parts.start()

    def _put_together(self) -> Parts:
        facts = ModelFacts("yamnet", "told", self._recogniser.spec)
        model = LoadedModel(self._recogniser, facts)
        around = Surroundings(
            clock=self._clock,
            environ={"RUNTIME_DIRECTORY": str(self.folder)},
            device=DeviceInfo(software="1.2.3"),
            load_config=lambda: self._config,
            load_model=lambda _config: model,
        )
        diary = Diary(self.folder, self._config.node, self._clock)
        return Parts(
            self._config, model, around, on_command=lambda _command, _by: None, diary=diary
        )

    def make(self, rng: random.Random) -> bytes:
        """A line, as far as a client can send one."""
        return request_line(rng)

    def feed(self, made: bytes) -> bool:
        """Ask."""
        answer = self._parts.control.answer(made)
        text = json.dumps(answer, ensure_ascii=False).encode(errors="backslashreplace")
        again = json.loads(text)
        require(b"\n" not in text, "an answer of several lines")
        if not again["ok"]:
            require(isinstance(again["error"], str) and again["error"], "no without a word")
            require("internal error" not in again["error"], f"bug: {made!r}")
            require(len(again["error"]) < 2 * MAX_REQUEST_BYTES, "a refusal without an end")
        for name, override in self._parts.overrides.thresholds.items():
            require(0.0 < override.value < 1.0, f"the threshold of {name} is {override.value}")
        require(isinstance(self._parts.overrides.armed, bool), "armed is no switch")
        self._clock.advance(0.02)
        self._recogniser.fed.clear()
        self._parts.desk.look()
        return bool(again["ok"])

    def close(self) -> None:
        """Still right."""
        require(self._parts.control.answer(b'{"command": "ping"}')["ok"], "no answer to a ping")
        self._parts.stop()


def request_line(rng: random.Random) -> bytes:
    """A line, as far as a client can send one."""
    made = json.dumps(_request(rng), ensure_ascii=rng.random() < 0.5)
    raw = made.encode(errors="surrogatepass")
    if rng.random() < 0.3:
        raw = damaged_bytes(raw, rng, most=3)
    if rng.random() < 0.1:
        raw = rng.choice(
            (
                b"[" * rng.randint(1, 4000),
                b'{"command":' * rng.randint(1, 300),
                rng.randbytes(rng.randint(0, 100)),
                b"",
                b"\n",
                b'{"command": "set_threshold", "sound": "dog_bark", "value": ' + b"9" * 4000 + b"}",
            )
        )
    return raw[:MAX_REQUEST_BYTES]


def _request(rng: random.Random) -> Any:
    if rng.random() < 0.05:
        return _value(rng)
    command = (
        rng.choice(_OFTEN if rng.random() < 0.9 else COMMANDS)
        if rng.random() < 0.9
        else _value(rng)
    )
    fields = {rng.choice(FIELDS): _value(rng) for _ in range(rng.randint(0, 3))}
    if rng.random() < 0.5:
        fields |= {"sound": rng.choice(("dog_bark", "baby_cry")), "value": round(rng.random(), 3)}
    return {**fields, "command": command}


def _value(rng: random.Random) -> Any:
    return rng.choice(
        (
            lambda: odd_text(rng),
            lambda: odd_number(rng),
            lambda: rng.uniform(-2, 2),
            lambda: rng.randint(-(10**20), 10**20),
            lambda: rng.choice((None, True, False, float("nan"), float("inf"), -0.0, 10**400)),
            lambda: [_value(rng) for _ in range(rng.randint(0, 3))],
            lambda: {odd_text(rng, most=5): _value(rng)},
            lambda: rng.choice(("dog_bark", "baby_cry", "")),
        )
    )()
