"""Decide: scores become probabilities, and probabilities events. Pure."""
