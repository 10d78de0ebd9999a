"""What the whole pipeline makes of some audio."""

from detector.audio.array import ArraySource
from detector.config.loader import parse_config
from detector.core.audio import Samples
from detector.core.events import Event
from detector.model.recogniser import WindowRecogniser
from detector.service.build import build_pipeline
from detector.service.clock import SystemClock
from detector.service.offline import run_to_end


def events_of(samples: Samples, config_text: str, recogniser: WindowRecogniser) -> list[Event]:
    """All that is told of samples of shape (n,) by this configuration, to the end."""
    config, clock = parse_config(config_text, "test"), SystemClock()
    pipeline = build_pipeline(config, [recogniser.fresh()], clock=clock)
    source = ArraySource(samples, realtime=False, clock=clock)
    parts = run_to_end(source, pipeline, recogniser.spec)
    return [event for _, events in parts for event in events]
