"""The file of a clip classifier: written, read again, and damaged in every way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.core.errors import ConfigError
from detector.core.recognition import EMBEDDING, LEVEL, RecogniserSpec
from detector.service.clipfile import MAX_BYTES, ClipFile, clip_document, read_clip_file
from detector.service.jsondoc import packed
from tests.service.clipmaking import by_embedding, by_loudness, write_clip_file

SPEC = RecogniserSpec("0" * 64, {EMBEDDING: (2,), LEVEL: ()}, ("a",), 16_000, 16_000)
Spoil = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("file", [by_loudness(), by_embedding()], ids=["MFCC", "embedding"])
def test_a_classifier_is_read_as_it_was_written(tmp_path: Path, file: ClipFile) -> None:
    """All of it, to the last bit."""
    found = read_clip_file(write_clip_file(tmp_path, file))
    assert (found.name, found.features, found.better_than_chance) == (
        file.name,
        file.features,
        file.better_than_chance,
    )
    assert found.classifier.labels == file.classifier.labels
    for name in ("mean", "scale", "weights", "bias"):
        ours, theirs = getattr(found.classifier, name), getattr(file.classifier, name)
        np.testing.assert_array_equal(ours, theirs)
    assert dict(found.provenance) == dict(file.provenance)


SPOILT: dict[str, tuple[Spoil, str]] = {
    "another format": (lambda d: d.update(format="x"), "not a file of this kind"),
    "another version": (lambda d: d.update(version=2), "version: 2 is not known here: 1 is"),
    "no labels": (lambda d: d.pop("labels"), "labels: is missing"),
    "one label": (lambda d: d.update(labels=["a"]), "labels: must be 2 to 50 labels, each once"),
    "a label twice": (lambda d: d.update(labels=["a", "a"]), "must be 2 to 50 labels, each once"),
    "a label of two lines": (lambda d: d.update(labels=["a", "b\nc"]), "is not a label"),
    "three labels": (lambda d: d.update(labels=["a", "b", "c"]), "labels make it [18, 3]"),
    "no scale": (lambda d: d.update(scale=packed(np.zeros(18), "float32")), "numbers above 0"),
    "a short scale": (lambda d: d.update(scale=packed(np.ones(3), "float32")), "18 numbers above"),
    "a long bias": (lambda d: d.update(bias=[1, 2, 3]), "bias: has 3 numbers for 2 labels"),
    "other coefficients": (
        lambda d: d["features"].update(coefficients=3),
        "features.coefficients: 3 do not make the 18 numbers of `mean`",
    ),
    "absurd coefficients": (lambda d: d["features"].update(coefficients=41), "do not make"),
    "other features": (lambda d: d["features"].update(kind="x"), "none of mfcc, embedding"),
    "no provenance": (lambda d: d.update(provenance=3), "provenance: is not a mapping"),
    "a name of two words": (lambda d: d.update(name="A b"), 'name: "A b" is not a name'),
}


@pytest.mark.parametrize(("spoil", "expected"), SPOILT.values(), ids=list(SPOILT))
def test_what_is_damaged_is_told_in_one_line(tmp_path: Path, spoil: Spoil, expected: str) -> None:
    """With file and key."""
    document = json.loads(clip_document(by_loudness()))
    spoil(document)
    path = tmp_path / "spoilt.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_clip_file(path)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot read the classifier: No such file or directory"),
        (b"{", "is not JSON"),
        (b"[]", "is not a mapping"),
        (b" " * (MAX_BYTES + 1), "is larger than any clip classifier"),
    ],
    ids=["absent", "torn", "a list", "endless"],
)
def test_what_is_no_such_file_is_told_in_one_line(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    """Whatever it is."""
    path = tmp_path / "odd.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        read_clip_file(path)


def test_coefficients_fit_every_model() -> None:
    """They look at the audio alone."""
    assert by_loudness().misfit(SPEC) == ""


def test_an_embedding_fits_the_model_it_was_learnt_from_alone() -> None:
    """At its hop; another model means something else by it."""
    assert by_embedding().misfit(SPEC) == ""
    assert "fitted for the model ffffffff…, not 00000000…" in by_embedding("f" * 64).misfit(SPEC)
    assert "fitted for a hop of 0.5 s, not 1 s" in by_embedding(hop_s=0.5).misfit(SPEC)
    bare = RecogniserSpec("0" * 64, {LEVEL: ()}, ("a",), 16_000, 16_000)
    assert "an embedding that the model does not give" in by_embedding().misfit(bare)
