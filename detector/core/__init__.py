"""The field's words: types, constants and errors. No I/O, no clock, no thread."""
