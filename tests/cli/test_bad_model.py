"""Models that are absent, damaged or none: one clear line each, and code 5."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from detector.model.store import OFFICIAL
from tests.cli.tools import KNOCK, Commands, tiny_model
from tests.model.tools import append_labels, slicing_model

CONTENT = slicing_model()


def written(folder: Path, content: bytes, labels: str | None = "knock\nring\ncry\n") -> Path:
    """A model file of this content, with these labels."""
    path = folder / "bad.tflite"
    path.write_bytes(content)
    if labels is not None:
        append_labels(path, {"labels.txt": labels})
    return path


def truncated(folder: Path) -> Path:
    """Cut short, as by a download that broke off: the labels at its end are gone."""
    path = tiny_model(folder)
    path.write_bytes(path.read_bytes()[:500])
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "absent": (lambda folder: folder / "gone.tflite", "cannot read the model that --model names"),
    "a folder": (lambda folder: folder, "is a folder, not a model file"),
    "empty": (partial(written, content=b"", labels=None), "is empty, not a model file"),
    "no model": (
        partial(written, content=b"RIFF" + bytes(4000), labels=None),
        "not a TFLite model",
    ),
    "damaged": (partial(written, content=CONTENT[: len(CONTENT) // 2]), "cannot load the model"),
    "truncated": (truncated, "label list missing"),
    "no classifier": (
        partial(written, content=slicing_model(input_shape=(1, 64, 96), classes=3)),
        "not a waveform classifier",
    ),
    "two outputs": (partial(written, content=slicing_model(outputs=2)), "not a waveform class"),
    "labels missing": (partial(written, content=CONTENT, labels=None), "label list missing"),
    "a label too few": (
        partial(written, content=CONTENT, labels="knock\nring\n"),
        "no label list fits its 3 classes: labels.txt has 2",
    ),
}


@pytest.mark.parametrize("command", [("run", "--stdin"), ("model", "verify")], ids=" ".join)
@pytest.mark.parametrize(("make", "said"), BAD.values(), ids=BAD)
def test_a_bad_model_is_one_clear_line(
    detector: Commands,
    tmp_path: Path,
    command: tuple[str, ...],
    make: Callable[[Path], Path],
    said: str,
) -> None:
    """With the file and what is wrong with it."""
    folder = tmp_path / "models"
    folder.mkdir()
    path = make(folder)
    line = detector(*command, "--model", path).failed(5)
    assert line.startswith(f"{path}: ")
    assert said in line


def test_a_bad_model_ends_a_real_process_as_well(detector: Commands, tmp_path: Path) -> None:
    """The interpreter is foreign code: it must not take the process with it."""
    path = written(tmp_path, CONTENT[: len(CONTENT) // 2])
    assert "cannot load the model" in detector.process("run", "--model", path).failed(5)


def test_a_model_with_another_hash_is_refused(detector: Commands, tmp_path: Path) -> None:
    """`model.sha256` is the only content accepted."""
    model = tiny_model(tmp_path)
    actual = hashlib.sha256(model.read_bytes()).hexdigest()
    pinned = detector.config(KNOCK + f"model: {{sha256: {'a' * 64}}}\n")
    line = detector("run", "--stdin", "--config", pinned).failed(5)
    assert str(model) in line
    assert actual in line
    assert "a" * 64 in line
    pinned = detector.config(KNOCK + f"model: {{sha256: {actual}}}\n")
    assert detector("model", "verify", "--config", pinned).code == 0


def test_a_variable_that_names_no_file_is_told(bare: Commands, tmp_path: Path) -> None:
    """It does not fall back to another model in silence."""
    gone = tmp_path / "gone.tflite"
    bare.environment["DETECTOR_MODEL"] = str(gone)
    for command in (("run",), ("model", "path"), ("model", "labels"), ("config", "check")):
        assert bare(*command).failed(5) == (
            f"{gone}: cannot read the model that DETECTOR_MODEL names: No such file or directory"
        )


@pytest.mark.timeout(60)
def test_without_a_model_and_a_network_everything_that_helps_is_told(bare: Commands) -> None:
    """First one clear line; then where it was looked for, what was tried, what to do."""
    outcome = bare.process("model", "verify")
    assert outcome.code == 5
    assert "Traceback" not in outcome.err
    lines = [line.removeprefix("detector: ") for line in outcome.complaints]
    assert lines[0] == "there is no model on this machine, and it could not be fetched"
    home = bare.environment["HOME"]
    assert any(line.startswith(f"  {home}/.cache/detector/yamnet-") for line in lines)
    for url in OFFICIAL.urls:
        assert any(line.startswith(f"  {url}: ") for line in lines)
    assert any("detector model fetch --url file://" in line for line in lines)
    assert not any((Path(home) / ".cache" / "detector").iterdir())


def test_the_doctor_says_what_is_wrong_with_the_model(detector: Commands, tmp_path: Path) -> None:
    """And checks the rest."""
    bad = written(tmp_path, CONTENT, labels=None)
    outcome = detector("doctor", "--model", bad)
    assert outcome.code == 1
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("model "))
    assert line.startswith(f"model        FAILED   {bad}: label list missing")
    assert "\nservice " in outcome.out


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that logs nothing."""

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, bare: Commands) -> Iterator[str]:
    """Address of a server of a folder with wrong bytes; only it can be reached."""
    bare.environment["no_proxy"] = "127.0.0.1"
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "wrong.tflite").write_bytes(bytes(OFFICIAL.size))
    (folder / "short.tflite").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "wrong.tflite",
            f"wrong content: SHA-256 {hashlib.sha256(bytes(OFFICIAL.size)).hexdigest()}",
        ),
        ("short.tflite", f"ended after {len(CONTENT)} of {OFFICIAL.size} bytes"),
        ("absent.tflite", "the server answers 404"),
    ],
)
def test_wrong_bytes_are_not_taken_for_the_model(
    bare: Commands, server: str, name: str, said: str
) -> None:
    """Whatever the address says; and nothing stays behind."""
    outcome = bare("model", "fetch", "--url", f"{server}/{name}")
    assert outcome.code == 5
    assert "Traceback" not in outcome.err
    assert outcome.complaints[0] == "detector: the model could not be fetched:"
    assert said in outcome.complaints[1]
    assert not any((Path(bare.environment["HOME"]) / ".cache" / "detector").iterdir())


@pytest.mark.parametrize("url", ["ftp://x/y", "yamnet.tflite", "", "file:///nonexistent.tflite"])
def test_an_address_that_is_none_is_told(bare: Commands, url: str) -> None:
    """Even where no address is asked for its bytes."""
    outcome = bare("model", "fetch", "--url", url)
    assert outcome.code == 5
    assert "Traceback" not in outcome.err
    assert len(outcome.complaints) == 2


@pytest.mark.model
def test_the_model_is_fetched_from_a_file_and_found_from_then_on(
    bare: Commands, model_path: Path, tmp_path: Path
) -> None:
    """As from a stick; the second time there is nothing to do."""
    stick = tmp_path / "yamnet.tflite"
    stick.write_bytes(model_path.read_bytes())
    fetched = bare("model", "fetch", "--url", stick.as_uri())
    assert fetched.code == 0
    cached = Path(fetched.out.strip())
    assert cached.read_bytes() == stick.read_bytes()
    assert bare("model", "path").out == fetched.out
    assert bare("model", "fetch", "--url", "http://127.0.0.1:9/").out == fetched.out
    cached.write_bytes(b"damaged")
    refused = bare("model", "path")
    assert refused.code == 5
    assert "it is damaged" in refused.err


@pytest.mark.model
def test_the_official_model_is_recognised(bare: Commands, model_path: Path) -> None:
    """By its content, wherever it lies."""
    verified = bare("model", "verify", "--model", model_path)
    assert verified.code == 0
    assert "the official YAMNet" in verified.out
    assert "not the official" not in verified.out
    assert "classes   521" in verified.out
    labels = bare("model", "labels", "--model", model_path).out.splitlines()
    assert len(labels) == 521
    assert labels[0] == "  0  Speech"
