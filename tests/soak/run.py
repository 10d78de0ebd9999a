"""One soak: feed the daemon, look at it now and then, and judge."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from detector.core.recognition import RecogniserSpec
from tests.soak.listener import Listener, database_mb, decided
from tests.soak.process import Daemon, Usage
from tests.soak.sounds import RATE_HZ, Pcm

MOST_GROWTH_MB = 2.0
SETTLE_S = 60.0
MOST_WAITING = 20
"""Messages on their way; beyond it the sound waits, which in a house it need not."""


@dataclass(frozen=True)
class Sample:
    """How it stood at one moment."""

    audio_h: float
    usage: Usage
    delivered: int
    undelivered: int
    dropped: int
    stored_mb: float


class Feeder:
    """Writes sound into the daemon, which takes it as fast as it can; on a thread of its own."""

    def __init__(
        self, daemon: Daemon, pieces: Iterable[Pcm], may_go_on: Callable[[], bool]
    ) -> None:
        self._pieces = pieces
        self._daemon = daemon
        self._may_go_on = may_go_on
        self.samples = 0
        self.thread = threading.Thread(target=self._run, name="soak-feeder", daemon=True)
        self.thread.start()

    @property
    def hours(self) -> float:
        """What it has written."""
        return self.samples / RATE_HZ / 3600

    def _run(self) -> None:
        stdin = self._daemon.process.stdin
        assert stdin is not None
        for piece in self._pieces:
            try:
                stdin.write(piece.astype("<i2").tobytes())
                stdin.flush()
            except BrokenPipeError:
                return  # its end is told by its exit code
            self.samples += len(piece)
            while not self._may_go_on() and self._daemon.process.poll() is None:
                time.sleep(0.05)


class Soak:
    """A daemon under way, and what is found wrong with it: ``problems``."""

    def __init__(
        self,
        daemon: Daemon,
        listener: Listener,
        spec: RecogniserSpec,
        tell: Callable[[Sample], None],
    ) -> None:
        self._daemon = daemon
        self._spec = spec
        self._listener = listener
        self._tell = tell
        self.samples: list[Sample] = []
        self.facts: list[str] = []
        self.problems: list[str] = []

    def may_go_on(self, most_waiting: int = MOST_WAITING) -> bool:
        """Whether no more is waiting to be delivered than a house would ever decide at once."""
        return decided(self._daemon.state) - self._listener.delivered <= most_waiting

    def run(self, feeder: Feeder, *, every_s: float) -> None:
        """Until everything is fed, classified and delivered; then the verdict."""
        began_s = time.monotonic()
        while feeder.thread.is_alive() and self._daemon.process.poll() is None:
            feeder.thread.join(every_s)
            self._sample(feeder.hours)
        expected = 1 + (feeder.samples - self._spec.context_samples) // self._spec.hop_samples
        classified = self._settled(self._daemon.windows, lambda windows: windows >= expected)
        self._settled(lambda: int(self.may_go_on(0)), bool)
        elapsed_s = time.monotonic() - began_s
        self._sample(feeder.hours)
        self.facts.append(
            f"{feeder.hours:.1f} h of audio in {elapsed_s / 60:.1f} min, "
            f"{feeder.hours * 3600 / elapsed_s:.0f} times real time"
        )
        self._judge(
            f"{classified} windows classified", classified == expected, f"{expected} expected"
        )
        self._judge_growth()
        self._judge_end()

    def _sample(self, audio_h: float) -> None:
        mqtt = self._listener.health.get("mqtt", {})
        sample = Sample(
            audio_h,
            self._daemon.usage(),
            self._listener.delivered,
            int(mqtt.get("undelivered", 0)),
            int(mqtt.get("dropped", 0)),
            database_mb(self._daemon.state),
        )
        self.samples.append(sample)
        self._tell(sample)

    def _judge(self, fact: str, holds: bool, wanted: str) -> None:  # noqa: FBT001 - reads as a sentence
        self.facts.append(f"{fact}; {wanted}")
        if not holds:
            self.problems.append(self.facts[-1])

    def _judge_growth(self) -> None:
        first = next((s for s in self.samples if s.audio_h >= 1.0), self.samples[-1]).usage
        last = self.samples[-1].usage
        growth = last.rss_mb - first.rss_mb
        self._judge(
            f"memory {first.rss_mb:.1f} MB after the first hour, {last.rss_mb:.1f} MB at the end "
            f"(largest {max(s.usage.rss_mb for s in self.samples):.1f})",
            growth <= MOST_GROWTH_MB,
            f"at most {MOST_GROWTH_MB:g} MB more",
        )
        for what in ("descriptors", "threads"):
            before, after = getattr(first, what), getattr(last, what)
            self._judge(f"{what} {before}, {after} at the end", after <= before, "no more")

    def _judge_end(self) -> None:
        """End the daemon: what its end decides is told as well."""
        health = self._listener.health
        lost = [health.get(name) for name in ("gaps", "dropped_windows", "overflows")]
        code = self._daemon.end()
        self._judge(f"gaps, dropped windows, overflows {lost}", not any(lost), "none")
        self._judge(f"exit code {code}", code == 0, "0")
        all_decided = decided(self._daemon.state)
        heard = self._listener
        delivered = self._settled(lambda: heard.delivered, lambda count: count >= all_decided)
        self._judge(
            f"messages decided {all_decided}, delivered {delivered}, again {heard.duplicated}, "
            f"late {heard.late}, with other contents {heard.contradictions}",
            delivered == all_decided > 0 and not heard.duplicated and not heard.contradictions,
            "all, once",
        )
        defects = [
            line for line in self._daemon.log.splitlines() if "bug:" in line or "Traceback" in line
        ]
        self._judge(f"{len(defects)} defects in its log", not defects, "none")

    def _settled(self, count: Callable[[], int], enough: Callable[[int], bool]) -> int:
        """The count once it is enough, or has not changed for a while."""
        deadline = time.monotonic() + SETTLE_S
        while not enough(found := count()) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(0.5)  # would there be too many?
        return count() if enough(found) else found
