"""What each road of each sound's evidence makes of recordings, before anything is refined.

The daemon's own pipeline hears each recording once.  Of a family the bare score is kept and of a
head its own probability; how those are refined is learnt from them elsewhere.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from detector.audio.array import ArraySource
from detector.config import CalibrationConfig, Config, EvidenceConfig
from detector.config.schema import RefinementConfig
from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.clock import Clock
from detector.core.errors import ConfigError
from detector.core.events import Urgency
from detector.core.recognition import Recogniser, RecogniserSpec
from detector.events.refit import Line, Numbers, logit
from detector.learning.sounding import STEP_SAMPLES, sounding
from detector.service.build import build_pipeline
from detector.service.eventmaker import EventMaker
from detector.service.heads import Settled, settle_heads
from detector.service.offline import run_to_end
from detector.service.pipeline import ListenedSound, Pipeline, Snapshot
from detector.workbench.dataset import Recording

_SCORE_EDGE = 1.0 / 1024.0
"""As ``Platt`` keeps scores from 0 and 1."""
_PROBABILITY_EDGE = 1e-6
"""As a head's curve does."""
FULL_SCALE = 0.999
_ENVELOPE_POINTS = 256


@dataclass(frozen=True, slots=True)
class Road:
    """One entry of a sound's evidence."""

    sound: str
    place: int
    """Which entry it is."""
    evidence: EvidenceConfig
    """As configured, without a refinement."""

    @property
    def can_be_refined(self) -> bool:
        """A cadence is no score: it is there or not."""
        return self.evidence.kind != "cadence"

    @property
    def before(self) -> Line:
        """From its logit to the probability that it gave so far."""
        calibration = self.evidence.calibration
        fitted = self.evidence.kind == "family" and calibration.method == "platt"
        return Line(calibration.slope, calibration.offset) if fitted else Line()

    @property
    def is_founded(self) -> bool:
        """Whether that probability rested on evidence."""
        return self.evidence.kind == "head" or self.evidence.calibration.method == "platt"

    def logits(self, given: NDArray[np.floating]) -> Numbers:
        """Of what the pipeline gave, shape (windows,)."""
        is_score = self.evidence.kind == "family"
        return logit(given, _SCORE_EDGE if is_score else _PROBABILITY_EDGE)


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording as the pipeline heard it."""

    recording: Recording
    seconds: float
    start_s: Numbers
    """Of each window, shape (windows,)."""
    end_s: Numbers
    given: Mapping[tuple[str, int], NDArray[np.float32]]
    """By sound and place: what its road gave, shape (windows,)."""
    sounding_s: Numbers
    """Seconds within each window in which the recording's loud part sounds, shape (windows,)."""
    sound_check: "SoundCheck"


@dataclass(frozen=True, slots=True)
class SoundCheck:
    """What can be told of a recording's fitness."""

    digest: str
    """SHA-256 of its samples: the same for the same recording under another name."""
    clipped_share: float
    loudest_dbfs: float
    """Of its loudest tenth of a second."""
    envelope: NDArray[np.float32]
    """Its loudness over time at 256 points, of mean 0 and length 1; 0 where it is level."""
    spectrum: NDArray[np.float32]
    """Its loudness over frequency in 64 bands, of mean 0 and length 1."""


def roads_of(config: Config, sounds: Sequence[str], spec: RecogniserSpec) -> list[Road]:
    """Every road of these sounds, bare of what earlier recordings have taught.

    Where a head does not fit the model, the family that stands in for it is calibrated in its
    place.  Raises ConfigError for the file of a head that cannot be read.
    """
    of_sounds = {name: config.sounds[name] for name in sounds}
    settled, problems = settle_heads(replace(config, sounds=MappingProxyType(of_sounds)), spec)
    if problems:
        raise ConfigError(problems)
    return [
        Road(name, place, _in_force(evidence, settled.get((name, place))))
        for name, sound in of_sounds.items()
        for place, evidence in enumerate(sound.evidence)
    ]


def _in_force(evidence: EvidenceConfig, settled: Settled | None) -> EvidenceConfig:
    stands_in = settled is not None and settled.head is None
    kind = "family" if stands_in else evidence.kind
    head = None if stands_in else evidence.head
    return replace(evidence, kind=kind, head=head, refinement=RefinementConfig())


class Scoring:
    """Hears recordings. Not thread-safe: the recognisers have one owner."""

    def __init__(
        self,
        config: Config,
        recognisers: Callable[[], Sequence[Recogniser]],
        roads: Sequence[Road],
        *,
        clock: Clock,
    ) -> None:
        """``recognisers`` gives some that have heard nothing yet."""
        self._config = config
        self._recognisers = recognisers
        self._roads = tuple(roads)
        self._clock = clock

    def hear(self, recording: Recording, samples: Samples) -> Heard:
        """A recording, of samples of shape (n,).

        Raises ConfigError where the evidence does not fit the model.
        """
        recognisers = self._recognisers()
        windows: list[Snapshot] = []
        pipeline = self._pipeline(recognisers, windows.append)
        source = ArraySource(samples, realtime=False, clock=self._clock)
        for _ in run_to_end(source, pipeline, recognisers[0].spec):
            pass
        start_s = np.array([one.start_s for one in windows])
        end_s = np.array([one.end_s for one in windows])
        return Heard(
            recording,
            len(samples) / SAMPLE_RATE_HZ,
            start_s,
            end_s,
            _given(windows),
            _sounding_seconds(samples, start_s, end_s),
            check_sound(samples),
        )

    def _pipeline(
        self, recognisers: Sequence[Recogniser], show: Callable[[Snapshot], None]
    ) -> Pipeline:
        """One with a sound for every road."""
        pipeline = Pipeline(
            recognisers=recognisers,
            sounds=list(self._listened(recognisers)),
            events=EventMaker(node="calibrate", clock=self._clock),
            on_snapshot=show,
        )
        pipeline.set_armed(armed=False)  # probabilities are followed, and nothing is decided
        return pipeline

    def _listened(self, recognisers: Sequence[Recogniser]) -> Iterator[ListenedSound]:
        for place in sorted({road.place for road in self._roads}):
            sounds = {
                road.sound: replace(self._config.sounds[road.sound], evidence=(_bare(road),))
                for road in self._roads
                if road.place == place
            }
            config = replace(self._config, sounds=MappingProxyType(sounds))
            built = build_pipeline(config, recognisers, clock=self._clock)
            for name, detector in built.detectors.items():
                detector.sound = f"{name}/{place}"
                yield ListenedSound(detector, Urgency.INFO)


def _bare(road: Road) -> EvidenceConfig:
    is_family = road.evidence.kind == "family"
    return replace(road.evidence, calibration=CalibrationConfig()) if is_family else road.evidence


def _given(windows: Sequence[Snapshot]) -> Mapping[tuple[str, int], NDArray[np.float32]]:
    given: dict[tuple[str, int], NDArray[np.float32]] = {}
    for index, reading in enumerate(windows[0].sounds if windows else ()):
        name, _, place = reading.sound.rpartition("/")
        of_road = [window.sounds[index].probability for window in windows]
        given[name, int(place)] = np.array(of_road, np.float32)
    return given


def _sounding_seconds(samples: Samples, start_s: Numbers, end_s: Numbers) -> Numbers:
    steps_per_s = SAMPLE_RATE_HZ / STEP_SAMPLES
    reached = np.concatenate([[0.0], np.cumsum(sounding(samples))]) / steps_per_s
    at = [
        np.clip((edge * steps_per_s).astype(int), 0, len(reached) - 1) for edge in (start_s, end_s)
    ]
    return np.asarray(reached[at[1]] - reached[at[0]])


def check_sound(samples: Samples) -> SoundCheck:
    """Of a recording's samples, shape (n,)."""
    clipped = float(np.mean(np.abs(samples) >= FULL_SCALE)) if len(samples) else 0.0
    points = max(1, len(samples) // (SAMPLE_RATE_HZ // 10))
    squares = [float(np.mean(np.square(part))) for part in np.array_split(samples, points)]
    loudest_dbfs = 10.0 * float(np.log10(max(1e-12, *squares, 1e-12)))
    digest = hashlib.sha256(np.asarray(np.rint(samples * 32767.0), "<i2").tobytes()).hexdigest()
    return SoundCheck(digest, clipped, loudest_dbfs, _envelope(samples), _spectrum(samples))


def _spectrum(samples: Samples) -> NDArray[np.float32]:
    """Two recordings of one alarm may go on and off alike, and yet be of two tones."""
    pieces = samples[: len(samples) // 1024 * 1024].reshape(-1, 1024)
    power = np.square(np.abs(np.fft.rfft(pieces, axis=1)))[:, 1:].sum(axis=0) / max(1, len(pieces))
    level = 10.0 * np.log10(power.reshape(64, 8).mean(axis=1) + 1e-9)
    level = level - level.mean()
    return np.asarray(level / (np.linalg.norm(level) + 1e-9), np.float32)


def _envelope(samples: Samples) -> NDArray[np.float32]:
    """Two recordings of one sound have the same, whatever their gain."""
    level = np.zeros(_ENVELOPE_POINTS, np.float32)
    if len(samples) >= 4 * _ENVELOPE_POINTS:
        parts = np.array_split(samples, _ENVELOPE_POINTS)
        level = np.array([10 * np.log10(np.mean(np.square(part)) + 1e-9) for part in parts])
        level -= level.mean()
    length = float(np.linalg.norm(level))
    # A level noise has an envelope like any other level noise: it tells nothing.
    told = length / np.sqrt(_ENVELOPE_POINTS) >= 2.0
    return np.asarray(level / length if told else np.zeros(_ENVELOPE_POINTS), np.float32)
