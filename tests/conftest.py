"""Settings for all tests."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

from gatelab.data.fetch import is_at_hand
from gatelab.process import ask_for_same_sums

# As commands do: else on some processors a seed among others has other bits than alone.
ask_for_same_sums()

# Tests run side by side, one core each.
torch.set_num_threads(1)

# Tests never download: real data come from a folder beside the repository, or the tests that need them are skipped.
SHARED = Path(__file__).parents[2] / "shared" / "data"
if "GATELAB_DATA" not in os.environ and SHARED.is_dir():
    os.environ["GATELAB_DATA"] = str(SHARED)

hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("default")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """Tables are as wide as the terminal; here that is always the same."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def every_step_is_watched(monkeypatch):
    """So that a test can stop a run at a step."""
    monkeypatch.setattr("gatelab.training.fit.WATCH_SECONDS", 0.0)


@pytest.fixture
def needs_data():
    """A function that skips the test unless the sources of these names are at hand."""

    def check(*names):
        missing = [name for name in names if not is_at_hand(name)]
        if missing:
            pytest.skip(f"no data at hand for {', '.join(missing)}; set GATELAB_DATA")

    return check
