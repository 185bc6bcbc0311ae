"""Backends: each runs a cell over a batch of sequences. `eager` is the meaning."""
