"""Who takes part: layers of gatelab and of torch, and of peers that may be installed. A row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from torch import nn

from gatelab.backends.base import Backend
from gatelab.bench.jax_steps import forget_only, lstm, scan_step
from gatelab.bench.keras_steps import keras_step
from gatelab.bench.losses import Loss
from gatelab.bench.sizes import Size
from gatelab.bench.timing import Step, clock, reason
from gatelab.bench.torch_steps import recurrent_step, training_step
from gatelab.language.lookup import find_cell
from gatelab.nn import compat

PATIENCE = 3_000.0
"""A peer whose step takes more ms than this is left out at that size."""
IN_PLACE = "gl.nn"
"""`gatelab.nn.LSTM`, which has torch's parameters."""
SHORTER = 20
"""How many times shorter the sequences are by which that is foretold."""


@dataclass(frozen=True)
class Contender:
    """A layer that is measured.

    Attributes:
        name: what tables call it.
        make: its training step at a size, with a loss; see `training_step` for what that is.
        needs: a package that may not be installed.
        loops: whether it goes through time in Python, and may be too slow to be measured.
    """

    name: str
    make: Callable[[Size, Loss], Step]
    needs: str = ""
    loops: bool = False


def own_contenders(backend: str | Backend) -> tuple[Contender, ...]:
    """Ours on a backend, and what they are held against everywhere."""
    return (
        Contender("nn.LSTM", lambda size, loss: training_step(nn.LSTM(size.I, size.H), size, loss)),
        Contender(IN_PLACE, partial(_in_place, backend)),
        *(
            Contender(name + ending, partial(_recurrent, name, on))
            for name in ("lstm", "f")
            for ending, on in (("", backend), (" eager", "eager"))
        ),
    )


def _in_place(backend: str | Backend, size: Size, loss: Loss) -> Step:
    layer = compat.LSTM(size.I, size.H)
    layer.backend = backend
    return training_step(layer, size, loss)


def _recurrent(name: str, backend: str | Backend, size: Size, loss: Loss) -> Step:
    return recurrent_step(find_cell(name), size, loss, backend)


def _torchrecurrent(name: str, size: Size, loss: Loss) -> Step:
    return training_step(getattr(import_module("torchrecurrent"), name)(size.I, size.H), size, loss)


PEERS = (
    Contender("jax f", partial(scan_step, forget_only, 1, 2), needs="jax"),
    Contender("jax lstm", partial(scan_step, lstm, 2, 4), needs="jax"),
    Contender("keras LSTM", keras_step, needs="keras", loops=True),
    Contender("torchrecurrent PeepholeLSTM", partial(_torchrecurrent, "PeepholeLSTM"), "torchrecurrent", loops=True),
    Contender("torchrecurrent JANET", partial(_torchrecurrent, "JANET"), "torchrecurrent", loops=True),
)
"""torchrecurrent has no plain LSTM; its JANET is our `f` with one number more."""


def make_step(contender: Contender, size: Size, loss: Loss) -> tuple[Step | None, str]:
    """The training step of a contender, or why there is none."""
    if contender.needs and find_spec(contender.needs) is None:
        return None, f"{contender.needs} is not installed"
    try:
        if contender.loops and (expected := _foretell(contender, size, loss)) > PATIENCE:
            return None, f"about {expected / 1e3:.0f} s a step"
        return contender.make(size, loss), ""
    except Exception as error:  # Of a stranger's layer anything can be expected, and the others are still measured.
        return None, reason(error)


def _foretell(contender: Contender, size: Size, loss: Loss) -> float:
    """How long a step will take, from shorter sequences; in ms.

    With the loss on the last output it may take longer, by the subnormal numbers that only long sequences have.
    """
    step = contender.make(replace(size, T=max(1, size.T // SHORTER)), loss)
    clock(step)
    return clock(step) * size.T / max(1, size.T // SHORTER)
