"""Calls kernels: measures where everything lies, packs the weights, and hands the tiles to threads."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor

from gatelab.backends.cpu.helpers import PACK_FIELDS
from gatelab.backends.cpu.jit import Kernel
from gatelab.backends.cpu.memory import SLACK
from gatelab.backends.cpu.plan import BLOCK, Plan, round_up

CHUNK_BYTES = 2**19
"""Of the factors of weight gradients that are gathered before they are multiplied: they have to stay in the cache."""

Sizes = tuple[tuple[str, int], ...]


@lru_cache(maxsize=4096)
def measure(plan: Plan, sizes: Sizes) -> Mapping[str, int]:
    """Every number that a kernel may ask for, and the sizes of what is made for it.

    Offsets of rows are counted in vectors, those of weights and matrices in numbers.
    """
    size = dict(sizes)
    found = {f"width.{symbol}": length for symbol, length in size.items()}
    for area in plan.areas:
        found |= area.measure(size)
    # The scratch: two records, what a step needs, its products, gradients of states twice, and at the end the chunk.
    at = 0
    for name, rows in (
        ("record", 2 * found["rows.record"]),
        ("scratch", found["rows.scratch"]),
        ("product", found["rows.product"]),
        ("gradients", found["rows.states"]),
        ("following", found["rows.states"]),
        ("chunk", 0),
    ):
        found[f"at.{name}"] = at
        at += rows
    found["rows.all"] = at
    found |= _measure_weights(plan, size) | _measure_matrices(plan, size)
    return found


def _measure_weights(plan: Plan, size: Mapping[str, int]) -> dict[str, int]:
    shapes, found, at = plan.task.cell.shapes, {}, 0
    for group in plan.all_groups:
        found[f"weights.{group.name}"] = at
        rows, columns = _shape(plan, group.products[0].matrix, group.products[0].transposed, size)
        at += round_up(rows, group.units) * columns * len(group.lines)
    for name in (*shapes.vectors, *shapes.scalars):
        if name not in plan.task.mask_of:
            found[f"weights.{name}"] = at
            at += size[shapes.vectors[name]] if name in shapes.vectors else 1
    return {**found, "items.weights": at}


def _measure_matrices(plan: Plan, size: Mapping[str, int]) -> dict[str, int]:
    found, at = {}, 0
    for name, shape in plan.task.cell.shapes.matrices.items():
        found[f"matrices.{name}"] = at
        rows, columns = (round_up(size[symbol], BLOCK) for symbol in shape)
        at += rows * columns
    return {**found, "items.matrices": at}


def _shape(plan: Plan, matrix: str, transposed: bool, size: Mapping[str, int]) -> tuple[int, int]:
    rows, columns = (size[symbol] for symbol in plan.task.cell.shapes.matrices[matrix])
    return (columns, rows) if transposed else (rows, columns)


@lru_cache(maxsize=4096)
def _packing(plan: Plan, sizes: Sizes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Which parameters are packed, and the table for it, the addresses left out."""
    size, found = dict(sizes), measure(plan, sizes)
    sources, table = [], []
    for group in plan.all_groups:
        for member, product in enumerate(group.products):
            rows, columns = _shape(plan, product.matrix, product.transposed, size)
            steps = (1, rows) if product.transposed else (columns, 1)
            sources.append(product.matrix)
            target = found[f"weights.{group.name}"]
            table += [0, target, rows, columns, *steps, group.units, len(group.lines), member]
    shapes = plan.task.cell.shapes
    for name in (*shapes.vectors, *shapes.scalars):
        if name not in plan.task.mask_of:
            sources.append(name)
            rows = size[shapes.vectors[name]] if name in shapes.vectors else 1
            table += [0, found[f"weights.{name}"], rows, 1, 1, 1, 1, 1, 0]
    return tuple(sources), tuple(table)


def pack(kernel: Kernel, sizes: Sizes, parameters: Mapping[str, Tensor], replicas: int) -> Tensor:
    """The parameters of all replicas in the order in which the kernel reads them, (R, numbers).

    Args:
        parameters: each contiguous, with an axis of replicas if there are several.
    """
    sources, entries = _packing(kernel.plan, sizes)
    count = measure(kernel.plan, sizes)["items.weights"]
    packed = torch.zeros(replicas, count, dtype=dtype_of(kernel), device="cpu")
    if not sources:
        return packed
    table = (ctypes.c_int64 * len(entries))(*entries)
    for replica in range(replicas):
        for k, name in enumerate(sources):
            values = parameters[name]
            table[k * len(PACK_FIELDS)] = values.data_ptr() + replica * (values.nbytes // replicas)
        kernel.pack(table, len(sources), packed[replica].data_ptr())
    return packed


def dtype_of(kernel: Kernel) -> torch.dtype:
    return torch.float32 if kernel.form.bits == 32 else torch.float64


def launch(
    kernel: Kernel, sizes: Sizes, arrays: Mapping[str, Tensor], time: int, tiles: int, chunk: int | None = None
) -> None:
    """Runs a kernel over all tiles of all replicas.

    Args:
        arrays: what the kernel's table of pointers names, each with an axis of replicas.
        tiles: of each replica.
        chunk: for the way back, how many steps are gathered before weight gradients are taken.
    """
    found = measure(kernel.plan, sizes)
    numbers = (ctypes.c_int64 * len(kernel.numbers))(*(found[name] for name in kernel.numbers))
    replicas = len(arrays["weights"])
    rows = found["rows.all"] + (chunk or 0) * found.get("rows.chunk", 0) + SLACK
    threads = min(torch.get_num_threads(), replicas * tiles)
    scratch = torch.empty(threads, rows * kernel.form.lanes, dtype=dtype_of(kernel), device="cpu")
    tables = []
    for replica in range(replicas):
        addresses = [
            arrays[name].data_ptr() + replica * arrays[name].stride(0) * arrays[name].element_size()
            for name in kernel.pointers
        ]
        tables.append((ctypes.c_void_p * len(addresses))(*addresses))
    more = () if chunk is None else (chunk,)

    def work(worker: int) -> None:
        """A share of the tiles of all replicas, each as near to the others' as can be."""
        begin, end = (replicas * tiles * (worker + k) // threads for k in (0, 1))
        own = scratch[worker].data_ptr()
        for replica in range(begin // tiles, -(-end // tiles)):
            first, last = max(begin - replica * tiles, 0), min(end - replica * tiles, tiles)
            kernel.call(tables[replica], numbers, time, first, last, own, *more)

    share(work, threads)


def chunk_of(kernel: Kernel, sizes: Sizes, time: int) -> int:
    """How many steps go into a chunk."""
    row = max(1, measure(kernel.plan, sizes)["rows.chunk"]) * kernel.form.lanes * kernel.form.bits // 8
    return min(time, max(8, CHUNK_BYTES // row))


_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}
"""A pool of threads by process and size: after a fork the child makes its own, since threads do not survive it."""


def share(work: Callable[[int], None], workers: int) -> None:
    """Calls `work` with 0, 1, ..., each in a thread of its own; the first in this one."""
    if workers == 1:
        work(0)
        return
    key = os.getpid(), workers
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(workers - 1, "gatelab")
    others = [_POOLS[key].submit(work, worker) for worker in range(1, workers)]
    work(0)
    for other in others:
        other.result()


def sizes_of(sizes: Mapping[str, int]) -> Sizes:
    return tuple(sorted(sizes.items()))
