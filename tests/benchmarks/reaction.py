"""How much of a sound a window must hold before its family's score reaches 0.5.

    python -m tests.benchmarks.reaction

Needs DETECTOR_MODEL and DETECTOR_AUDIO.  Each recording is trimmed to its first loud moment and
mixed 20 dB above a quiet room; a window slides over it until the score is reached.  Prints the
quartiles by sound and over all; the median is REACTION_S of detector/service/build.py.
"""

import os
from pathlib import Path

import numpy as np
import soundfile

from detector.config.sounds import shipped_sounds
from detector.core.audio import Samples
from detector.model.interpreter import Classifier

SOUNDS = ("dog_bark", "glass_breaking", "baby_cry", "door_knock", "siren", "doorbell")
MOST = 40
SNR_DB = 20.0


def main() -> None:
    """Measure and print."""
    classifier = Classifier(Path(os.environ["DETECTOR_MODEL"]))
    recordings = Path(os.environ["DETECTOR_AUDIO"])
    (room, *_) = sorted((recordings / "room_tone").glob("precise_comm__bg_noise8*"))
    background = _read(room)
    print(f"{'sound':<16}{'n':>4}  10 %  25 %  50 %  75 %  90 %  (seconds)")
    everything: list[float] = []
    for sound in SOUNDS:
        found = [
            needed
            for path in sorted((recordings / sound).glob("*.flac"))[:MOST]
            if (needed := _needed(classifier, sound, _read(path), background)) is not None
        ]
        everything += found
        _print(sound, found)
    _print("all", everything)


def _read(path: Path) -> Samples:
    return np.asarray(soundfile.read(path, dtype="float32")[0], np.float32)


def _needed(
    classifier: Classifier, sound: str, recording: Samples, background: Samples
) -> float | None:
    """Seconds of the sound at the end of the first window that reaches 0.5, in steps of 50 ms."""
    families = shipped_sounds()[sound].evidence
    columns = [classifier.labels.index(name) for one in families for name in one.classes]
    magnitude = np.abs(recording)
    begins = int(np.argmax(magnitude > 0.1 * magnitude.max()))
    heard = recording[max(0, begins - 80) :][:80_000]
    scene = np.resize(background, len(heard) + 32_000)
    gain = np.sqrt(np.mean(heard**2) / np.mean(scene**2)) / 10 ** (SNR_DB / 20)
    scene = scene * gain
    scene[16_000 : 16_000 + len(heard)] += heard
    scene /= max(1.0, float(np.abs(scene).max()))
    for seconds in np.arange(0.05, 1.0, 0.05):
        end = 16_000 + int(seconds * 16_000)
        window = scene[end - classifier.window_samples : end].astype(np.float32)
        if classifier.scores(window)[columns].max() >= 0.5:
            return float(seconds)
    return None


def _print(name: str, found: list[float]) -> None:
    quartiles = np.percentile(found, [10, 25, 50, 75, 90]) if found else [float("nan")] * 5
    print(f"{name:<16}{len(found):>4}  " + "  ".join(f"{value:.2f}" for value in quartiles))


if __name__ == "__main__":
    main()
