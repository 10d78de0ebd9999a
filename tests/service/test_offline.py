"""The pipeline over something that ends: all of it is heard, also the last bit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from detector.core.audio import Block, End, Gap, GapCause
from detector.core.errors import AudioError
from detector.core.events import Event, OffsetReason, Phase
from detector.core.recognition import RecogniserSpec
from detector.service.offline import run_to_end
from tests.service.bench import Bench, HandSource, bark

WINDOW, HOP = 15_600, 7_680


def run(
    *items: Block | Gap | Exception | None, bench: Bench | None = None
) -> tuple[list[tuple[int, list[Event]]], Bench]:
    """What came of these items and an end, and the bench they went over."""
    over = bench or Bench(source=HandSource(live=False))
    over.source.give(*items, End())
    return list(run_to_end(over.source, over.pipeline(over.config), spec(over))), over


def spec(bench: Bench) -> RecogniserSpec:
    """That of the real model, as far as windows go."""
    return replace(bench.recogniser.spec, context_samples=WINDOW, hop_samples=HOP)


def fed(bench: Bench) -> Sequence[int]:
    """Lengths of the blocks that the recogniser was fed."""
    return [len(item.samples) for item in bench.recogniser.fed if isinstance(item, Block)]


def test_sounds_still_on_at_the_end_are_ended_there() -> None:
    """No onset is left without its offset."""
    steps, _ = run(bark(0), bark(1))
    events = [event for _, events in steps for event in events]
    assert [event.phase for event in events] == [Phase.ONSET, Phase.OFFSET]
    assert events[-1].reason is OffsetReason.STOPPED


def test_each_step_tells_how_far_it_is() -> None:
    """In samples of the source, for a progress bar; a wait is no step."""
    steps, _ = run(bark(0), None, bark(1))
    assert [reached for reached, _ in steps] == [16_000, 32_000, 32_000, 32_000]


@pytest.mark.parametrize(
    ("samples", "padding"),
    [
        (10, WINDOW - 10),
        (WINDOW - 10, 10),
        (WINDOW, 0),
        (WINDOW + 1, HOP - 1),
        (WINDOW + HOP, 0),
        (WINDOW + HOP + 10, HOP - 10),
    ],
)
def test_the_last_window_is_filled_up_with_silence(samples: int, padding: int) -> None:
    """Else the last part of a recording, or the whole of a short one, would go unheard."""
    block = Block(0, np.full(samples, 0.1, np.float32), 50.0)
    _, bench = run(block)
    assert fed(bench) == [samples, padding][: 1 + (padding > 0)]
    last = bench.recogniser.fed[-1]
    assert isinstance(last, Block)
    assert last.end_sample == samples + padding
    assert last.captured_monotonic_s == 50.0 + padding / 16_000


def test_nothing_at_all_is_not_filled_up() -> None:
    """Silence of our own making is not to be classified."""
    steps, bench = run()
    assert steps == [(0, [])]
    assert fed(bench) == []


def test_a_gap_at_the_end_counts_as_far_as_it_reaches() -> None:
    """Also where the audio after it never came."""
    steps, _ = run(bark(0), Gap(16_000, 1_000, GapCause.OVERFLOW))
    assert steps[-1][0] == 17_000


def test_the_source_is_put_away_whatever_happens() -> None:
    """At the end, on a damaged file, and when nobody wants to know any more."""
    _, bench = run(bark(0))
    assert not bench.source.started
    damaged = Bench(source=HandSource(live=False))
    with pytest.raises(AudioError, match="damaged"):
        run(bark(0), AudioError("damaged"), bench=damaged)
    assert not damaged.source.started
    left = Bench(source=HandSource(live=False))
    left.source.give(bark(0), bark(1))
    line = left.pipeline(left.config)
    steps = run_to_end(left.source, line, spec(left))
    next(iter(steps))
    assert left.source.started
    del steps
    assert not left.source.started
