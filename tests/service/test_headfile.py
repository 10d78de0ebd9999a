"""The file of a head: written, read again, and damaged in every way."""

import base64
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.core.errors import ConfigError
from detector.core.recognition import EMBEDDING, LEVEL, LOGITS, RecogniserSpec
from detector.events.curves import Curve, Sigmoid, Table
from detector.events.heads import Layer, Look, Trunk
from detector.service.headfile import HeadFile, HeadReader
from detector.service.headwrite import TrunkFile, head_document, trunk_document
from detector.service.jsondoc import packed
from tests.service.headmaking import PROVENANCE, small_head

SPEC = RecogniserSpec("0" * 64, {LOGITS: (4,), EMBEDDING: (6,), LEVEL: ()}, ("a",) * 4, 16_000, 1)
RNG = np.random.default_rng(5)


def layered() -> HeadFile:
    """A head with a layer, columns, windows that lie back, and logits beside it."""
    looks = [
        Look(EMBEDDING, None, 0, 0),
        Look(EMBEDDING, np.array([5, 0], np.intp), 3, 8, "mean"),
        Look(LEVEL, None, 0, 1, "max"),
    ]
    layer = Layer(RNG.normal(size=(9, 3)).astype(np.float32), RNG.normal(size=3).astype(np.float32))
    family = Look(LOGITS, np.array([1, 3], np.intp), largest=True)
    trunks = (Trunk(looks, layer), Trunk([family]))
    weights = [1.0, -2.0, 0.5, 3.0]
    return small_head(weights, trunks=trunks, curve=Sigmoid(0.7, -1.5), averaged=2)


def read(folder: Path, content: bytes) -> HeadFile:
    """What the file that holds this is read as."""
    (folder / "head.json").write_bytes(content)
    return HeadReader().read(folder, "head.json")


def document(head: HeadFile | None = None) -> dict[str, Any]:
    """The same before it is written."""
    found: dict[str, Any] = json.loads(head_document(head or layered()))
    return found


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    """All of it; in single precision to the last bit."""
    written = layered()
    found = read(tmp_path, head_document(written, dtype="float32"))
    np.testing.assert_array_equal(found.weights, written.weights)
    for one, other in zip(found.trunks, written.trunks, strict=True):
        assert [str(look) for look in one.looks] == [str(look) for look in other.looks]
        assert (one.layer is None) == (other.layer is None)
        if one.layer and other.layer:
            np.testing.assert_array_equal(one.layer.weights, other.layer.weights)
            np.testing.assert_array_equal(one.layer.bias, other.layer.bias)
    assert (found.sound, found.hop_s, found.curve) == ("dog_bark", 1.0, Sigmoid(0.7, -1.5))
    assert found.averaged == 2
    assert dict(found.provenance) == PROVENANCE
    assert found.misfit(SPEC) == ""


def test_half_precision_is_near_enough(tmp_path: Path) -> None:
    """It halves the file."""
    written = layered()
    found = read(tmp_path, head_document(written))
    layer, theirs = found.trunks[0].layer, written.trunks[0].layer
    assert layer
    assert theirs
    np.testing.assert_allclose(layer.weights, theirs.weights, rtol=1e-3)


@pytest.mark.parametrize(
    "curve",
    [
        Sigmoid(2.0, 0.5),
        Sigmoid(calibrated=False),
        Table(np.array([-1.0, 2.0]), np.array([0.25, 0.75])),
    ],
    ids=["platt", "identity", "table"],
)
def test_each_calibration_survives(tmp_path: Path, curve: Curve) -> None:
    """And whether it is one."""
    found = read(tmp_path, head_document(small_head([1.0] * 4, curve=curve))).curve
    assert found.calibrated == curve.calibrated
    assert [found(x) for x in (-2.0, 0.0, 1.5)] == [curve(x) for x in (-2.0, 0.0, 1.5)]


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    """Refinements name it."""
    content = head_document(layered())
    assert read(tmp_path, content).sha256 == hashlib.sha256(content).hexdigest()


def test_heads_share_the_trunk_that_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    """It is read once, and worked out once."""
    head = layered()
    content = trunk_document(head.trunks[0])
    (tmp_path / "trunk.json").write_bytes(content)
    shared = TrunkFile("trunk.json", hashlib.sha256(content).hexdigest())
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_bytes(head_document(head, [shared]))
    reader = HeadReader()
    one, two = (reader.read(tmp_path, name) for name in ("one.json", "two.json"))
    assert one.trunks[0] is two.trunks[0]
    assert one.trunks[1] is not two.trunks[1]
    assert one.misfit(SPEC) == ""


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [
        ("trunk.json", "f" * 64, r"trunk\.json is another one than this head was fitted with"),
        ("gone.json", "f" * 64, r"gone\.json: cannot read the head: No such file"),
        ("../trunk.json", "f" * 64, "is not the name of a file beside this one"),
    ],
)
def test_another_trunk_is_refused(tmp_path: Path, name: str, sha256: str, message: str) -> None:
    """Weights of one fitting do not go with those of another."""
    head = layered()
    (tmp_path / "trunk.json").write_bytes(trunk_document(head.trunks[0]))
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, head_document(head, [TrunkFile(name, sha256)]))


def other_spec(**changes: Any) -> RecogniserSpec:
    """Another recogniser than the head was fitted for."""
    values = {"content_hash": SPEC.content_hash, "outputs": SPEC.outputs, "hop_samples": 16_000}
    return RecogniserSpec(labels=SPEC.labels, context_samples=1, **{**values, **changes})


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (
            other_spec(content_hash="ab" * 32),
            "it was fitted for the model 00000000…, not abababab…",
        ),
        (other_spec(hop_samples=8000), "it was fitted for a hop of 1 s, not 0.5 s"),
        (other_spec(outputs={}), "it looks at embedding, which the model does not give"),
        (
            other_spec(outputs={**SPEC.outputs, EMBEDDING: (5,)}),
            "it looks at more than the model gives",
        ),
        (
            other_spec(outputs={**SPEC.outputs, EMBEDDING: (7,)}),
            "its layer takes 9 numbers, but there are 10",
        ),
    ],
    ids=["model", "hop", "no embedding", "short embedding", "long embedding"],
)
def test_a_head_knows_what_it_does_not_fit(spec: RecogniserSpec, reason: str) -> None:
    """And says why."""
    assert layered().misfit(SPEC) == ""
    assert layered().misfit(spec) == reason


def test_too_few_weights_are_a_misfit() -> None:
    """For what the trunks give."""
    assert small_head([1.0]).misfit(SPEC) == "it weighs 1 numbers, but there are 4"


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put something else at ``trunks.0.inputs``; or take it away, where that is Ellipsis."""

    def change(found: Any) -> None:
        *above, last = (int(one) if one.isdigit() else one for one in path.split("."))
        for one in above:
            found = found[one]
        if value is ...:
            del found[last]
        else:
            found[last] = value

    return change


HALF_NAN = packed(np.array([np.nan, 1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "something", 'is not a file of this kind: `format` is not "detector-head"'),
        ("version", 3, "version: 3 is not known here: 1 and 2 are"),
        ("sound", ..., "sound: is missing"),
        ("sound", 7, "sound: 7 is not a text"),
        ("fitted_for", [], r"fitted_for: \[\] is not a mapping"),
        ("fitted_for.hop_seconds", "0.48", 'fitted_for.hop_seconds: "0.48" is not a number'),
        ("fitted_for.hop_seconds", 0, "fitted_for.hop_seconds: 0 is not between 0.01"),
        ("trunks", [], r"trunks: \[\] is not a list with something in it"),
        ("trunks.0.inputs.1.columns.0", -1, r"trunks\[0\].inputs\[1\].columns\[0\]: -1 is not"),
        ("trunks.0.inputs.1.columns.0", 1.5, "1.5 is not a whole number"),
        ("trunks.0.inputs.0.pooling", "median", '"median" is none of mean, max'),
        ("trunks.0.inputs.0.windows_ago", [2, 1], r"\[2, 1\] is not \[newest, oldest\]"),
        ("trunks.0.inputs.0.windows_ago", [0, 64], r"\[0, 64\] is not \[newest, oldest\]"),
        ("trunks.0.layer.bias", packed(np.zeros(2)), "bias: has 2 numbers for 3 units"),
        ("trunks.0.layer.weights", packed(np.zeros(4)), "shape: has 1 dimensions instead of 2"),
        ("trunks.1.inputs.0.across", "mean", '"mean" is none of max'),
        ("windows_averaged", 9, "windows_averaged: 9 is more than 8"),
        ("weights.dtype", "float64", '"float64" is none of float16, float32'),
        ("weights.base64", "not in base 64!", "weights.base64: is not base64"),
        ("weights.base64", "AAAA", r"holds 3 bytes, but \[4\] of float16 are not that many"),
        ("weights", HALF_NAN, "weights.base64: holds numbers that are none"),
        ("bias", True, "bias: true is not a number"),
        ("bias", 1e7, "bias: 10000000.0 is not between"),
        ("calibration.method", "beta", '"beta" is none of platt, table, identity'),
        ("calibration.slope", -1, "calibration.slope: -1 is not between 0"),
        ("provenance.data", ..., "provenance.data: is missing"),
        (
            "calibration",
            {"method": "table", "log_odds": [0, 1], "probabilities": [0.9, 0.1]},
            "calibration.probabilities: must not fall",
        ),
        (
            "calibration",
            {"method": "table", "log_odds": [0, 1, 2], "probabilities": [0.1, 0.9]},
            "has 2 numbers for 3 log_odds",
        ),
    ],
)
def test_what_is_wrong_is_told_by_file_and_key(
    tmp_path: Path, path: str, value: Any, message: str
) -> None:
    """One line."""
    found = document()
    changed(path, value)(found)
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, json.dumps(found).encode())
    assert str(caught.value).startswith(f"{tmp_path / 'head.json'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"format": NaN}', "is not JSON: NaN is not a number"),
        (b"[]", r"\[\] is not a mapping"),
        (b" " * (16 * 1024 * 1024 + 1), "is larger than any head"),
    ],
    ids=["empty", "no text", "deep", "NaN", "a list", "huge"],
)
def test_what_is_no_head_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    """Whatever somebody names."""
    with pytest.raises(ConfigError, match=rf"head\.json: {message}") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    """The path and the reason."""
    with pytest.raises(ConfigError, match=r"gone\.json: cannot read the head: No such file"):
        HeadReader().read(tmp_path, "gone.json")


@pytest.mark.parametrize("seed", range(10))
def test_no_damage_is_a_traceback(tmp_path: Path, seed: int) -> None:
    """A file that is damaged is refused in one line, or read as finite numbers."""
    rng, content = random.Random(seed), head_document(layered())
    for _ in range(60):
        complaint = outcome(tmp_path, damaged(rng, content))
        assert "\n" not in complaint


def outcome(folder: Path, content: bytes) -> str:
    """Why it is refused, or does not fit; nothing where it is still a head."""
    try:
        found = read(folder, content)
    except ConfigError as error:
        return str(error)
    assert np.isfinite(found.weights).all()
    return found.misfit(SPEC)


STRANGE: list[Any] = [None, True, -1, 10**30, "", "x", [], {}, [[]], 0.5, [-1], {"shape": [0]}]


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Some bytes changed, or some value replaced by another."""
    if rng.random() < 0.4:
        data = bytearray(content)
        for _ in range(rng.choice((1, 3))):
            data[rng.randrange(len(data))] = rng.randrange(32, 127)
        return bytes(data)
    found = json.loads(content)
    replace_somewhere(rng, found, rng.choice(STRANGE))
    return json.dumps(found).encode()


def replace_somewhere(rng: random.Random, found: Any, value: Any) -> None:
    """Walk into a document and put a value somewhere."""
    key = rng.choice(list(found) if isinstance(found, dict) else list(range(len(found))))
    if isinstance(found[key], dict | list) and found[key] and rng.random() < 0.8:
        replace_somewhere(rng, found[key], value)
    else:
        found[key] = value


def test_bytes_are_packed_little_endian() -> None:
    """On every machine."""
    assert base64.b64decode(packed(np.array([1.0]), "float32")["base64"]) == b"\0\0\x80\x3f"
