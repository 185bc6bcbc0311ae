"""How a run is parted: tiles, chunks of time, threads; and where everything lies in the memory of each."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import torch

from gatelab.backends.cpu.jit import Kernel
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.plan import Plan
from gatelab.backends.cpu.threads import run
from gatelab.backends.cpu.weights import Sizes, collecting, measure_gradients, measure_weights, packing

CHUNK_BYTES = 2**18
"""Of a chunk in lanes, which has to stay in the cache while its weight gradients are taken."""

CHUNK_ENTRIES = 128
"""Steps times members of a chunk in rows: with so many, reading and writing a weight gradient no longer counts."""

TILE = {"rows": 32, "lanes": 2}
"""Members of a tile at most: in rows enough to read a weight once for many, in lanes as many as share a number."""

WORTH_A_THREAD = 1_000_000
"""Multiply-adds of a run from which a second thread takes less time than it costs to wake it."""

LINE = 64
"""Bytes of a cache line."""


def tiles_of(layout: Layout, batch: int) -> int:
    """In how many tiles a batch is parted.

    It does not depend on the number of threads, so that sums, and with them the bits of all results, do not either.
    """
    cores, members = os.cpu_count() or 1, layout.members(batch)
    most = TILE[layout.name]
    least = 4 if layout.is_rows else 1
    count = max(-(-members // most), min(cores, members // least), 1)
    return -(-count // cores) * cores if count > cores else count


def chunk_of(plan: Plan, areas: Mapping[str, int], bytes_each: int, members: int, time: int) -> int:
    """How many steps go into a chunk."""
    if plan.layout.is_rows:
        return min(time, max(1, -(-CHUNK_ENTRIES // members)))
    vectors = max(1, areas["rows.chunk"]) * members
    return min(time, max(8, CHUNK_BYTES // (vectors * plan.layout.lanes * bytes_each)))


@lru_cache(maxsize=4096)
def measure_areas(plan: Plan, sizes: Sizes) -> dict[str, int]:
    """All widths, and where values lie in their areas, counted in blocks."""
    size = dict(sizes)
    found = {f"width.{symbol}": length for symbol, length in size.items()}
    found |= {f"blocks.{symbol}": plan.layout.blocks(length) for symbol, length in size.items()}
    for area in plan.areas:
        found |= area.measure(size, plan.layout)
    return found


class Way:
    """A kernel for a run of certain sizes, with all that does not change from call to call.

    Attributes:
        chunk: steps taken at a time.
        tiles: of each replica.
        found: every number that the kernel may ask for. Offsets in the scratch are counted in vectors, those of
            weights and gradients in numbers.
        packs: the tables that pack its weights.
        at: the place of each name in the table of pointers.
    """

    def __init__(self, kernel: Kernel, sizes: Sizes, order: Mapping[str, int], time: int, batch: int, work: int):
        plan, form = kernel.plan, kernel.library.form
        self.kernel, self.sizes, self.order, self.time, self.batch, self.work = kernel, sizes, order, time, batch, work
        self.tiles = tiles_of(plan.layout, batch)
        members = -(-plan.layout.members(batch) // self.tiles)
        areas = measure_areas(plan, sizes)
        self.chunk = chunk_of(plan, areas, form.bits // 8, members, time)
        size = dict(sizes)
        self.found = areas | measure_weights(plan, form, size) | measure_gradients(plan, size)
        vectors = self._measure_scratch(members)
        self.bytes = -(-vectors * form.lanes * form.bits // 8 // LINE) * LINE + LINE
        self.numbers = (ctypes.c_int64 * max(1, len(kernel.numbers)))(*(self.found[name] for name in kernel.numbers))
        self.packs = packing(kernel, sizes, order)
        self.at = {name: k for k, name in enumerate(kernel.pointers)}
        self.table: Any = ctypes.c_int64 * max(1, len(kernel.pointers))

    @cached_property
    def collects(self) -> Any:
        """The tables that bring the gradients into torch's order."""
        return collecting(self.kernel, self.sizes, self.order)

    @cached_property
    def collected(self) -> frozenset[str]:
        """The parameters that have a gradient."""
        return frozenset(name for table in self.collects for name in table.names)

    def _measure_scratch(self, members: int) -> int:
        """Notes where each area of the scratch begins; the vectors of all."""
        found, plan, at = self.found, self.kernel.plan, 0
        for name, vectors in (
            ("record", (self.chunk + 1) * found["rows.record"] * members),
            ("scratch", found["rows.scratch"] * members),
            *((name, found["rows.states"] * members) for name in ("gradients", "following", "d.fresh", "around.fresh")),
            *((f"around.{m}", found[f"blocks.{plan.task.cell.width(s)}"] * members) for m, s in plan.task.masks),
            # Gradients in lanes read some blocks beyond the last.
            ("chunk", (found["rows.chunk"] + 4) * members * self.chunk),
        ):
            found[f"at.{name}"] = at
            at += vectors
        return at

    def threads(self, replicas: int) -> int:
        """How many take a share of the tiles."""
        enough = 1 + self.time * self.batch * replicas * self.work // WORTH_A_THREAD
        return min(torch.get_num_threads(), replicas * self.tiles, enough)

    def call(self, tables: list[Any], threads: int, scratch: int) -> None:
        """Runs the kernel over all tiles of all replicas.

        Args:
            tables: of pointers, one for each replica.
            scratch: the address of `bytes` for each thread.
        """
        tiles, call = self.tiles, self.kernel.call
        shares = []
        for worker in range(threads):
            # A share of the tiles of all replicas, each as near to the others' as can be.
            begin, end = len(tables) * tiles * worker // threads, len(tables) * tiles * (worker + 1) // threads
            own = scratch + worker * self.bytes
            part = [
                (
                    table,
                    self.numbers,
                    self.time,
                    self.batch,
                    tiles,
                    max(begin - first, 0),
                    min(end - first, tiles),
                    own,
                    self.chunk,
                )
                for first, table in zip(range(0, len(tables) * tiles, tiles), tables, strict=True)
                if first < end and first + tiles > begin
            ]
            shares.append(part)
        run(call, shares)


def lines(size: int) -> int:
    """So many bytes in whole cache lines."""
    return -(-size // LINE) * LINE
