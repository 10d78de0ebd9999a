"""What is shipped, and how it is learnt: chosen by the trials that docs/heads.md tells of."""

import numpy as np

from detector.core.recognition import EMBEDDING, LOGITS
from detector.events.heads import Look
from detector.workbench.training import Recipe

HEADS = ("baby_cry", "dog_bark", "glass_breaking", "speech")
"""Sounds that a head finds more of than their family, at as many false alarms."""
LEARNT = (
    "baby_cry",
    "doorbell",
    "door_knock",
    "glass_breaking",
    "dog_bark",
    "cat_meow",
    "siren",
    "phone_ring",
    "water_running",
    "snore",
    "scream",
    "speech",
)
"""Sounds that the shared layer is learnt on: what it is not to take for one another."""
