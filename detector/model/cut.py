"""A model without its front end: the network alone, and what the front end is.

Most of the time that an interpreter takes for a small model goes into the spectrum of a window of
which the better part has been seen before.  So where the graph begins as YAMNet's does, the model
is cut before the logarithm of its mel energies: what lies behind runs in the interpreter, what lies
before is computed in ``detector.model.melspectrum``, each step of the audio once.

What is found here is what the graph says; whether we do the same is tried when it is loaded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.recognition import Array
from detector.model.graph import (
    COMPLEX_ABS,
    FULLY_CONNECTED,
    LOG,
    MUL,
    PAD,
    RESHAPE,
    RFFT2D,
    Graph,
    Operator,
)
from detector.model.melspectrum import FrontEnd, MelSpectrum
from detector.model.noise import white_noise

STEP_SAMPLES = SAMPLE_RATE_HZ // 100
"""The hop is a multiple of this, so the steps of all windows must fall on the same grid."""
_MOST_ROWS, _MOST_BANDS, _MOST_FFT_SAMPLES = 6000, 1024, 8192
"""A minute of steps, and so on: a file that claims more is damaged."""

ROWS_TOLERANCE = 1e-6
"""Share of a mel energy: eight roundings.  On the usual processors there is no difference at all;
where there is one, now and then an input of the network falls on the other side of a step."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a model is cut."""

    tensor: int
    """Number of the tensor of mel energies, shape (rows, bands), with which the network begins."""
    operators: int
    """How many of the graph's operators come before."""
    front_end: FrontEnd
    """What they do."""


def find_cut(content: bytes) -> Cut:
    """Where a model can be cut.

    Raises ValueError for one that does not begin as YAMNet does, and struct.error or IndexError
    too for one that is damaged.
    """
    graph = Graph(content)
    (given,) = graph.inputs
    place = _place(graph)
    banding = graph.operators[place]
    tensor = banding.outputs[0]
    _require_closed(graph, place + 1, tensor)
    window = int(np.prod(graph.shape(given)))
    return Cut(tensor, place + 1, _front_end(graph, banding, window))


def cut_off(content: bytes, cut: Cut) -> bytes:
    """The network alone, with all its outputs; raises as ``find_cut`` does."""
    return Graph(content).beginning_at(cut.tensor, cut.operators)


def front_end_alone(content: bytes, cut: Cut) -> bytes:
    """What ``cut_off`` leaves out, as a model that gives mel energies; raises as that does."""
    return Graph(content).ending_at(cut.tensor, cut.operators)


def require_same(spectrum: MelSpectrum, theirs: Callable[[Samples], Array]) -> None:
    """Raise ValueError unless a spectrum makes the rows that the model's own front end makes.

    It is asked each time a model is loaded, and the answer is not remembered by the model's hash,
    since it depends on the versions of runtime and numpy too, and on the processor.  It takes two
    milliseconds.  Only the front end is tried: behind it the same operators run on the same
    numbers.
    """
    for window in trial_windows(spectrum.front_end.window_samples):
        if not np.allclose(spectrum.rows(window), theirs(window), rtol=ROWS_TOLERANCE, atol=0.0):
            raise ValueError("its front end does more than it seems")


def trial_windows(length: int) -> Iterator[Samples]:
    """Windows of sound, the same every time: loud with tones, as quiet as a night, and nothing."""
    noise, time_s = white_noise(length), np.arange(length) / SAMPLE_RATE_HZ
    tones = sum(np.sin(2 * np.pi * hz * (1 + 0.1 * time_s) * time_s) for hz in (180, 440, 3100))
    swell = np.sin(2 * np.pi * 1.5 * time_s) ** 2
    yield (0.1 * swell * tones + 0.03 * noise).astype(np.float32)
    yield (0.002 * noise).astype(np.float32)
    yield np.zeros(length, np.float32)


def _place(graph: Graph) -> int:
    """Which operator makes the mel energies: sums of magnitudes whose logarithm follows."""
    for place, (one, following) in enumerate(pairwise(graph.operators)):
        if (
            one.code == FULLY_CONNECTED
            and following.code == LOG
            and following.inputs == one.outputs
            and _made_by(graph, one.inputs[0], COMPLEX_ABS)
        ):
            return place
    raise ValueError("there are no mel energies in its graph")


def _made_by(graph: Graph, tensor: int, code: int) -> Operator | None:
    """The operator of this kind that a tensor comes from, past what only moves its numbers."""
    maker = graph.maker(tensor)
    for _ in graph.operators:  # no more, for a damaged graph may be a circle
        if maker is None or maker.code not in (RESHAPE, PAD):
            break
        maker = graph.maker(maker.inputs[0])
    return maker if maker and maker.code == code else None


def _require_closed(graph: Graph, operators: int, tensor: int) -> None:
    """Raise ValueError if the rest needs more of what is left out than this tensor."""
    before = {made for one in graph.operators[:operators] for made in one.outputs}
    lost = (before | set(graph.inputs)) - {tensor}
    taken = {taken for one in graph.operators[operators:] for taken in one.inputs}
    if lost & (taken | set(graph.outputs)):
        raise ValueError("its network looks at more than the mel energies")


def _front_end(graph: Graph, banding: Operator, window: int) -> FrontEnd:
    magnitudes = _made_by(graph, banding.inputs[0], COMPLEX_ABS)
    spectrum = magnitudes and _made_by(graph, magnitudes.inputs[0], RFFT2D)
    tapering = spectrum and _made_by(graph, spectrum.inputs[0], MUL)
    if not spectrum or not tapering or len(banding.inputs) != 3:
        raise ValueError("its spectrum is computed in another way")
    rows, bands = graph.shape(banding.outputs[0])
    taper = graph.floats(tapering.inputs[1])
    *_, fft_samples = graph.integers(spectrum.inputs[1])
    if not (1 < rows <= _MOST_ROWS and bands <= _MOST_BANDS and fft_samples <= _MOST_FFT_SAMPLES):
        raise ValueError("its mel energies are too many or too few")
    found = FrontEnd(
        window_samples=window,
        step_samples=STEP_SAMPLES,
        rows=rows,
        taper=taper,
        fft_samples=fft_samples,
        mel=graph.floats(banding.inputs[1]),
        offset=graph.floats(banding.inputs[2]),
    )
    _require_sense(found, bands)
    return found


def _require_sense(found: FrontEnd, bands: int) -> None:
    """Raise ValueError for parameters that contradict one another."""
    length = len(found.taper)
    if (
        found.taper.ndim != 1
        or not length <= found.fft_samples
        or (found.rows - 1) * found.step_samples + length != found.window_samples
        or found.mel.shape != (bands, found.fft_samples // 2 + 1)
        or found.offset.shape != (bands,)
        or not found.mel.any()
    ):
        raise ValueError("its spectrum is not one of steps of 10 ms")
