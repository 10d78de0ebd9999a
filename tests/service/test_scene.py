"""The scene made by code: what is in it, where, and how loud."""

import numpy as np
import pytest

from detector.core.audio import SAMPLE_RATE_HZ, Samples
from detector.core.level import peak_dbfs, rms_dbfs
from detector.service.scene import ALARM_BEGINS_S, ALARM_HZ, alarm_scene, temporal_three


def between(samples: Samples, start_s: float, end_s: float) -> Samples:
    """A part of it."""
    return samples[int(start_s * SAMPLE_RATE_HZ) : int(end_s * SAMPLE_RATE_HZ)]


def pitch_hz(samples: Samples) -> float:
    """Where its spectrum is strongest."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(samples)


def test_a_smoke_alarm_is_three_pulses_of_half_a_second() -> None:
    """Temporal three: on, off, on, off, on, half a second each."""
    pattern = temporal_three()
    assert len(pattern) == 2.5 * SAMPLE_RATE_HZ
    heard = [peak_dbfs(between(pattern, at_s, at_s + 0.4)) > -20 for at_s in np.arange(5) / 2]
    assert heard == [True, False, True, False, True]


def test_its_pitch_can_be_chosen() -> None:
    """3.1 kHz is the usual one; 520 Hz wakes children better."""
    assert pitch_hz(between(temporal_three(), 0.0, 0.5)) == pytest.approx(ALARM_HZ, abs=2.0)
    assert pitch_hz(between(temporal_three(520.0), 0.0, 0.5)) == pytest.approx(520.0, abs=2.0)


def test_the_scene_is_the_same_each_time_and_fits() -> None:
    """33 s, never beyond full scale, no NaN."""
    scene = alarm_scene()
    assert scene.dtype == np.float32
    assert len(scene) == 33 * SAMPLE_RATE_HZ
    assert np.all(np.abs(scene) <= 1.0)
    assert np.array_equal(scene, alarm_scene())


def test_each_sound_stands_where_it_should() -> None:
    """A quiet room between them; four wails; the alarm three times, every four seconds."""
    scene = alarm_scene()
    for quiet_s in (0.2, 8.4, 12.9, 17.0, 21.6, 30.5):
        level_dbfs = rms_dbfs(between(scene, quiet_s, quiet_s + 0.4))
        assert level_dbfs == pytest.approx(-56.0, abs=6.0)
    wails = (1.7 + 1.75 * wail for wail in range(4))
    for loud_s in (*wails, 9.5, 14.0, *(ALARM_BEGINS_S + 4.0 * cycle for cycle in range(3))):
        assert rms_dbfs(between(scene, loud_s, loud_s + 0.4)) > -30.0
    alarm = between(scene, ALARM_BEGINS_S, ALARM_BEGINS_S + 0.5)
    assert pitch_hz(alarm) == pytest.approx(ALARM_HZ, abs=2.0)
