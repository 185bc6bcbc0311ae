"""Settings for all tests."""

import hypothesis
import torch

# Tests run side by side, one core each.
torch.set_num_threads(1)

hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("default")
