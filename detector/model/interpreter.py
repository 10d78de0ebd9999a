"""The TFLite interpreter: the one place that knows the two packages which provide it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.errors import ModelError
from detector.core.recognition import EMBEDDING, SCORES, Array
from detector.model.labels import choose_labels, label_lists
from detector.model.modelfile import ModelFile, read_model_file
from detector.model.outputs import Declared, declare_outputs

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


class Classifier:
    """A TFLite model that turns one window of sound into one score per class.

    Where the file has them it hands out logits and embedding too, see ``detector.model.outputs``.

    Not safe to share: one thread owns it.  ``runtime`` and ``threads`` are as in the ``model``
    section of the configuration; ``sha256``, where given, is the only content accepted.

    Raises ModelError where no runtime is installed or the file cannot be read, is damaged, is no
    waveform classifier, or has no label for each of its classes.
    """

    def __init__(
        self, path: Path, *, runtime: str = "auto", threads: int = 1, sha256: str | None = None
    ) -> None:
        file = read_model_file(path, sha256=sha256)
        lists = label_lists(path, file.content)
        self._path = path
        self._content_hash = file.sha256
        self._runtime_name, interpreter_class = _choose_runtime(runtime)
        declared = declare_outputs(file.content)
        self._interpreter = _load(file, declared, self._runtime_name, interpreter_class, threads)
        self._input, self._output = _signature(path, self._interpreter, declared)
        self._further = _further(self._interpreter, declared)
        self._labels = choose_labels(path, lists, self._output.length)

    @property
    def window_samples(self) -> int:
        """Length of the window it looks at, 16 kHz mono."""
        return self._input.length

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
        shapes = {name: (tensor.length,) for name, tensor in self._further.items()}
        return {SCORES: (self._output.length,)} | shapes

    def scores(self, window: Samples) -> Array:
        """Score one window, shape (window_samples,); a new array of shape (classes,).

        Raises ModelError where the interpreter fails.
        """
        try:
            self._interpreter.set_tensor(self._input.index, window.reshape(self._input.shape))
            self._interpreter.invoke()
            scores: Array = self._interpreter.get_tensor(self._output.index)
        except RuntimeError as error:
            raise ModelError(f"{self._path}: the model failed: {_one_line(error)}") from error
        return scores.reshape(-1)

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """Score one window as ``scores`` does; new arrays by name, shaped as ``output_shapes``."""
        outputs = {SCORES: self.scores(window)}
        for name, tensor in self._further.items():
            outputs[name] = tensor.values(self._interpreter.get_tensor(tensor.index))
        return outputs


@dataclass(frozen=True, slots=True)
class _Vector:
    """A float32 tensor of shape (n,) or (1, n)."""

    index: int
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        return self.shape[-1]


@dataclass(frozen=True, slots=True)
class _Further:
    """A further output: a vector of floats, or of bytes that stand for numbers."""

    index: int
    length: int
    dtype: type[np.floating[Any]]
    """What it is handed out as."""
    meanings: NDArray[np.floating[Any]] | None
    """Of a quantised one: what each of the 256 bytes stands for."""

    def values(self, tensor: NDArray[Any]) -> Array:
        """The numbers, shape (length,); a new array."""
        flat = tensor.reshape(-1)
        if self.meanings is None:
            largest = np.finfo(self.dtype).max
            return np.asarray(np.clip(flat, -largest, largest), self.dtype)
        return self.meanings[flat.view(np.uint8)]


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
    file: ModelFile,
    declared: Declared,
    runtime: RuntimeName,
    interpreter_class: _Interpreter,
    threads: int,
) -> _Interpreter:
    try:
        with _hushed():
            interpreter = interpreter_class(model_content=declared.content, num_threads=threads)
            interpreter.allocate_tensors()
    except (SystemError, AttributeError, ImportError) as error:
        raise ModelError(_misfit_line(file.path, runtime, error)) from error
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            f"{file.path}: {runtime} cannot load the model, it is damaged or made for a newer "
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


def _signature(
    path: Path, interpreter: _Interpreter, declared: Declared
) -> tuple[_Vector, _Vector]:
    """Input and own output of a waveform classifier. Raises ModelError for any other model."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = outputs[: len(outputs) - len(declared.tensors)]  # ours come after the model's own
    window, scores = _as_vector(inputs), _as_vector(outputs)
    if window is None or scores is None or window.length < MIN_WINDOW_SAMPLES:
        raise ModelError(
            f"{path}: not a waveform classifier: it takes {_describe(inputs)} and gives "
            f"{_describe(outputs)}; one float32 waveform [n] or [1, n] and one float32 vector of "
            f"scores [k] or [1, k] are needed"
        )
    return window, scores


def _further(interpreter: _Interpreter, declared: Declared) -> dict[str, _Further]:
    """Those of the declared outputs that can be read: floats, or bytes with one scale for all."""
    details = {tensor["index"]: tensor for tensor in interpreter.get_output_details()}
    found = {}
    for name, index in declared.tensors.items():
        # 90 s of embeddings are kept; half the digits are as many as a byte ever had.
        dtype = np.float16 if name == EMBEDDING else np.float32
        tensor = details.get(index)
        if tensor is not None and (further := _as_further(tensor, dtype)):
            found[name] = further
    return found


def _as_further(tensor: dict[str, Any], dtype: type[np.floating[Any]]) -> _Further | None:
    length, (scale, zero_point) = _shape(tensor)[-1], tensor["quantization"]
    if tensor["dtype"] is np.float32:
        return _Further(tensor["index"], length, dtype, None)
    if tensor["dtype"] not in (np.int8, np.uint8) or not scale > 0.0:
        return None
    meant = np.arange(256, dtype=np.uint8).view(tensor["dtype"]).astype(np.float64)
    return _Further(tensor["index"], length, dtype, (scale * (meant - zero_point)).astype(dtype))


def _as_vector(tensors: list[dict[str, Any]]) -> _Vector | None:
    if len(tensors) != 1 or tensors[0]["dtype"] is not np.float32:
        return None
    shape = _shape(tensors[0])
    if len(shape) not in (1, 2) or min(shape) < 1 or (len(shape) == 2 and shape[0] != 1):
        return None
    return _Vector(tensors[0]["index"], shape)


def _shape(tensor: dict[str, Any]) -> tuple[int, ...]:
    """Shape as the file declares it: −1 where it is left open."""
    return tuple(int(n) for n in tensor["shape_signature"])


def _describe(tensors: list[dict[str, Any]]) -> str:
    each = (f"{np.dtype(tensor['dtype']).name} {list(_shape(tensor))}" for tensor in tensors)
    return ", ".join(each) or "nothing"


def _one_line(error: Exception) -> str:
    """The first line of what an interpreter says, which can run to hundreds."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
