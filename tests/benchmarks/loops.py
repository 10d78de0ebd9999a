"""What ``tests.benchmarks.cost`` times: our pipeline, the bare model, and the loops of others.

Runs as a process of its own, so that each TFLite runtime has the one it needs:

    python -m tests.benchmarks.loops

answers every line ``NAME HOP`` on standard input with the milliseconds of processor time that a
window of that loop took.  The loops of others are told from descriptions of them; what they do
with the scores afterwards is left out, which flatters them.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.audio import Block, Samples
from tests.benchmarks.bare import bare_model

WINDOW = 15_600
BLOCK = 1_600
SECONDS = 24.0
Loop = Callable[[int], int]
"""Hears all the audio, a window every so many samples; tells how many windows there were."""


def main() -> None:
    """Answer until there is no more to answer."""
    for line in sys.stdin:
        name, hop = line.split()
        loop = LOOPS[name]
        began = time.process_time()
        windows = loop(int(hop))
        print(1000.0 * (time.process_time() - began) / windows, flush=True)


@cache
def _audio() -> Samples:
    """A scene, the same every time: tones, noise and pauses."""
    rng = np.random.default_rng(1)
    time_s = np.arange(round(SECONDS * 16_000)) / 16_000
    tones = np.sin(2 * np.pi * 440 * time_s) * (np.sin(2 * np.pi * 0.4 * time_s) > 0.5)
    return np.asarray(0.1 * tones + 0.01 * rng.standard_normal(len(time_s)), np.float32)


@cache
def _pcm() -> "np.ndarray[Any, np.dtype[np.int16]]":
    return np.asarray(np.clip(_audio() * 32_768.0, -32_768, 32_767), np.int16)


@cache
def _model(threads: int) -> Callable[[Samples], Any]:
    return bare_model(Path(os.environ["DETECTOR_MODEL"]), threads)


def _scores(window: Samples, threads: int = 1) -> Any:
    return _model(threads)(window)


def _starts(hop: int) -> range:
    return range(0, round(SECONDS * 16_000) - WINDOW + 1, hop)


def bare(hop: int) -> int:
    """The model as it is."""
    audio = _audio()
    for start in _starts(hop):
        _scores(audio[start : start + WINDOW])
    return len(_starts(hop))


def frigate(hop: int) -> int:
    """Pieces of 16 bits; level; one inference on two threads; the highest twenty scores."""
    pcm = _pcm()
    for start in _starts(hop):
        piece = pcm[start : start + WINDOW].astype(np.float32)
        20.0 * np.log10(np.sqrt(np.mean(np.absolute(np.square(piece)))) / 32_768.0)
        scores = _scores(piece / 32_768.0, threads=2)
        np.argpartition(-scores, 20)[:20]
    return len(_starts(hop))


def pi_example(hop: int) -> int:
    """A buffer that is rolled, one inference, and a list of all categories in order."""
    audio, held = _audio(), np.zeros(WINDOW, np.float32)
    for start in _starts(hop):
        fresh = audio[start + WINDOW - min(hop, WINDOW) : start + WINDOW]
        held = np.roll(held, -len(fresh))
        held[-len(fresh) :] = fresh
        scores = _scores(held)
        sorted(((float(score), index) for index, score in enumerate(scores)), reverse=True)
    return len(_starts(hop))


def yamcam(hop: int) -> int:
    """Pieces of 16 bits through double precision; one inference; the classes from 0.1 on."""
    pcm = _pcm()
    for start in _starts(hop):
        piece = (pcm[start : start + WINDOW] / 32_768.0).astype(np.float32)
        scores = _scores(np.squeeze(piece))
        [(index, float(scores[index])) for index in np.argsort(scores)[::-1] if scores[index] > 0.1]
    return len(_starts(hop))


@cache
def _recogniser(hop: int) -> Any:
    from detector.model.interpreter import Classifier
    from detector.model.recogniser import WindowRecogniser

    return WindowRecogniser(Classifier(Path(os.environ["DETECTOR_MODEL"])), hop_seconds=hop / 16e3)


def recogniser(hop: int) -> int:
    """Our front end and the network, with all that heads look at; hops are whole steps of 10 ms."""
    hop -= hop % 160
    hearing, audio, windows = _recogniser(hop).fresh(), _audio(), 0
    for start in range(0, len(audio), BLOCK):
        windows += len(hearing.feed(Block(start, audio[start : start + BLOCK], 0.0)))
    return windows


def pipeline(hop: int, *, all_sounds: bool = False) -> int:
    """Our pipeline as it is shipped: heads, the beeps of alarms, gates."""
    from detector.config.loader import parse_config
    from detector.config.sounds import with_all_sounds
    from detector.service.build import build_pipeline
    from detector.service.clock import SystemClock

    config = parse_config("", "default")
    config = with_all_sounds(config) if all_sounds else config
    made = build_pipeline(config, [_recogniser(hop).fresh()], clock=SystemClock())
    audio = _audio()
    for start in range(0, len(audio), BLOCK):
        made.feed(Block(start, audio[start : start + BLOCK], 0.0))
    return made.windows


def whole_house(hop: int) -> int:
    """The same with all shipped sounds."""
    return pipeline(hop, all_sounds=True)


LOOPS: dict[str, Loop] = {
    "bare": bare,
    "recogniser": recogniser,
    "pipeline": pipeline,
    "whole_house": whole_house,
    "frigate": frigate,
    "pi_example": pi_example,
    "yamcam": yamcam,
}

if __name__ == "__main__":
    main()
