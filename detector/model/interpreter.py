"""The TFLite interpreter: the one place that knows the two packages which provide it."""

import logging
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import ModelError
from detector.core.recognition import EMBEDDING, SCORES, Array
from detector.model.cut import Cut, cut_off, find_cut, front_end_alone, require_same
from detector.model.flatwriter import product_model
from detector.model.labels import choose_labels, label_lists
from detector.model.melspectrum import Energies, FrontEnd, MelSpectrum
from detector.model.modelfile import read_model_file
from detector.model.outputs import Declared, declare_outputs
from detector.model.tensors import Further, Network, Vector, as_further, as_vector, describe

_log = logging.getLogger(__name__)

RuntimeName = Literal["ai-edge-litert", "tflite-runtime"]

MIN_WINDOW_SAMPLES = SAMPLE_RATE_HZ // 100
"""A shorter input, 10 ms, is no waveform."""

_Interpreter = Any  # neither package has types


def _import_litert() -> _Interpreter:
    """Import only when a model is loaded: it is heavy, and one of the two is enough."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter


def _import_tflite() -> _Interpreter:
    from tflite_runtime.interpreter import Interpreter

    return Interpreter


_RUNTIMES: Mapping[RuntimeName, Callable[[], _Interpreter]] = {
    "ai-edge-litert": _import_litert,
    "tflite-runtime": _import_tflite,
}
"""In order of preference: the first is several times as fast and checks what it loads."""


_Load = Callable[[bytes], _Interpreter]
"""Makes a model's content ready to run. Raises ModelError."""


class Classifier:
    """A TFLite model that turns one window of sound into one score per class.

    Where the file has them it hands out logits and embedding too, see ``detector.model.outputs``.
    Of a model that begins as YAMNet does only the network runs in the interpreter, see
    ``detector.model.cut``; the scores are the same.

    Not safe to share: one thread owns it.  ``runtime`` and ``threads`` are as in the ``model``
    section of the configuration; ``sha256``, where given, is the only content accepted; ``whole``
    runs all of it in the interpreter, to compare with.

    Raises ModelError where no runtime is installed or the file cannot be read, is damaged, is no
    waveform classifier, or has no label for each of its classes.
    """

    def __init__(
        self,
        path: Path,
        *,
        runtime: str = "auto",
        threads: int = 1,
        sha256: str | None = None,
        whole: bool = False,
    ) -> None:
        file = read_model_file(path, sha256=sha256)
        lists = label_lists(path, file.content)
        self._path = path
        self._content_hash = file.sha256
        self._runtime_name, interpreter_class = _choose_runtime(runtime)
        load = partial(_load, path, self._runtime_name, interpreter_class, threads)
        declared = declare_outputs(file.content)
        cut = None if whole else _load_cut(path, declared, load)
        self._network: Network
        self._spectrum: MelSpectrum | None
        self._network, self._spectrum = cut or (_load_whole(path, declared, load), None)
        self._labels = choose_labels(path, lists, self._network.scored.length)

    @property
    def window_samples(self) -> int:
        """Length of the window it looks at, 16 kHz mono."""
        if self._spectrum is not None:
            return self._spectrum.front_end.window_samples
        return self._network.given.length

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, index = column of the scores."""
        return self._labels

    @property
    def content_hash(self) -> str:
        """SHA-256 of the model file, hexadecimal."""
        return self._content_hash

    @property
    def runtime_name(self) -> RuntimeName:
        """The package that runs it."""
        return self._runtime_name

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of what ``outputs`` hands out."""
        network = self._network
        shapes = {name: (tensor.length,) for name, tensor in network.further.items()}
        return {SCORES: (network.scored.length,)} | shapes

    @property
    def spectrum(self) -> MelSpectrum | None:
        """What makes of sound the rows that its network looks at; None where it runs whole."""
        return self._spectrum

    def scores(self, window: Samples) -> Array:
        """Score one window, shape (window_samples,); a new array of shape (classes,).

        Raises ModelError where the interpreter fails.
        """
        with self._told():
            return self._network.scores(self._given(window))

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """Score one window as ``scores`` does; new arrays by name, shaped as ``output_shapes``."""
        with self._told():
            return self._network.outputs(self._given(window))

    def outputs_of_rows(self, rows: Array) -> Mapping[str, Array]:
        """The same from the rows that ``spectrum`` makes of the window, shape (rows, bands).

        Only where there is a spectrum.
        """
        with self._told():
            return self._network.outputs(rows)

    def _given(self, window: Samples) -> Array:
        """What the network is given for a window."""
        return window if self._spectrum is None else self._spectrum.rows(window)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise ModelError(f"{self._path}: the model failed: {_one_line(error)}") from error


def open_graph(
    path: Path, content: bytes, *, runtime: str, threads: int
) -> tuple[RuntimeName, _Interpreter]:
    """The content of a model file of any kind, ready to run, and the package that runs it.

    Raises ModelError where no runtime is installed, or it cannot load the model.
    """
    name, interpreter_class = _choose_runtime(runtime)
    return name, _load(path, name, interpreter_class, threads, content)


def _choose_runtime(wanted: str) -> tuple[RuntimeName, _Interpreter]:
    reasons = []
    for name, load in _RUNTIMES.items():
        if wanted not in ("auto", name):
            continue
        try:
            return name, load()
        except ImportError as error:
            reasons.append(f"{name}: {_one_line(error)}")
    package = "ai-edge-litert" if wanted == "auto" else wanted
    raise ModelError(
        f"no TFLite interpreter for model.runtime {wanted} ({'; '.join(reasons)}); "
        f"install one: pip install {package}"
    )


def _load(
    path: Path,
    runtime: RuntimeName,
    interpreter_class: _Interpreter,
    threads: int,
    content: bytes,
) -> _Interpreter:
    try:
        with _hushed():
            interpreter = interpreter_class(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
    except (SystemError, AttributeError, ImportError) as error:
        raise ModelError(_misfit_line(path, runtime, error)) from error
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path}: {runtime} cannot load the model, it is damaged or made for a newer "
            f"runtime: {_one_line(error)}"
        ) from error
    return interpreter


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the runtime's own chatter about delegates and processors from standard error.

    It has no switch for that, and what matters it raises.  Our log has a descriptor of its own.
    """
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _misfit_line(path: Path, runtime: RuntimeName, error: Exception) -> str:
    """Say what is behind the error of a runtime that does not fit its surroundings.

    tflite-runtime was built for NumPy 1; with NumPy 2 it can be imported, and then fails with
    a SystemError or an AttributeError that does not say why.
    """
    if runtime == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        return (
            f"tflite-runtime does not work with NumPy {np.__version__}: "
            'pip install "numpy<2", or install ai-edge-litert'
        )
    return f"{path}: {runtime} cannot load the model: {_one_line(error)}"


def _load_whole(path: Path, declared: Declared, load: _Load) -> Network:
    """All of it in the interpreter. Raises ModelError."""
    interpreter = load(declared.content)
    inputs = interpreter.get_input_details()
    given, scored = _signature(path, inputs, interpreter, declared)
    return Network(interpreter, given, scored, _further(interpreter, declared))


def _load_cut(path: Path, declared: Declared, load: _Load) -> tuple[Network, MelSpectrum] | None:
    """The network in the interpreter and the front end beside it, if that does the same."""
    try:
        cut = find_cut(declared.content)
        front_end = load(front_end_alone(declared.content, cut))
        spectrum = MelSpectrum(cut.front_end, _energies(cut.front_end, load))
        inputs = front_end.get_input_details()
        require_same(spectrum, partial(_rows, front_end, cut))
        del front_end
        interpreter = load(cut_off(declared.content, cut))
        _, scored = _signature(path, inputs, interpreter, declared)
    except (ModelError, RuntimeError, ValueError, IndexError, struct.error) as error:
        _log.debug("%s runs whole: %s", path, _one_line(error))
        return None
    given = Vector(cut.tensor, (cut.front_end.rows, len(cut.front_end.mel)))
    return Network(interpreter, given, scored, _further(interpreter, declared)), spectrum


def _rows(front_end: _Interpreter, cut: Cut, window: Samples) -> Array:
    """What the interpreter's own front end makes of a window."""
    (given,) = front_end.get_input_details()
    front_end.set_tensor(given["index"], window.reshape(given["shape"]))
    front_end.invoke()
    rows: Array = front_end.get_tensor(cut.tensor)
    return rows


def _energies(front_end: FrontEnd, load: _Load) -> Energies:
    """The sums of the front end, by the interpreter: numpy's depend on the library behind it."""
    interpreter = load(product_model(front_end.mel[:, front_end.used], front_end.offset))
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    given, made, rows = given["index"], made["index"], 1

    def energies(magnitudes: Array) -> Array:
        nonlocal rows
        if len(magnitudes) != rows:  # seldom: a hop brings as many as the one before
            rows = len(magnitudes)
            interpreter.resize_tensor_input(given, magnitudes.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(given, magnitudes)
        interpreter.invoke()
        result: Array = interpreter.get_tensor(made)
        return result

    return energies


def _signature(
    path: Path, inputs: list[dict[str, Any]], interpreter: _Interpreter, declared: Declared
) -> tuple[Vector, Vector]:
    """Input and own output of a waveform classifier. Raises ModelError for any other model."""
    outputs = interpreter.get_output_details()
    outputs = outputs[: len(outputs) - len(declared.tensors)]  # ours come after the model's own
    window, scores = as_vector(inputs), as_vector(outputs)
    if window is None or scores is None or window.length < MIN_WINDOW_SAMPLES:
        raise ModelError(
            f"{path}: not a waveform classifier: it takes {describe(inputs)} and gives "
            f"{describe(outputs)}; one float32 waveform [n] or [1, n] and one float32 vector of "
            f"scores [k] or [1, k] are needed"
        )
    return window, scores


def _further(interpreter: _Interpreter, declared: Declared) -> dict[str, Further]:
    """Those of the declared outputs that can be read: floats, or bytes with one scale for all."""
    details = {tensor["index"]: tensor for tensor in interpreter.get_output_details()}
    found = {}
    for name, index in declared.tensors.items():
        # 90 s of embeddings are kept; half the digits are as many as a byte ever had.
        dtype = np.float16 if name == EMBEDDING else np.float32
        tensor = details.get(index)
        if tensor is not None and (further := as_further(tensor, dtype)):
            found[name] = further
    return found


def _one_line(error: Exception) -> str:
    """The first line of what an interpreter says, which can run to hundreds."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
