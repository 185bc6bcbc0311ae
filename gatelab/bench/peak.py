"""The most multiply-adds that the machine does: what a perfect kernel would reach."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.jit import assemble, form_of, function_of, module_text

CHAINS = (8, 12, 16, 24)
"""Multiply-adds in flight. How many a core wants depends on its units and their latency; too many do not fit into
the registers. So all are tried."""
TURN_SECONDS, TURNS = 0.01, 10


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
    form = form_of(32, host)
    codes = {chains: peak_code(form, chains) for chains in CHAINS}
    engine = assemble(module_text(list(codes.values()), host), host)
    speeds = {}
    for chains, code in codes.items():
        run = _Run(function_of(engine, code), form, chains)
        speeds[chains] = run.speed(1, seconds, turns), run.speed(threads, seconds, turns)
    best = max(speeds, key=lambda chains: speeds[chains][1])
    return Peak(max(one for one, _ in speeds.values()), speeds[best][1], threads, best)


@dataclass(frozen=True)
class _Run:
    call: Callable[..., None]
    form: Form
    chains: int

    def speed(self, threads: int, seconds: float, turns: int) -> float:
        """In GFLOP/s, of all threads together."""
        count = max(1, int(1000 * seconds / self._seconds(1000, self._values(1), 1)))
        values = self._values(threads)
        best = min(self._seconds(count, values, threads) for _ in range(turns))
        return 2 * self.chains * self.form.lanes * count * threads / best / 1e9

    def _seconds(self, count: int, values: list[Tensor], threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: None, range(threads)))
            began = time.perf_counter()
            list(pool.map(lambda each: self.call(each.data_ptr(), count), values))
            return time.perf_counter() - began

    def _values(self, threads: int) -> list[Tensor]:
        """Of each thread. They run to 1, and so stay ordinary numbers."""
        return [torch.linspace(0.25, 0.5, (self.chains + 2) * self.form.lanes) for _ in range(threads)]
