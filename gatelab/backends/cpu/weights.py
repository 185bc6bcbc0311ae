"""Where weights lie in the order in which kernels read them, and gradients in that in which they write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatelab.backends.cpu.borders import PACK_FIELDS
from gatelab.backends.cpu.code import Form
from gatelab.backends.cpu.jit import Kernel
from gatelab.backends.cpu.outers import pitch_of, rows_of
from gatelab.backends.cpu.plan import Group, Plan
from gatelab.backends.cpu.products import PAIR, height, padded_depth, panels, parts
from gatelab.language.expressions import Product

Sizes = tuple[tuple[str, int], ...]


def measure_weights(plan: Plan, form: Form, size: Mapping[str, int]) -> dict[str, int]:
    """Where each group and vector begins, and how many numbers there are."""
    found: dict[str, int] = {}
    at = 0
    layout, lanes = plan.layout, plan.layout.lanes
    for group in plan.groups:
        blocks = sum(layout.blocks(size[symbol]) for _, symbol in group.targets)
        depth = sum(_depth(size[symbol], plan, form) for _, symbol in group.segments)
        found |= {f"weights.{group.name}": at, f"targets.{group.name}": blocks, f"depth.{group.name}": depth}
        at += blocks * depth * (lanes if layout.is_rows else 1)
    for name in plan.vectors:
        found[f"weights.{name}"] = at
        at += layout.blocks(_width(plan, name, size)) * (lanes if layout.is_rows else 1)
    return {**found, "items.weights": at + lanes}


def measure_gradients(plan: Plan, size: Mapping[str, int]) -> dict[str, int]:
    """Where each gradient begins in the share of a tile."""
    found: dict[str, int] = {}
    at = 0
    layout = plan.layout
    for number, outer in enumerate(plan.outers):
        blocks = sum(layout.blocks(size[symbol]) for _, symbol in outer.left)
        pitch = pitch_of(size[outer.right[1]], layout)
        found |= {
            f"outer.{number}": at,
            f"outer.{number} rows": blocks,
            f"outer.{number} columns": layout.blocks(size[outer.right[1]]),
            f"outer.{number} pitch": pitch,
        }
        at += rows_of(layout.units(blocks), layout) * pitch
    for name in plan.sums:
        found[f"sum.{name}"] = at
        at += layout.blocks(_width(plan, name, size)) * layout.lanes
    return {**found, "items.gradients": at}


def _depth(width: int, plan: Plan, form: Form) -> int:
    return padded_depth(width, form) if plan.layout.is_rows else width


def _width(plan: Plan, name: str, size: Mapping[str, int]) -> int:
    """Units of a learned vector; a scalar has one."""
    vectors = plan.task.cell.shapes.vectors
    return size[vectors[name]] if name in vectors else 1


@dataclass(frozen=True, eq=False)
class Entries:
    """A table for a function that packs or collects.

    Attributes:
        function: its name.
        rows: of the table.
        count: how many.
        address: of the first.
        names: of the parameters in it.
        in_turn: whether one row waits for the one before.
    """

    function: str
    rows: Any
    count: int
    address: int
    names: tuple[str, ...]
    in_turn: bool


def _entries(tables: Mapping[str, list[tuple[str, list[int]]]], order: Mapping[str, int]) -> tuple[Entries, ...]:
    made = []
    for function, found in tables.items():
        if found:
            rows = np.array([[order[name], *row] for name, row in found], np.int64)
            names = tuple(name for name, _ in found)
            in_turn = function.startswith("collect") and len({*names}) < len(names)
            made.append(Entries(function, rows, len(found), rows.ctypes.data, names, in_turn))
    return tuple(made)


def packing(kernel: Kernel, sizes: Sizes, order: Mapping[str, int]) -> tuple[Entries, ...]:
    """The tables that put the parameters of a kernel in order.

    Args:
        order: the number of each parameter in the list of addresses.
    """
    plan, form, size = kernel.plan, kernel.library.form, dict(sizes)
    found = measure_weights(plan, form, size)
    tables: dict[str, list[tuple[str, list[int]]]] = {"pack.straight": [], "pack.turned": []}
    for group in plan.groups:
        (_pack_rows if plan.layout.is_rows else _pack_lanes)(tables, plan, form, group, size, found)
    for name in plan.vectors:
        _pack_vector(tables, plan, name, _width(plan, name, size), found[f"weights.{name}"])
    return _entries(tables, order)


def _row(**fields: int) -> list[int]:
    return [fields[name] for name in PACK_FIELDS[1:]]


def _pack_rows(
    tables: dict[str, list[tuple[str, list[int]]]],
    plan: Plan,
    form: Form,
    group: Group,
    size: Mapping[str, int],
    found: Mapping[str, int],
) -> None:
    """Panels of some blocks each: (segment, unit of the operand, block, lane)."""
    lanes, depth = form.lanes, found[f"depth.{group.name}"]
    where: list[tuple[int, int, int]] = []  # For each block: where its panel begins, its place in it, blocks of it.
    begin = found[f"weights.{group.name}"]
    for count in panels(found[f"targets.{group.name}"], form):
        where += [(begin, k, count) for k in range(count)]
        begin += count * lanes * depth
    block = 0
    for (_, symbol), products in zip(group.targets, group.products, strict=True):
        for own in range(plan.layout.blocks(size[symbol])):
            start, inside, count = where[block]
            block += 1
            for product, (_, operand) in zip(products, group.segments, strict=True):
                columns = size[operand]
                row_step, column_step = _steps(plan, product, size)
                function = "pack.straight" if product.transposed else "pack.turned"
                entry = _row(
                    outside=own * lanes * row_step,
                    inside=start + inside * lanes,
                    rows=min(lanes, size[symbol] - own * lanes),
                    row_step=row_step,
                    columns=columns,
                    column_step=column_step,
                    padded=padded_depth(columns, form),
                    step=count * lanes,
                )
                tables[function].append((product.matrix, entry))
                start += padded_depth(columns, form) * count * lanes


def _pack_lanes(
    tables: dict[str, list[tuple[str, list[int]]]],
    plan: Plan,
    form: Form,
    group: Group,
    size: Mapping[str, int],
    found: Mapping[str, int],
) -> None:
    """Parts of some units each: (segment, unit of the operand, unit of the result)."""
    depth, begin = found[f"depth.{group.name}"], found[f"weights.{group.name}"]
    where: list[tuple[int, int, int]] = []  # For each unit of the result: its part, where its numbers begin, units.
    for part, count in enumerate(parts(found[f"targets.{group.name}"], height(form, PAIR, plan.layout))):
        where += [(part, begin + k, count) for k in range(count)]
        begin += count * depth
    unit = 0
    for (_, symbol), products in zip(group.targets, group.products, strict=True):
        own = where[unit : unit + size[symbol]]
        for part in dict.fromkeys(part for part, _, _ in own):
            first = next(k for k, (other, _, _) in enumerate(own) if other == part)
            _, start, count = own[first]
            for product, (_, operand) in zip(products, group.segments, strict=True):
                row_step, column_step = _steps(plan, product, size)
                entry = _row(
                    outside=first * row_step,
                    inside=start,
                    rows=sum(other == part for other, _, _ in own),
                    row_step=row_step,
                    columns=size[operand],
                    column_step=column_step,
                    padded=0,
                    step=count,
                )
                tables["pack.straight"].append((product.matrix, entry))
                start += size[operand] * count
        unit += size[symbol]


def _pack_vector(tables: dict[str, list[tuple[str, list[int]]]], plan: Plan, name: str, width: int, begin: int) -> None:
    """A vector; in rows a block after the other."""
    part = plan.layout.lanes if plan.layout.is_rows else width
    for start in range(0, width, part):
        entry = _row(
            outside=start,
            inside=begin + start,
            rows=min(part, width - start),
            row_step=1,
            columns=1,
            column_step=0,
            padded=1,
            step=0,
        )
        tables["pack.straight"].append((name, entry))


def _steps(plan: Plan, product: Product, size: Mapping[str, int]) -> tuple[int, int]:
    """Numbers from one unit of the result, and of the operand, to the next, in a matrix of torch."""
    columns = size[plan.task.cell.shapes.matrices[product.matrix][1]]
    return (1, columns) if product.transposed else (columns, 1)


def collecting(kernel: Kernel, sizes: Sizes, order: Mapping[str, int]) -> tuple[Entries, ...]:
    """The tables that bring gradients into torch's order; see `packing`."""
    plan, size = kernel.plan, dict(sizes)
    found, layout = measure_gradients(plan, size), plan.layout
    tables: dict[str, list[tuple[str, list[int]]]] = {"collect": [], "collect.lanes": []}
    seen: set[str] = set()
    for number, outer in enumerate(plan.outers):
        unit, pitch = 0, found[f"outer.{number} pitch"]
        for matrix, (_, symbol) in zip(outer.matrices, outer.left, strict=True):
            inside = found[f"outer.{number}"] + unit * pitch
            row = [inside, size[symbol], size[outer.right[1]], pitch, int(matrix in seen)]
            seen.add(matrix)
            tables["collect"].append((matrix, row))
            unit += layout.units(layout.blocks(size[symbol]))
    for name in plan.sums:
        function = "collect" if layout.is_rows else "collect.lanes"
        tables[function].append((name, [found[f"sum.{name}"], 1, _width(plan, name, size), 0, 0]))
    return _entries(tables, order)
