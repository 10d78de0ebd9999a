"""The small model that comes with the detector (``crnn.tflite``), and its card (``CARD.md``)."""
