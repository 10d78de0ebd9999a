"""A model of steps: what sounds in every 80 ms, with a memory that goes from call to call.

Such a model (``detector train crnn``) takes rows of log-mel energies and its own state, and gives
probabilities for some steps and the state after them.  Audio is heard once; no window is heard
again for the one that follows.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.errors import ModelError
from detector.core.level import rms_dbfs
from detector.core.recognition import (
    EMBEDDING,
    LEVEL,
    LOGITS,
    SCORES,
    STEP_S,
    STEPS,
    Array,
    Observation,
    RecogniserSpec,
)
from detector.model.interpreter import RuntimeName, open_graph
from detector.model.labels import choose_labels, label_lists
from detector.model.logmel import BANDS, ROW_SAMPLES, SILENCE, SPAN_SAMPLES, LogMel
from detector.model.modelfile import read_model_file
from detector.model.stepfile import StepFacts, step_facts

_log = logging.getLogger(__name__)

STEP_SAMPLES = round(STEP_S * SAMPLE_RATE_HZ)
_STEP_ROWS = STEP_SAMPLES // ROW_SAMPLES
_SMALLEST = 1e-6
"""Scores are kept from 0 and 1: their log-odds must be finite."""
_LOUDEST = 10.0
"""Of log-mel energies: far beyond full scale, where sums are no numbers, no row says more."""


class StepModel:
    """A TFLite graph of steps. For one thread.

    Raises ModelError where the file cannot be read, is damaged, is no model of steps, or no runtime
    can run it.
    """

    def __init__(
        self, path: Path, *, runtime: str = "auto", threads: int = 1, sha256: str | None = None
    ) -> None:
        file = read_model_file(path, sha256=sha256)
        facts = step_facts(path, file.content)
        if facts is None:
            raise ModelError(f"{path}: not a model of steps: it holds no crnn.json")
        self.facts: StepFacts = facts
        self.content_hash = file.sha256
        """SHA-256 of the model file, hexadecimal."""
        self._path = path
        self.runtime_name: RuntimeName
        self.runtime_name, self._graph = open_graph(
            path, file.content, runtime=runtime, threads=threads
        )
        """The package that runs it."""
        self._given = _by_rank(path, self._graph.get_input_details())
        self._told = _by_rank(path, self._graph.get_output_details())
        self.rows = self._checked_rows()
        """Rows that a call takes."""
        self.units = int(self._given[2]["shape"][1])
        """Numbers of its state."""
        classes = int(self._told[3]["shape"][2])
        self.labels = choose_labels(path, label_lists(path, file.content), classes)
        """Names of the sounds, index = column of the scores."""
        if unknown := [sound for sound in facts.tellings if sound not in self.labels]:
            raise ModelError(
                f"{path}: damaged: it says how {unknown[0]} is decided on, which is not among its "
                f"labels, {', '.join(self.labels)}"
            )

    @property
    def window_samples(self) -> int:
        """What an observation looks at."""
        rows = self.rows + _STEP_ROWS * (self.facts.window_steps - self.facts.steps)
        return (rows - 1) * ROW_SAMPLES + SPAN_SAMPLES

    @property
    def output_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of what an observation holds, but for its level."""
        classes = len(self.labels)
        return {
            SCORES: (classes,),
            LOGITS: (classes,),
            STEPS: (self.facts.window_steps, classes),
            EMBEDDING: (self.units,),
        }

    def call(self, rows: Array, state: Array) -> tuple[Array, Array]:
        """What sounds in the next steps, shape (steps, classes), and the state after them.

        Takes rows, shape (rows, 64), and the state before, shape (units,).  Raises ModelError where
        the interpreter fails.
        """
        try:
            self._graph.set_tensor(self._given[3]["index"], rows[None])
            self._graph.set_tensor(self._given[2]["index"], state[None])
            self._graph.invoke()
            told = self._graph.get_tensor(self._told[3]["index"])[0]
            return told, self._graph.get_tensor(self._told[2]["index"])[0]
        except (RuntimeError, ValueError) as error:
            first = str(error).splitlines()[:1]
            raise ModelError(f"{self._path}: the model failed: {''.join(first)}") from error

    def outputs(self, window: Samples) -> Mapping[str, Array]:
        """What it makes of one window, shape (window_samples,), that nothing came before.

        Raises ModelError where the interpreter fails, or the model gives what is no number.
        """
        recogniser = StepRecogniser(self, hop_seconds=self.facts.hop_s)
        (observation,) = recogniser.feed(Block(0, window, 0.0))
        if recogniser.losses:
            raise ModelError(f"{self._path}: not to be used: what it gives are no numbers")
        return observation.outputs

    def scores(self, window: Samples) -> Array:
        """The same, the scores alone."""
        return self.outputs(window)[SCORES]

    def _checked_rows(self) -> int:
        rows, told = self._given[3]["shape"], self._told[3]["shape"]
        states = (self._given[2]["shape"], self._told[2]["shape"])
        is_right = (
            rows[2] == BANDS
            and rows[1] >= _STEP_ROWS * self.facts.steps
            and told[1] == self.facts.steps
            and tuple(states[0]) == tuple(states[1])
        )
        if not is_right:
            raise ModelError(
                f"{self._path}: not a model of {self.facts.steps} steps: it takes rows of shape "
                f"{tuple(map(int, rows))} and tells shape {tuple(map(int, told))}"
            )
        return int(rows[1])


def _by_rank(path: Path, tensors: Sequence[Mapping[str, Any]]) -> Mapping[int, Mapping[str, Any]]:
    """Rows or steps have three sizes, a state has two."""
    found = {len(tensor["shape"]): tensor for tensor in tensors}
    if len(tensors) != 2 or set(found) != {2, 3}:
        raise ModelError(
            f"{path}: not a model of steps: it takes or gives {len(tensors)} tensors, not rows or "
            f"steps and a state"
        )
    return found


class StepRecogniser:
    """A model of steps over a stream: an observation every hop. Owned by one thread.

    An observation begins with the first of its steps; it ends with the last sample that these look
    at.  A score is the largest of its class's steps.  After a gap all is forgotten; and when the
    model gives what is no number, which in its memory would stay for good and hear nothing.

    Raises ModelError for a hop that is not a multiple of the model's call.
    """

    def __init__(self, model: StepModel, *, hop_seconds: float) -> None:
        self._model = model
        self._hop = _hop_steps(hop_seconds, model.facts)
        self._mel = LogMel()
        self._next_sample: int | None = None
        self._begin_sample = 0
        """Of the first step that is held."""
        self._audio: Samples = np.zeros(0, np.float32)
        """From there on."""
        self._rows: Array = np.zeros((0, BANDS), np.float32)
        """That no call has taken for good."""
        self._steps: Array = np.zeros((0, len(model.labels)), np.float32)
        self._state: Array = np.zeros(model.units, np.float32)
        self.losses = 0
        """How often what the model gave were no numbers."""

    @property
    def spec(self) -> RecogniserSpec:
        """Model, outputs, labels, hop, window, and what the file says of its sounds."""
        model = self._model
        return RecogniserSpec(
            content_hash=model.content_hash,
            outputs=MappingProxyType({**model.output_shapes, LEVEL: ()}),
            labels=model.labels,
            hop_samples=self._hop * STEP_SAMPLES,
            context_samples=model.window_samples,
            tellings=model.facts.tellings,
        )

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """Take the next audio; hand over what it completes, oldest first.

        Raises ModelError where the model fails.
        """
        if isinstance(item, Gap):
            self._forget(None)
            return []
        if item.start_sample != self._next_sample:
            self._forget(item.start_sample)
        self._next_sample = item.end_sample
        self._audio = np.concatenate([self._audio, item.samples])
        self._rows = np.concatenate([self._rows, _bounded(self._mel.feed(item.samples))])
        return self._told()

    def fresh(self) -> "StepRecogniser":
        """Another one over the same model that has heard nothing yet, for the same thread."""
        hop_seconds = self._hop * STEP_SAMPLES / SAMPLE_RATE_HZ
        return StepRecogniser(self._model, hop_seconds=hop_seconds)

    def _forget(self, next_sample: int | None) -> None:
        self._next_sample = next_sample
        self._begin_sample = next_sample or 0
        self._mel.clear()
        self._audio, self._rows = self._audio[:0], self._rows[:0]
        self._steps, self._state = self._steps[:0], np.zeros_like(self._state)

    def _told(self) -> list[Observation]:
        model, observations, used = self._model, list[Observation](), 0
        while len(self._rows) - used >= model.rows:
            steps = self._call(self._rows[used : used + model.rows])
            used += model.facts.steps * _STEP_ROWS
            self._steps = np.concatenate([self._steps, steps])
            if len(self._steps) == model.facts.window_steps:
                observations.append(self._observation())
                self._move_on()
        self._rows = self._rows[used:]
        return observations

    def _call(self, rows: Array) -> Array:
        steps, state = self._model.call(rows, self._state)
        if np.isfinite(state).all() and np.isfinite(steps).all():
            self._state = state
            return steps
        if not self.losses:
            _log.warning("the model gave what is no number: it begins anew, remembering nothing")
        self.losses += 1
        self._state = np.zeros_like(self._state)
        return np.zeros_like(steps)

    def _observation(self) -> Observation:
        scores = self._steps.max(axis=0)
        near = np.clip(scores, _SMALLEST, 1.0 - _SMALLEST)
        length = self._model.window_samples
        outputs = {
            SCORES: scores,
            LOGITS: np.log(near) - np.log1p(-near),
            STEPS: self._steps,
            EMBEDDING: self._state.astype(np.float16),
            LEVEL: np.array(rms_dbfs(self._audio[:length]), np.float32),
        }
        return Observation(
            start_s=self._begin_sample / SAMPLE_RATE_HZ,
            end_s=(self._begin_sample + length) / SAMPLE_RATE_HZ,
            outputs=MappingProxyType(outputs),
        )

    def _move_on(self) -> None:
        self._steps = self._steps[self._hop :]
        self._audio = self._audio[self._hop * STEP_SAMPLES :]
        self._begin_sample += self._hop * STEP_SAMPLES


def _bounded(rows: Array) -> Array:
    """Rows from silence to what is far too loud, whatever the samples were."""
    rows = np.nan_to_num(rows, copy=False, nan=SILENCE, posinf=_LOUDEST, neginf=SILENCE)
    return np.clip(rows, SILENCE, _LOUDEST, out=rows)


def _hop_steps(hop_seconds: float, facts: StepFacts) -> int:
    call_s, window_s = facts.steps * STEP_S, facts.window_steps * STEP_S
    calls = round(hop_seconds / call_s)
    if (
        not call_s - 1e-9 <= hop_seconds <= window_s + 1e-9
        or abs(hop_seconds - calls * call_s) > 1e-6
    ):
        raise ModelError(
            f"a hop of {hop_seconds:g} s is not what this model needs, a multiple of {call_s:g} s "
            f"up to {window_s:g} s: set model.hop_seconds to one"
        )
    return calls * facts.steps
