"""How fast archives are heard: × real time on one core, on two, and what takes the time.

    python -m tests.benchmarks.scan [MINUTES] [ROUNDS]        speed, of FLAC files of 16 kHz
    python -m tests.benchmarks.scan --memory HOURS            peak memory over one long file

Needs DETECTOR_MODEL; with DETECTOR_AUDIO the files are made of its long recordings, else of noise
and tones.  All shipped sounds are listened for at a hop of 0.48 s.  Rounds are interleaved: one
core, then two, and so on, in the same run; medians and quartiles are printed.  What a worker needs
to begin (the model, the imports) is told by itself: on a long archive it is nothing.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from detector.audio.file import FileSource
from detector.config.loader import parse_config
from detector.config.sounds import with_all_sounds
from detector.core.audio import SAMPLE_RATE_HZ, Block, End, Samples
from detector.model.interpreter import Classifier
from detector.model.recogniser import WindowRecogniser
from detector.scan.pool import scan_on_cores
from detector.scan.result import FileResult, Reached
from detector.scan.scanning import ScanSettings, scan_file, warm_up
from detector.scan.settings import settings_of
from detector.service.clock import SystemClock
from tests.benchmarks.bare import bare_model

LONG = ("evening", "kitchen", "music", "speech", "tv_radio", "traffic", "ambience", "rain")


def main() -> None:
    """Measure and print."""
    settings = _settings()
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:2] == ["--memory"]:
            _memory(settings, Path(folder), float(sys.argv[2]))
        else:
            minutes = float(sys.argv[1]) if sys.argv[1:] else 10.0
            _speed(settings, Path(folder), minutes, int(sys.argv[2]) if sys.argv[2:] else 5)


def _settings() -> ScanSettings:
    config = with_all_sounds(parse_config("", "benchmark"))
    model = Path(os.environ["DETECTOR_MODEL"])
    classifier = Classifier(model)
    spec = WindowRecogniser(classifier, hop_seconds=config.model.hop_seconds).spec
    return settings_of(config, model=model, spec=spec, runtime=classifier.runtime_name)


def _speed(settings: ScanSettings, folder: Path, minutes: float, rounds: int) -> None:
    files = [_recording(folder / f"{n}.flac", minutes, n) for n in range(4)]
    wav44 = _at_44_khz(files[0], folder / "stereo-44100.wav")
    warm_up(settings)
    rows: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, speed in _round(files, wav44, settings):
            rows.setdefault(name, []).append(speed)
    print(
        f"{minutes:g} min a file, FLAC 16 kHz mono, 15 sounds, hop 0.48 s, {rounds} rounds in turn"
    )
    for name, speeds in rows.items():
        low, middle, high = np.percentile(speeds, [25, 50, 75])
        print(f"{name:<44} {middle:8.0f} × real time ({low:.0f} … {high:.0f})")
    ratio = np.array(rows["two worker processes"]) / np.array(rows["one worker process"])
    print(f"1 → 2 cores: × {np.median(ratio):.2f}")


def _round(
    files: Sequence[Path], wav44: Path, settings: ScanSettings
) -> Iterator[tuple[str, float]]:
    yield "scan_file, by processor time", _alone(files[0], settings)
    yield "scan_file of 44.1 kHz stereo WAV, likewise", _alone(wav44, settings)
    yield "bare interpreter, whole model, likewise", _bare_speed(settings)
    yield "decoding alone, likewise", _decoded(files[0])
    yield "decoding and resampling 44.1 kHz, likewise", _decoded(wav44)
    for workers, name in ((1, "one worker process"), (2, "two worker processes")):
        yield name, _pooled(files[: 2 * workers], settings, workers)


def _alone(path: Path, settings: ScanSettings) -> float:
    began_s = time.process_time()
    result = scan_file(path, settings)
    return result.duration_s / (time.process_time() - began_s)


def _bare_speed(settings: ScanSettings) -> float:
    """A window every 0.48 s, and nothing else."""
    score, window = bare_model(settings.model), np.zeros(15_600, np.float32)
    window[:] = np.random.default_rng(0).uniform(-0.1, 0.1, len(window))
    score(window)
    began_s = time.process_time()
    for _ in range(300):
        score(window)
    return 300 * 0.48 / (time.process_time() - began_s)


def _decoded(path: Path) -> float:
    source = FileSource(path, realtime=False, channel="mix", clock=SystemClock())
    began_s, reached = time.process_time(), 0
    source.start()
    while not isinstance(item := source.read(1.0), End):
        reached = item.end_sample if isinstance(item, Block) else reached
    source.stop()
    return reached / SAMPLE_RATE_HZ / (time.process_time() - began_s)


def _pooled(files: Sequence[Path], settings: ScanSettings, workers: int) -> float:
    """From the first word of a worker to the last: without what a worker needs to begin."""
    began_s, heard_s, first_s = None, 0.0, 0.0
    now_s = time.perf_counter()
    at_first: dict[Path, float] = {}
    for word in scan_on_cores(files, settings, workers):
        now_s = time.perf_counter()
        if isinstance(word, Reached) and began_s is None and len(at_first) < workers:
            at_first[word.path] = word.seconds
            if len(at_first) == workers:
                began_s, first_s = now_s, sum(at_first.values())
        elif isinstance(word, Reached) and word.path in at_first and began_s is None:
            at_first[word.path] = word.seconds
        if isinstance(word, FileResult):
            heard_s += word.duration_s
    if began_s is None:
        raise SystemExit("the files are too short to measure by")
    return (heard_s - first_s) / (now_s - began_s)


def _memory(settings: ScanSettings, folder: Path, hours: float) -> None:
    path = _recording(folder / "long.flac", hours * 60, 0)
    scan_file(_recording(folder / "short.flac", 1.0, 0), settings)
    before_mb, began_s = _rss_mb(), time.perf_counter()
    peak_mb = before_mb

    def watch(reached: Reached) -> None:
        nonlocal peak_mb
        if round(reached.seconds) % 600 == 0:
            peak_mb = max(peak_mb, _rss_mb())
            if round(reached.seconds) % 3600 == 0:
                print(f"{reached.seconds / 3600:5.1f} h  {_rss_mb():6.1f} MB", flush=True)

    result = scan_file(path, settings, watch)
    elapsed_s = time.perf_counter() - began_s
    print(
        f"{result.duration_s / 3600:.1f} h ({path.stat().st_size / 1e6:.0f} MB of FLAC) in "
        f"{elapsed_s:.0f} s, {result.duration_s / elapsed_s:.0f} × real time, "
        f"{len(result.sounds)} sounds; after a minute {before_mb:.1f} MB, at most {peak_mb:.1f} MB"
    )


def _rss_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) / 1024


def _recording(path: Path, minutes: float, seed: int) -> Path:
    """A file of that length, written piece by piece."""
    pieces = _pieces(seed)
    left = round(minutes * 60 * SAMPLE_RATE_HZ)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, format="FLAC", subtype="PCM_16") as file:
        while left:
            piece = next(pieces)[:left]
            file.write(piece)
            left -= len(piece)
    return path


def _pieces(seed: int) -> Iterator[Samples]:
    """Recordings one after another, again and again; or noise with tones in it."""
    rng = np.random.default_rng(seed)
    audio = os.environ.get("DETECTOR_AUDIO")
    paths = [one for name in LONG for one in sorted(Path(audio, name).glob("*"))] if audio else []
    while True:
        if paths:
            path = paths[int(rng.integers(len(paths)))]
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            if rate_hz == SAMPLE_RATE_HZ:
                yield np.asarray(samples[:, 0], np.float32)
        else:
            times = np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
            tone = 0.2 * np.sin(2 * np.pi * rng.uniform(200, 4000) * times)
            yield (tone + 0.05 * rng.standard_normal(len(times))).astype(np.float32)


def _at_44_khz(path: Path, made: Path) -> Path:
    samples, _ = soundfile.read(path, dtype="float32")
    times = np.arange(int(len(samples) * 44_100 / SAMPLE_RATE_HZ)) * SAMPLE_RATE_HZ / 44_100
    heard = np.interp(times, np.arange(len(samples)), samples)
    soundfile.write(made, np.stack([heard, heard], axis=1), 44_100, subtype="PCM_16")
    return made


if __name__ == "__main__":
    main()
