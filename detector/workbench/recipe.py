"""What is shipped, and how it is learnt: chosen by the trials that docs/heads.md tells of."""

import numpy as np

from detector.core.recognition import EMBEDDING, LOGITS
from detector.events.heads import Look
from detector.workbench.settling import Budget
from detector.workbench.training import Recipe

HEADS = ("baby_cry", "glass_breaking", "dog_bark", "cat_meow", "siren", "speech")
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

# fmt: off
NEIGHBOURS = (
    0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 13, 14, 16, 17, 19, 20, 21, 22, 24, 27, 29, 36, 37, 38, 39,
    41, 42, 43, 44, 45, 64, 66, 67, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 91, 96, 106,
    107, 112, 132, 133, 140, 168, 195, 196, 197, 198, 200, 203, 208, 282, 283, 284, 286, 290,
    302, 304, 313, 317, 318, 319, 337, 348, 349, 350, 351, 352, 353, 354, 358, 359, 360, 361,
    364, 365, 366, 368, 382, 383, 384, 385, 386, 389, 390, 391, 392, 393, 394, 395, 396, 397,
    421, 426, 428, 431, 434, 435, 436, 437, 438, 443, 446, 450, 454, 460, 463, 464, 475, 477,
    483, 494, 495, 500, 506, 507, 508, 509,
)
# fmt: on
"""Classes that sounds of ours are mistaken for, or that come along with them: columns."""
_NOW = (Look(EMBEDDING, None), Look(LOGITS, np.array(NEIGHBOURS, np.intp)))
_BEFORE = Look(LOGITS, np.array(NEIGHBOURS, np.intp), newest=3, oldest=8)
"""What the room sounded like: the windows that end before this one begins."""

RECIPE = Recipe(looks=(*_NOW, _BEFORE))
BUDGET = Budget()
