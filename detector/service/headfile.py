"""The file of a head: JSON that needs nothing but numpy to be read.

::

    {"format": "detector-head", "version": 1 or 2, "sound": "baby_cry",
     "fitted_for": {"recogniser": SHA-256 of the model, "hop_seconds": 0.48},
     "trunks": [{"inputs": [{"output": "embedding", "columns": null or [0, …],
                             "across": null or "max" (only the largest of them counts),
                             "windows_ago": [newest, oldest], "pooling": "mean" or "max"}, …],
                 "sphere": null or {"centre": ARRAY (inputs), "scale": ARRAY (inputs)},
                 "layer": null or {"weights": ARRAY (inputs, units), "bias": ARRAY (units)}},
                or {"file": "trunk.json" beside this one, "sha256": of that file}, …],
     "weights": ARRAY (units of all trunks), "bias": number,
     "windows_averaged": how many windows the log-odds are averaged over,
     "calibration": {"method": "platt", "slope": …, "offset": …}
                 or {"method": "table", "log_odds": […], "probabilities": […]}
                 or {"method": "identity"},
     "provenance": {"data": […], "groups": […], "split": …, "date": …, "code_version": …,
                    "figures": …}}

ARRAY is {"shape": […], "dtype": "float16" or "float32", "base64": little-endian bytes}.  A trunk
in a file of its own, which several heads share, is worked out once for all of them.  Groups are
told by short hashes of their names, which may be somebody's.
Standardisation is folded into the weights.  What this version does not know is passed over; a
``sphere`` must not be, so that a file with one says version 2.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.config.setting import NAME_PATTERN, SHA256_MEANS, SHA256_PATTERN
from detector.core.errors import ConfigError, Problem
from detector.core.recognition import Array, RecogniserSpec
from detector.events.curves import Curve, Sigmoid, Table
from detector.events.heads import MOST_AVERAGED, Layer, Look, Pooled, Sphere, Trunk
from detector.service.jsondoc import Value, read_document

FORMAT, TRUNK_FORMAT, VERSION = "detector-head", "detector-trunk", 1
SPHERE_VERSION = 2
"""Of a file in which a trunk lies on a sphere."""
MOST_WINDOWS = 64
"""Further back no head looks; half a minute at the usual hop."""
MAX_BYTES = 16 * 1024 * 1024
"""A file of more is none."""
_POOLINGS: tuple[Pooled, ...] = ("mean", "max")
_BESIDE_PATTERN = r"\w[\w.-]{0,99}"
_PROVENANCE = ("data", "groups", "split", "date", "code_version", "figures")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFile:
    """What stands in the file of a head."""

    sound: str
    recogniser: str
    """SHA-256 of the model that it was fitted for."""
    hop_s: float
    trunks: tuple[Trunk, ...]
    weights: Array
    """Shape (units of all trunks,)."""
    bias: float
    curve: Curve
    averaged: int = 1
    """Windows over which the log-odds are averaged."""
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    sha256: str = ""
    """Of the file, hexadecimal."""

    @property
    def day(self) -> str:
        """When it was made, for people."""
        told = str(self.provenance.get("date", ""))
        return told if re.fullmatch(r"[\d-]{4,10}", told) else "an unknown day"

    def misfit(self, spec: RecogniserSpec) -> str:
        """Why it does not fit a recogniser; nothing where it does."""
        if elsewhere := self.fitted_elsewhere(spec.content_hash, spec.hop_s):
            return elsewhere
        for look in (look for trunk in self.trunks for look in trunk.looks):
            if look.output not in spec.outputs:
                return f"it looks at {look.output}, which the model does not give"
        return self._wrong_size(spec)

    def fitted_elsewhere(self, recogniser: str, hop_s: float) -> str:
        """The same, as far as the SHA-256 of the model in use and its hop tell."""
        if self.recogniser != recogniser:
            return f"it was fitted for the model {self.recogniser[:8]}…, not {recogniser[:8]}…"
        if abs(self.hop_s - hop_s) > 1e-9:
            return f"it was fitted for a hop of {self.hop_s:g} s, not {hop_s:g} s"
        return ""

    def _wrong_size(self, spec: RecogniserSpec) -> str:
        for trunk in self.trunks:
            sizes = [_size(look, spec) for look in trunk.looks]
            if None in sizes:
                return "it looks at more than the model gives"
            inputs = sum(size or 0 for size in sizes)
            if trunk.sphere is not None and len(trunk.sphere.centre) != inputs:
                return f"its sphere has {len(trunk.sphere.centre)} numbers, but there are {inputs}"
            if trunk.layer is not None and len(trunk.layer.weights) != inputs:
                return f"its layer takes {len(trunk.layer.weights)} numbers, but there are {inputs}"
        units = sum(units_of(trunk, spec) for trunk in self.trunks)
        if len(self.weights) != units:
            return f"it weighs {len(self.weights)} numbers, but there are {units}"
        return ""


def units_of(trunk: Trunk, spec: RecogniserSpec) -> int:
    """How many numbers a trunk gives."""
    if trunk.layer is not None:
        return len(trunk.layer.bias)
    return sum(_size(look, spec) or 0 for look in trunk.looks)


def _size(look: Look, spec: RecogniserSpec) -> int | None:
    """How many numbers an input has; None where it asks for more than there are."""
    there = int(np.prod(spec.outputs[look.output], dtype=np.int64))
    if look.columns is not None and look.columns.max() >= there:
        return None
    return 1 if look.largest else there if look.columns is None else len(look.columns)


class HeadReader:
    """Reads heads; those that one reader reads share trunks and inputs that are the same."""

    def __init__(self) -> None:
        self._trunks: dict[str, Trunk] = {}
        self._looks: dict[str, Look] = {}

    def read(self, folder: Traversable, name: str) -> HeadFile:
        """The head in a file of a folder.

        Raises ConfigError, in one line with file and key, for what is unreadable or damaged.
        """
        content = _content(folder, name)
        root = read_document(_where(folder, name), content)
        _check_format(root, FORMAT)
        fitted = root.field("fitted_for")
        return HeadFile(
            sound=root.field("sound").matching(NAME_PATTERN, "the name of a sound"),
            recogniser=fitted.field("recogniser").matching(SHA256_PATTERN, SHA256_MEANS),
            hop_s=fitted.field("hop_seconds").number(0.01),
            trunks=tuple(self._trunk(one, folder) for one in root.field("trunks").items()),
            weights=root.field("weights").array(1),
            bias=root.field("bias").number(),
            averaged=_averaged(root.field("windows_averaged")),
            curve=_curve(root.field("calibration")),
            provenance=_provenance(root.field("provenance")),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def _trunk(self, value: Value, folder: Traversable) -> Trunk:
        file = value.optional("file")
        if file is None:
            return self._inline(value)
        name = file.matching(_BESIDE_PATTERN, "the name of a file beside this one")
        sha256 = value.field("sha256").text()
        if sha256 not in self._trunks:
            content = _content(folder, name)
            if hashlib.sha256(content).hexdigest() != sha256:
                file.fail(f"{_where(folder, name)} is another one than this head was fitted with")
            root = read_document(_where(folder, name), content)
            _check_format(root, TRUNK_FORMAT)
            self._trunks[sha256] = self._inline(root)
        return self._trunks[sha256]

    def _inline(self, value: Value) -> Trunk:
        looks = [self._look(one) for one in value.field("inputs").items()]
        layer, sphere = value.optional("layer"), value.optional("sphere")
        return Trunk(
            looks,
            None if layer is None else _layer(layer),
            None if sphere is None else _sphere(sphere),
        )

    def _look(self, value: Value) -> Look:
        """The same object for what is the same, so that it is gathered once."""
        look = _look(value)
        columns = None if look.columns is None else look.columns.tolist()
        where = (look.newest, look.oldest, look.pooling, look.largest)
        key = repr((look.output, columns, *where))
        return self._looks.setdefault(key, look)


def _where(folder: Traversable, name: str) -> str:
    return str(folder / name)


def _content(folder: Traversable, name: str) -> bytes:
    try:
        with (folder / name).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"cannot read the head: {error.strerror or error}"
        raise ConfigError([Problem(_where(folder, name), "", reason)]) from error
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem(_where(folder, name), "", "is larger than any head")])
    return content


def _check_format(root: Value, right: str) -> None:
    found = root.optional("format")
    if found is None or found.raw != right:
        root.fail(f'is not a file of this kind: `format` is not "{right}"')
    if root.field("version").whole() not in (VERSION, SPHERE_VERSION):
        root.field("version").fail(f"{root.raw['version']} is not known here: 1 and 2 are")


def _averaged(value: Value) -> int:
    if value.whole(1) > MOST_AVERAGED:
        value.fail(f"{value.raw} is more than {MOST_AVERAGED}")
    return value.whole(1)


def _layer(value: Value) -> Layer:
    weights, bias = value.field("weights").array(2), value.field("bias").array(1)
    if len(bias) != weights.shape[1]:
        value.field("bias").fail(f"has {len(bias)} numbers for {weights.shape[1]} units")
    return Layer(weights, bias)


def _sphere(value: Value) -> Sphere:
    centre, scale = value.field("centre").array(1), value.field("scale").array(1)
    if len(centre) != len(scale) or not (scale > 0.0).all():
        value.field("scale").fail("must have as many numbers as the centre, all above 0")
    return Sphere(centre, scale)


def _look(value: Value) -> Look:
    columns, ago = value.optional("columns"), value.field("windows_ago")
    places = [one.whole() for one in ago.items()]
    if len(places) != 2 or places != sorted(places) or places[1] >= MOST_WINDOWS:
        ago.fail(f"{places} is not [newest, oldest], both from 0 to {MOST_WINDOWS - 1}")
    pooling, across = value.field("pooling").one_of(_POOLINGS), value.optional("across")
    if across is not None:
        across.one_of(["max"])
    return Look(
        output=value.field("output").matching(NAME_PATTERN, "the name of an output"),
        columns=None if columns is None else _columns(columns),
        newest=places[0],
        oldest=places[1],
        pooling=next(one for one in _POOLINGS if one == pooling),
        largest=across is not None,
    )


def _columns(value: Value) -> NDArray[np.intp]:
    return np.array([one.whole() for one in value.items()], np.intp)


def _curve(value: Value) -> Curve:
    method = value.field("method").one_of(("platt", "table", "identity"))
    if method == "identity":
        return Sigmoid(calibrated=False)
    if method == "platt":
        return Sigmoid(value.field("slope").number(0.0), value.field("offset").number())
    return _table(value.field("log_odds").numbers(), value.field("probabilities"))


def _table(log_odds: NDArray[np.float64], value: Value) -> Table:
    probabilities = value.numbers()
    if len(log_odds) != len(probabilities):
        value.fail(f"has {len(probabilities)} numbers for {len(log_odds)} log_odds")
    falls = (np.diff(log_odds) <= 0).any() or (np.diff(probabilities) < 0).any()
    if falls or probabilities[0] < 0.0 or probabilities[-1] > 1.0:
        value.fail("must not fall or leave 0 … 1, and log_odds must rise")
    return Table(log_odds, probabilities)


def _provenance(value: Value) -> Mapping[str, Any]:
    for name in _PROVENANCE:
        value.field(name)
    return MappingProxyType(value.raw)
