"""What a model of steps does at the thresholds of its own file.

The scenes should be others than those that the thresholds were chosen on.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from detector.config import SoundConfig
from detector.config.sounds import shipped_sounds
from detector.core.recognition import Telling
from detector.events.refit import Line
from detector.workbench.cells import head, interval, row
from detector.workbench.metrics import rate_interval, recall_interval
from detector.workbench.settling import SNRS_DB, Settled
from detector.workbench.trials import Levels, Outcome, Trial, outcome


def score_of(telling: Telling) -> float:
    """The log-odds before the curve that its threshold is."""
    return Settled(Line(telling.slope, telling.offset), telling.threshold).score


def file_table(
    trials: Sequence[Trial],
    scores: Mapping[str, Sequence[Levels]],
    tellings: Mapping[str, Telling],
    hop_s: float,
) -> str:
    """In Markdown; ``scores`` are log-odds by sound, of every trial, shape (windows,) each."""
    told = {sound: one for sound, one in tellings.items() if sound in scores}
    return "\n".join([*_rows(trials, scores, told, hop_s), ""])


def _rows(
    trials: Sequence[Trial],
    scores: Mapping[str, Sequence[Levels]],
    tellings: Mapping[str, Telling],
    hop_s: float,
) -> Iterator[str]:
    ratios = " / ".join(f"{snr_db:g}" for snr_db in SNRS_DB)
    yield from head(
        "sound", "threshold", f"recall at {ratios} dB", "all together", "false alarms/h",
        "in evenings/h",
    )  # fmt: skip
    for sound, telling in tellings.items():
        config = shipped_sounds().get(sound, SoundConfig(evidence=()))
        came = outcome(trials, scores[sound], sound, config, hop_s)
        yield row(sound, f"{telling.threshold:g}", *_cells(came, score_of(telling)))


def _cells(came: Outcome, threshold: float) -> Iterator[str]:
    shares = [recall_interval(*came.recall(threshold, snr_db)).value for snr_db in SNRS_DB]
    yield " / ".join("–" if np.isnan(one) else f"{one:.2f}" for one in shares)
    yield interval(recall_interval(*came.recall(threshold)))
    yield interval(rate_interval(came.false_alarms(threshold), came.hours))
    quiet = int(np.sum(came.quiet >= threshold))
    yield interval(rate_interval(quiet, came.quiet_hours))
