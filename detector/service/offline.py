"""The pipeline over something that ends: a file, or a scene."""

from collections.abc import Iterator

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Source
from detector.core.events import Event, OffsetReason
from detector.core.recognition import RecogniserSpec
from detector.service.pipeline import Pipeline

_READ_TIMEOUT_S = 5.0


def run_to_end(
    source: Source, pipeline: Pipeline, spec: RecogniserSpec
) -> Iterator[tuple[int, list[Event]]]:
    """Feed all of a source; yields the sample reached and the events so far undelivered.

    The last window is filled up with silence, so that a recording shorter than a window, or the
    end of a longer one, is heard too.  Sounds still on at the end are ended there.

    Raises AudioError where the source turns out damaged.
    """
    reached, captured_s = 0, 0.0
    try:
        source.start()
        while not isinstance(item := source.read(_READ_TIMEOUT_S), End):
            if item is None:
                continue
            reached = item.end_sample
            captured_s = item.captured_monotonic_s if isinstance(item, Block) else captured_s
            yield reached, pipeline.feed(item)
        padding = _padding(reached, spec.context_samples, spec.hop_samples)
        if padding:
            ends_s = captured_s + padding / SAMPLE_RATE_HZ
            silence = np.zeros(padding, np.float32)
            yield reached, pipeline.feed(Block(reached, silence, ends_s))
        yield reached, pipeline.close(OffsetReason.STOPPED)
    finally:
        source.stop()


def _padding(samples: int, window: int, hop: int) -> int:
    """Samples that complete the window in which the last of the audio lies."""
    if samples <= window:
        return window - samples if samples else 0
    return -(samples - window) % hop
