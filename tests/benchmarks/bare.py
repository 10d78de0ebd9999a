"""The model as it is, in whichever runtime there is: what everything else is measured against."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from detector.core.audio import Samples


def bare_model(model: Path, threads: int = 1) -> Callable[[Samples], Any]:
    """Scores, shape (classes,), of one window by the bare interpreter with the whole model."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    run: Any = Interpreter(model_content=model.read_bytes(), num_threads=threads)
    run.allocate_tensors()
    takes, gives = run.get_input_details()[0]["index"], run.get_output_details()[0]["index"]

    def score(window: Samples) -> Any:
        run.set_tensor(takes, window)
        run.invoke()
        return run.get_tensor(gives)[0]

    return score
