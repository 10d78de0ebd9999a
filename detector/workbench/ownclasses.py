"""Sounds of one's own as one classifier of N classes, in a TFLite file: for other programs.

Takes an embedding (1, numbers) of the model that they were learnt with, and gives a probability for
each sound (1, sounds), in the order of the labels.  They do not add up to 1: several may sound at
once, or none.  It is what the heads say, together.  The zip archive at the end of the file holds
``labels.txt``, a label a line, and ``sounds.json``::

    {"format": "detector-sounds-graph", "version": 1,
     "fitted_for": {"recogniser": SHA-256 of the model, "hop_seconds": …},
     "sounds": {"my_bell": {"threshold": …, "release_threshold": …, "provenance": …}, …}}

Needs TensorFlow, of the extra ``crnn``; nothing of the detector runs by such a file.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from detector.core.errors import DataError
from detector.core.recognition import EMBEDDING, Array
from detector.events.curves import Sigmoid
from detector.events.heads import Sphere
from detector.model.stepfile import packed
from detector.service.ownsounds import OwnSound

ENTRY = "sounds.json"
FORMAT, VERSION = "detector-sounds-graph", 1
_NOT_OURS = "{} was not made by `detector learn`: it cannot be part of one classifier"
_LEAST_LENGTH = 1e-6
"""As in ``Sphere``: the centre itself stays at length 0."""


def classes_graph(sounds: Sequence[OwnSound]) -> bytes:
    """The file of some sounds, at least one.

    Raises DataError where they are of several models, or TensorFlow is not there.
    """
    _check_one_model(sounds)
    spheres = [_sphere(one) for one in sounds]
    weights, biases = zip(*map(_steepened, sounds), strict=True)
    graph = _graph(_tensorflow(), spheres, np.stack(weights), np.array(biases, np.float32))
    return packed(graph, tuple(one.name for one in sounds), _document(sounds), entry=ENTRY)


def _check_one_model(sounds: Sequence[OwnSound]) -> None:
    first = sounds[0]
    for one in sounds[1:]:
        if misfit := one.head.fitted_elsewhere(first.head.recogniser, first.head.hop_s):
            raise DataError(
                f"{one.name} and {first.name} cannot be one classifier: of {one.name}, {misfit}; "
                "learn it anew, or name those that go together"
            )


def _sphere(sound: OwnSound) -> Sphere:
    """On which a sound lies that was learnt here; raises DataError for any other head."""
    head = sound.head
    trunk = head.trunks[0]
    look = trunk.looks[0]
    is_ours = len(head.trunks) == len(trunk.looks) == head.averaged == 1 and trunk.layer is None
    is_ours = is_ours and (look.output, look.columns, look.oldest) == (EMBEDDING, None, 0)
    if trunk.sphere is None or not is_ours:
        raise DataError(_NOT_OURS.format(sound.name))
    return trunk.sphere


def _steepened(sound: OwnSound) -> tuple[Array, float]:
    """Weights and bias with the slope and the offset of the curve in them."""
    head, curve = sound.head, sound.head.curve
    if not isinstance(curve, Sigmoid):
        raise DataError(_NOT_OURS.format(sound.name))
    weights = np.asarray(head.weights * np.float32(curve.slope), np.float32)
    return weights, curve.slope * head.bias + curve.offset


def _document(sounds: Sequence[OwnSound]) -> dict[str, Any]:
    first = sounds[0].head
    told = ("threshold", "release_threshold")
    return {
        "format": FORMAT,
        "version": VERSION,
        "fitted_for": {"recogniser": first.recogniser, "hop_seconds": first.hop_s},
        "sounds": {
            one.name: {name: one.settings[name] for name in told if name in one.settings}
            | {"provenance": dict(one.head.provenance)}
            for one in sounds
        },
    }


def _tensorflow() -> Any:
    """TensorFlow; raises DataError where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise DataError(
            f"a TFLite file of sounds is made by TensorFlow ({error.name} is missing): "
            'pip install "sound-event-detector[crnn]", or export without --tflite'
        ) from error
    return tf


def _graph(tf: Any, spheres: Sequence[Sphere], weights: Array, biases: Array) -> bytes:
    """From (1, numbers) to (1, sounds), by operators that every runtime has had for years."""
    centres = np.stack([one.centre for one in spheres])
    factors = 1.0 / np.stack([one.scale for one in spheres])
    numbers = weights.shape[1]

    def call(embedding: Any) -> Any:
        apart = (tf.reshape(embedding, (1, 1, numbers)) - centres) * factors
        length = tf.sqrt(tf.reduce_sum(apart * apart, axis=2))
        along = tf.reduce_sum(apart * weights, axis=2) / tf.maximum(length, _LEAST_LENGTH)
        return {"probabilities": tf.sigmoid(along + biases)}

    wanted = [tf.TensorSpec((1, numbers), tf.float32, "embedding")]
    made = tf.function(call, input_signature=wanted).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([made], tf.Module())
    content: bytes = converter.convert()
    return content
