"""What the labels of recordings mean for us: the one table.

A label that is not here means a sound of its own name: ours where we listen for one of that name
(``baby_cry``), and otherwise something that none of ours should answer to (``church_bells``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a recording with some label is good for."""

    sound: str
    """Name of the sound it holds; only those that are listened for matter."""
    may_hold: frozenset[str] = NOTHING
    """Sounds that may well be in it, unlabelled: one raised there is neither right nor wrong."""
    is_background: bool = False
    """Goes on for long with nothing much in it: events are mixed into it."""
    is_household: bool = False
    """A short noise of an ordinary evening that none of our sounds should answer to."""
    named: str = ""
    """Under which name its false alarms are told, as something known to be hard."""


_SYNONYMS: Mapping[str, str] = {
    # ESC-50, UrbanSound8K, FSD50K, DESED and the like
    "crying_baby": "baby_cry",
    "crying_and_sobbing": "baby_cry",
    "baby_crying": "baby_cry",
    "dog": "dog_bark",
    "bark": "dog_bark",
    "cat": "cat_meow",
    "meow": "cat_meow",
    "door_wood_knock": "door_knock",
    "shatter": "glass_breaking",
    "coughing": "cough",
    "snoring": "snore",
    "screaming": "scream",
    "running_water": "water_running",
    "water_tap_and_faucet": "water_running",
    "ringtone": "phone_ring",
    "telephone": "phone_ring",
    "female_singing": "singing",
    "silence": "room_tone",
    "background": "room_tone",
}
"""Other collections' names for the same."""


def _background(label: str, *may_hold: str, named: str = "") -> Meaning:
    return Meaning(label, frozenset(may_hold), is_background=True, named=named)


def _household(label: str, *may_hold: str, named: str = "") -> Meaning:
    return Meaning(label, frozenset(may_hold), is_household=True, named=named)


_ALARMS = ("smoke_alarm", "co_alarm")

_TABLE: Mapping[str, Meaning] = {
    meaning.sound: meaning
    for meaning in (
        # Long backgrounds. People talk or sing in some, and dishes are done under a tap.
        _background("ambience"),
        _background("rain"),
        _background("room_tone"),
        _background("evening"),
        _background("kitchen", "water_running", named="kitchen"),
        _background("music", "speech", named="music and singing"),
        _background("speech", named="speech"),
        _background("tv_radio", "speech", named="television and radio"),
        _background("traffic", "siren", "speech"),
        # Sounds of ours, and what comes along with them unlabelled.
        Meaning("baby_cry", frozenset({"speech"}), named="babies"),
        Meaning("cat_meow", named="cats"),
        Meaning("dog_bark", named="dogs"),
        Meaning("scream", frozenset({"speech"}), named="screams"),
        Meaning("smoke_alarm", named="alarms"),
        Meaning("co_alarm", named="alarms"),
        Meaning("water_running", named="water"),
        Meaning("phone_ring", named="telephones"),
        Meaning("siren", named="sirens"),
        # Neither one nor the other: what is asked for may be in it, or it may pass for it.
        # A dog that snores is no person who does; nor is it what should raise anything else.
        Meaning("dog_snoring", frozenset({"snore"})),
        # China that breaks cannot be told from glass, and a person may want to know of either.
        Meaning("ceramic_breaking", frozenset({"glass_breaking"})),
        Meaning("human_meow_imitation", frozenset({"cat_meow", "speech"})),
        Meaning("cat_purr", frozenset({"cat_meow"}), named="cats"),
        # "An alarm", of what kind nobody says.
        Meaning("alarm", frozenset({*_ALARMS, "siren", "phone_ring"}), named="alarms"),
        Meaning("alarm_bell_ringing", frozenset({*_ALARMS, "siren", "phone_ring", "doorbell"})),
        Meaning("car_alarm", frozenset({"siren"}), named="alarms"),
        Meaning("crowd", frozenset({"speech", "scream"})),
        Meaning("crowd_cheer", frozenset({"speech", "scream"})),
        Meaning("laughter", frozenset({"speech"}), named="laughter"),
        Meaning("crying_adult", frozenset({"speech"}), named="sobbing adults"),
        Meaning("babbling", frozenset({"speech"}), named="babies babbling"),
        Meaning("singing", frozenset({"speech"}), named="singing"),
        Meaning("sneeze", named="sneezes"),
        _household("toilet_flush", "water_running", named="water"),
        _household("tap_drip", "water_running", named="water"),
        # The noises of a house.
        *(_household(label, named="chimes") for label in ("assistant_chime", "unlock_chime")),
        *(_household(label, named="ticking") for label in ("clock_tick", "metronome")),
        *(
            _household(label, named="doors")
            for label in ("door_slam", "door_open", "door_creak", "zipper", "footsteps")
        ),
        *(
            _household(label, named="keys and clicks")
            for label in ("keyboard", "keyboard_thock", "relay_click", "circuit_breaker")
        ),
        *(
            _household(label)
            for label in ("paper_crinkle", "scissors_snip", "toaster", "popcorn_pop", "fan")
        ),
        Meaning("church_bells", named="bells"),
        Meaning("school_bell", named="bells"),
        Meaning("bicycle_bell", named="bells"),
        Meaning("xylophone", named="bells"),
        *(Meaning(label, named="horns and whistles") for label in ("car_horn", "train_horn")),
        *(Meaning(label, named="horns and whistles") for label in ("whistle", "train_whistle")),
        Meaning("rooster", named="animals"),
        Meaning("goat", named="animals"),
        Meaning("sheep", named="animals"),
    )
}


def is_in_table(sound: str) -> bool:
    """Whether there is anything to know of it."""
    return sound in _TABLE


def meaning(label: str) -> Meaning:
    """What a label means, however it is written: ``Crying_baby``, ``crying baby``."""
    name = "_".join(label.strip().lower().replace("-", " ").replace("_", " ").split())
    name = _SYNONYMS.get(name, name)
    return _TABLE.get(name, Meaning(name))
