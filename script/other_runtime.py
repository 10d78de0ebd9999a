"""Prints what pip is to install to test the model on tflite-runtime: all but for litert."""

import re
import tomllib
from pathlib import Path

text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
project = tomllib.loads(text)["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *extras["tflite"], *extras["dev"]]:
    if not re.match(r"ai-edge-litert|mypy|ruff|shellcheck|sound-event|types-", requirement):
        print(requirement)
