"""Write the file of a head, as ``detector.service.headfile`` reads it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detector.events.curves import Curve, Sigmoid, Table
from detector.events.heads import Trunk
from detector.service.headfile import (
    FORMAT,
    SPHERE_VERSION,
    TRUNK_FORMAT,
    VERSION,
    HeadFile,
)
from detector.service.jsondoc import packed


@dataclass(frozen=True, slots=True)
class TrunkFile:
    """The file of a trunk that several heads share."""

    name: str
    """Beside the heads' own files."""
    sha256: str


def head_document(
    head: HeadFile, trunk_files: Sequence[TrunkFile | None] = (), dtype: str = "float16"
) -> bytes:
    """The file of a head. ``trunk_files`` name the trunks that stand in files of their own."""
    named = [*trunk_files, *(None for _ in head.trunks[len(trunk_files) :])]
    on_sphere = any(trunk.sphere is not None for trunk in head.trunks)
    document = {
        "format": FORMAT,
        "version": SPHERE_VERSION if on_sphere else VERSION,
        "sound": head.sound,
        "fitted_for": {"recogniser": head.recogniser, "hop_seconds": head.hop_s},
        "trunks": [
            _trunk_value(trunk, dtype)
            if file is None
            else {"file": file.name, "sha256": file.sha256}
            for trunk, file in zip(head.trunks, named, strict=True)
        ],
        "weights": packed(head.weights, dtype),
        "bias": head.bias,
        "windows_averaged": head.averaged,
        "calibration": _curve_value(head.curve),
        "provenance": dict(head.provenance),
    }
    return _encoded(document)


def trunk_document(trunk: Trunk, dtype: str = "float16") -> bytes:
    """The file of a trunk that several heads share."""
    return _encoded({"format": TRUNK_FORMAT, "version": VERSION, **_trunk_value(trunk, dtype)})


def _trunk_value(trunk: Trunk, dtype: str) -> dict[str, Any]:
    inputs = [
        {
            "output": look.output,
            "columns": None if look.columns is None else look.columns.tolist(),
            "across": "max" if look.largest else None,
            "windows_ago": [look.newest, look.oldest],
            "pooling": look.pooling,
        }
        for look in trunk.looks
    ]
    layer = trunk.layer and {
        "weights": packed(trunk.layer.weights, dtype),
        "bias": packed(trunk.layer.bias, "float32"),
    }
    value: dict[str, Any] = {"inputs": inputs, "layer": layer}
    if trunk.sphere is not None:
        # Where the scale is small, half precision would shift the centre by a part of it.
        numbers = {"centre": trunk.sphere.centre, "scale": trunk.sphere.scale}
        value["sphere"] = {name: packed(each, "float32") for name, each in numbers.items()}
    return value


def _curve_value(curve: Curve) -> dict[str, Any]:
    if isinstance(curve, Table):
        points = {"log_odds": curve.log_odds, "probabilities": curve.probabilities}
        return {
            "method": "table",
            **{name: list(map(float, each)) for name, each in points.items()},
        }
    if not isinstance(curve, Sigmoid):
        raise TypeError(f"{type(curve).__name__} is no curve of a file")
    if not curve.calibrated:
        return {"method": "identity"}
    return {"method": "platt", "slope": curve.slope, "offset": curve.offset}


def _encoded(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
