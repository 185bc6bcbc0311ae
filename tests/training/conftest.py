"""Settings for tests of training."""

import pytest


@pytest.fixture(autouse=True)
def every_step_is_watched(monkeypatch):
    """So that a test can stop a run at a step."""
    monkeypatch.setattr("gatelab.training.fit.WATCH_SECONDS", 0.0)
