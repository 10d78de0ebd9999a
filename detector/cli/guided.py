"""Takes at the microphone: says when, shows what came, and asks again where it was no good."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from detector.cli.common import running_service
from detector.core.errors import AudioError, DataError

if TYPE_CHECKING:
    from detector.config import Config
    from detector.core.audio import Block, Gap, Samples
    from detector.core.recognition import Recogniser
    from detector.learning.augmenting import Heard
    from detector.learning.backgrounds import Backgrounds
    from detector.learning.takes import Take

_MOST_FAILURES = 5
"""One after the other; then something is wrong that asking does not mend."""
_VERSIONS = 3
"""Enough to tell whether a take is like the others."""


def guided(
    arguments: argparse.Namespace, config: "Config", recogniser: "Recogniser"
) -> "list[Take]":
    """As many takes as were asked for; raises DataError or AudioError where none come."""
    from detector.cli.record import own_ears, service_ears

    named = arguments.own or arguments.file or arguments.stdin
    client = None if named else running_service(arguments.node)
    del config
    print(f"{arguments.takes} takes of {arguments.name}: make the sound when you are asked to,")
    print("from where it will be heard later, and be silent before and after it")
    with own_ears(arguments) if client is None else service_ears(client) as items:
        return Guide(recogniser, arguments.takes).takes(items)


class Guide:
    """One session at the microphone. For one thread."""

    def __init__(self, recogniser: "Recogniser", wanted: int) -> None:
        self._recogniser = recogniser
        self._wanted = wanted
        self._takes: list[Take] = []
        self._heard: list[Heard] = []
        self._backgrounds: Backgrounds | None = None

    def takes(self, items: "Iterator[Block | Gap | str]") -> "list[Take]":
        """Ask until there are enough."""
        failures, why = 0, ""
        while len(self._takes) < self._wanted:
            if failures == _MOST_FAILURES:
                raise DataError(f"no take was good {failures} times in a row; the last: {why}")
            why = self._one(items)
            failures = failures + 1 if why else 0
            if why:
                print(f"  {why}; once more")
        return self._takes

    def _one(self, items: "Iterator[Block | Gap | str]") -> str:
        """Ask for a take; nothing, or why it is asked for again."""
        from detector.learning.catching import trace
        from detector.learning.takes import takes_of

        number = len(self._takes) + 1
        caught = _caught(items, f"take {number} of {self._wanted}: now")
        if caught is None:
            return "nothing was heard that is louder than the room"
        print(f"  {trace(caught)}")
        try:
            found = takes_of(f"take {number}", caught)
        except DataError as error:
            return str(error)
        return self._keep(max(found, key=lambda one: one.seconds))

    def _keep(self, take: "Take") -> str:
        from detector.learning.augmenting import hear_take
        from detector.learning.takes import is_copy, level_dbfs
        from detector.service.teaching import UNLIKE

        if any(is_copy(take, one) for one in self._takes):
            return "that is a copy of a take before, not the sound made anew"
        heard = hear_take(take, self._recogniser, versions=_VERSIONS)
        like = self._likeness(heard)
        if len(self._takes) >= 2 and like < UNLIKE:
            return f"that is unlike the others (likeness {like:.2f})"
        self._takes.append(take)
        self._heard.append(heard)
        print(f"  {take.seconds:.1f} s, {level_dbfs(take):.0f} dBFS, good")
        return ""

    def _likeness(self, heard: "Heard") -> float:
        """To the takes so far, of the newest."""
        from detector.learning.backgrounds import shipped_backgrounds
        from detector.learning.judging import likeness

        if self._backgrounds is None:
            self._backgrounds = shipped_backgrounds(self._recogniser.spec)
        if self._backgrounds is None or not self._heard:
            return 1.0
        return likeness([*self._heard, heard], self._backgrounds)[-1]


def _caught(items: "Iterator[Block | Gap | str]", prompt: str) -> "Samples | None":
    """One take; None where nobody made a sound."""
    from detector.core.audio import Block
    from detector.learning.catching import Catcher

    catcher, is_asked, said = Catcher(), False, ""
    for item in items:
        if isinstance(item, Block):
            catcher.hear(item.samples)
        elif isinstance(item, str) and item != said:
            said = item
        else:
            catcher = Catcher() if not isinstance(item, str) else catcher
        if catcher.is_listening and not is_asked:
            is_asked = True
            print(prompt, flush=True)
        if catcher.caught is not None:
            return catcher.caught
        if catcher.gave_up:
            return None
    raise AudioError(f"nothing more is heard{said and ': '}{said}")
