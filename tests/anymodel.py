"""The model of tests that show no model's ear: whichever there is."""

import os
from pathlib import Path

from detector.model.embedded import embedded_model


def any_model() -> Path:
    """YAMNet where DETECTOR_MODEL names it, else the built-in model."""
    if named := os.environ.get("DETECTOR_MODEL"):
        return Path(named)
    built_in = embedded_model()
    assert built_in is not None, "detector/embedded has no model"
    return built_in
