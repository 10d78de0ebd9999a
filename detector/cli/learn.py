"""``detector learn``: a few takes of a sound of one's own become a sound that is listened for."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli.common import (
    Subparsers,
    add_command,
    add_config_option,
    add_model_option,
    add_source_options,
    check_wanted,
    load,
    load_model,
    required_service,
)
from detector.core.errors import DataError

if TYPE_CHECKING:
    from detector.config import Config
    from detector.core.audio import Samples
    from detector.core.recognition import Recogniser
    from detector.learning.backgrounds import Backgrounds
    from detector.learning.takes import Take
    from detector.service.ownsounds import KeptTake, OwnSounds
    from detector.service.parts import LoadedModel
    from detector.service.teaching import Taught

_SHORTEST_EVENING_S = 60.0
"""All of them together."""
_DESCRIPTION = """\
Learn a sound of your own, such as your doorbell, kettle or washing machine, from three to ten takes
of it. Nothing leaves this machine, and of what is heard only embeddings are kept, no audio.

  detector learn my_bell                          at the microphone: ring it when asked to
  detector learn my_bell bell1.wav bell2.wav …    from recordings; a pause of 1.5 s parts takes
  detector learn my_bell --from-event ID          from what the running service has just heard
  detector learn my_bell bell*.wav --evening recordings/evening/*.flac

Before it is listened for, you are told how many takes are found by what was learnt from the rest
and how many false alarms are to be expected, and asked. Said again, it adds to the takes so far.
See `detector sounds` for what you have.
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "learn",
        summary="learn a sound of your own from a few takes of it",
        description=_DESCRIPTION,
        handler=run,
    )
    parser.add_argument("name", metavar="NAME", help="what it is called: my_bell")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="recordings of it")
    parser.add_argument(
        "--from-event",
        action="append",
        default=[],
        metavar="ID",
        help="an event of the last 90 s (detector history) is a take; may be given again",
    )
    parser.add_argument(
        "--evening",
        nargs="+",
        default=[],
        type=Path,
        metavar="FILE",
        help="recordings of an ordinary evening without the sound: detector record --minutes 60",
    )
    parser.add_argument(
        "--takes",
        type=_count,
        default=5,
        metavar="N",
        help="at the microphone: 3 to 10 (default: 5)",
    )
    parser.add_argument(
        "--anew", action="store_true", help="forget the takes that it was learnt from before"
    )
    parser.add_argument("--yes", action="store_true", help="listen for it without asking")
    parser.add_argument("--node", help="which service, if several run here")
    parser.add_argument(
        "--own", action="store_true", help="open the microphone even if the service runs"
    )
    add_source_options(parser)
    add_config_option(parser)
    add_model_option(parser)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 3 <= int(text) <= 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 3 to 10")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Hear, learn, tell, ask, write."""
    from detector.cli.learnt import agreed, tell
    from detector.cli.sounds import check_name, reloaded, store_of

    check_name(arguments.name)
    _check_use(arguments)
    config = load(arguments)
    _check_told_by_nothing_else(config, arguments.name)
    store = store_of(arguments, config)
    _check_kept(arguments, store)
    before = () if arguments.anew else store.takes(arguments.name)
    model = load_model(arguments, config)
    _check_model(model, before)
    evenings = _evenings(arguments.evening)
    takes = [*before, *_new_takes(arguments, model.recogniser, before, evenings)]
    if _too_few_yet(arguments, store, takes):
        return 0
    taught = _taught(arguments.name, model.recogniser, store, takes, evenings)
    tell(taught)
    if not agreed(arguments.name, always=arguments.yes):
        print("nothing was changed")
        return 1
    store.write([taught.sound, *(sound for sound, _ in taught.beside.values())])
    print(f"{arguments.name} is learnt: {store.folder / arguments.name}.json")
    sound = load(arguments).sounds.get(arguments.name)
    if sound is None or sound.enabled:
        reloaded(arguments, arguments.name)
    else:
        print(f"it is not listened for: sounds.{arguments.name}.enabled is false")
        reloaded(arguments)
    return 0


def _check_use(arguments: argparse.Namespace) -> None:
    """Before anything is heard; raises DataError for what cannot come of it."""
    if not arguments.yes and not sys.stdin.isatty():
        raise DataError("nobody is there to be asked: say --yes, and it is listened for at once")
    if arguments.files and (arguments.file or arguments.stdin):
        raise DataError("recordings are named as FILE; --file and --stdin are for guided takes")


def _check_told_by_nothing_else(config: "Config", name: str) -> None:
    """What is learnt would lie under a configuration's own evidence, and never be heard by."""
    from detector.config.own import is_own

    written = config.uncalibrated or config
    if name in written.sounds and not is_own(written, name):
        origin = written.origins.get(f"sounds.{name}", written.origins.get("", ""))
        raise DataError(
            f"{origin}: sounds.{name} has `evidence` of its own there, which goes over what is "
            "learnt: remove it there, or choose another name"
        )


def _check_kept(arguments: argparse.Namespace, store: "OwnSounds") -> None:
    """Events come one by one: the first few must not take the place of what was learnt."""
    from detector.learning.takes import FEWEST

    few = not arguments.files and 0 < len(arguments.from_event) < FEWEST
    if arguments.anew and few and arguments.name in store.names():
        raise DataError(
            f"{arguments.name} is learnt, and {FEWEST} takes are needed to learn it anew: name so "
            f"many events at once, or forget it first (detector sounds forget {arguments.name})"
        )


def _check_model(model: "LoadedModel", before: "Sequence[KeptTake]") -> None:
    from detector.core.errors import ModelError
    from detector.core.recognition import EMBEDDING
    from detector.service.ownsounds import takes_misfit

    check_wanted(model, "a sound of your own")
    if EMBEDDING not in model.recogniser.spec.outputs:
        raise ModelError(f"the model {model.facts.name} gives no embedding: nothing can be learnt")
    if misfit := takes_misfit(before, model.recogniser.spec):
        raise DataError(f"{misfit}: they are of another model; --anew forgets them")


def _evenings(paths: "Sequence[Path]") -> "list[Samples]":
    """Recordings without the sound; raises DataError for what is too little, or holds nothing."""
    from detector.core.audio import SAMPLE_RATE_HZ

    evenings = [_read(path) for path in paths]
    for path, samples in zip(paths, evenings, strict=True):
        if not samples.any():
            raise DataError(f"{path} holds digital silence: the microphone was off")
    seconds = sum(map(len, evenings)) / SAMPLE_RATE_HZ
    if evenings and seconds < _SHORTEST_EVENING_S:
        raise DataError(
            f"{paths[0]}: {seconds:.1f} s of an evening are too little: a minute at least is "
            "needed, better an hour (detector record --minutes 60)"
        )
    return evenings


def _new_takes(
    arguments: argparse.Namespace,
    recogniser: "Recogniser",
    before: "Sequence[KeptTake]",
    grounds: "Sequence[Samples]",
) -> "list[KeptTake]":
    """From files, from events, or at the microphone."""
    from detector.learning.takes import check_copies

    model = recogniser.spec.content_hash
    kept = [_event_take(arguments, event, model) for event in arguments.from_event]
    if arguments.files:
        takes = _takes_in(arguments.files)
    elif arguments.from_event:
        takes = []
    else:
        from detector.cli.guided import guided

        takes = guided(arguments, recogniser)
    check_copies(takes)
    for take in takes:
        _check_new(arguments.name, take, before)
    return [*kept, *_heard(takes, recogniser, grounds)]


def _check_new(name: str, take: "Take", before: "Sequence[KeptTake]") -> None:
    from detector.learning.takes import are_alike

    sketch = take.sketch
    for one in before:
        if one.digest == take.digest or are_alike(one.sketch, sketch):
            raise DataError(f"{take.name}: {name} was learnt from it already (--anew forgets that)")


def _takes_in(files: "Sequence[Path]") -> "list[Take]":
    from detector.learning.takes import takes_of

    return [take for path in files for take in takes_of(str(path), _read(path))]


def _read(path: Path) -> "Samples":
    from detector.workbench.sounding import read_samples

    return read_samples(path)


def _heard(
    takes: "Sequence[Take]", recogniser: "Recogniser", grounds: "Sequence[Samples]"
) -> "list[KeptTake]":
    from detector.cli.progress import recordings_progress
    from detector.learning.augmenting import hear_take
    from detector.service.ownsounds import KeptTake

    kept = []
    with recordings_progress() as progress:
        for number, take in enumerate(takes):
            progress(number, len(takes))
            heard = hear_take(take, recogniser, grounds=grounds)
            kept.append(KeptTake(take.name, take.digest, heard, take.sketch))
    return kept


def _event_take(arguments: argparse.Namespace, event: str, model: str) -> "KeptTake":
    import hashlib

    from detector.service.ownsounds import KeptTake
    from detector.service.remembered import heard_in_take

    answer = required_service(arguments.node).request("take", event=event)
    heard = heard_in_take(answer, model)
    digest = hashlib.sha256(heard.embeddings.tobytes()).hexdigest()
    return KeptTake(f"event {event}", digest, heard)


def _too_few_yet(
    arguments: argparse.Namespace, store: "OwnSounds", takes: "Sequence[KeptTake]"
) -> bool:
    """Events come one by one: they are kept until there are enough of them."""
    from detector.learning.takes import FEWEST

    if len({take.digest for take in takes}) < len(takes):
        raise DataError("an event is a take of this sound already: name another one")
    if len(takes) >= FEWEST:
        return False
    if not arguments.from_event:
        raise DataError(f"{len(takes)} takes are too few: {FEWEST} are needed, better ten")
    store.keep_takes(arguments.name, takes)
    print(f"{len(takes)} of {FEWEST} takes are kept; name the next event when it was heard")
    return True


def _taught(
    name: str,
    recogniser: "Recogniser",
    store: "OwnSounds",
    takes: "Sequence[KeptTake]",
    evenings: "Sequence[Samples]",
) -> "Taught":
    from detector.service.teaching import Classroom

    room = Classroom(recogniser.spec, _backgrounds(recogniser, evenings))
    others = [one for one in store.read_all() if one.name != name]
    return room.teach(name, takes, others)


def _backgrounds(recogniser: "Recogniser", evenings: "Sequence[Samples]") -> "Backgrounds":
    """Those that are shipped, and the user's own evenings."""
    import numpy as np

    from detector.core.recognition import EMBEDDING
    from detector.learning.backgrounds import none_for, shipped_backgrounds
    from detector.learning.hearing import observe

    spec = recogniser.spec
    shipped = shipped_backgrounds(spec) or none_for(spec, spec.outputs[EMBEDDING][0])
    heard = [
        [one.outputs[EMBEDDING] for one in observe(samples, [recogniser])[0]]
        for samples in evenings
    ]
    return shipped.with_evening([np.asarray(np.stack(one), np.float32) for one in heard])
