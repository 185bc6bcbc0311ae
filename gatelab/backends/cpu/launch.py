"""How a run is parted: tiles, chunks of time, threads; and where everything lies in the memory of each."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch

from gatelab.backends.cpu.jit import Kernel
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.plan import Plan
from gatelab.backends.cpu.program import Job, Lent, Own, Phase, Program
from gatelab.backends.cpu.table import Table
from gatelab.backends.cpu.weights import Entries, Sizes, collecting, measure_gradients, measure_weights, packing

CHUNK_BYTES = 2**18
"""Of a chunk in lanes, which has to stay in the cache while its weight gradients are taken."""

CHUNK_ENTRIES = 128
"""Steps times members of a chunk in rows: with so many, reading and writing a weight gradient no longer counts."""

TILE = {"rows": 32, "lanes": 2}
"""Members of a tile at most: in rows enough to read a weight once for many, in lanes as many as share a number."""

WORTH_A_THREAD = 1_000_000
"""Multiply-adds of a run from which a second thread takes less time than it costs to wake it."""

MUCH = 2**19
"""Bytes from which several threads pack weights or collect gradients."""

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


class Launch(NamedTuple):
    """A call with so many threads, and the bytes that have to be lent to it."""

    program: Program
    bytes: int


class Apart(NamedTuple):
    """A call in two: `packing` puts the weights in order into so many bytes, `kernel` reads them from there.

    Attributes:
        scratch: bytes that have to be lent to the kernel.
    """

    packing: Program
    weights: int
    kernel: Program
    scratch: int


class Way:
    """A kernel for a run of certain sizes, with all that does not change from call to call.

    Attributes:
        chunk: steps taken at a time.
        tiles: of each replica.
        found: every number that the kernel may ask for. Offsets in the scratch are counted in vectors, those of
            weights and gradients in numbers.
        packs: the tables that pack its weights.
        collects: those that bring the gradients into torch's order.
        table: where the values of a call lie.
    """

    def __init__(
        self,
        kernel: Kernel,
        sizes: Sizes,
        parameters: Sequence[str],
        time: int,
        replicas: int,
        batch: int,
        work: int,
    ) -> None:
        plan, form, order = kernel.plan, kernel.library.form, {name: k for k, name in enumerate(parameters)}
        self.kernel, self.order, self.work = kernel, order, work
        self.time, self.replicas, self.batch = time, replicas, batch
        self.tiles = tiles_of(plan.layout, batch)
        members = -(-plan.layout.members(batch) // self.tiles)
        areas = measure_areas(plan, sizes)
        self.chunk = chunk_of(plan, areas, form.bits // 8, members, time)
        size = dict(sizes)
        self.found = areas | measure_weights(plan, form, size) | measure_gradients(plan, size)
        vectors = self._measure_scratch(members)
        self.bytes = -(-vectors * form.lanes * form.bits // 8 // LINE) * LINE + LINE
        self.numbers = array("q", [self.found[name] for name in kernel.numbers])
        self.packs, self.collects = packing(kernel, sizes, order), collecting(kernel, sizes, order)
        collected = len(order) if self.collects else 0
        self.table = Table(kernel.pointers, plan.task.cell, len(order), collected)
        self._launches: dict[int, Launch] = {}
        self._apart: dict[int, Apart] = {}

    @cached_property
    def uncollected(self) -> tuple[bool, ...]:
        """Which parameters have no gradient."""
        names = {name for table in self.collects for name in table.names}
        return tuple(name not in names for name in self.order)

    def launch(self) -> Launch:
        """With as many threads as torch has."""
        threads = torch.get_num_threads()
        if threads not in self._launches:
            self._launches[threads] = self._make_launch(threads)
        return self._launches[threads]

    def apart(self) -> Apart:
        """The same for one replica forwards, with weights that stay packed from call to call."""
        threads = torch.get_num_threads()
        if threads not in self._apart:
            self._apart[threads] = self._make_apart(threads)
        return self._apart[threads]

    def _make_apart(self, threads: int) -> Apart:
        weights = lines(self.found["items.weights"] * self.kernel.library.form.bits // 8)
        packing = [self._border(table, threads, self.table.parameters, 0, weights) for table in self.packs]
        workers, values = self._workers(threads), len(self.table.values)
        kernel = Program([self._kernel_shares(workers)], values, [])
        return Apart(Program(packing, values, []), weights, kernel, workers * self.bytes)

    def _make_launch(self, threads: int) -> Launch:
        bytes_each, replicas, at = self.kernel.library.form.bits // 8, self.replicas, self.table.at
        workers = self._workers(threads)
        weights = lines(self.found["items.weights"] * bytes_each)
        gradients = lines(self.found["items.gradients"] * self.tiles * bytes_each)
        at_weights = workers * self.bytes
        at_gradients = at_weights + replicas * weights
        further = (self.tiles, self.found["items.gradients"])
        phases = [
            *(self._border(table, threads, self.table.parameters, at_weights, weights) for table in self.packs),
            self._kernel_shares(workers),
            *(
                self._border(table, threads, self.table.gradients, at_gradients, gradients, *further)
                for table in self.collects
            ),
        ]
        lent = [
            (replica * len(self.table.values) + at[name], start + replica * apart)
            for name, start, apart in (("weights", at_weights, weights), ("gradients", at_gradients, gradients))
            if name in at
            for replica in range(replicas)
        ]
        return Launch(Program(phases, len(self.table.values) * replicas, lent), at_gradients + replicas * gradients)

    def _workers(self, threads: int) -> int:
        """How many threads take a share of the tiles."""
        enough = 1 + self.time * self.batch * self.replicas * self.work // WORTH_A_THREAD
        return min(threads, self.replicas * self.tiles, enough)

    def _kernel_shares(self, workers: int) -> Phase:
        """The kernel over all tiles of all replicas, each worker's share as near to the others' as can be."""

        def jobs(begin: int, end: int, worker: int) -> Iterator[Job]:
            for replica in range(begin // self.tiles, -(-end // self.tiles)):
                first = replica * self.tiles
                yield (
                    self.kernel.address,
                    Own(replica * len(self.table.values)),
                    self.numbers.buffer_info()[0],
                    self.time,
                    self.batch,
                    self.tiles,
                    max(begin - first, 0),
                    min(end - first, self.tiles),
                    Lent(worker * self.bytes),
                    self.chunk,
                )

        return [
            [*jobs(begin, end, worker)]
            for worker, (begin, end) in enumerate(shares(self.replicas * self.tiles, workers))
        ]

    def _border(self, table: Entries, threads: int, addresses: int, start: int, apart: int, *further: int) -> Phase:
        """Packs parameters, or collects gradients.

        Args:
            addresses: the place of the first parameter's, or its gradient's, among the values.
            start: where those of the first replica lie in the memory lent, in the order of kernels.
            apart: bytes from there to the next replica.
        """

        def job(replica: int, begin: int, end: int) -> Job:
            own = Own(replica * len(self.table.values) + addresses), Lent(start + replica * apart)
            return (self.kernel.library.addresses[table.function], table.address, begin, end, *own, *further)

        replicas = self.replicas
        wanted = min(threads, 1 + replicas * apart // MUCH)
        if replicas > 1:
            return [[job(r, 0, table.count) for r in range(*part)] for part in shares(replicas, wanted)]
        return [[job(0, *part)] for part in shares(table.count, 1 if table.in_turn else min(wanted, table.count))]

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


def shares(count: int, parts: int) -> list[tuple[int, int]]:
    """So many things in parts, as near to each other as can be: where each begins and ends."""
    return [(count * k // parts, count * (k + 1) // parts) for k in range(parts)]


def lines(size: int) -> int:
    """So many bytes in whole cache lines."""
    return -(-size // LINE) * LINE
