"""Adam as one pass over all numbers of a model (Kingma & Ba 2015; AdamW: Loshchilov & Hutter 2019).

Torch's own fused pass takes 10 us for a small model, several times as long as the numbers do, and wakes all its threads
for them. What is computed here is the same, and rounded alike where beta1 is over a half.
"""

from __future__ import annotations

import ctypes
import math
from array import array
from functools import lru_cache

import torch
from torch import Tensor

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.jit import assemble, form_of, module_text
from gatelab.backends.cpu.launch import shares
from gatelab.backends.cpu.program import Program
from gatelab.backends.cpu.threads import Chain

ADAM = (
    ("ptr", "parameters"),
    ("ptr", "gradients"),
    ("ptr", "averages"),
    ("ptr", "squares"),
    ("ptr", "factors"),
    ("i64", "begin"),
    ("i64", "end"),
)
"""The arguments of the pass: what changes, its gradients, their averages and those of their squares; the numbers of
`FACTORS`; from which number on, and up to which."""

FACTORS = ("fresh", "kept square", "fresh square", "correction", "epsilon", "rate", "decay", "kept")
"""1 - beta1; beta2; 1 - beta2; the root of 1 - beta2**t; epsilon; -rate / (1 - beta1**t); what is added to a gradient
of its parameter; what a parameter is multiplied by before anything else."""

CORRECTION, RATE, KEPT = map(FACTORS.index, ("correction", "rate", "kept"))
"""The places of those that are others in each step."""

WORTH_A_THREAD = 2**15
"""Numbers from which a second thread takes less time than it costs to wake it."""


def adam(form: Form, name: str) -> Code:
    """The pass of `ADAM`. Numbers that are too small for their form stay what they are, as torch has it."""
    code = Code(form, name, ADAM)
    factor = {own: code.spread(code.item("%factors", place)) for place, own in enumerate(FACTORS)}
    with code.loop("%end", start="%begin", step=form.lanes) as loop:
        there = code.lanes_below(code.whole("sub", "%end", loop.index))
        places = {own: code.item(f"%{own}", loop.index) for _, own in ADAM[:4]}
        parameter, gradient, average, square = (code.load_some(place, there) for place in places.values())
        parameter = code.binary("fmul", parameter, factor["kept"])
        gradient = code.fma(parameter, factor["decay"], gradient)
        average = code.fma(factor["fresh"], code.binary("fsub", gradient, average), average)
        kept = code.binary("fmul", factor["kept square"], square)
        square = code.fma(code.binary("fmul", factor["fresh square"], gradient), gradient, kept)
        size = code.binary("fdiv", code.intrinsic("sqrt", square), factor["correction"])
        step = code.binary("fmul", factor["rate"], average)
        step = code.binary("fdiv", step, code.binary("fadd", size, factor["epsilon"]))
        code.store_some(code.binary("fadd", parameter, step), places["parameters"], there)
        code.store_some(average, places["averages"], there)
        code.store_some(square, places["squares"], there)
    return code


@lru_cache(maxsize=8)
def pass_for(bits: int, host: Host) -> tuple[int, object]:
    """Where the pass is, compiled once, and what keeps it in memory."""
    engine = assemble(function_text(bits, host), host)
    return engine.get_function_address("adam"), engine


def function_text(bits: int, host: Host) -> str:
    """The same as text."""
    return module_text([adam(form_of(bits, host), "adam")], host)


class StandingAdam:
    """Steps of Adam on tensors that stay where they are.

    Args:
        parameters: (N,), contiguous, as all of them.
        gradients: of a sum that is to become small.
        averages: of gradients, which a step takes further.
        squares: likewise, of their squares.
        betas: how much of the averages a step keeps.
        epsilon: added to what a step is divided by.
        decay: how much of a parameter is added to its gradient, or with `decoupled` how much a step takes off it for
            each unit of the rate.
    """

    def __init__(
        self,
        parameters: Tensor,
        gradients: Tensor,
        averages: Tensor,
        squares: Tensor,
        betas: tuple[float, float],
        epsilon: float,
        decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        self.betas, self.decay, self.decoupled = betas, decay, decoupled
        tensors = parameters, gradients, averages, squares
        first = 1 - betas[0], betas[1], 1 - betas[1], 1.0, epsilon, 0.0, 0.0 if decoupled else decay, 1.0
        number = ctypes.c_double if parameters.dtype == torch.float64 else ctypes.c_float
        self.factors = (number * len(FACTORS))(*first)  # One that is too large becomes infinite, without a word.
        function, self.owner = pass_for(torch.finfo(parameters.dtype).bits, this_host())
        count = parameters.numel()
        threads = min(torch.get_num_threads(), 1 + count // WORTH_A_THREAD)
        fixed = function, *(tensor.data_ptr() for tensor in tensors), ctypes.addressof(self.factors)
        program = Program([[[(*fixed, *part)] for part in shares(count, threads)]], 0, [])
        self._words = program.place(array("q"), 0)
        self._run, self._held = Chain(program.starts(self._words)), tensors

    def step(self, number: int, rate: float) -> None:
        """The step of this number, counted from 1, at this rate."""
        first, second = (1 - beta**number for beta in self.betas)
        self.factors[CORRECTION], self.factors[RATE] = math.sqrt(second), -rate / first
        if self.decoupled:
            self.factors[KEPT] = 1 - rate * self.decay
        self._run()
