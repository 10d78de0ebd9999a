"""The network of ``detector train crnn``: convolutions, then a recurrent layer, in Keras.

The convolutions look ahead and take no padding in time, so a step needs so many rows and gives the
same whether it is computed alone or among others; what lies before is the recurrent layer's to
remember, and its state is handed from call to call.  That is what lets a model that learnt on
passages listen for months.

The one module that imports Keras, of the extra ``crnn``, and but for ``ownclasses`` TensorFlow.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DataError
from detector.core.recognition import Array
from detector.model.logmel import BANDS

_MEAN, _SPREAD = -3.0, 2.5
"""Of log-mel rows, roughly: the first layers get numbers about 1."""

_TAUGHT_SPREAD = 3.0
"""By which the teacher's logits differ from window to window."""

Batch = tuple[Array, Array, Array, Array]
"""Rows (n, rows, 64), truths (n, steps, sounds), their weights likewise, and what the teacher says
of every window (n, windows, classes), as logits; not a number where it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large the network is. What was tried stands in docs/crnn.md."""

    filters: tuple[int, int, int, int] = (32, 64, 96, 128)
    units: int = 128
    """Of the recurrent layer."""
    dropout: float = 0.2
    decay: float = 0.02
    """Of all weights at each step, relative to the rate (AdamW)."""


POOLS = ((2, 4), (2, 4), (2, 2), (1, 2))
"""Rows and bands of which each layer keeps the largest: eight rows make a step."""
ROWS_OF_A_STEP = 38
"""Three rows at each of the layers, which lie ever further apart: 0.38 s, from its own on."""
WINDOW_STEPS, TEACHER_HOP_STEPS = 12, 6


def keras_there() -> Any:
    """Keras with TensorFlow behind it; raises DataError where it is not installed."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the only one that what follows is written for
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    try:
        import keras
    except ImportError as error:
        raise DataError(
            f"training a CRNN needs Keras and TensorFlow ({error.name} is missing): "
            'pip install "sound-event-detector[crnn]"'
        ) from error
    return keras


@dataclass
class Net:
    """A network that learns. Not thread-safe."""

    model: Any
    shape: Shape
    sounds: int
    taught: int
    """Classes of the teacher; 0 without one."""
    _told: Any = None

    @classmethod
    def made(cls, shape: Shape, *, sounds: int, taught: int, seed: int) -> "Net":
        """A fresh one; the same seed gives the same."""
        keras = keras_there()
        keras.utils.set_random_seed(seed)
        given = keras.Input((None, BANDS))
        heard = _recurrent(keras, _convolved(keras, given, shape), shape)
        made = [keras.layers.Dense(sounds, name="sounds")(heard)]
        if taught:
            made.append(_of_windows(keras, keras.layers.Dense(taught, name="taught")(heard)))
        return cls(keras.Model(given, made), shape, sounds, taught)

    def learner(self, rate: Callable[[int], float], teacher_share: float) -> "Learner":
        """What teaches it, batch by batch."""
        return Learner(self, rate, teacher_share)

    def logits(self, rows: Array) -> Array:
        """Of all whole steps of some rows, (n, rows, 64), each from rest; (n, steps, sounds).

        The quicker the more often it is asked for the same shape.
        """
        if self._told is None:
            import tensorflow as tf

            self._told = tf.function(lambda given: self.told(given, training=False)[0])
        return np.asarray(self._told(rows.astype(np.float32)))

    def told(self, rows: Any, *, training: bool) -> Sequence[Any]:
        """Logits of the steps, and those of the windows if there is a teacher."""
        made = self.model(rows, training=training)
        return made if isinstance(made, list | tuple) else (made,)

    def weights(self) -> list[NDArray[np.float32]]:
        """All of them, to be put back."""
        return [np.array(one) for one in self.model.get_weights()]

    def put_back(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Go back to these."""
        self.model.set_weights(list(weights))


def _convolved(keras: Any, given: Any, shape: Shape) -> Any:
    layers = keras.layers
    x = layers.Rescaling(1.0 / _SPREAD, -_MEAN / _SPREAD)(given)
    x = layers.Reshape((-1, BANDS, 1))(x)
    for number, (filters, pool) in enumerate(zip(shape.filters, POOLS, strict=True)):
        x = layers.ZeroPadding2D(((0, 0), (1, 1)))(x)
        x = layers.Conv2D(filters, 3, use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.98, name=f"norm{number}")(x)
        x = layers.MaxPooling2D(pool)(layers.ReLU()(x))
        x = layers.SpatialDropout2D(0.5 * shape.dropout)(x)
    return layers.Reshape((-1, shape.filters[-1]))(x)


def _recurrent(keras: Any, x: Any, shape: Shape) -> Any:
    x = keras.layers.Dropout(shape.dropout)(x)
    x = keras.layers.GRU(shape.units, return_sequences=True, name="gru")(x)
    return keras.layers.Dropout(shape.dropout)(x)


def _of_windows(keras: Any, logits: Any) -> Any:
    """Of windows of 12 steps every 6: the mean of their steps'."""
    return keras.layers.AveragePooling1D(WINDOW_STEPS, TEACHER_HOP_STEPS)(logits)


class Learner:
    """Teaches a network: weighted logistic loss on steps, and the teacher's logits on windows.

    A teacher says more by how unlikely it finds what is not there than by what it would tell
    (G. Hinton et al., "Distilling the knowledge in a neural network", 2015).
    """

    def __init__(self, net: Net, rate: Callable[[int], float], teacher_share: float) -> None:
        import tensorflow as tf

        keras = keras_there()
        self._net, self._rate, self._tf = net, rate, tf
        self._share = teacher_share if net.taught else 0.0
        self._optimizer = keras.optimizers.AdamW(
            learning_rate=rate(0), weight_decay=net.shape.decay, clipnorm=1.0
        )
        self._optimizer.build(net.model.trainable_variables)
        self._step = tf.function(self._learn, reduce_retracing=True)
        self.steps = 0

    def learn(self, batch: Batch) -> float:
        """Learn from one batch; its loss."""
        self._optimizer.learning_rate.assign(self._rate(self.steps))
        self.steps += 1
        return float(self._step(*(self._tf.constant(part) for part in batch)))

    def _learn(self, rows: Any, truths: Any, weights: Any, taught: Any) -> Any:
        tf = self._tf
        with tf.GradientTape() as tape:
            told = self._net.told(rows, training=True)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(truths, told[0]) * weights
            loss = tf.reduce_sum(losses) / (tf.reduce_sum(weights) + 1e-6)
            if self._share:
                known = tf.math.is_finite(taught)
                off = tf.where(known, told[1] - tf.where(known, taught, 0.0), 0.0)
                loss += self._share * tf.reduce_mean(tf.square(off)) / _TAUGHT_SPREAD**2
        gradients = tape.gradient(loss, self._net.model.trainable_variables)
        self._optimizer.apply(gradients, self._net.model.trainable_variables)
        return loss


class Diary:
    """Figures of each epoch where TensorBoard reads them; it need not be installed."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        folder.mkdir(parents=True, exist_ok=True)
        began_s = time.time()
        self._protocol = tf.compat.v1
        self._writer = tf.io.TFRecordWriter(str(folder / f"events.out.tfevents.{began_s:.0f}"))
        self._write(self._protocol.Event(wall_time=began_s, file_version="brain.Event:2"))

    def note(self, epoch: int, **figures: float) -> None:
        """Write them down."""
        values = [
            self._protocol.Summary.Value(tag=name, simple_value=value)
            for name, value in figures.items()
        ]
        summary = self._protocol.Summary(value=values)
        self._write(self._protocol.Event(wall_time=time.time(), step=epoch, summary=summary))

    def _write(self, event: Any) -> None:
        self._writer.write(event.SerializeToString())
        self._writer.flush()


def exported(net: Net, *, steps: int) -> bytes:
    """A TFLite model of so many steps a call, with its state among inputs and outputs.

    Takes rows (1, rows, 64) and a state (1, units); gives probabilities (1, steps, sounds) and the
    state after them.  Weights in half precision; only operators that every runtime has had for
    years.
    """
    import tensorflow as tf

    rows = ROWS_OF_A_STEP + 8 * (steps - 1)
    inside = _Unrolled(net, tf)
    wanted = [
        tf.TensorSpec((1, rows, BANDS), tf.float32, "rows"),
        tf.TensorSpec((1, net.shape.units), tf.float32, "state"),
    ]
    made = tf.function(inside.call, input_signature=wanted).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([made], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


class _Unrolled:
    """The same network, step by step, its norms folded into the convolutions."""

    def __init__(self, net: Net, tf: Any) -> None:
        self._tf = tf
        self._convolutions = list(_folded(net.model))
        gru = net.model.get_layer("gru").get_weights()
        self._inputs, self._states, (self._input_bias, self._state_bias) = gru
        self._out, self._out_bias = net.model.get_layer("sounds").get_weights()
        self._filters = net.shape.filters[-1]

    def call(self, rows: Any, state: Any) -> Any:
        """Probabilities of the steps, and the state after the last."""
        tf = self._tf
        x = tf.reshape((rows - _MEAN) / _SPREAD, (1, -1, BANDS, 1))
        for (kernel, bias), pool in zip(self._convolutions, POOLS, strict=True):
            x = tf.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "VALID") + bias)
            x = tf.nn.max_pool2d(x, pool, pool, "VALID")
        given = tf.reshape(x, (-1, self._filters)) @ self._inputs + self._input_bias
        told = []
        for step in range(given.shape[0]):
            state = self._next(given[step : step + 1], state)
            told.append(tf.sigmoid(state @ self._out + self._out_bias))
        return {"probabilities": tf.stack(told, axis=1), "state": state}

    def _next(self, given: Any, state: Any) -> Any:
        """One step of the gated recurrent unit (K. Cho et al., 2014), as Keras has it."""
        tf = self._tf
        update, reset, fresh = tf.split(given, 3, axis=1)
        held = state @ self._states + self._state_bias
        held_update, held_reset, held_fresh = tf.split(held, 3, axis=1)
        update = tf.sigmoid(update + held_update)
        fresh = tf.tanh(fresh + tf.sigmoid(reset + held_reset) * held_fresh)
        return update * state + (1.0 - update) * fresh


def _folded(model: Any) -> Iterator[tuple[Array, Array]]:
    """Kernels and biases of the convolutions, each with the norm that follows it."""
    for number in range(len(POOLS)):
        (kernel,) = model.get_layer(f"conv{number}").get_weights()
        norm = model.get_layer(f"norm{number}")
        gain, shift, mean, variance = norm.get_weights()
        factor = gain / np.sqrt(variance + norm.epsilon)
        yield (kernel * factor).astype(np.float32), (shift - mean * factor).astype(np.float32)
