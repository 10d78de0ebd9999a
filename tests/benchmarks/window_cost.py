"""What a window costs: the whole pipeline beside the bare interpreter, in the same run.

    python -m tests.benchmarks.window_cost [RECORDING]

Needs DETECTOR_MODEL.  Prints medians and quartiles in milliseconds over alternating rounds, and
the median ratio to the bare interpreter with the file as it is: of our classifier on single windows
with its further outputs, of the network alone, of the recogniser (front end and network) at hops of
0.48 and 0.1 s, of what tells alarms by their beeps, of the pipeline with all shipped sounds (which
holds both), and of the same with a made-up head for each: 15 heads on one trunk of 64 units over
embedding and logits, and 15 with trunks of their own of 16.
Without a recording it uses the demo's scene.
"""

import hashlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.config.loader import parse_config
from detector.config.schema import Config
from detector.config.sounds import with_all_sounds
from detector.core.audio import Block, Samples
from detector.core.recognition import EMBEDDING, LOGITS
from detector.events.curves import Sigmoid
from detector.events.heads import Layer, Look, Trunk
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.model.store import OFFICIAL_SHA256
from detector.service.build import build_pipeline
from detector.service.clock import SystemClock
from detector.service.headfile import HeadFile
from detector.service.headwrite import TrunkFile, head_document, trunk_document
from detector.service.scene import alarm_scene
from tests.benchmarks.bare import bare_model
from tests.benchmarks.cadence import cost_ms

ROUNDS = 40
BLOCK = 1600
HOP, SHORT_HOP = 7680, 1600
PROVENANCE = dict.fromkeys(("data", "groups", "split", "date", "code_version", "figures"), "none")
Measure = Callable[[], float]


def main() -> None:
    """Measure and print."""
    samples, model = _samples(), Path(os.environ["DETECTOR_MODEL"])
    with tempfile.TemporaryDirectory() as folder:
        measures = _measures(model, samples, Path(folder))
        for measure in measures.values():
            measure()  # warm
        times = np.array([[measure() for measure in measures.values()] for _ in range(ROUNDS)])
    print(f"{len(samples) / 16_000:.0f} s of audio, hop 0.48 s, {ROUNDS} rounds in turn")
    for column, name in enumerate(measures):
        low, middle, high = np.percentile(times[:, column], [25, 50, 75])
        ratio = np.median(times[:, column] / times[:, 0])
        print(f"{name:<28} {middle:6.2f} ms a window ({low:.2f} … {high:.2f}); {ratio:.3f} of bare")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak_mb:.0f} MB, this process")


def _measures(model: Path, samples: Samples, folder: Path) -> dict[str, Measure]:
    shipped = with_all_sounds(parse_config("", "default"))
    return {
        "bare interpreter": _windows(bare_model(model), samples),
        "with further outputs": _windows(Classifier(model).outputs, samples),
        "network alone": _network(model, samples),
        "front end + network, 0.48 s": _recogniser(model, samples, HOP),
        "front end + network, 0.1 s": _recogniser(model, samples, SHORT_HOP),
        "alarms by their beeps": _beeps(samples),
        "pipeline, 15 sounds": _pipeline(model, shipped, samples),
        "pipeline, 15 heads, 1 trunk": _pipeline(
            model, _with_heads(shipped, folder / "one", units=64, shared=True), samples
        ),
        "pipeline, 15 heads, trunks": _pipeline(
            model, _with_heads(shipped, folder / "own", units=16, shared=False), samples
        ),
    }


def _samples() -> Samples:
    if len(sys.argv) < 2:
        return alarm_scene()
    import soundfile

    return np.asarray(soundfile.read(sys.argv[1], dtype="float32")[0], np.float32)


def _windows(classify: Callable[[Samples], object], samples: Samples) -> Measure:
    starts = range(0, len(samples) - 15_600 + 1, HOP)

    def measure() -> float:
        began = time.perf_counter()
        for start in starts:
            classify(samples[start : start + 15_600])
        return 1000 * (time.perf_counter() - began) / len(starts)

    return measure


def _network(model: Path, samples: Samples) -> Measure:
    """Without any front end: what bounds the others. The whole model where it cannot be cut."""
    classifier = Classifier(model)
    if classifier.spectrum is None:
        return _windows(classifier.outputs, samples)
    rows = classifier.spectrum.rows(samples[: classifier.window_samples])
    return _windows(lambda _: classifier.outputs_of_rows(rows), samples)


def _recogniser(model: Path, samples: Samples, hop: int) -> Measure:
    """Blocks to observations."""
    recogniser = WindowRecogniser(Classifier(model), hop_seconds=hop / 16_000)

    def measure() -> float:
        fresh, windows = recogniser.fresh(), 0
        began = time.perf_counter()
        for start in range(0, len(samples), BLOCK):
            windows += len(fresh.feed(Block(start, samples[start : start + BLOCK], 0.0)))
        return 1000 * (time.perf_counter() - began) / max(1, windows)

    return measure


def _beeps(samples: Samples) -> Measure:
    """Envelopes and cadences, as the pipeline has them."""
    return lambda: cost_ms(samples)[0]


def _pipeline(model: Path, config: Config, samples: Samples) -> Measure:
    recogniser = WindowRecogniser(Classifier(model), hop_seconds=HOP / 16_000)

    def measure() -> float:
        pipeline = build_pipeline(config, [recogniser.fresh()], clock=SystemClock())
        began = time.perf_counter()
        for start in range(0, len(samples), BLOCK):
            pipeline.feed(Block(start, samples[start : start + BLOCK], 0.0))
        return 1000 * (time.perf_counter() - began) / max(1, len(pipeline.recent))

    return measure


def _with_heads(config: Config, folder: Path, *, units: int, shared: bool) -> Config:
    """All sounds told by a made-up head."""
    folder.mkdir()
    sounds = {}
    for name, sound in config.sounds.items():
        path = folder / f"{name}.json"
        path.write_bytes(_made_up(name, folder, units=units, shared=shared))
        evidence = replace(sound.evidence[0], kind="head", head=path, classes=("Speech",))
        sounds[name] = replace(sound, evidence=(evidence,))
    return replace(config, sounds=sounds)


def _made_up(name: str, folder: Path, *, units: int, shared: bool) -> bytes:
    looks = [Look(EMBEDDING, None), Look(LOGITS, None), Look(LOGITS, None, 3, 8, "mean")]
    rng = np.random.default_rng(0)
    weights = rng.normal(0.0, 0.01, (1024 + 2 * 521, units)).astype(np.float32)
    trunk = Trunk(looks, Layer(weights, np.zeros(units, np.float32)))
    head = HeadFile(
        sound=name,
        recogniser=OFFICIAL_SHA256,
        hop_s=HOP / 16_000,
        trunks=(trunk,),
        weights=np.ones(units, np.float32),
        bias=-5.0,
        curve=Sigmoid(),
        provenance=PROVENANCE,
    )
    if not shared:
        return head_document(head)
    content = trunk_document(trunk)
    (folder / "trunk-0.json").write_bytes(content)
    return head_document(head, [TrunkFile("trunk-0.json", hashlib.sha256(content).hexdigest())])


if __name__ == "__main__":
    main()
