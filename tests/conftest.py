"""Settings for all tests."""

import hypothesis
import pytest
import torch

# Tests run side by side, one core each.
torch.set_num_threads(1)

hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("default")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """Tables are as wide as the terminal; here that is always the same."""
    monkeypatch.setenv("COLUMNS", "100")
