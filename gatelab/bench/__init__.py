"""Measuring: gatelab's layers beside torch's and those of whatever peers are installed, on this machine."""
