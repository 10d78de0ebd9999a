"""The file of a clip classifier: JSON that needs nothing but numpy to be read.

::

    {"format": "detector-clip-classifier", "version": 1, "name": "cry_reasons",
     "labels": ["hungry", "other"],
     "features": {"kind": "mfcc", "coefficients": 20}
              or {"kind": "embedding", "recogniser": SHA-256 of the model, "hop_seconds": 0.48},
     "mean": ARRAY (n), "scale": ARRAY (n), "weights": ARRAY (n, labels), "bias": [number, …],
     "better_than_chance": whether cross-validation has shown that it is,
     "provenance": {"data": […], "groups": number, "split": …, "date": …, "code_version": …,
                    "figures": …}}

ARRAY is as in the file of a head.  What this version does not know is passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from detector.config.setting import NAME_PATTERN, SHA256_MEANS, SHA256_PATTERN
from detector.core.errors import ConfigError, Problem
from detector.core.recognition import EMBEDDING, RecogniserSpec
from detector.events.clips import ClipClassifier, EmbeddingFeatures, Features, MfccFeatures
from detector.service.jsondoc import Value, packed, read_document

FORMAT, VERSION = "detector-clip-classifier", 1
MAX_BYTES = 4 * 1024 * 1024
"""A file of more is none."""
MOST_LABELS = 50
MOST_COEFFICIENTS = 40
LABEL_PATTERN = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,60}"
LABEL_MEANS = "a label: 1 to 60 characters of one line"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFile:
    """What stands in the file of a clip classifier."""

    name: str
    features: Features
    classifier: ClipClassifier
    better_than_chance: bool
    """Whether cross-validation has shown that its answers are worth more than always the same."""
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def misfit(self, spec: RecogniserSpec) -> str:
        """Why it cannot be used beside a recogniser; nothing where it can."""
        wanted = self.features
        if isinstance(wanted, MfccFeatures):
            return ""
        if wanted.recogniser != spec.content_hash:
            theirs, ours = wanted.recogniser[:8], spec.content_hash[:8]
            return f"it was fitted for the model {theirs}…, not {ours}…"
        if abs(wanted.hop_s - spec.hop_s) > 1e-9:
            return f"it was fitted for a hop of {wanted.hop_s:g} s, not {spec.hop_s:g} s"
        if spec.outputs.get(EMBEDDING) != (wanted.size,):
            return f"it looks at {wanted.size} numbers of an embedding that the model does not give"
        return ""


def read_clip_file(path: Path) -> ClipFile:
    """The classifier in a file.

    Raises ConfigError, in one line with file and key, for what is unreadable or damaged.
    """
    root = read_document(str(path), _content(path))
    found = root.optional("format")
    if found is None or found.raw != FORMAT:
        root.fail(f'is not a file of this kind: `format` is not "{FORMAT}"')
    if root.field("version").whole() != VERSION:
        root.field("version").fail(f"{root.raw['version']} is not known here: {VERSION} is")
    classifier = _classifier(root)
    return ClipFile(
        name=root.field("name").matching(NAME_PATTERN, "a name"),
        features=_features(root.field("features"), len(classifier.mean)),
        classifier=classifier,
        better_than_chance=root.field("better_than_chance").raw is True,
        provenance=MappingProxyType(_mapping(root.field("provenance"))),
    )


def clip_document(file: ClipFile) -> bytes:
    """The file, as ``read_clip_file`` reads it."""
    one = file.classifier
    arrays = {"mean": one.mean, "scale": one.scale, "weights": one.weights}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": file.name,
        "labels": list(one.labels),
        "features": _features_value(file.features),
        **{name: packed(numbers, "float32") for name, numbers in arrays.items()},
        "bias": [float(each) for each in one.bias],
        "better_than_chance": file.better_than_chance,
        "provenance": dict(file.provenance),
    }
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"cannot read the classifier: {error.strerror or error}"
        raise ConfigError([Problem(str(path), "", reason)]) from error
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem(str(path), "", "is larger than any clip classifier")])
    return content


def _classifier(root: Value) -> ClipClassifier:
    labels = _labels(root.field("labels"))
    mean, scale = (root.field(name).array(1) for name in ("mean", "scale"))
    weights, bias = root.field("weights"), root.field("bias")
    size = len(mean)
    if len(scale) != size or not (scale > 0.0).all():
        root.field("scale").fail(f"is not {size} numbers above 0, as `mean` has {size}")
    table = weights.array(2)
    if table.shape != (size, len(labels)):
        right = [size, len(labels)]
        weights.fail(f"has the shape {list(table.shape)}; features and labels make it {right}")
    if len(bias.numbers()) != len(labels):
        bias.fail(f"has {len(bias.numbers())} numbers for {len(labels)} labels")
    return ClipClassifier(labels, mean, scale, table, bias.numbers())


def _labels(value: Value) -> tuple[str, ...]:
    labels = tuple(one.matching(LABEL_PATTERN, LABEL_MEANS) for one in value.items())
    if not 2 <= len(labels) <= MOST_LABELS or len(set(labels)) < len(labels):
        value.fail(f"must be 2 to {MOST_LABELS} labels, each once")
    return labels


def _features(value: Value, size: int) -> Features:
    if value.field("kind").one_of(("mfcc", "embedding")) == "embedding":
        sha256 = value.field("recogniser").matching(SHA256_PATTERN, SHA256_MEANS)
        return EmbeddingFeatures(size, sha256, value.field("hop_seconds").number(0.01))
    coefficients = value.field("coefficients")
    found = MfccFeatures(coefficients.whole(1))
    if found.coefficients > MOST_COEFFICIENTS or found.size != size:
        coefficients.fail(f"{found.coefficients} do not make the {size} numbers of `mean`")
    return found


def _features_value(features: Features) -> dict[str, Any]:
    if isinstance(features, MfccFeatures):
        return {"kind": "mfcc", "coefficients": features.coefficients}
    return {
        "kind": "embedding",
        "recogniser": features.recogniser,
        "hop_seconds": features.hop_s,
    }


def _mapping(value: Value) -> dict[str, Any]:
    if not isinstance(value.raw, dict):
        value.fail("is not a mapping of what is known of it")
    return value.raw
