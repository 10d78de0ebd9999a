"""Heads: what they look at, what they make of it, and that learning and listening agree."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.core.recognition import EMBEDDING, LOGITS, Array, Observation
from detector.events.curves import Curve, Refined, Sigmoid, Table
from detector.events.heads import Head, Layer, Look, Sphere, Trunk, joined

HOP_S = 0.48


def window(number: int, *embedding: float, after_s: float = 0.0) -> Observation:
    """The window of that number, with these numbers; the logits are their squares."""
    values = np.array(embedding, np.float32)
    outputs = {EMBEDDING: values, LOGITS: values**2}
    start_s = number * HOP_S + after_s
    return Observation(start_s, start_s + 0.975, outputs)


def stretch(*values: float) -> list[Observation]:
    """Windows that join, of one number each."""
    return [window(i, value) for i, value in enumerate(values)]


def look(newest: int, oldest: int, pooling: str = "mean", output: str = EMBEDDING) -> Look:
    """At all columns."""
    return Look(output, None, newest, oldest, "max" if pooling == "max" else "mean")


def head(*looks: Look, weights: Sequence[float] = (1.0,), curve: Curve | None = None) -> Head:
    """A head without a layer."""
    weighed = np.array(weights, np.float32)
    return Head((Trunk(looks),), weighed, 0.0, curve or Sigmoid(), HOP_S)


@pytest.mark.parametrize(
    ("newest", "oldest", "pooling", "expected"),
    [
        (0, 0, "mean", 8.0),
        (1, 1, "mean", 2.0),
        (0, 2, "mean", 5.0),
        (0, 2, "max", 8.0),
        (1, 2, "max", 5.0),
        (1, 9, "mean", 8.0 / 3),
        (3, 9, "max", 1.0),
        (7, 9, "mean", 1.0),
    ],
)
def test_a_look_goes_back_as_far_as_there_is_anything(
    newest: int, oldest: int, pooling: str, expected: float
) -> None:
    """Of the windows it asks for, those that are there; the oldest there is, if none is."""
    seen = look(newest, oldest, pooling)(stretch(1.0, 5.0, 2.0, 8.0))
    assert seen == pytest.approx(np.array([expected]))


def test_a_look_may_choose_columns() -> None:
    """In the order that is asked for."""
    chosen = Look(EMBEDDING, np.array([2, 0], np.intp))
    assert chosen([window(0, 1.0, 2.0, 3.0)]).tolist() == [3.0, 1.0]


def test_a_look_may_take_the_largest_of_its_columns() -> None:
    """As a family of classes does."""
    largest = Look(EMBEDDING, np.array([2, 0], np.intp), 0, 1, "mean", largest=True)
    seen = [window(0, 1.0, 9.0, 3.0), window(1, 5.0, 9.0, 4.0)]
    assert largest(seen).tolist() == [4.0]


def test_log_odds_may_be_averaged_over_windows() -> None:
    """As many as there are since audio was lost."""
    one = Head((Trunk([look(0, 0)]),), np.ones(1, np.float32), 0.0, Sigmoid(), HOP_S, averaged=2)
    seen = stretch(9.0, 1.0, 2.0)
    assert one.log_odds([seen]) == pytest.approx(1.5)
    assert one.log_odds([[*seen, window(3, 8.0, after_s=1.0)]]) == pytest.approx(8.0)


def test_a_head_adds_up_what_its_trunks_give() -> None:
    """A layer, beside inputs as they are."""
    layer = Layer(np.array([[1.0, -1.0], [0.0, 2.0]], np.float32), np.array([0.5, 0.0], np.float32))
    trunks = (Trunk([look(0, 0)], layer), Trunk([look(0, 0, output=LOGITS)]))
    both = Head(trunks, np.array([1, 10, 100, 1000], np.float32), -5.0, Sigmoid(), HOP_S)
    # relu([3 + 0.5, 4 - 3]) = [3.5, 1]; squares [9, 4]
    assert both.log_odds([[window(0, 3.0, 2.0)]]) == pytest.approx(3.5 + 10 + 900 + 4000 - 5)


def test_negative_units_of_a_layer_are_silent() -> None:
    """It is a rectifier."""
    layer = Layer(np.array([[1.0]], np.float32), np.array([0.0], np.float32))
    assert Trunk([look(0, 0)], layer)(stretch(-3.0), HOP_S).tolist() == [0.0]


def test_lost_audio_begins_a_new_stretch() -> None:
    """What was before says nothing about now."""
    before, after = stretch(9.0, 9.0), [window(2, 1.0, after_s=0.2), window(3, 2.0, after_s=0.2)]
    assert head(look(0, 3, "max")).log_odds([[*before, *after]]) == pytest.approx(2.0)
    assert joined([*before, *after], HOP_S, 9) == after


def test_no_more_windows_are_gathered_than_are_looked_at() -> None:
    """Ninety seconds are remembered."""
    seen = stretch(*range(100))
    assert joined(seen, HOP_S, 3) == seen[-3:]
    assert joined(seen[:1], HOP_S, 3) == seen[:1]


def test_a_shared_trunk_is_worked_out_once_a_window() -> None:
    """And anew for the next."""
    layer = CountingLayer(np.eye(1, dtype=np.float32), np.zeros(1, np.float32))
    trunk = Trunk([look(0, 0)], layer)
    two = [
        Head((trunk,), np.array([weight], np.float32), 0.0, Sigmoid(), HOP_S)
        for weight in (1.0, 2.0)
    ]
    CountingLayer.calls = 0
    first, second = [window(0, 3.0)], [window(0, 3.0), window(1, 5.0)]
    assert [one.log_odds([first]) for one in two] == [3.0, 6.0]
    assert [one.log_odds([second]) for one in two] == [5.0, 10.0]
    assert CountingLayer.calls == 2


class CountingLayer(Layer):
    """A layer that knows how often it was asked."""

    calls = 0

    def __call__(self, inputs: Array) -> Array:
        """As a layer does."""
        CountingLayer.calls += 1
        return super().__call__(inputs)


@pytest.mark.parametrize("length", [1, 2, 5, 40])
@pytest.mark.parametrize("averaged", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(2))
def test_what_is_learnt_from_is_what_is_listened_to(seed: int, averaged: int, length: int) -> None:
    """All windows of a stretch at once, or one after the other as they come."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0, 1.0, (length, 6)).astype(np.float32)
    outputs: dict[str, NDArray[np.float32]] = {EMBEDDING: values, LOGITS: values**2}
    looks = [
        look(0, 0),
        look(1, 1, output=LOGITS),
        look(0, 1, "max"),
        look(3, 8),
        Look(LOGITS, np.array([4, 1], np.intp), 0, 2, "mean"),
    ]
    looks.append(Look(LOGITS, np.array([4, 1], np.intp), 0, 1, "mean", largest=True))
    inputs = 4 * 6 + 2 + 1
    layer = Layer(rng.normal(size=(inputs, 3)).astype(np.float32), np.ones(3, np.float32))
    trunks = (Trunk(looks, layer), Trunk(looks[:1]))
    weights = rng.normal(size=9).astype(np.float32)
    one = Head(trunks, weights, 0.3, Sigmoid(), HOP_S, averaged)
    seen = [window(i, *row) for i, row in enumerate(values)]
    online = [one.log_odds([seen[: i + 1]]) for i in range(length)]
    np.testing.assert_allclose(one.rows(outputs), online, rtol=1e-4, atol=1e-4)


def test_half_precision_is_computed_in_single() -> None:
    """Sums of a thousand halves would lose their last digits."""
    halves = np.full(1024, 0.1, np.float16)
    seen = Observation(0.0, 0.975, {EMBEDDING: halves})  # type: ignore[dict-item] # as it is kept
    one = head(look(0, 0), weights=[1.0] * 1024)
    assert one.log_odds([[seen]]) == pytest.approx(1024 * float(halves[0]), rel=1e-5)


@pytest.mark.parametrize(
    "curve",
    [
        Sigmoid(2.0, -1.0),
        Table(np.array([-2.0, 0.0, 3.0]), np.array([0.1, 0.1, 0.9])),
        Refined(Sigmoid(), 1.5, -0.5),
        Refined(Table(np.array([-2.0, 3.0]), np.array([0.0, 1.0])), 1.5, -0.5),
    ],
    ids=["platt", "table", "refined", "refined table"],
)
def test_a_curve_never_falls_and_stays_a_probability(curve: Curve) -> None:
    """However far out."""
    found = [curve(x) for x in (-1e6, -30.0, *np.linspace(-5, 5, 101), 30.0, 1e6)]
    assert found == sorted(found)
    assert 0.0 <= found[0] < found[-1] <= 1.0
    assert curve.calibrated


def test_curves_say_what_they_should() -> None:
    """The sigmoid of the line, the line between points, and a refinement that changes nothing."""
    assert Sigmoid(2.0, -1.0)(0.5) == 0.5
    assert Table(np.array([-2.0, 0.0]), np.array([0.1, 0.5]))(-1.0) == pytest.approx(0.3)
    assert Refined(Sigmoid(), 1.0, 0.0)(0.7) == pytest.approx(Sigmoid()(0.7))
    assert Refined(Sigmoid(), 2.0, 0.5)(0.7) == pytest.approx(Sigmoid(2.0, 0.5)(0.7))


def test_a_head_without_evidence_says_so() -> None:
    """Its refinement too."""
    bare = Sigmoid(calibrated=False)
    assert not head(look(0, 0), curve=bare).calibrated
    assert not Refined(bare, 2.0, 1.0).calibrated
    assert head(look(0, 0)).calibrated


def test_on_a_sphere_only_the_direction_counts() -> None:
    """Twice as far from the centre is the same, of one window and of many."""
    centre, scale = np.array([1.0, 0.0], np.float32), np.array([2.0, 1.0], np.float32)
    trunk = Trunk([Look(LOGITS, None)], None, Sphere(centre, scale))
    rows = trunk.rows({LOGITS: np.array([[3.0, 0.0], [5.0, 0.0], [1.0, 0.0], [3.0, 1.0]])})
    half = 0.5**0.5
    assert np.allclose(rows, [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [half, half]])
