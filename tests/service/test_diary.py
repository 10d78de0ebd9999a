"""The diary: how deaf it was, also while it did not run; what it learnt; whatever the clocks do."""

import json
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from detector.service.diary import MOST_MICROPHONES, Diary
from tests.clocks import HandClock

HOUR_S, DAY_S = 3600.0, 86_400.0
EAST = timezone(timedelta(hours=2))
BEAT = '{"wall_s": 1, "boot_id": "", "monotonic_s": 1, "armed": true}'


class DiaryClock(HandClock):
    """One whose machine can be booted again, and which may not be set yet."""

    def __init__(self) -> None:
        super().__init__()
        self.is_set: bool | None = True

    def synchronised(self) -> bool | None:
        """As told."""
        return self.is_set

    def step_wall(self, seconds: float) -> None:
        """Set the time of day."""
        self.wall_offset += timedelta(seconds=seconds)

    def boot_again(self, *, away_s: float) -> None:
        """Another boot, that begins its monotonic clock anew."""
        wall = self.wall() + timedelta(seconds=away_s)
        self.boot_id += "+"
        self.now_s = 7.0
        self.wall_offset += wall - self.wall()


@pytest.fixture
def clock() -> DiaryClock:
    """Midnight UTC, set."""
    return DiaryClock()


def opened(folder: Path, clock: HandClock, **zone: Any) -> Diary:
    """A process begins."""
    diary = Diary(folder, "nursery", clock, **(zone or {"zone": UTC}))
    diary.open()
    return diary


def lived(folder: Path, clock: HandClock, *, armed: bool = True, **zone: Any) -> None:
    """A process lived, for a moment, and was stopped."""
    diary = opened(folder, clock, **zone)
    diary.live(armed=armed)
    diary.save()


def damaged(folder: Path, text: str) -> None:
    """A diary that holds this."""
    (folder / "diary-nursery.json").write_text(text)


def test_the_first_start_ever_has_no_deaf_seconds(
    tmp_path: Path, clock: DiaryClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was promised before it."""
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    assert diary.deaf_seconds == diary.deaf_seconds_today == {"total": 0.0}
    assert caplog.records == []


def test_the_time_it_did_not_run_is_deaf(tmp_path: Path, clock: DiaryClock) -> None:
    """From the last sign of life, by the monotonic clock of the same boot."""
    lived(tmp_path, clock)
    clock.advance(300.0)
    clock.step_wall(-HOUR_S)
    diary = opened(tmp_path, clock)
    assert diary.deaf_seconds == {"not_running": 300.0, "total": 300.0}


def test_after_another_boot_the_time_of_day_tells(tmp_path: Path, clock: DiaryClock) -> None:
    """A power cut of eight hours."""
    lived(tmp_path, clock)
    clock.boot_again(away_s=8 * HOUR_S)
    diary = opened(tmp_path, clock)
    assert diary.deaf_seconds["not_running"] == pytest.approx(8 * HOUR_S)


def test_without_boot_ids_the_time_of_day_tells(tmp_path: Path, clock: DiaryClock) -> None:
    """Two machines that do not tell theirs are not the same boot."""
    clock.boot_id = ""
    lived(tmp_path, clock)
    clock.now_s = 7.0
    clock.wall_offset = timedelta(hours=1)
    assert opened(tmp_path, clock).deaf_seconds["total"] == pytest.approx(HOUR_S - 93.0)


def test_it_was_nobodys_wish_to_hear_while_it_was_disarmed(
    tmp_path: Path, clock: DiaryClock
) -> None:
    """Disarmed when it stopped, disarmed while it was away."""
    lived(tmp_path, clock, armed=False)
    clock.advance(300.0)
    assert opened(tmp_path, clock).deaf_seconds["total"] == 0.0


def test_what_is_deaf_while_disarmed_is_not_counted(tmp_path: Path, clock: DiaryClock) -> None:
    """A microphone that is missing then misses nothing."""
    diary = opened(tmp_path, clock)
    diary.live(armed=False)
    diary.count_deaf("missing", 5.0)
    diary.live(armed=True)
    diary.count_deaf("missing", 2.0)
    assert diary.deaf_seconds == {"missing": 2.0, "total": 2.0}


def test_only_the_part_since_midnight_is_todays(tmp_path: Path, clock: DiaryClock) -> None:
    """Stopped at 22:00, started at 07:00."""
    clock.advance(22 * HOUR_S)
    lived(tmp_path, clock)
    clock.advance(9 * HOUR_S)
    diary = opened(tmp_path, clock)
    assert diary.deaf_seconds["not_running"] == pytest.approx(9 * HOUR_S)
    assert diary.deaf_seconds_today["not_running"] == pytest.approx(7 * HOUR_S)


def test_midnight_is_the_local_one(tmp_path: Path, clock: DiaryClock) -> None:
    """At 22:00 UTC, two hours east."""
    clock.advance(21 * HOUR_S)
    lived(tmp_path, clock, zone=EAST)
    clock.advance(2 * HOUR_S)
    diary = opened(tmp_path, clock, zone=EAST)
    assert diary.deaf_seconds_today["not_running"] == pytest.approx(HOUR_S)


def test_the_day_goes_on_over_restarts(tmp_path: Path, clock: DiaryClock) -> None:
    """By cause; the figures since the start do not."""
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    diary.count_deaf("stalled", 12.0)
    diary.save()
    clock.advance(10.0)
    again = opened(tmp_path, clock)
    assert again.deaf_seconds == {"not_running": 10.0, "total": 10.0}
    assert again.deaf_seconds_today == {"stalled": 12.0, "not_running": 10.0, "total": 22.0}


def test_midnight_begins_a_day_with_nothing(tmp_path: Path, clock: DiaryClock) -> None:
    """While it runs."""
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    diary.count_deaf("silent", 40.0)
    clock.advance(DAY_S)
    diary.live(armed=True)
    assert diary.deaf_seconds_today == {"total": 0.0}
    assert diary.deaf_seconds["silent"] == 40.0


def test_a_clock_put_back_over_midnight_begins_no_day_twice(
    tmp_path: Path, clock: DiaryClock
) -> None:
    """An hour back, an hour on: one day."""
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    diary.count_deaf("silent", 40.0)
    for step_s in (-HOUR_S, HOUR_S, -HOUR_S, HOUR_S):
        clock.step_wall(step_s)
        diary.live(armed=True)
        diary.count_deaf("silent", 1.0)
        assert diary.deaf_seconds_today["silent"] >= 40.0
    assert diary.deaf_seconds_today == {"silent": 44.0, "total": 44.0}


def test_a_date_from_the_future_does_not_last(tmp_path: Path, clock: DiaryClock) -> None:
    """A clock that had been years ahead must not keep one day for years."""
    clock.step_wall(5000 * DAY_S)
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    diary.count_deaf("silent", 40.0)
    clock.step_wall(-5000 * DAY_S)
    diary.live(armed=True)
    assert diary.deaf_seconds_today == {"total": 0.0}


def test_a_clock_that_went_back_counts_nothing_and_says_so(
    tmp_path: Path, clock: DiaryClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Never a negative figure."""
    lived(tmp_path, clock)
    clock.boot_again(away_s=-HOUR_S)
    diary = opened(tmp_path, clock)
    assert diary.deaf_seconds["total"] == diary.deaf_seconds_today["total"] == 0.0
    assert "did not run for -3600 s, which cannot be" in caplog.text


def test_more_than_thirty_days_are_not_believed(
    tmp_path: Path, clock: DiaryClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A clock that was never set says decades."""
    lived(tmp_path, clock)
    clock.boot_again(away_s=20_000 * DAY_S)
    assert opened(tmp_path, clock).deaf_seconds["total"] == 30 * DAY_S
    assert "which cannot be" in caplog.text


def test_an_absence_is_reckoned_again_when_the_clock_has_been_set(
    tmp_path: Path, clock: DiaryClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A Raspberry Pi boots with the time at which it went off; the network tells it later."""
    clock.advance(12 * HOUR_S)
    lived(tmp_path, clock)
    clock.boot_again(away_s=20.0)
    clock.is_set = False
    diary = opened(tmp_path, clock)
    assert diary.deaf_seconds["not_running"] == pytest.approx(20.0)
    assert "the clock is not set yet" in caplog.text
    clock.advance(61.0)
    diary.live(armed=True)
    clock.advance(61.0)
    clock.step_wall(2 * HOUR_S)
    clock.is_set = True
    diary.live(armed=True)
    expected = pytest.approx(2 * HOUR_S + 20.0, abs=0.5 + 61.0)
    assert diary.deaf_seconds["not_running"] == expected
    assert diary.deaf_seconds_today["not_running"] == expected
    clock.step_wall(HOUR_S)  # what comes later is somebody's own doing
    clock.advance(61.0)
    diary.live(armed=True)
    assert diary.deaf_seconds["not_running"] == expected


def test_a_reload_is_time_in_which_it_did_not_run(tmp_path: Path, clock: DiaryClock) -> None:
    """From the end of the old worker to the first look at the new one."""
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    diary.cease()
    clock.advance(3.0)
    diary.live(armed=True)
    clock.advance(3.0)
    diary.live(armed=True)
    assert diary.deaf_seconds == {"not_running": 3.0, "total": 3.0}


def test_it_is_written_once_a_minute(tmp_path: Path, clock: DiaryClock) -> None:
    """A card has a limited life; a kill costs a minute of accuracy."""
    diary = opened(tmp_path, clock)
    path = tmp_path / "diary-nursery.json"
    diary.live(armed=True)
    first = path.read_text()
    clock.advance(59.0)
    diary.live(armed=True)
    assert path.read_text() == first
    clock.advance(1.0)
    diary.live(armed=True)
    assert json.loads(path.read_text())["heartbeat"]["monotonic_s"] == 160.0
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"heartbeat": null}',
        '{"heartbeat": {"wall_s": 1e300, "boot_id": "", "monotonic_s": 1, "armed": true}}',
        '{"heartbeat": {"wall_s": NaN, "boot_id": "", "monotonic_s": 1, "armed": true}}',
        f'{{"heartbeat": {BEAT}, "day": "x"}}',
        f'{{"heartbeat": {BEAT}, "day": null, "deaf_seconds": {{"silent": -1}}}}',
        f'{{"heartbeat": {BEAT}, "day": null, "microphones": []}}',
    ],
)
def test_a_damaged_diary_is_set_aside(
    tmp_path: Path, clock: DiaryClock, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """And a new one begun."""
    damaged(tmp_path, text)
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    assert diary.deaf_seconds_today == {"total": 0.0}
    assert "damaged; set aside as" in caplog.text
    assert (tmp_path / "diary-nursery.damaged").read_text() == text


def test_a_full_disk_is_told_once_and_so_is_its_end(
    tmp_path: Path, clock: DiaryClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once a minute for a year."""
    caplog.set_level("INFO")
    obstacle = tmp_path / "state"
    obstacle.write_text("in the way")
    diary = opened(obstacle / "deeper", clock)
    caplog.clear()
    for _ in range(3):
        diary.live(armed=True)
        clock.advance(61.0)
    obstacle.unlink()
    diary.live(armed=True)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert told[0].endswith("cannot be written (Not a directory)")
    assert told[1].endswith("can be written again")


def test_what_was_learnt_is_found_again(tmp_path: Path, clock: DiaryClock) -> None:
    """Of each microphone."""
    diary = opened(tmp_path, clock)
    diary.remember("USB Audio", {"gated_times": 5})
    diary.save()
    again = opened(tmp_path, clock)
    assert again.recall("USB Audio") == {"gated_times": 5}
    assert again.recall("another") is None


def test_of_many_microphones_those_heard_last_are_remembered(
    tmp_path: Path, clock: DiaryClock
) -> None:
    """The file stays small."""
    diary = opened(tmp_path, clock)
    for number in range(MOST_MICROPHONES):
        diary.remember(f"microphone {number}", {})
    diary.remember("microphone 0", {"again": True})
    diary.remember("one more", {})
    assert diary.recall("microphone 1") is None
    assert diary.recall("microphone 0") == {"again": True}


def test_another_node_has_another_file(tmp_path: Path, clock: DiaryClock) -> None:
    """After a reload, what was counted goes on; the old file stays as it was."""
    diary = opened(tmp_path, clock)
    diary.live(armed=True)
    diary.count_deaf("silent", 3.0)
    diary.move_to(tmp_path / "elsewhere", "kitchen")
    diary.save()
    assert (tmp_path / "elsewhere" / "diary-kitchen.json").exists()
    assert diary.deaf_seconds["silent"] == 3.0
