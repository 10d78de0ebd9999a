"""Recognise: blocks become windows, and windows become class scores."""

from pathlib import Path

from detector.config.schema import ModelConfig
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser


def load_recogniser(path: Path, config: ModelConfig) -> WindowRecogniser:
    """Load the model file ``path`` as the ``model`` section of the configuration says.

    Raises ModelError where no interpreter is installed, or the file is damaged, has another
    SHA-256 than the configuration asks for, or is no waveform classifier.
    """
    classifier = Classifier(
        path, runtime=config.runtime, threads=config.threads, sha256=config.sha256
    )
    return WindowRecogniser(classifier, hop_seconds=config.hop_seconds)
