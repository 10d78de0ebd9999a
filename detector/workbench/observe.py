"""The daemon's own recognisers over audio, and the same again without them."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.core.audio import SAMPLE_RATE_HZ, Block, Gap, Samples
from detector.core.recognition import Array, Observation, Recogniser, RecogniserSpec
from detector.learning.hearing import Observed, blocks, observe, padded

__all__ = ["Cache", "Observed", "Replayed", "blocks", "content_key", "observe", "padded"]
__all__ += ["recogniser_key"]

_FORMAT = "1"
"""Of the cache; what an older one holds is not read."""


class Replayed:
    """A recogniser that says what another one has said of the same audio. Owned by one thread."""

    def __init__(self, spec: RecogniserSpec, observations: Sequence[Observation]) -> None:
        self._spec = spec
        self._observations = observations
        self._next = 0

    @property
    def spec(self) -> RecogniserSpec:
        """That of the other one."""
        return self._spec

    def load(self, observations: Sequence[Observation]) -> None:
        """Say this from now on."""
        self._observations, self._next = observations, 0

    def feed(self, item: Block | Gap) -> Sequence[Observation]:
        """The observations that end within this block."""
        first = self._next
        reached_s = item.end_sample / SAMPLE_RATE_HZ + 1e-9
        while (
            self._next < len(self._observations)
            and self._observations[self._next].end_s <= reached_s
        ):
            self._next += 1
        return self._observations[first : self._next]

    def fresh(self) -> "Replayed":
        """The same from the beginning."""
        return Replayed(self._spec, self._observations)


@dataclass(frozen=True, slots=True)
class Cache:
    """Arrays on disk, by the audio that they were made from and by what made them."""

    folder: Path | None
    """None: nothing is kept."""

    def observe(self, samples: Samples, recognisers: Sequence[Recogniser]) -> Observed:
        """As ``observe``, from disk where it is there."""
        if self.folder is None:
            return observe(samples, recognisers)
        key = content_key(samples, *(recogniser_key(one.spec) for one in recognisers))
        kept = self.get(key)
        if kept is None:
            observed = observe(samples, recognisers)
            self.put(key, _as_arrays(observed))
            return observed
        return _from_arrays(kept, len(recognisers))

    def get(self, key: str) -> Mapping[str, Array] | None:
        """The arrays that were put there, by name."""
        if self.folder is None or not (path := self._path(key)).is_file():
            return None
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def put(self, key: str, arrays: Mapping[str, Array]) -> None:
        """Keep arrays by name; whole or not at all."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        written = io.BytesIO()
        np.savez(written, **dict(arrays))  # type: ignore[arg-type] # its stub forgets the names
        beside = self._path(key).with_suffix(".part")
        beside.write_bytes(written.getvalue())
        beside.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return (self.folder or Path()) / f"{key}.npz"


def content_key(samples: Samples, *made_by: str) -> str:
    """A name for what something makes of samples."""
    digest = hashlib.sha256(np.ascontiguousarray(samples).tobytes())
    digest.update("\0".join((_FORMAT, *made_by)).encode())
    return digest.hexdigest()


def recogniser_key(spec: RecogniserSpec) -> str:
    """What a recogniser's observations depend on beside the audio."""
    shapes = sorted((name, tuple(shape)) for name, shape in spec.outputs.items())
    return f"{spec.content_hash} {spec.hop_samples} {spec.context_samples} {shapes}"


def _as_arrays(observed: Observed) -> dict[str, Array]:
    arrays = {}
    for place, observations in enumerate(observed):
        spans = [(one.start_s, one.end_s) for one in observations]
        arrays[f"{place}/spans"] = np.array(spans, np.float64).reshape(-1, 2)
        for name in observations[0].outputs if observations else ():
            arrays[f"{place}/{name}"] = np.stack([one.outputs[name] for one in observations])
    return arrays  # type: ignore[return-value] # the spans are float64


def _from_arrays(arrays: Mapping[str, Array], places: int) -> Observed:
    return tuple(tuple(_place(arrays, place)) for place in range(places))


def _place(arrays: Mapping[str, Array], place: int) -> Iterator[Observation]:
    outputs = {
        name.partition("/")[2]: array
        for name, array in arrays.items()
        if name.startswith(f"{place}/") and not name.endswith("/spans")
    }
    for index, (start_s, end_s) in enumerate(arrays[f"{place}/spans"]):
        row = {name: array[index] for name, array in outputs.items()}
        yield Observation(float(start_s), float(end_s), row)
