"""Sounds that are configured, but that nothing in use can hear: unavailable in Home Assistant.

Left out, their entities would be taken away, and what a person has made of them with them; left
alone, they would look as if all were quiet.
"""

from collections.abc import Mapping
from typing import Any

from detector.alerts.messages import ONLINE, Payload

_NEVER = "heard"
"""No status says this."""


def with_unheard(payload: Payload, of_unheard: Payload, status_topic: str) -> Payload:
    """A discovery payload, with those components of another one that it lacks; unavailable.

    They are so just because the process lives: no topic of their own is needed.
    """
    never = {"avty": [{"t": status_topic, "pl_avail": _NEVER, "pl_not_avail": ONLINE}]}
    components: Mapping[str, Mapping[str, Any]] = payload["cmps"]
    lacking = {
        key: component | never
        for key, component in of_unheard["cmps"].items()
        if key not in components
    }
    return payload | {"cmps": {**components, **lacking}}
