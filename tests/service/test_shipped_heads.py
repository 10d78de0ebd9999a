"""The heads that come with the detector: they load, fit, cost little, and say what they rest on."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.config.sounds import shipped_sounds
from detector.core.audio import Block
from detector.core.recognition import EMBEDDING, LEVEL, LOGITS, SCORES, RecogniserSpec
from detector.events.heads import Head
from detector.model.recogniser import WindowRecogniser
from detector.model.store import OFFICIAL
from detector.model.trial import open_classifier
from detector.service.headfile import HeadReader
from detector.service.heads import read_shipped, shipped_heads

YAMNET = RecogniserSpec(
    content_hash=OFFICIAL.sha256,
    outputs={SCORES: (521,), LOGITS: (521,), EMBEDDING: (1024,), LEVEL: ()},
    labels=tuple(f"class {number}" for number in range(521)),
    hop_samples=7_680,
    context_samples=15_600,
)
MOST_PRODUCTS = 500_000
"""Of numbers, for a window; the model itself multiplies some seventy million."""


def test_each_sound_that_rests_on_a_head_has_one_and_no_other_has() -> None:
    """A head that nothing rests on would only be carried along."""
    resting = {
        name
        for name, sound in shipped_sounds().items()
        if any(one.kind == "head" and one.head is None for one in sound.evidence)
    }
    assert resting == set(shipped_heads())
    assert resting


@pytest.mark.parametrize("sound", shipped_heads())
def test_a_shipped_head_fits_the_official_model(sound: str) -> None:
    """By its hash, at the usual hop, in all its sizes; and it is this sound's."""
    head = read_shipped(sound)
    assert head.misfit(YAMNET) == ""
    assert head.sound == sound


@pytest.mark.parametrize("sound", shipped_heads())
def test_a_shipped_head_says_what_it_rests_on(sound: str) -> None:
    """Data with licences, groups, split, day, version, and figures with intervals."""
    provenance = read_shipped(sound).provenance
    assert all(one["source"] and one["licence"] for one in provenance["data"])
    assert sum(one["recordings"] for one in provenance["data"]) > 1_000
    assert len(set(provenance["groups"])) == len(provenance["groups"]) > 100
    assert all(provenance[name] for name in ("split", "date", "code_version"))
    figures = provenance["figures"]
    assert set(figures["recall_by_snr_db"]) == {"20", "10", "3"}
    for value, low, high in figures["recall_by_snr_db"].values():
        assert 0.0 <= low <= value <= high <= 1.0
    assert figures["hours"] > 1.0
    assert figures["threshold"] == shipped_sounds()[sound].threshold


@pytest.mark.parametrize("sound", shipped_heads())
def test_a_shipped_head_names_no_place_on_any_machine(sound: str) -> None:
    """Groups and sources are names, not paths."""
    for text in texts(read_shipped(sound).provenance):
        assert not text.startswith("/")
        assert not text.endswith((".flac", ".wav"))


@pytest.mark.parametrize("sound", shipped_heads())
def test_a_shipped_head_tells_nobodys_name(sound: str) -> None:
    """Groups may be named after somebody's telephone, so they are hashes."""
    groups = read_shipped(sound).provenance["groups"]
    assert all(re.fullmatch(r"sha256:[0-9a-f]{12}", group) for group in groups)


def test_all_heads_together_multiply_little() -> None:
    """They share their first layer, which is worked out once."""
    reader = HeadReader()
    heads = [read_shipped(sound, reader) for sound in shipped_heads()]
    layers = {id(trunk): trunk.layer for head in heads for trunk in head.trunks}
    products = sum(0 if layer is None else layer.weights.size for layer in layers.values())
    assert products + sum(head.weights.size for head in heads) < MOST_PRODUCTS


@pytest.mark.model
@pytest.mark.parametrize("sound", shipped_heads())
def test_silence_and_noise_are_nothing(sound: str, model_path: Path) -> None:
    """Far below the threshold at every window."""
    classifier = open_classifier(model_path, runtime="auto", threads=1, sha256=None)
    recogniser = WindowRecogniser(classifier, hop_seconds=0.48)
    file = read_shipped(sound)
    head = Head(file.trunks, file.weights, file.bias, file.curve, file.hop_s, file.averaged)
    noise = 0.01 * np.random.default_rng(3).standard_normal(160_000)
    for samples in (np.zeros(160_000, np.float32), noise.astype(np.float32)):
        observations = recogniser.fresh().feed(Block(0, samples, 10.0))
        heard = [head([observations[: end + 1]]) for end in range(len(observations))]
        assert max(heard) < shipped_sounds()[sound].threshold / 2


def texts(of: Any) -> Iterable[str]:
    """All texts in a document."""
    document = json.loads(json.dumps(of, default=dict))
    stack = [document]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            stack += one.values()
        elif isinstance(one, list):
            stack += one
