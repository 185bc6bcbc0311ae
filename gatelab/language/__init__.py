"""The language: equations become expressions, expressions a Cell."""
