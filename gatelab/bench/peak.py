"""The most multiply-adds that the machine does: what a perfect kernel would reach."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.jit import assemble, form_of, function_of, module_text

CHAINS = (8, 12, 16, 24)
"""Multiply-adds in flight. How many a core wants depends on its units and their latency; too many do not fit into
the registers. So all are tried."""
TURN_SECONDS, TURNS = 0.05, 4
"""In turns of 0.01 s two threads came to 260 GFLOP/s, in these to 350: a core takes some ms to wake up."""


@dataclass(frozen=True)
class Peak:
    """Multiply-adds in float32, a multiply-add counted as two operations.

    Attributes:
        one: GFLOP/s of one thread.
        all: GFLOP/s of as many threads at once as were asked for.
        threads: how many.
        chains: the number of independent chains that was the fastest.
    """

    one: float
    all: float
    threads: int
    chains: int


def peak_code(form: Form, chains: int) -> Code:
    """Chains of v = factor * v + addend, which wait for nothing but themselves.

    `values` holds the first vector of each chain, then the factor and the addend; the last vectors come back there.
    """
    code = Code(form, f"peak{chains}", (("ptr", "values"), ("i64", "turns")))
    first = [code.load(code.row("%values", k)) for k in range(chains)]
    factor, addend = (code.load(code.row("%values", chains + k)) for k in range(2))
    with code.loop("%turns", carried=[(form.vector, value) for value in first]) as loop:
        loop.following = tuple(code.fma(factor, value, addend) for value in loop.carried)
    for k, value in enumerate(loop.following):
        code.store(value, code.row("%values", k))
    return code


def measure_peak(threads: int, seconds: float = TURN_SECONDS, turns: int = TURNS, host: Host | None = None) -> Peak:
    """The best of some turns, which is what the machine can do when nothing disturbs it."""
    host = host or this_host()
    speeds = {}
    for chains in CHAINS:
        alone, together = (MultiplyAdds(count, chains, seconds, host) for count in (1, threads))
        speeds[chains] = alone.best_of(turns), together.best_of(turns)
    best = max(speeds, key=lambda chains: speeds[chains][1])
    return Peak(max(one for one, _ in speeds.values()), speeds[best][1], threads, best)


class MultiplyAdds:
    """A step of nothing but multiply-adds in float32, by some threads at once.

    Attributes:
        operations: of a step, by all threads.
    """

    def __init__(self, threads: int, chains: int, seconds: float = TURN_SECONDS, host: Host | None = None) -> None:
        """
        Args:
            chains: multiply-adds in flight in each thread.
            seconds: about how long a step takes.
        """
        host = host or this_host()
        form = form_of(32, host)
        code = peak_code(form, chains)
        self._engine = assemble(module_text([code], host), host)
        self._call = function_of(self._engine, code)
        self._pool = ThreadPoolExecutor(threads)
        # They run to 1, and so stay ordinary numbers.
        self._values = [torch.linspace(0.25, 0.5, (chains + 2) * form.lanes) for _ in range(threads)]
        self._turns = 1000
        quick = min(self._seconds() for _ in range(3))
        self._turns = max(1, int(1000 * seconds / quick))
        self.operations = 2 * chains * form.lanes * self._turns * threads

    def __call__(self) -> None:
        list(self._pool.map(lambda each: self._call(each.data_ptr(), self._turns), self._values))

    def best_of(self, turns: int) -> float:
        """The speed of the fastest of some steps, in GFLOP/s."""
        return self.operations / min(self._seconds() for _ in range(turns)) / 1e9

    def _seconds(self) -> float:
        began = time.perf_counter()
        self()
        return time.perf_counter() - began
