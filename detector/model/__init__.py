"""Recognise: blocks become windows, and windows become class scores."""
