"""A model of one's own is tried in a process of its own before ours takes it in.

The interpreter is foreign code, and what it makes of a damaged model can be the end of the
process.  The official YAMNet is known by its content and needs no trial; any other content must
first load and classify two windows in a child, within bounds of time and memory.
"""

import logging
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from detector.core.errors import ModelError
from detector.model.embedded import is_embedded
from detector.model.interpreter import Classifier
from detector.model.modelfile import ModelFile, read_model_file
from detector.model.stepfile import step_facts
from detector.model.steps import StepModel
from detector.model.store import OFFICIAL_SHA256

_log = logging.getLogger(__name__)

TRIAL_S = 20.0
"""Enough for the slowest Raspberry Pi, and less than the service's watchdog allows a reload."""
MEMORY_BYTES = 512 * 1024 * 1024
"""Address space that a child may take beyond what it begins with and four times the file."""

_passed: set[tuple[str, str]] = set()
"""Content and runtime of what has passed in this process, which a reload need not try again."""


def open_classifier(
    path: Path,
    *,
    runtime: str = "auto",
    threads: int = 1,
    sha256: str | None = None,
    timeout_s: float = TRIAL_S,
) -> Classifier:
    """Load a model as ``Classifier`` does, once it is sure that it does no harm.

    Raises ModelError as ``Classifier`` does, and where the trial crashes, takes longer than
    ``timeout_s`` or too much memory, or gives scores that are no numbers.
    """
    file = _tried(path, runtime, threads, sha256, timeout_s)
    return Classifier(path, runtime=runtime, threads=threads, sha256=file.sha256)


def open_model(
    path: Path,
    *,
    runtime: str = "auto",
    threads: int = 1,
    sha256: str | None = None,
    timeout_s: float = TRIAL_S,
) -> Classifier | StepModel:
    """The same, for a model of either kind."""
    file = _tried(path, runtime, threads, sha256, timeout_s)
    return load_tried(file, runtime, threads)


def load_tried(file: ModelFile, runtime: str, threads: int) -> Classifier | StepModel:
    """A model of either kind whose trial is behind it, or has no need of one."""
    kind = Classifier if step_facts(file.path, file.content) is None else StepModel
    return kind(file.path, runtime=runtime, threads=threads, sha256=file.sha256)


def _tried(
    path: Path, runtime: str, threads: int, sha256: str | None, timeout_s: float
) -> ModelFile:
    """A model's file, which has passed its trial if it needs one."""
    file = read_model_file(path, sha256=sha256)
    key = (file.sha256, runtime)
    if file.sha256 != OFFICIAL_SHA256 and key not in _passed and not is_embedded(path):
        try_model(file, runtime=runtime, threads=threads, timeout_s=timeout_s)
        _passed.add(key)
    return file


def try_model(
    file: ModelFile, *, runtime: str = "auto", threads: int = 1, timeout_s: float = TRIAL_S
) -> None:
    """Have a child load a model and classify with it. Raises ModelError where that fails."""
    _log.info("trying the model %s in a process of its own: it is not the official one", file.path)
    module = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [*module, file.path, file.sha256, runtime, str(threads)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{file.path}: not to be used: on trial it was not done within {timeout_s:g} s"
        ) from None
    except OSError as error:
        raise ModelError(f"{file.path}: cannot be tried: {error.strerror or error}") from error
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip()
        raise ModelError(said or f"{file.path}: {_end(done.returncode)}")


def _end(code: int) -> str:
    """What the end of a child that said nothing means."""
    if code >= 0:
        return f"not to be used: the interpreter ended its trial with code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
    return f"not to be used, it is damaged or too large: it crashed the interpreter ({name})"


def exercise(classifier: Classifier | StepModel) -> None:
    """Classify silence and noise. Raises ModelError where what comes of it are no numbers."""
    silence = np.zeros(classifier.window_samples, np.float32)
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, len(silence)).astype(np.float32)
    for window in (silence, noise):
        if not all(np.isfinite(one).all() for one in classifier.outputs(window).values()):
            raise ModelError("not to be used, it is damaged: its scores are no numbers")


def confine(memory_bytes: int, cpu_s: float = TRIAL_S) -> None:
    """Bound this process for good: memory beyond what it has, processor time, no core file."""
    taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    address_space = taken * resource.getpagesize() + memory_bytes
    for what, bound in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, round(cpu_s)),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        lower = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(what, (lower, lower))


def main(path: Path, sha256: str, runtime: str, threads: int) -> int:
    """Try one model; prints why it is no good, if it is not."""
    try:
        confine(MEMORY_BYTES + 4 * path.stat().st_size)
        exercise(load_tried(read_model_file(path, sha256=sha256), runtime, threads))
    except ModelError as error:
        told = str(error)
        print(told if told.startswith(str(path)) else f"{path}: {told}")  # noqa: T201 - to our parent
        return error.exit_code
    except MemoryError:
        print(f"{path}: not to be used: it needs too much memory")  # noqa: T201 - to our parent
        return ModelError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
