"""``python -m tests.training``: what needs Keras and TensorFlow, the extra ``crnn``.

Trains a very small network for a minute on recordings made by code, through the command line, and
holds what comes out against what went in.  It is no part of ``script/test``, which would have to
install half a gigabyte for it; whoever changes ``workbench/crnnnet.py`` runs it.
"""

import json
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from detector.cli import main as detector
from detector.core.audio import SAMPLE_RATE_HZ, Block
from detector.core.recognition import STEPS, Array
from detector.events.refit import Line
from detector.model.logmel import LogMel
from detector.model.stepfile import packed, step_facts
from detector.model.steps import StepModel, StepRecogniser
from detector.service.headfile import HeadFile
from detector.service.ownsounds import OwnSounds
from detector.workbench.crnn import MOST_BYTES
from detector.workbench.crnnnet import Diary, Net, Shape, exported
from detector.workbench.crnnsettling import CALL_STEPS, document_of
from detector.workbench.settling import Settled
from tests.learning.tools import BANDS, heard
from tests.service.soundmaking import own_sound

SMALL = Shape(filters=(4, 6, 8, 8), units=8)


def made_recordings(folder: Path) -> Path:
    """High tones that are sirens, knocks, and rooms in which there is neither."""
    rng = np.random.default_rng(0)
    time_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    for group in range(8):
        tone = 0.2 * np.sin(2 * np.pi * (1500 + 60 * group) * time_s) * (time_s > 0.5)
        click = np.where((time_s * 3) % 1 < 0.06, 0.3, 0.0) * rng.standard_normal(len(time_s))
        room = 0.01 * rng.standard_normal(20 * SAMPLE_RATE_HZ)
        for label, samples in (("siren", tone), ("door_knock", click), ("room_tone", room)):
            path = folder / label / f"{group}__1.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            noisy = samples + 0.001 * rng.standard_normal(len(samples))
            soundfile.write(path, noisy.astype(np.float32), SAMPLE_RATE_HZ)
    return folder


def check_the_graph_says_what_the_network_says(folder: Path) -> None:
    """Call by call with carried state, in the interpreter, from the audio on."""
    net = Net.made(SMALL, sounds=2, taught=3, seed=1)
    _warm(net)
    document = document_of({name: Settled(Line(), 0.5) for name in ("a", "b")}, {})
    path = folder / "small.tflite"
    path.write_bytes(packed(exported(net, steps=CALL_STEPS), ("a", "b"), document))
    noise = np.random.default_rng(2).standard_normal(4 * SAMPLE_RATE_HZ)
    samples = (0.1 * noise).astype(np.float32)
    recogniser = StepRecogniser(StepModel(path), hop_seconds=0.96)
    heard = [
        one.outputs[STEPS]
        for at in range(0, len(samples), 1600)
        for one in recogniser.feed(Block(at, samples[at : at + 1600], 0.0))
    ]
    told = np.concatenate(heard)
    by_net = 1.0 / (1.0 + np.exp(-net.logits(LogMel().feed(samples)[None])[0]))
    np.testing.assert_allclose(told, by_net[: len(told)], atol=2e-3)
    assert np.ptp(told) > 1e-3, "the network says nothing"


def _warm(net: Net) -> None:
    """A few steps of learning, so that norms and weights are no longer those of the beginning."""
    rng = np.random.default_rng(3)
    learner = net.learner(lambda _step: 0.01, 1.0)
    rows = (2.0 * rng.standard_normal((4, 38 + 8 * 29, 64)) - 3.0).astype(np.float32)
    truths = (rng.random((4, 30, 2)) < 0.3).astype(np.float32)
    taught = rng.standard_normal((4, 4, 3)).astype(np.float32)
    taught[0] = np.nan
    losses = [learner.learn((rows, truths, np.ones_like(truths), taught)) for _ in range(30)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0], "nothing was learnt"


def check_a_model_comes_of_recordings(folder: Path) -> None:
    """Through the command line: a file that says what it is, and logs beside it."""
    data, out, logs = made_recordings(folder / "data"), folder / "made.tflite", folder / "logs"
    amounts = ["--epochs", "4", "--batches", "60", "--scenes", "3", "--logs", str(logs)]
    sounds = ["--sounds", "siren,door_knock", "--no-teacher"]
    code = detector(["train", "crnn", str(data), "--out", str(out), *sounds, *amounts])
    assert code == 0, code
    content = out.read_bytes()
    assert len(content) <= MOST_BYTES
    facts = step_facts(out, content)
    assert facts is not None
    figures = facts.provenance["figures"]
    assert set(figures) == {"siren", "door_knock"}
    assert set(facts.tellings) == {sound for sound, one in figures.items() if one["found"]}
    assert StepModel(out).labels == ("siren", "door_knock")
    assert [path.name.startswith("events.out.tfevents.") for path in logs.iterdir()] == [True]
    assert not list(folder.glob(".*.part"))


def check_logs_can_be_read(folder: Path) -> None:
    """Record by record, as TensorBoard does."""
    import tensorflow as tf

    diary = Diary(folder / "logs")
    diary.note(1, loss=0.5, watched=0.25)
    (path,) = (folder / "logs").iterdir()
    events = [
        tf.compat.v1.Event.FromString(one.numpy()) for one in tf.data.TFRecordDataset(str(path))
    ]
    values = {value.tag: value.simple_value for value in events[1].summary.value}
    assert (events[1].step, values) == (1, {"loss": 0.5, "watched": 0.25})


def check_sounds_of_ones_own_are_one_classifier(folder: Path) -> None:
    """Through the command line: what the graph says is what their heads say, by label."""
    sounds = [own_sound("my_bell"), own_sound("my_gong", 9), own_sound("my_horn", 7)]
    store = OwnSounds(folder / "state/sounds")
    store.write(sounds)
    config, out = folder / "detector.yaml", folder / "mine.tflite"
    config.write_text(f"state_directory: {folder}/state\n")
    wanted = ["my_gong", "my_bell", "my_horn"]
    command = ["sounds", "export", *wanted, "--tflite", "--config", str(config)]
    assert detector([*command, "--out", str(out)]) == 0
    with zipfile.ZipFile(out) as archive:
        assert archive.read("labels.txt").decode().split() == wanted
        told = json.loads(archive.read("sounds.json"))
    assert told["fitted_for"]["recogniser"] == sounds[0].head.recogniser
    assert told["sounds"]["my_gong"]["threshold"] == 0.5
    graph = tflite_reader(out)
    embeddings = np.random.default_rng(0).uniform(0.0, 3.0, (20, BANDS)).astype(np.float32)
    of = {one.name: one.head for one in store.read_all()}
    for embedding in [*embeddings, heard(9, 99).embeddings[0]]:
        right = [_said(of[name], embedding) for name in wanted]
        np.testing.assert_allclose(graph(embedding[None]), [right], atol=1e-5)
    assert int(graph(heard(9, 99).embeddings[:1]).argmax()) == 0


def _said(head: HeadFile, embedding: Array) -> float:
    """By the head in numpy."""
    sphere = head.trunks[0].sphere
    assert sphere is not None
    return head.curve(float(sphere(embedding) @ head.weights) + head.bias)


def tflite_reader(path: Path) -> Callable[[Array], Array]:
    """A graph of one input and one output."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (told,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(inputs: Array) -> Array:
        interpreter.set_tensor(given["index"], inputs)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(told["index"]))

    return run


CHECKS: tuple[Callable[[Path], None], ...] = (
    check_the_graph_says_what_the_network_says,
    check_logs_can_be_read,
    check_sounds_of_ones_own_are_one_classifier,
    check_a_model_comes_of_recordings,
)


def main() -> int:
    """All checks; 1 if one fails."""
    failed = 0
    for check in CHECKS:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(Path(folder))
            except AssertionError as error:
                failed += 1
                print(f"FAILED  {name}: {error}")
            else:
                print(f"passed  {name}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
