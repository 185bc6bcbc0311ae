"""Sequences of tokens drawn from a model, each token read before the next one is drawn.

V tokens, W the width of the layers' output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gatelab.errors import OptionError
from gatelab.nn.models import SequenceModel


def draw(logits: Tensor, temperature: float, top_k: int, generator: torch.Generator) -> int:
    """A token with the probability that its logit gives it.

    Args:
        logits: (V,).
        temperature: what they are divided by; with 0 the most likely token is taken.
        top_k: draw among so many of the likeliest only; 0 for all.
        generator: to draw from.
    """
    if temperature == 0:
        return int(logits.argmax())
    if 0 < top_k < len(logits):
        likeliest, tokens = logits.topk(top_k)
        return int(tokens[draw(likeliest, temperature, 0, generator)])
    # The largest is 0 before the division, since a small temperature would make it infinite.
    weights = ((logits - logits.max()) / temperature).exp()
    return int(torch.multinomial(weights, 1, generator=generator))


def generate(
    model: SequenceModel,
    prompt: Sequence[int],
    count: int,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Tokens that follow a prompt, one after the other as they are drawn.

    Args:
        model: without replicas, ready to answer, with an answer for every token at every step.
        prompt: tokens that are read first, one at least.
        count: tokens to draw.
        temperature, top_k: as `draw` takes them.
        generator: to draw from; None for one with the seed 0.

    Raises:
        OptionError: the model is of another kind or has diverged, a number is out of its range, or the prompt is
            empty.
    """
    _check(model, prompt, temperature, top_k)
    return _tokens(model, prompt, count, temperature, top_k, generator or torch.Generator().manual_seed(0))


def _tokens(
    model: SequenceModel, prompt: Sequence[int], count: int, temperature: float, top_k: int, generator: torch.Generator
) -> Iterator[int]:
    assert model.embedding is not None
    vectors = model.embedding.weight.detach()
    with torch.no_grad():
        answers, state = model.run(torch.tensor(prompt).unsqueeze(-1))
    logits = answers[-1, 0]
    if not logits.isfinite().all():
        raise OptionError("The model's answers are not finite, as its training diverged.\nGive another seed or run.")
    for drawn in range(1, count + 1):
        token = draw(logits, temperature, top_k, generator)
        yield token
        if drawn < count:
            # Only around the step: what the caller does between two tokens keeps its gradients.
            with torch.no_grad():
                output, state = model.recurrent.step(vectors[token : token + 1], state)
                logits = model.head(output)[0]


def _check(model: SequenceModel, prompt: Sequence[int], temperature: float, top_k: int) -> None:
    one_way = not model.recurrent.bidirectional and model.replicas is None and not model.training
    if model.embedding is None or model.reads != "every" or not one_way:
        raise OptionError(
            "The model does not go on from token to token.\nGive a language model as gatelab.load returns it: one "
            "seed, one way, with an answer at every step."
        )
    if not prompt:
        raise OptionError("The prompt is empty.\nA model needs a token to begin with.")
    if not temperature >= 0:
        raise OptionError(f"The temperature is {temperature}.\nGive 0 for the likeliest token, or a number above it.")
    if top_k < 0:
        raise OptionError(f"top_k is {top_k}.\nGive a number of tokens to draw among, or 0 for all.")
