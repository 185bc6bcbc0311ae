"""Drawing tokens from a model."""

import math

import pytest
import torch

from gatelab.errors import OptionError
from gatelab.nn.generation import draw, generate
from gatelab.nn.inputs import Tokens
from gatelab.nn.models import SequenceModel


def model_for(cell="lstm", **others):
    torch.manual_seed(1)
    model = SequenceModel(cell, Tokens(7, 6), 6, 7, **{"reads": "every"} | others)
    with torch.no_grad():
        model.head.weight *= 20  # So that what was read before decides, and not the bias.
    return model.eval()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("cell", ["lstm", "gru", "qrnn"])
@pytest.mark.parametrize("layers", [1, 2])
def test_step_by_step_is_the_whole_model(monkeypatch, cell, layers):
    """Each token is drawn from what the model answers where it reads all that came before at once."""
    model, seen = model_for(cell, num_layers=layers), []

    def recorded(logits, *others):
        seen.append(logits)
        return draw(logits, *others)

    monkeypatch.setattr("gatelab.nn.generation.draw", recorded)
    drawn = list(generate(model, [3, 1, 4], 12, temperature=2.0))
    with torch.no_grad():
        answers = model(torch.tensor([3, 1, 4, *drawn]).unsqueeze(-1))
    torch.testing.assert_close(torch.stack(seen), answers[2:-1, 0])
    assert len(set(drawn)) > 1


def test_tied_vectors():
    assert len(list(generate(model_for(tied=True), [0], 5))) == 5


@pytest.mark.parametrize(
    ("temperature", "top_k", "expected"),
    [
        (1.0, 0, [0.1, 0.2, 0.3, 0.4]),
        (0.5, 0, [1 / 30, 4 / 30, 9 / 30, 16 / 30]),
        (1.0, 2, [0, 0, 3 / 7, 4 / 7]),
        (1.0, 4, [0.1, 0.2, 0.3, 0.4]),
        (1.0, 9, [0.1, 0.2, 0.3, 0.4]),
        (3.0, 1, [0, 0, 0, 1]),
        (0.0, 0, [0, 0, 0, 1]),
        (1e-30, 0, [0, 0, 0, 1]),
        (math.inf, 0, [0.25] * 4),
    ],
)
def test_probabilities(temperature, top_k, expected):
    logits, generator = torch.tensor([0.1, 0.2, 0.3, 0.4]).log(), seeded()
    drawn = [draw(logits, temperature, top_k, generator) for _ in range(4000)]
    found = torch.bincount(torch.tensor(drawn), minlength=4) / len(drawn)
    for share, wanted in zip(found.tolist(), expected, strict=True):
        # Five standard deviations, and nothing at all where nothing may be.
        assert abs(share - wanted) <= 5 * math.sqrt(wanted * (1 - wanted) / len(drawn))


def test_the_same_seed_gives_the_same_tokens():
    model = model_for()
    first, again, other = (list(generate(model, [2], 30, generator=seeded(seed))) for seed in (5, 5, 6))
    assert first == again != other
    assert list(generate(model, [2], 30)) == list(generate(model, [2], 30, generator=seeded(0)))


def test_the_prompt_counts():
    model = model_for()
    assert list(generate(model, [1, 2], 8, temperature=0)) != list(generate(model, [5, 0], 8, temperature=0))


def test_gradients_are_left_on_between_tokens():
    for _ in generate(model_for(), [0], 3):
        assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("others", "arguments", "says"),
    [
        ({}, {"prompt": []}, "The prompt is empty"),
        ({}, {"temperature": -0.1}, "temperature is -0.1"),
        ({}, {"temperature": math.nan}, "temperature is nan"),
        ({}, {"top_k": -1}, "top_k is -1"),
        ({"reads": "last"}, {}, "does not go on"),
        ({"replicas": 2}, {}, "does not go on"),
        ({"bidirectional": True}, {}, "does not go on"),
    ],
)
def test_what_can_not_be_is_said_before_anything_is_drawn(others, arguments, says):
    with pytest.raises(OptionError, match=says):
        generate(model_for(**others), **{"prompt": [0], "count": 3} | arguments)


def test_a_model_of_numbers_is_refused():
    with pytest.raises(OptionError, match=r"does not go on(.|\n)*language model"):
        generate(SequenceModel("lstm", 3, 4, 3, reads="every").eval(), [0], 2)


def test_a_model_that_diverged_is_refused():
    model = model_for()
    with torch.no_grad():
        model.head.bias[3] = torch.nan
    with pytest.raises(OptionError, match=r"diverged\.\nGive another seed"):
        next(generate(model, [0], 2))
