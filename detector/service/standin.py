"""The model in use: the one that is wanted, or the one that comes with the detector in its place.

YAMNet is fetched once.  Where it is not there and cannot be fetched, the small model of the package
stands in, so that there is an ear at all; that is said at the start, in health, in Home Assistant
and by ``detector doctor``, and the next start looks for YAMNet again.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from detector.config import ModelConfig
from detector.core.errors import ModelError
from detector.core.recognition import Recogniser
from detector.model.embedded import embedded_model
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.model.steps import StepModel, StepRecogniser
from detector.model.store import OFFICIAL, is_named
from detector.model.trial import open_model
from detector.service.monitor import ModelFacts
from detector.service.parts import LoadedModel

_log = logging.getLogger(__name__)

STANDS_IN = "YAMNet is not on this machine and could not be fetched; the built-in model stands in"


def load_file(path: Path, wanted: ModelConfig, *, rests: bool = False) -> LoadedModel:
    """A model of any kind, having heard a window of silence: the first takes longest.

    With ``rests`` it rests in quiet rooms, if it is of a kind that can.
    Raises ModelError where it cannot be used.
    """
    model = _opened(path, wanted)
    name = "yamnet" if model.content_hash == OFFICIAL.sha256 else path.stem
    recogniser = recogniser_of(model, wanted.hop_seconds, rests=rests)
    return LoadedModel(recogniser, ModelFacts(name, model.runtime_name, recogniser.spec), path)


def load_stand_in(
    error: ModelError, option: Path | None, wanted: ModelConfig, environ: Mapping[str, str]
) -> LoadedModel:
    """The model that comes with the detector, at the hop that it was settled for.

    Raises ``error``, which says why there is no other, where one is asked for by name or content,
    or none comes with this package.
    """
    path = embedded_model()
    asked = is_named(option, wanted.path, environ) or wanted.sha256 is not None
    if path is None or asked:
        raise error
    model = _opened(path, wanted)
    if not isinstance(model, StepModel):
        raise error
    for line in str(error).splitlines():
        _log.info("%s", line)
    _log.warning("%s: it finds less; bring the model (detector model fetch), then start anew",
                 STANDS_IN)  # fmt: skip
    if abs(wanted.hop_seconds - model.facts.hop_s) > 1e-9:
        _log.warning("its hop is %g s; model.hop_seconds, %g, waits for YAMNet",
                     model.facts.hop_s, wanted.hop_seconds)  # fmt: skip
    recogniser = StepRecogniser(model, hop_seconds=model.facts.hop_s)
    facts = ModelFacts("built-in", model.runtime_name, recogniser.spec, STANDS_IN)
    return LoadedModel(recogniser, facts, path)


def recogniser_of(
    model: Classifier | StepModel, hop_seconds: float, *, rests: bool = False
) -> Recogniser:
    """What hears by a model; raises ModelError for a hop that it cannot have."""
    if isinstance(model, StepModel):
        return StepRecogniser(model, hop_seconds=hop_seconds)
    return WindowRecogniser(model, hop_seconds=hop_seconds, rests=rests)


def _opened(path: Path, wanted: ModelConfig) -> Classifier | StepModel:
    model = open_model(path, runtime=wanted.runtime, threads=wanted.threads, sha256=wanted.sha256)
    model.scores(np.zeros(model.window_samples, np.float32))
    return model
