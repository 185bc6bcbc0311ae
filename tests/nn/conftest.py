"""What tests of short ways have in common."""

import pytest

from gatelab.nn import recurrent


@pytest.fixture
def long_way(monkeypatch):
    """The calls of layers that were made on the long way."""
    taken, run = [], recurrent.run_layers

    def run_layers(*given, **options):
        taken.append(1)
        return run(*given, **options)

    monkeypatch.setattr(recurrent, "run_layers", run_layers)
    return taken
