"""Listens to a microphone, recognises sounds, tells the world over MQTT."""

__version__ = "0.1.0"
