"""Takes at the microphone: says when, shows what came, and asks again where it was no good."""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from detector.cli.common import running_service
from detector.core.errors import AudioError, DataError

if TYPE_CHECKING:
    from detector.core.audio import Block, Gap, Samples
    from detector.core.recognition import Recogniser
    from detector.learning.augmenting import Heard
    from detector.learning.backgrounds import Backgrounds
    from detector.learning.takes import Take

_MOST_FAILURES = 5
"""One after the other; then something is wrong that asking does not mend."""
_VERSIONS = 3
"""Enough to tell whether a take is like the others."""
_SAY_AFTER_S = 3.0
"""What the source says of itself is told so long after the last audio."""
_DEAF_S = 15.0
"""Without any audio, nobody is asked any longer."""


def guided(arguments: argparse.Namespace, recogniser: "Recogniser") -> "list[Take]":
    """As many takes as were asked for; raises DataError or AudioError where none come."""
    from detector.cli.record import own_ears, service_ears

    named = arguments.own or arguments.file or arguments.stdin
    client = None if named else running_service(arguments.node)
    print(f"{arguments.takes} takes of {arguments.name}: make the sound when you are asked to,")
    print("from where it will be heard later, and be silent before and after it")
    with own_ears(arguments) if client is None else service_ears(client) as items:
        return Guide(recogniser, arguments.takes).takes(items)


class Guide:
    """One session at the microphone. For one thread."""

    def __init__(
        self,
        recogniser: "Recogniser",
        wanted: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recogniser = recogniser
        self._wanted = wanted
        self._monotonic = monotonic
        self._quiet_dbfs: float | None = None
        """The room's noise, before the first take."""
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
        caught = self._caught(items, f"take {number} of {self._wanted}: now")
        if caught is None:
            return "nothing was heard that is louder than the room"
        print(f"  {trace(caught)}")
        try:
            found = takes_of(f"take {number}", caught)
        except DataError as error:
            return str(error)
        return self._keep(max(found, key=lambda one: one.seconds))

    def _caught(self, items: "Iterator[Block | Gap | str]", prompt: str) -> "Samples | None":
        """One take; None where nobody made a sound."""
        from detector.core.audio import Block
        from detector.learning.catching import Catcher

        catcher, said, is_told = Catcher(quiet_dbfs=self._quiet_dbfs), "", False
        heard_s = self._monotonic()
        for item in items:
            if isinstance(item, Block):
                was_listening, heard_s = catcher.is_listening, self._monotonic()
                catcher.hear(item.samples)
                if catcher.is_listening and not was_listening:
                    print(prompt, flush=True)
                elif catcher.is_kept_waiting and not is_told:
                    is_told = True
                    print("  it is not quiet yet", flush=True)
            elif isinstance(item, str):
                said = self._said(item, said, self._monotonic() - heard_s)
            else:
                catcher.interrupted()
            if catcher.caught is not None or catcher.gave_up:
                self._quiet_dbfs = catcher.noise_dbfs
                return catcher.caught
        raise AudioError(f"nothing more is heard{said and ': '}{said}")

    def _said(self, text: str, before: str, deaf_s: float) -> str:
        """What the source says of itself while no audio comes; raises AudioError at last."""
        if deaf_s >= _DEAF_S:
            raise AudioError(f"nothing was heard for {deaf_s:.0f} s: {text}")
        if text != before and deaf_s >= _SAY_AFTER_S:
            print(f"  {text}", flush=True)
            return text
        return before

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
