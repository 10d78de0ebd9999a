"""Tables of what is hard, and of how far what is said is from what is true."""

from collections.abc import Iterator

from detector.workbench.cells import bold, counted, head, interval, number, row
from detector.workbench.evaluation import Evaluation
from detector.workbench.psds import SCENARIOS, psds
from detector.workbench.windows import EVIDENT, Error

FOREMOST = "baby_cry"
HARDEST = (
    "singing",
    "music and singing",
    "sobbing adults",
    "laughter",
    "babies babbling",
    "cats",
    "television and radio",
    "speech",
    "screams",
)
"""What defeats a cry alarm that is built by the field's tutorials, and what is like it."""


def foremost_hard(result: Evaluation) -> Iterator[str]:
    """The hardest, and how often they pass for the sound that matters most."""
    there = _names(result)
    sound = FOREMOST if FOREMOST in result.order.sounds else result.order.sounds[0]
    if not there:
        return
    yield f"### Named hard negatives: false alarms of {sound} per hour of such clips [95 %]"
    yield ""
    yield from head("clips of", "groups", "seconds", *map(bold, result.systems))
    for name in (one for one in HARDEST if one in there):
        counts = [result.named.at(system, name, sound) for system in result.systems]
        cells = [f"{counted(one.false_alarms)}: {interval(one.rate())}" for one in counts]
        groups = len(result.named_groups[name])
        yield row(name, f"{groups}", f"{3600.0 * counts[0].hours:.0f}", *cells)
    yield ""
    yield "- Before the colon stand the false alarms, after it their rate; intervals are Poisson's."
    lacking = [name for name in HARDEST if name not in there and name != "singing"]
    if lacking:
        yield f"- No recordings are labelled as {', '.join(lacking)}: of these nothing is told."
    if "singing" not in there and "music and singing" in there:
        yield "- Women who sing are labelled as music here, and counted there."


def everything_hard(result: Evaluation) -> Iterator[str]:
    """What is known to be hard, with all that it was taken for."""
    names = _names(result)
    if not names:
        return
    yield "### What is known to be hard: false alarms, and of which sounds"
    yield ""
    yield from head("clips of", "groups", "minutes", *map(bold, result.systems))
    for name in names:
        minutes = 60.0 * result.named.at(result.systems[0], name).hours
        cells = [_hard_cell(result, system, name) for system in result.systems]
        yield row(name, f"{len(result.named_groups[name])}", f"{minutes:.1f}", *cells)


def _names(result: Evaluation) -> list[str]:
    return sorted({place.part for place, count in result.named.counts.items() if count.hours})


def _hard_cell(result: Evaluation, system: str, name: str) -> str:
    total = result.named.at(system, name).false_alarms
    of_sounds = {
        sound: count
        for sound in result.order.sounds
        if (count := result.named.at(system, name, sound).false_alarms) > 0
    }
    if not of_sounds:
        return "0"
    worst = sorted(of_sounds, key=lambda sound: -of_sounds[sound])[:3]
    told = ", ".join(f"{sound} {counted(of_sounds[sound])}" for sound in worst)
    return f"{counted(total)} ({told})"


def calibration(result: Evaluation) -> Iterator[str]:
    """How far what is said is from what is true."""
    rows = list(errors_of(result))
    if not rows:
        return
    yield "### Expected calibration error: the largest raw score of the classes → our probability"
    yield ""
    yield from head(
        "sound",
        "all windows (with the sound)",
        "before → after",
        f"with a score or probability of {EVIDENT:g} or more",
        "before → after",
        "",
    )
    for sound, everywhere, evident in rows:
        remark = "uncalibrated" if sound in result.uncalibrated else ""
        yield row(sound, *_error_cells(everywhere), *_error_cells(evident), remark)
    yield ""
    yield (
        "- 15 bins of equal width (Guo et al., 2017), windows of scenes and evenings. "
        "Over all windows the error is small whatever is said, since in nearly "
        "all nothing is said and nothing is there; the second pair is of those in which one of "
        "the two says something, whether it is true or not."
    )
    yield (
        "- A window holds a sound that fills 0.3 s of it; those with less of it are left out. The "
        "pauses of an alarm, a telephone or a sleeper count as the sound, so that a probability "
        "which follows the beeps counts as wrong between them. *uncalibrated*: its probability is "
        "the bare score of its own classes (of an alarm also whether its beeps are heard), for "
        "want of recordings to learn from."
    )


def _error_cells(error: Error) -> tuple[str, str]:
    """How many windows, and the error before and after."""
    arrow = f"{number(error.before, 3)} → {number(error.after, 3)}"
    return f"{error.windows} ({error.holding})", arrow


def errors_of(result: Evaluation) -> Iterator[tuple[str, Error, Error]]:
    """Sound by sound: over all windows, and over those in which something is evident."""
    for sound, windows in result.windows.items():
        errors = windows.errors()
        if errors is not None:
            yield sound, *errors


def polyphonic(result: Evaluation) -> Iterator[str]:
    """The field's own score, of what is said before any gate."""
    scores = psds_scores(result)
    if not scores:
        return
    yield "### Polyphonic sound detection score (sed_scores_eval), before any gate"
    yield ""
    yield from head("scenario", "raw scores", "probabilities")
    for name, (before, after) in scores.items():
        yield row(name, number(before, 3), number(after, 3))


def psds_scores(result: Evaluation) -> dict[str, tuple[float, float]]:
    """By scenario: that of the raw scores, and that of our probabilities."""
    if not result.traced:
        return {}
    before, after = zip(*result.traced, strict=True)
    sounds = [sound for sound in result.order.sounds if sound in result.windows]
    return {
        scenario.name: (psds(before, sounds, scenario), psds(after, sounds, scenario))
        for scenario in SCENARIOS
    }
