"""Any classifier is taken, and nothing else: tiny models, and files that are none."""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import numpy as np
import pytest

from detector.core.audio import Block
from detector.core.errors import ModelError
from detector.core.recognition import SCORES
from detector.model.interpreter import Classifier
from detector.model.modelfile import MAX_MODEL_BYTES
from detector.model.recogniser import WindowRecogniser

MakeModel = Callable[..., Path]

RUNTIME_PACKAGES = ("ai_edge_litert", "tflite_runtime")


def uninstall(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make the import of a package fail as if it were not installed."""
    for name in (package, f"{package}.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)


def install(monkeypatch: pytest.MonkeyPatch, package: str, interpreter: object) -> None:
    """Make a package provide this interpreter class."""
    module = ModuleType(f"{package}.interpreter")
    module.Interpreter = interpreter  # type: ignore[attr-defined] # made here
    monkeypatch.setitem(sys.modules, package, ModuleType(package))
    monkeypatch.setitem(sys.modules, f"{package}.interpreter", module)


@pytest.mark.parametrize("input_shape", [(8000,), (1, 8000)])
def test_any_waveform_classifier_is_taken(make_model: MakeModel, input_shape: list[int]) -> None:
    """Window and classes are the model's own; its scores come back as a plain vector."""
    classifier = Classifier(make_model(input_shape=input_shape))
    assert classifier.window_samples == 8000
    assert classifier.labels == ("knock", "ring", "cry")
    window = np.linspace(-1, 1, 8000, dtype=np.float32)
    scores = classifier.scores(window)
    np.testing.assert_array_equal(scores, window[:3])
    assert scores.dtype == np.float32


def test_any_classifier_works_from_blocks_to_scores(make_model: MakeModel) -> None:
    """The recogniser takes the length of its window from the model."""
    recogniser = WindowRecogniser(Classifier(make_model()), hop_seconds=0.25)
    samples = np.random.default_rng(7).uniform(-1, 1, 20_000).astype(np.float32)
    observations = recogniser.feed(Block(0, samples, 0.0))
    assert [o.start_s for o in observations] == [0.0, 0.25, 0.5, 0.75]
    for observation in observations:
        start = round(observation.start_s * 16_000)
        np.testing.assert_array_equal(observation.outputs[SCORES], samples[start : start + 3])


def test_scores_are_a_copy(make_model: MakeModel) -> None:
    """The next window does not change what was handed over."""
    classifier = Classifier(make_model())
    first = classifier.scores(np.zeros(8000, np.float32))
    classifier.scores(np.ones(8000, np.float32))
    assert first.tolist() == [0.0, 0.0, 0.0]


def test_content_hash_is_that_of_the_file(make_model: MakeModel) -> None:
    """Calibrations name it."""
    path = make_model()
    assert Classifier(path).content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_file_may_be_overwritten_under_a_running_model(make_model: MakeModel) -> None:
    """What was checked goes on being what is run."""
    path = make_model()
    classifier = Classifier(path)
    with path.open("r+b") as file:
        file.truncate(16)
    assert classifier.scores(np.ones(8000, np.float32)).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ({"dtype": 9}, r"it takes int8 \[8000\] and gives int8 \[3\]"),
        ({"outputs": 2}, r"gives float32 \[3\], float32 \[3\]"),
        ({"input_shape": (1, 80, 100)}, r"it takes float32 \[1, 80, 100\]"),
        ({"input_shape": (2, 8000)}, r"it takes float32 \[2, 8000\]"),
        ({"input_shape": (100,)}, r"it takes float32 \[100\]"),
        ({"input_shape": (8000,), "open_shape": True}, r"it takes float32 \[-1\]"),
    ],
    ids=["int8", "two outputs", "image", "batch", "too short", "open shape"],
)
def test_other_models_are_refused(make_model: MakeModel, shape: dict[str, int], found: str) -> None:
    """The message names what was found and what is needed."""
    with pytest.raises(ModelError, match=rf"not a waveform classifier: .*{found}.*are needed"):
        Classifier(make_model(**shape))


def test_labels_must_fit_the_classes(make_model: MakeModel) -> None:
    """A model whose columns cannot be named is of no use."""
    path = make_model(classes=4)
    with pytest.raises(ModelError, match=r"no label list fits its 4 classes: labels\.txt has 3"):
        Classifier(path)


def test_pinned_model_is_accepted(make_model: MakeModel) -> None:
    """``model.sha256`` of the same content."""
    path = make_model()
    pin = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Classifier(path, sha256=pin).content_hash == pin


def test_other_content_than_the_pinned_is_refused(make_model: MakeModel) -> None:
    """The message names the file, both hashes and the setting."""
    path = make_model()
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ModelError, match=f"{actual}, but model.sha256 asks for {'0' * 64}"):
        Classifier(path, sha256="0" * 64)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"TF", "not a TFLite model"),
        (b"one\ntwo\nthree\n", "not a TFLite model"),
        (b"\x1c\0\0\0TFL3" + bytes(100), "label list missing"),
    ],
    ids=["empty", "two bytes", "text", "cut short"],
)
def test_files_that_are_no_model_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """Before the interpreter sees them: one of the two does not survive such files."""
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"model\.tflite: {reason}"):
        Classifier(path)


def test_folder_is_refused(tmp_path: Path) -> None:
    """A path given to the folder instead of the file."""
    with pytest.raises(ModelError, match="is a folder, not a model file"):
        Classifier(tmp_path)


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Opening it would block."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is not a regular file"):
        Classifier(tmp_path / "pipe")


def test_absent_file_is_one_line(tmp_path: Path) -> None:
    """The path and the reason."""
    with pytest.raises(ModelError, match=r"nowhere: cannot read the model: No such file"):
        Classifier(tmp_path / "nowhere")


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    """A recording or a disk image named by mistake does not fill the memory."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(ModelError, match=f"{MAX_MODEL_BYTES + 1} bytes, more than"):
        Classifier(path)


def test_model_that_the_interpreter_rejects_is_refused(make_model: MakeModel) -> None:
    """An operator that no runtime knows; its many lines become one."""
    path = make_model()
    content = path.read_bytes()
    unknown = content.replace(b"\x41\0\0\0", b"\x7f\0\0\0").replace(b"\x41\0\0\0", b"\xff\x7f\0\0")
    assert unknown != content
    path.write_bytes(unknown)
    with pytest.raises(ModelError, match="cannot load the model, it is damaged or") as caught:
        Classifier(path)
    assert "\n" not in str(caught.value)


class FailingInterpreter:
    """An interpreter that takes any model and fails when it runs."""

    def __init__(self, **_options: object) -> None:
        pass

    def allocate_tensors(self) -> None:
        """Do nothing."""

    def get_input_details(self) -> list[dict[str, object]]:
        """One waveform of half a second."""
        return [{"index": 0, "dtype": np.float32, "shape_signature": np.array([8000])}]

    def get_output_details(self) -> list[dict[str, object]]:
        """Three scores."""
        return [{"index": 1, "dtype": np.float32, "shape_signature": np.array([3])}]

    def set_tensor(self, _index: int, _value: object) -> None:
        """Do nothing."""

    def invoke(self) -> None:
        """Fail, at length."""
        raise RuntimeError("division by zero\nNode number 3 (DIV) failed to invoke.")


def test_failure_while_running_is_a_model_error(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the file."""
    install(monkeypatch, "tflite_runtime", FailingInterpreter)
    classifier = Classifier(make_model(), runtime="tflite-runtime")
    with pytest.raises(ModelError, match=r"\.tflite: the model failed: division by zero$"):
        classifier.scores(np.zeros(8000, np.float32))


def test_runtime_can_be_chosen_by_name(make_model: MakeModel) -> None:
    """``auto`` takes the first that is installed."""
    path = make_model()
    found = Classifier(path).runtime_name
    assert found in ("ai-edge-litert", "tflite-runtime")
    assert Classifier(path, runtime=found).runtime_name == found


def test_without_any_runtime_the_remedy_is_told(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line: what was looked for, why it is not there, what to install."""
    for package in RUNTIME_PACKAGES:
        uninstall(monkeypatch, package)
    with pytest.raises(ModelError, match=r"no TFLite interpreter .*pip install ai-edge-litert"):
        Classifier(make_model())


def test_named_runtime_that_is_not_installed_is_not_replaced(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for one by name is told to install it."""
    uninstall(monkeypatch, "tflite_runtime")
    with pytest.raises(ModelError, match=r"model\.runtime tflite-runtime .*pip install tflite-run"):
        Classifier(make_model(), runtime="tflite-runtime")


def test_auto_falls_back_to_the_second_runtime(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only tflite-runtime is installed."""
    uninstall(monkeypatch, "ai_edge_litert")
    install(monkeypatch, "tflite_runtime", FailingInterpreter)
    assert Classifier(make_model()).runtime_name == "tflite-runtime"


MISFITS = [
    SystemError("<built-in method> returned a result with an exception set"),
    AttributeError("_ARRAY_API not found"),
]


@pytest.mark.parametrize("error", MISFITS, ids=["SystemError", "AttributeError"])
@pytest.mark.skipif(np.__version__ < "2", reason="with NumPy 1 tflite-runtime works")
def test_tflite_runtime_with_numpy_2_is_told_the_remedy(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Both errors were seen of the real one; neither speaks of NumPy."""
    install(monkeypatch, "tflite_runtime", Mock(side_effect=error))
    with pytest.raises(ModelError, match=r'NumPy .*: pip install "numpy<2"'):
        Classifier(make_model(), runtime="tflite-runtime")


def test_runtime_that_breaks_otherwise_is_one_line(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own words."""
    install(monkeypatch, "ai_edge_litert", Mock(side_effect=SystemError("bad build\nof it")))
    with pytest.raises(ModelError, match=r"ai-edge-litert cannot load the model: bad build$"):
        Classifier(make_model(), runtime="ai-edge-litert")
