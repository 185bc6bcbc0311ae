"""A linear head and a loss with kernels of our own, again and again on tensors that stay where they are.

For a head as small as those of most tasks a call of torch is several times the work that it does, and a training step
makes a dozen of them. And a product of MKL's for one head may have other bits than the same among several, where ours
is computed for each replica as if it were alone.

R replicas, B sequences, H hidden, O outputs.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gatelab.backends.cpu import linear
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.jit import assemble, form_of, module_text
from gatelab.backends.cpu.launch import WORTH_A_THREAD, shares
from gatelab.backends.cpu.losses import LOSSES
from gatelab.backends.cpu.program import Job, Own, Program

MOST = 2**20
"""Multiply-adds of a replica's head, up to which it is faster than torch's."""

Strided = tuple[int, int, int]
"""A matrix: its address, and the numbers from row to row and from column to column."""

BITS = {torch.float32: 32, torch.float64: 64}


class Loss(NamedTuple):
    """Which loss.

    Attributes:
        name: of `LOSSES`.
        over: what it is the mean over; None for the sum.
    """

    name: str
    over: Literal["sequences", "answers"] | None


@dataclass(frozen=True, eq=False)
class Functions:
    """Addresses of machine code; `owner` keeps it in memory."""

    multiply: int
    turn: int
    loss: int
    owner: object


@lru_cache(maxsize=64)
def functions(loss: str, bits: int, host: Host) -> Functions:
    """What a head with this loss needs, compiled once."""
    form = form_of(bits, host)
    written = {"multiply": linear.multiply, "turn": linear.turn, "loss": LOSSES[loss]}
    engine = assemble(module_text([write(form, name) for name, write in written.items()], host), host)
    return Functions(**{name: engine.get_function_address(name) for name in written}, owner=engine)


def suits(hidden: Tensor, weight: Tensor) -> bool:
    """Whether it is ours to read `hidden` (R, B, H) with `weight` (R, O, H), lying as they do."""
    return (
        hidden.dtype in BITS
        and hidden.ndim == 3
        and hidden.is_contiguous()
        and weight.is_contiguous()
        and hidden[0].numel() * weight.shape[-2] <= MOST
    )


class StandingHead:
    """A head and its loss. What it gives is in the same memory each time, so the next call takes it.

    Attributes:
        answers: (R, B, O).
        losses: (R,).
        d_hidden: the gradient of the sum of the losses by what is read, (R, B, H), if gradients are wanted.
    """

    def __init__(
        self, hidden: Tensor, weight: Tensor, bias: Tensor, loss: Loss, gradients: tuple[Tensor, Tensor] | None
    ) -> None:
        """
        Args:
            hidden: what is read, (R, B, H), contiguous.
            weight: (R, O, H), contiguous.
            bias: (R, O), contiguous.
            gradients: where those of weight and bias go, contiguous; None for losses alone.
        """
        replicas, batch, width = hidden.shape
        outputs = weight.shape[-2]
        self.hidden, self.answers = hidden, hidden.new_empty(replicas, batch, outputs)
        self.losses, self.d_hidden = hidden.new_empty(replicas), torch.empty_like(hidden)
        self.target: Tensor | None = None
        slopes, turned = torch.empty_like(self.answers), weight.new_empty(replicas, width, outputs)
        zeros, one = hidden.new_zeros(max(width, outputs)), hidden.new_ones(())
        self._held = weight, bias, gradients, slopes, turned, zeros, one
        found = functions(loss.name, BITS[hidden.dtype], this_host())
        divisor = {None: 1, "sequences": batch, "answers": batch * outputs}[loss.over]

        def jobs(replica: int) -> Iterator[Job]:
            def at(tensor: Tensor) -> int:
                return tensor[replica].data_ptr()

            def multiply(out: int, left: Strided, right: int, sizes: tuple[int, int, int], first: Tensor) -> Job:
                rows, depth, columns = sizes
                start = first.data_ptr() if first is zeros else at(first)
                return (found.multiply, out, columns, *left, right, columns, rows, depth, columns, start)

            read, slope = at(hidden), at(slopes)
            yield found.turn, at(turned), at(weight), outputs, width
            yield multiply(at(self.answers), (read, width, 1), at(turned), (batch, width, outputs), bias)
            yield found.loss, at(self.answers), Own(replica), at(self.losses), slope, batch, outputs, divisor
            if gradients is not None:
                d_weight, d_bias = map(at, gradients)
                yield multiply(at(self.d_hidden), (slope, outputs, 1), at(weight), (batch, outputs, width), zeros)
                yield multiply(d_weight, (slope, 1, outputs), read, (outputs, batch, width), zeros)
                yield multiply(d_bias, (one.data_ptr(), 0, 0), slope, (1, batch, outputs), zeros)

        work = 3 * replicas * batch * width * outputs
        threads = min(torch.get_num_threads(), replicas, 1 + work // WORTH_A_THREAD)
        parts = [[job for replica in range(*part) for job in jobs(replica)] for part in shares(replicas, threads)]
        program = Program([parts], replicas, [])
        self._words = program.place(array("q", [0] * replicas), 0)
        self._starts, self._replicas = program.starts(self._words), np.arange(replicas)
        self._targets = np.frombuffer(self._words, np.int64)[:replicas]

    def run(self, hidden: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Fills everything; gives answers and losses.

        Args:
            hidden: what it was made with, or a tensor like it, which is copied there.
            target: (R, B), or (R, B, O), as the loss wants it.
        """
        if hidden is not self.hidden:
            self.hidden.copy_(hidden.detach())
        self.target = target if target.is_contiguous() or target[0].is_contiguous() else target.contiguous()
        apart = self.target.stride(0) * target.element_size()
        np.add(self._replicas * apart, self.target.data_ptr(), out=self._targets)
        for start in self._starts:
            start()
        return self.answers, self.losses
