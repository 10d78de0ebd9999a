"""One recording through the pipeline."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.audio import SAMPLE_RATE_HZ
from detector.core.errors import ModelError
from detector.scan.result import Reached
from detector.scan.scanning import ScanSettings, scan_file
from tests.audio.tools import megabytes_needed
from tests.cli.tools import KNOCK, knocking, wav
from tests.scan.conftest import settings_for


def test_a_sound_is_told_from_its_beginning_to_its_end(
    tmp_path: Path, settings: ScanSettings
) -> None:
    """One entry, though the pipeline told it in two events."""
    result = scan_file(wav(tmp_path / "a.wav", knocking()), settings)
    assert (result.duration_s, result.problem) == (4.0, None)
    (knock,) = result.sounds
    assert (knock.sound, knock.confirmed, knock.calibrated) == ("knock", True, False)
    assert knock.onset_s == pytest.approx(1.0, abs=0.5)
    assert knock.offset_s == pytest.approx(2.0, abs=0.5)
    assert knock.probability == pytest.approx(0.9)
    assert knock.reason == "data"
    assert knock.classes[0] == ("knock", 0.9)


def test_one_recording_knows_nothing_of_the_one_before(
    tmp_path: Path, settings: ScanSettings
) -> None:
    """The same file gives the same, whatever the process has heard."""
    path = wav(tmp_path / "a.wav", knocking()[: 2 * SAMPLE_RATE_HZ])
    first = scan_file(path, settings)
    assert first.sounds[0].reason == "stopped"
    assert scan_file(path, settings) == first


def test_it_tells_how_far_it_is(tmp_path: Path, settings: ScanSettings) -> None:
    """As a share of the file."""
    told: list[Reached] = []
    path = wav(tmp_path / "a.wav", knocking())
    scan_file(path, settings, told.append)
    assert [one.share for one in told[:4]] == [0.25, 0.5, 0.75, 1.0]
    assert told[1] == Reached(path, 0.5, 2.0)


def test_what_was_heard_of_a_damaged_recording_counts(
    tmp_path: Path, settings: ScanSettings
) -> None:
    """Up to where it ends; a sound that is on there ends there."""
    whole = wav(tmp_path / "a.wav", knocking(), subtype="PCM_16").read_bytes()
    path = tmp_path / "cut.wav"
    path.write_bytes(whole[: len(whole) * 49 // 100])
    result = scan_file(path, settings)
    assert result.problem is not None
    assert result.problem.startswith(f"{path} is damaged or truncated: it ends after 2.0 s of 4.0")
    assert result.is_final
    (knock,) = result.sounds
    assert knock.reason == "source_lost"
    assert knock.offset_s is not None


def test_what_is_no_recording_is_a_problem_to_be_tried_again(
    tmp_path: Path, settings: ScanSettings
) -> None:
    """Who knows whether it is still being copied."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"no audio")
    result = scan_file(path, settings)
    assert "cannot be decoded" in str(result.problem)
    assert (result.sounds, result.is_final) == ((), False)


def test_settings_can_be_sent(settings: ScanSettings) -> None:
    """To another process, or another machine."""
    assert pickle.loads(pickle.dumps(settings)) == settings


CALIBRATION = """\
version: 1
sounds:
  knock:
    threshold: 0.7
    evidence:
    - classes: [knock]
      calibration: {method: platt, fitted_for: {recogniser: %s, hop_seconds: 0.48, pooling: max}}
"""


def test_settings_can_be_sent_with_a_calibration_file(tmp_path: Path) -> None:
    """And say what is in force, not what was before it."""
    model = settings_for(tmp_path).model_sha256
    (tmp_path / "calibration.yaml").write_text(CALIBRATION % model)
    sent = pickle.loads(pickle.dumps(settings_for(tmp_path)))
    assert sent.config.sounds["knock"].threshold == 0.7


def test_the_digest_names_what_counts_where_a_calibration_is_set_aside(tmp_path: Path) -> None:
    """Else a changed threshold would bring back from the journal what the old one told."""
    plain = settings_for(tmp_path).digest
    (tmp_path / "calibration.yaml").write_text(CALIBRATION % ("ab" * 32))
    set_aside = settings_for(tmp_path)
    assert set_aside.config.sounds["knock"].threshold == 0.5
    assert set_aside.digest == plain
    assert settings_for(tmp_path, KNOCK + "    threshold: 0.6\n").digest != plain


def test_the_digest_names_all_that_events_depend_on(tmp_path: Path) -> None:
    """And nothing else: neither the node's name nor where the broker is."""
    usual = settings_for(tmp_path).digest
    assert settings_for(tmp_path, KNOCK.replace("here", "there")).digest == usual
    assert settings_for(tmp_path, KNOCK + "mqtt: {host: far}\n").digest == usual
    for other in (
        KNOCK + "    threshold: 0.7\n",
        KNOCK + "audio: {channel: 2}\n",
        KNOCK.replace("knock", "ring"),
    ):
        assert settings_for(tmp_path, other).digest != usual
    assert settings_for(tmp_path, hop_seconds=0.24).digest != usual


def test_a_model_that_is_gone_is_nobody_s_file(tmp_path: Path, settings: ScanSettings) -> None:
    """It would be the same with every other."""
    other = replace(settings, model=tmp_path / "gone.tflite")
    with pytest.raises(ModelError, match=r"gone\.tflite"):
        scan_file(wav(tmp_path / "a.wav", knocking()), other)


def test_an_hour_needs_no_more_memory_than_a_minute(tmp_path: Path, settings: ScanSettings) -> None:
    """Not a tenth of its samples is ever held."""
    settings_path = tmp_path / "settings"
    settings_path.write_bytes(pickle.dumps(settings))
    prepare = """
import pickle, sys
import numpy as np, soundfile
from detector.scan.scanning import scan_file
settings = pickle.loads(Path(sys.argv[1]).read_bytes())
folder = Path(sys.argv[1]).parent
for name, minutes in (("short", 1), ("long", 60)):
    with soundfile.SoundFile(folder / f"{name}.flac", "w", 16000, 1) as file:
        for _ in range(minutes):
            file.write(np.random.default_rng(1).uniform(-0.1, 0.1, 960_000))
scan_file(folder / "short.flac", settings)
"""
    grown_mb = megabytes_needed(
        prepare,
        'assert scan_file(folder / "long.flac", settings).duration_s == 3600.0',
        str(settings_path),
    )
    assert grown_mb <= 8  # as float32 it has 230 MB
