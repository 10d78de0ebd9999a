"""Listens to a microphone, recognises sounds, tells the world over MQTT."""

__version__ = "0.1.0"

DISCLAIMER = (
    "An assistive aid, not a life-safety device: it does not replace listed smoke or carbon "
    "monoxide alarms, and must not be relied on where you could come to harm."
)
