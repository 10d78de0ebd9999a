"""From windows to the moments that explain a sound: pure, on what the control socket sends."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

Window = dict[str, Any]
"""A window as ``snapshot_document`` has it."""

MOMENTS = 5
"""So many of a sound's nearest moments are told."""
APART_S = 2.0
"""They lie this far apart, so that they are not all of one sound."""
NOTHING = 0.05
"""A sound that never gets above this is not worth a moment."""


def explained(windows: Sequence[Window], sound: str) -> dict[str, Any]:
    """How it stood with one sound: whether it fired, and its nearest moments in order of time."""
    readings = [_reading(window, sound) for window in windows]
    on = [one["state"] == "on" for one in readings]
    began = [i for i, is_on in enumerate(on) if is_on and not (i and on[i - 1])]
    best = max(readings, key=lambda one: one["probability"])
    return {
        "sound": sound,
        "fired_at_s": [windows[i]["end_s"] for i in began],
        "best": best["probability"],
        "threshold": best["threshold"],
        "moments": [_moment(windows[i], sound) for i in _nearest(windows, readings, began)],
    }


def _reading(window: Window, sound: str) -> dict[str, Any]:
    return next(one for one in window["sounds"] if one["sound"] == sound)


def _nearest(
    windows: Sequence[Window], readings: Sequence[dict[str, Any]], began: Sequence[int]
) -> list[int]:
    """Where it fired, then where it was nearest to it, apart from one another."""
    order = sorted(range(len(windows)), key=lambda i: -readings[i]["probability"])
    chosen = list(began[:MOMENTS])
    for i in order:
        if len(chosen) >= MOMENTS or readings[i]["probability"] < NOTHING:
            break
        if all(abs(windows[i]["end_s"] - windows[j]["end_s"]) >= APART_S for j in chosen):
            chosen.append(i)
    return sorted(chosen)


def next_best(sounds: Sequence[dict[str, Any]], sound: str) -> dict[str, Any] | None:
    """Of a window's other sounds the most probable; None where there is no other."""
    others = [one for one in sounds if one["sound"] != sound]
    nearest = max(others, key=lambda one: one["probability"], default=None)
    return nearest and {key: nearest[key] for key in ("sound", "probability")}


def next_best_text(nearest: dict[str, Any] | None) -> str:
    """``; next best: cat_meow 0.20``, to be put behind why; nothing where there is none."""
    return f"; next best: {nearest['sound']} {nearest['probability']:.2f}" if nearest else ""


def why_text(sounds: Sequence[dict[str, Any]], one: dict[str, Any]) -> str:
    """Why one of a window's sounds stands as it does; where it is near, with its rival."""
    is_near = one["probability"] >= NOTHING
    return str(one["why"]) + (next_best_text(next_best(sounds, one["sound"])) if is_near else "")


def _moment(window: Window, sound: str) -> dict[str, Any]:
    return {
        "end_s": window["end_s"],
        "level_dbfs": window["level_dbfs"],
        "why": _reading(window, sound)["why"],
        "next_best": next_best(window["sounds"], sound),
        "classes": window["classes"][:3],
    }


def lines(sounds: Sequence[dict[str, Any]], when: Callable[[float], str]) -> Iterator[str]:
    """The same for a person; what was never near is named in one line."""
    absent = [one["sound"] for one in sounds if one["best"] < NOTHING]
    for one in sounds:
        if one["sound"] not in absent:
            yield _verdict(one, when)
            yield from (_moment_line(moment, when) for moment in one["moments"])
    if absent:
        yield f"never above {NOTHING}: {', '.join(absent)}"


def _verdict(one: dict[str, Any], when: Callable[[float], str]) -> str:
    if one["fired_at_s"]:
        return f"{one['sound']}: fired at {', '.join(map(when, one['fired_at_s']))}"
    if one["best"] < one["threshold"]:
        return f"{one['sound']}: did not fire: {one['best']:.2f} < {one['threshold']:.2f} at best"
    return f"{one['sound']}: did not fire: above its threshold, but not for long enough"


def _moment_line(moment: dict[str, Any], when: Callable[[float], str]) -> str:
    other = next_best_text(moment["next_best"])
    return f"{when(moment['end_s']):>10}  {moment['why']}{other}  [{_classes(moment['classes'])}]"


def _classes(classes: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{one['class']} {one['score']:.2f}" for one in classes)


def event_lines(entry: dict[str, Any]) -> Iterator[str]:
    """An event of the history."""
    began = datetime.fromisoformat(entry["onset"]).astimezone()
    yield f"{entry['sound'] or entry['kind']}, {began:%Y-%m-%d %H:%M:%S} ({entry['id']})"
    if entry["probability"] is None:
        yield f"  {entry['reason'] or 'a test alert' if entry['test'] else entry['reason'] or ''}"
        return
    compared = f"{entry['probability']:.2f} ≥ {entry['threshold']:.2f}"
    calibrated = "" if entry["calibrated"] else ", uncalibrated"
    yield f"  fired: {entry.get('why') or compared}{calibrated}"
    yield f"  heard: {_classes(entry['classes'])}, at {entry['level_dbfs']:.1f} dBFS"
    if entry["offset"] is not None:
        lasted = f"{entry['duration_s']:.1f} s, peak {entry['peak_probability']:.2f}"
        yield f"  ended after {lasted} ({entry['reason']})"
