"""All targets, by name.  Each is imported only where it runs, for what it imports is much."""

from importlib import import_module

from tests.fuzz.target import Target

_PLACES = {
    "config": "config_text.ConfigText",
    "head": "fitted_files.HeadFiles",
    "calibration": "fitted_files.CalibrationFiles",
    "clip": "clip_files.ClipFiles",
    "ownsound": "own_sounds.OwnSoundFiles",
    "commands": "command_topics.CommandTopics",
    "control": "control_requests.ControlRequests",
    "model_file": "model_files.ModelFiles",
    "sound_file": "sounds.SoundFiles",
    "stdin": "sounds.SamplePipe",
    "state_file": "state_files.StateFiles",
    "outbox": "state_files.OutboxFile",
    "socket": "live.HostileClients",
    "broker": "live.HostileMessages",
    "models": "models.Models",
}

NAMES = tuple(_PLACES)
"""What there is."""


def target_named(name: str) -> type[Target]:
    """The target of a name, or of a place in this folder: ``module.Class``."""
    module, _, kind = _PLACES.get(name, name).rpartition(".")
    found: type[Target] = getattr(import_module(f"tests.fuzz.{module}"), kind)
    return found
