"""The one piece of work: a recording through the pipeline."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from detector.audio.file import FileSource
from detector.config import Config
from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.errors import AudioError
from detector.core.events import Event, OffsetReason
from detector.core.recognition import Recogniser
from detector.model.modelfile import read_model_file
from detector.model.trial import load_tried
from detector.scan.result import FileResult, Reached, sounds_of
from detector.service.build import build_pipeline
from detector.service.clock import SystemClock
from detector.service.offline import run_to_end
from detector.service.standin import recogniser_of


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """All that a worker must know, on this machine or on another. Can be pickled."""

    config: Config
    model: Path
    model_sha256: str
    runtime: str
    digest: str
    """Of everything that the events depend on beside the audio."""


def scan_file(
    path: Path, settings: ScanSettings, tell: Callable[[Reached], object] = lambda _: None
) -> FileResult:
    """Hear a file to its end, in bounded memory, as fast as one core can.

    One that cannot be heard, or is damaged further on, is a result with a problem, and with what
    was heard until then.

    Raises ModelError and ConfigError, which no other file would be spared either.
    """
    clock = SystemClock()
    source = FileSource(path, realtime=False, channel=settings.config.audio.channel, clock=clock)
    recogniser = _recogniser(settings).fresh()
    pipeline = build_pipeline(settings.config, [recogniser], clock=clock)
    events: list[Event] = []
    seconds, problem = 0.0, None
    try:
        for reached, further in run_to_end(source, pipeline, recogniser.spec):
            events += further
            seconds = reached / SAMPLE_RATE_HZ
            tell(Reached(path, min(1.0, seconds / max(seconds, source.duration_s, 1e-9)), seconds))
    except AudioError as error:
        problem = str(error)
        events += pipeline.close(OffsetReason.SOURCE_LOST)
    return FileResult(path, seconds, sounds_of(events), problem)


def warm_up(settings: ScanSettings) -> None:
    """Load the model for this thread; raises ModelError."""
    _recogniser(settings)


_OF_THREAD = threading.local()
"""An interpreter is one thread's, and loading it takes as long as many a recording."""


def _recogniser(settings: ScanSettings) -> Recogniser:
    hop_seconds = settings.config.model.hop_seconds
    wanted = (settings.model, settings.model_sha256, settings.runtime, hop_seconds)
    if getattr(_OF_THREAD, "wanted", None) != wanted:
        file = read_model_file(settings.model, sha256=settings.model_sha256)
        model = load_tried(file, settings.runtime, threads=1)
        _OF_THREAD.recogniser = recogniser_of(model, hop_seconds)
        _OF_THREAD.wanted = wanted
    recogniser: Recogniser = _OF_THREAD.recogniser
    return recogniser
