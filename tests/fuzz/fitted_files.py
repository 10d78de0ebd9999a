"""Targets: what is fitted, and read by the daemon: the files of heads, and calibrations."""

import copy
import json
import logging
import math
import random
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from detector.config import Config, EvidenceConfig, SoundConfig
from detector.config.calibration import (
    CALIBRATION_NAME,
    CalibratedSound,
    CalibrationFile,
    read_calibration,
)
from detector.config.calibration_text import calibration_text
from detector.config.loader import parse_config
from detector.config.render import effective_config
from detector.core.errors import ConfigError
from detector.core.recognition import LOGITS, Heard, Observation
from detector.events.curves import Table
from detector.events.heads import Layer, Look, Trunk
from detector.service.build import build_sounds
from detector.service.fitted import InUse, warnings_of
from detector.service.headwrite import TrunkFile, head_document, trunk_document
from tests.config.test_fuzz import damaged
from tests.fuzz.config_text import check_line, check_refusal, section
from tests.fuzz.mutations import damaged_bytes, odd_number, odd_text
from tests.fuzz.target import Target, require
from tests.service.bench import LABELS
from tests.service.fakes import ToldRecogniser, second
from tests.service.headmaking import TOLD_HASH, small_head

SPEC = ToldRecogniser(LABELS).spec
WEIGHTS = [0.0, 1.0, 0.0, -1.0]
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NUMBERS = (0, -1, 1, 2, 1e6, -1e6, 1e300, 10**400, 0.5, 1e-300, 63, 64, 65, 2**63, True)


class HeadFiles(Target):
    """A sound that is told by a head or its classes, or a ConfigError that names the file."""

    name = "head"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        trunk = Trunk([Look(LOGITS, None, 0, 2, "max")], Layer(np.eye(4, 2, dtype="f4"), _of(2)))
        content = trunk_document(trunk)
        (folder / "trunk.json").write_bytes(content)
        self._bases = _heads(trunk, content)
        self._path = folder / "bark.json"
        evidence = EvidenceConfig(kind="head", classes=("Bark",), head=self._path)
        sounds = {"dog_bark": SoundConfig(evidence=(evidence,))}
        self._config = Config(sounds=MappingProxyType(sounds))

    def make(self, rng: random.Random) -> bytes:
        """The content of a head's file."""
        document = copy.deepcopy(rng.choice(self._bases))
        for _ in range(rng.randint(0, 3)):
            spoil(document, rng)
        raw = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")
        if rng.random() < 0.3:
            raw = damaged_bytes(raw, rng, most=4)
        if rng.random() < 0.02:
            raw = rng.choice((b"", b"[" * 5000, rng.randbytes(200), b'{"a":' * 5000, b"null"))
        return raw

    def feed(self, made: bytes) -> bool:
        """Build a sound on it, and let it hear."""
        self._path.write_bytes(made)
        return _is_sane(self._config, str(self.folder))


def _of(count: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return np.zeros(count, np.float32)


def _heads(trunk: Trunk, content: bytes) -> list[Any]:
    table = Table(np.array([-2.0, 0.0, 2.0]), np.array([0.0, 0.5, 1.0]))
    columns = Trunk([Look(LOGITS, np.array([1, 3], np.intp), 1, 3, "mean", largest=True)])
    file = TrunkFile("trunk.json", sha256(content).hexdigest())
    documents = (
        head_document(small_head(WEIGHTS)),
        head_document(small_head(WEIGHTS, curve=table, averaged=3)),
        head_document(small_head([1.0, -1.0], trunks=[trunk]), dtype="float32"),
        head_document(small_head([1.0, -1.0], trunks=[trunk]), [file]),
        head_document(small_head([1.0, -1.0, 0.5], trunks=[trunk, columns]), [file]),
    )
    return [json.loads(one) for one in documents]


def spoil(document: Any, rng: random.Random) -> None:
    """Change, take away or add something, at any depth."""
    at, key = document, rng.choice(list(document))
    while isinstance(at[key], dict | list) and at[key] and rng.random() < 0.85:
        at = at[key]
        key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
    if rng.random() < 0.1:
        del at[key]
    elif key == "base64" and isinstance(at[key], str) and rng.random() < 0.8:
        at[key] = _packed(at[key], rng)
    else:
        at[key] = _value(rng)


def _packed(text: str, rng: random.Random) -> str:
    """Other numbers of the same size, mostly: also those that are none."""
    share = rng.random()
    return "".join(rng.choice(_BASE64) if c.isalnum() and rng.random() < share else c for c in text)


def _value(rng: random.Random) -> Any:
    kinds: Sequence[Callable[[], Any]] = (
        lambda: rng.choice(_NUMBERS),
        lambda: rng.choice(_NUMBERS),
        lambda: rng.uniform(-2.0, 2.0),
        lambda: rng.choice((None, "", [], {}, float("nan"), float("inf"))),
        lambda: odd_text(rng),
        lambda: rng.choice(("embedding", "scores", "logits", "max", "mean", "platt", "table")),
        lambda: rng.choice(
            ("../trunk.json", "trunk.json", "bark.json", "a\0b", "x" * 300, TOLD_HASH)
        ),
        lambda: [rng.choice(_NUMBERS) for _ in range(rng.randint(0, 4))],
        lambda: odd_number(rng),
    )
    return rng.choice(kinds)()


def _is_sane(config: Config, source: str) -> bool:
    """Whether sounds can be built of it: then all that they tell is a line, or a probability."""
    try:
        sounds = build_sounds(config, SPEC)
    except ConfigError as error:
        check_refusal(error, source)
        return False
    for line in warnings_of(config, InUse.of(SPEC)):
        check_line(line)
    for sound in sounds:
        for line in (*sound.evidence, *sound.refused):
            check_line(line)
            require(len(line) < 1000, f"a line of {len(line)} characters")
        for heard in _HEARD:
            sound.detector.observe(heard)
            told = sound.detector.probability
            require(math.isfinite(told) and 0.0 <= told <= 1.0, f"a probability of {told}")
    return True


def _heard() -> Sequence[Heard]:
    """One window, and eight, from silence to as loud as a score can be; no envelopes."""
    windows: list[Observation] = []
    for number in range(8):
        scores = (0.0, 1.0, 0.5, 0.1) if number % 2 else (1.0, 0.0, 0.0, 1.0)
        windows += ToldRecogniser(LABELS).feed(second(number, *scores))
    return ([windows[:1], []], [windows, []])


_HEARD = _heard()

_FITTED = f"{{recogniser: '{TOLD_HASH}', hop_seconds: 1.0, pooling: max}}"
_CALIBRATION = f"""\
version: 1
provenance: {{made_by: detector, date: '2026-11-20', target: 1/day, data: [12 recordings]}}
sounds:
  dog_bark:
    basis: recall 0.9
    threshold: 0.4
    release_threshold: 0.2
    evidence:
    - classes: [Bark, Dog]
      calibration: {{method: platt, slope: 1.5, offset: -0.5, fitted_for: {_FITTED}}}
  own:
    threshold: 0.7
    evidence:
    - kind: head
      head: bark.json
      classes: [Rain]
      refinement: {{slope: 0.5, offset: 1, fitted_for: {_FITTED}}}
"""
_CONFIG = "sounds: {dog_bark: {threshold: 0.3}, own: {evidence: [{classes: [Rain]}]}}"


class CalibrationFiles(Target):
    """A configuration with a calibration over it, or a ConfigError that names a file."""

    name = "calibration"
    usual_count = 20_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        logging.disable(logging.CRITICAL)
        (folder / "bark.json").write_bytes(head_document(small_head(WEIGHTS)))
        self._path = folder / CALIBRATION_NAME

    def make(self, rng: random.Random) -> bytes:
        """The content of a calibration file."""
        if rng.random() < 0.4:
            made = damaged(_CALIBRATION, rng)
        elif rng.random() < 0.9:
            made = _tree(rng)
        else:
            return damaged_bytes(_CALIBRATION.encode(), rng)
        return made.encode(errors="surrogatepass")

    def feed(self, made: bytes) -> bool:
        """Read it alone and over a configuration; write it anew; let its sounds hear."""
        self._path.write_bytes(made)
        try:
            config = parse_config(_CONFIG, str(self.folder / "d.yaml"), folder=self.folder)
            alone = read_calibration(self._path)
        except ConfigError as error:
            check_refusal(error, str(self.folder))
            return False
        shown = parse_config(effective_config(config), "shown", folder=self.folder)
        require(shown == config, "what `config show` prints is another configuration")
        self._path.write_text(calibration_text(alone, self.folder), encoding="utf-8")
        require(read_calibration(self._path) == alone, "it is another one after it was written")
        return _is_sane(config, "")


def _tree(rng: random.Random) -> str:
    """In the shape of the schema, as JSON."""
    sounds: dict[str, Any] = {"dog_bark": _bark(rng)}
    if rng.random() < 0.4:
        name = rng.choice(("dog_bark", "own", "siren", odd_text(rng, most=8)))
        sounds[name] = section(CalibratedSound, rng)
    told = section(CalibrationFile, rng) if rng.random() < 0.2 else {}
    document = told | {"version": 1, "sounds": sounds}
    return json.dumps(document, ensure_ascii=rng.random() < 0.5)


def _bark(rng: random.Random) -> dict[str, Any]:
    """A sound of which each part is mostly right."""

    def number(right: float) -> Any:
        return right if rng.random() < 0.8 else _value(rng)

    hop, slope, offset = number(1.0), number(2.0), number(0.5)
    fitted = {"recogniser": TOLD_HASH, "hop_seconds": hop, "pooling": rng.choice(("max", "mean"))}
    curve = {"method": "platt", "slope": slope, "offset": offset, "fitted_for": fitted}
    evidence = {"classes": [rng.choice(LABELS)], "calibration": curve}
    return {"evidence": [evidence], "threshold": number(0.5), "release_threshold": number(0.2)}
