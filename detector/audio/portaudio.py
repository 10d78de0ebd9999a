"""PortAudio, by way of the module ``sounddevice``: its one importer."""

from collections.abc import Callable
from typing import cast

from detector.audio.devices import SoundSystem, one_line
from detector.core.errors import AudioError

Load = Callable[[], SoundSystem]
"""Gives the module ``sounddevice``, or what stands in for it."""


def load_sound_system() -> SoundSystem:
    """Import sounddevice, which initialises PortAudio. Raises AudioError with the remedy."""
    try:
        import sounddevice  # initialises PortAudio
    except OSError as error:
        raise AudioError(
            "the PortAudio library, which microphones need, is missing: apt install libportaudio2"
        ) from error
    except ImportError as error:
        raise AudioError(
            "the Python package sounddevice, which microphones need, is missing: "
            "pip install sounddevice"
        ) from error
    except Exception as error:  # PortAudioError, of a module that is not there yet
        raise AudioError(f"the sound system fails: {one_line(error)}") from error
    return cast(SoundSystem, sounddevice)
