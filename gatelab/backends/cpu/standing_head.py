"""A linear head and a loss with kernels of our own, again and again on tensors that stay where they are.

For a head as small as those of most tasks a call of torch is several times the work that it does, and a training step
makes a dozen of them. And a product of MKL's for one head may have other bits than the same among several, where ours
is computed for each replica as if it were alone.

R replicas, T steps, B sequences, H hidden, O outputs; T is there only if every output is read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
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
from gatelab.backends.cpu.refusal import NUMBERS
from gatelab.errors import ShapeError, TaskError

MOST = 2**20
"""Multiply-adds of a replica's head, up to which it is faster than torch's."""

Rows = tuple[int, int]
"""A matrix whose rows are whole: its address, and the numbers from row to row; 0 for one row again and again."""

Strided = tuple[int, int, int]
"""Any matrix: its address, and the numbers from row to row and from column to column."""


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
    engine = assemble(functions_text(loss, bits, host), host)
    return Functions(**{name: engine.get_function_address(name) for name in ("multiply", "turn", "loss")}, owner=engine)


def functions_text(loss: str, bits: int, host: Host) -> str:
    """The same as text."""
    written = {"multiply": linear.multiply, "turn": linear.turn, "loss": LOSSES[loss].write}
    form = form_of(bits, host)
    return module_text([write(form, name) for name, write in written.items()], host)


def suits(hidden: Tensor, weight: Tensor) -> bool:
    """Whether it is ours to read `hidden` (R, [T,] B, H) with `weight` (R, O, H), lying as they do."""
    return (
        hidden.dtype in NUMBERS
        and hidden[(0,) * (hidden.ndim - 2)].is_contiguous()
        and weight.is_contiguous()
        and hidden[0].numel() * weight.shape[-2] <= MOST
    )


class StandingHead:
    """A head and its loss. What it gives is in the same memory each time, so the next call takes it.

    Attributes:
        starts: fills everything.
        hidden: what is read.
        answers: (R, [T,] B, O).
        losses: (R,).
        d_hidden: the gradient of the sum of the losses by what is read, (R, [T,] B, H), if gradients are wanted.
    """

    def __init__(
        self, hidden: Tensor, weight: Tensor, bias: Tensor, loss: Loss, gradients: tuple[Tensor, Tensor] | None
    ) -> None:
        """
        Args:
            hidden: what is read, (R, B, H), or (R, T, B, H) for an answer at every step; each step's is contiguous.
            weight: (R, O, H), contiguous.
            bias: (R, O), contiguous.
            gradients: where those of weight and bias go, contiguous; None for losses alone.
        """
        replicas, *lead, width = hidden.shape
        outputs, steps = weight.shape[-2], lead[0] if len(lead) > 1 else 1
        self.hidden, self.answers = hidden, hidden.new_empty(replicas, *lead, outputs)
        self.losses, self.d_hidden = hidden.new_empty(replicas), torch.empty_like(hidden)
        slopes, turned = torch.empty_like(self.answers), weight.new_empty(replicas, width, outputs)
        zeros, one = hidden.new_zeros(max(width, outputs)), hidden.new_ones(())
        self._held = weight, bias, gradients, slopes, turned, zeros, one
        found = functions(loss.name, torch.finfo(hidden.dtype).bits, this_host())
        answers, batch = prod(lead), lead[-1]
        divisor = {None: 1, "sequences": answers, "answers": answers * outputs}[loss.over]

        def jobs(replica: int) -> Iterator[Job]:
            def at(tensor: Tensor) -> int:
                return tensor[replica].data_ptr()

            def each(tensor: Tensor) -> list[int]:
                """Where those of each step lie."""
                own = tensor[replica]
                apart = own.stride(0) * own.element_size() if len(lead) > 1 else 0
                return [own.data_ptr() + step * apart for step in range(steps)]

            def multiply(out: int, left: Strided, right: int, sizes: tuple[int, int, int], first: Rows) -> Job:
                rows, depth, columns = sizes
                return (found.multiply, out, columns, *left, right, columns, rows, depth, columns, *first)

            nothing, read, slope = (zeros.data_ptr(), 0), each(hidden), each(slopes)
            yield found.turn, at(turned), at(weight), outputs, width
            for there, own in zip(each(self.answers), read, strict=True):
                yield multiply(there, (own, width, 1), at(turned), (batch, width, outputs), (at(bias), 0))
            loss_of = at(self.answers), Own(replica), at(self.losses), at(slopes)
            yield found.loss, *loss_of, answers, outputs, divisor, Own(replicas)
            if gradients is None:
                return
            d_weight, d_bias = map(at, gradients)
            so_far, so_far_of_bias = nothing, nothing
            for there, own, arriving in zip(each(self.d_hidden), read, slope, strict=True):
                yield multiply(there, (arriving, outputs, 1), at(weight), (batch, outputs, width), nothing)
                yield multiply(d_weight, (arriving, 1, outputs), own, (outputs, batch, width), so_far)
                yield multiply(d_bias, (one.data_ptr(), 0, 0), arriving, (1, batch, outputs), so_far_of_bias)
                so_far, so_far_of_bias = (d_weight, width), (d_bias, outputs)

        work = 3 * replicas * answers * width * outputs
        threads = min(torch.get_num_threads(), replicas, 1 + work // WORTH_A_THREAD)
        parts = [[job for replica in range(*part) for job in jobs(replica)] for part in shares(replicas, threads)]
        program = Program([parts], replicas + 1, [])
        self._words = program.place(array("q", [0] * (replicas + 1)), 0)
        """Where the target of each replica lies, whether some are wrong, and the jobs."""
        self.starts, self._replicas = program.starts(self._words), np.arange(replicas)
        self._targets = np.frombuffer(self._words, np.int64)[:replicas]
        kind = LOSSES[loss.name]
        self._target_shape = self.answers.shape if kind.of_outputs else self.answers.shape[:-1]
        self._target_strides = torch.empty(self._target_shape, device="meta").stride()[1:]
        self._target_dtype = torch.long if kind.of_classes else hidden.dtype

    def put(self, target: Tensor) -> None:
        """Has `starts` read these targets, (R, [T,] B), or for squares (R, [T,] B, O).

        Raises:
            ShapeError: targets of another shape.
        """
        if target.shape != self._target_shape:
            raise ShapeError(
                f"The targets have shape {tuple(target.shape)}, where the answers have {tuple(self.answers.shape)}.\n"
                f"Give {tuple(self._target_shape)}."
            )
        strides = target.stride()
        if target.dtype != self._target_dtype or strides[1:] != self._target_strides:
            target = target.to(self._target_dtype).contiguous()
            strides = target.stride()
        self._target = target  # Must not be freed before it is read.
        np.add(self._replicas * (strides[0] * target.element_size()), target.data_ptr(), out=self._targets)

    def check(self) -> None:
        """Is to be called when `starts` have run.

        Raises:
            TaskError: targets that are no classes.
        """
        if not self._words[len(self._replicas)]:
            return
        self._words[len(self._replicas)] = 0
        found, classes = sorted(set(self._target.flatten().tolist())), self.answers.shape[-1]
        wrong = ", ".join(str(value) for value in found if not 0 <= value < classes)
        raise TaskError(f"There are targets {wrong}, where the answers have {classes} classes.\nCount from 0.")

    def run(self, hidden: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Fills everything; gives answers and losses.

        Args:
            hidden: what it was made with, or a tensor like it, which is copied there.
            target: as `put` has it.

        Raises:
            ShapeError, TaskError: likewise.
        """
        if hidden is not self.hidden:
            self.hidden.copy_(hidden.detach())
        self.put(target)
        for start in self.starts:
            start.run()
        self.check()
        return self.answers, self.losses
