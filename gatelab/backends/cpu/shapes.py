"""What a run is, apart from the numbers in its tensors; found again when one like it is asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import torch

from gatelab.backends.base import Form, Run, form_of
from gatelab.backends.cpu import jit
from gatelab.backends.cpu.host import Host
from gatelab.backends.cpu.launch import Way, measure_areas
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.plan import Plan
from gatelab.backends.cpu.task import Same, Task, find_task
from gatelab.backends.cpu.weights import Sizes
from gatelab.language.expressions import Apply, Expression
from gatelab.language.ops import BY_CALL

ROWS_FROM = 12
"""Units of the widest vector from which the layout `rows` is faster; see docs/design/0003."""


CALLED, WRITTEN = 16, 2
"""Multiply-adds that take as long as what is called, such as a sigmoid of one unit, and as a sum or a product of it."""


def _cost(expression: Expression) -> int:
    return CALLED if isinstance(expression, Apply) and expression.operation in BY_CALL else WRITTEN


@dataclass(frozen=True, eq=False)
class Shape:
    """What a run is, apart from its tensors.

    Attributes:
        rows: whether the layout is that.
        bare: whether tensors have no axis of replicas.
        bits: of a number.
    """

    form: Form
    task: Task
    sizes: Sizes
    rows: bool
    bare: bool
    time: int
    replicas: int
    batch: int
    bits: int
    host: Host

    @cached_property
    def is_plain(self) -> bool:
        """Whether nothing happens around the steps."""
        return self.task.is_plain and not self.task.masks

    @cached_property
    def lead(self) -> tuple[int, ...]:
        """([R,] B)"""
        return (self.batch,) if self.bare else (self.replicas, self.batch)

    @cached_property
    def output(self) -> tuple[int, ...]:
        """(T, [R,] B, W)"""
        return (self.time, *self.lead, self.width(self.task.cell.output))

    @cached_property
    def states(self) -> tuple[tuple[int, ...], ...]:
        """Each ([R,] B, W)"""
        return tuple((*self.lead, self.width(state)) for state in self.task.cell.states)

    def seen(self, name: str) -> tuple[int, ...]:
        """(steps seen, [R,] B, W) of a name that is watched."""
        return (-(-self.time // self.form.every), *self.lead, self.width(name))

    @cached_property
    def record(self) -> tuple[int, int]:
        """(R, numbers)"""
        return self.replicas, self.record_numbers()

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """Where the states, the fresh ones, the parameters, and all else begin and end among the tensors."""
        bounds = [1]
        for count in (self.form.states, self.form.fresh, len(self.form.parameters)):
            bounds.append(bounds[-1] + count)
        return *(slice(*pair) for pair in itertools.pairwise(bounds)), slice(bounds[-1], None)

    @cached_property
    def forward(self) -> Way:
        return self._way(jit.forward(self.task, self.bits, self.rows, False, self.host))

    @cached_property
    def forward_saving(self) -> Way:
        return self._way(jit.forward(self.task, self.bits, self.rows, True, self.host))

    @cached_property
    def backward(self) -> Way:
        return self._way(jit.backward(self.task, self.bits, self.rows, False, self.host))

    @cached_property
    def backward_to_input(self) -> Way:
        return self._way(jit.backward(self.task, self.bits, self.rows, True, self.host))

    def width(self, name: str) -> int:
        return dict(self.sizes)[self.task.cell.width(name)]

    def record_numbers(self) -> int:
        """Numbers of a record for each replica."""
        plan = jit.forward(self.task, self.bits, self.rows, True, self.host).plan
        layout: Layout = plan.layout
        rows = measure_areas(plan, self.sizes)["rows.record"]
        return (self.time + 1) * rows * layout.members(self.batch) * layout.lanes

    def _work(self, plan: Plan) -> int:
        """Of a step for each sequence, in multiply-adds that take as long."""
        size = dict(self.sizes)
        products = sum(size[rows] * size[columns] for rows, columns in self.task.cell.shapes.matrices.values())
        lines = (line for part in plan.parts.values() for phase in part.phases for line in phase.lines)
        return products + sum(size.get(plan.widths[line.name], 1) * _cost(line.expression) for line in lines)

    def _way(self, kernel: jit.Kernel) -> Way:
        work = self._work(kernel.plan)
        way = Way(kernel, self.sizes, self.form.parameters, self.time, self.replicas, self.batch, work)
        states = [
            (f"{side}.{name}", name) for side in ("final", "d.start", "d.fresh") for name in self.task.cell.states
        ]
        seen = [(f"{side}.{name}", name) for side in ("seen", "d.seen") for name in kernel.plan.seen]
        for array, name in (("output", self.task.cell.output), ("d.x", "x"), *states, *seen):
            way.table.lies_whole(array, self.lead, self.width(name), self.bits // 8)
        if "every" in way.table.at:
            way.table.values[way.table.at["every"]] = self.form.every
        way.table.apart["record"] = self.record[1] * self.bits // 8
        return way


def find_shape(asked: Run, host: Host) -> Shape:
    """The shape of a run, found again if there was one like it."""
    return _known_shape(*_facts(asked, host))


def traced_shape(asked: Run, host: Host) -> Shape:
    """The shape of a run whose sizes may be symbols."""
    return _shape(*_facts(asked, host))


def _facts(asked: Run, host: Host) -> tuple[Any, ...]:
    """What decides the shape of a run."""
    return (
        Same(asked.cell),
        tuple(asked.sizes.items()),
        tuple(asked.parameters),
        asked.x.shape,
        asked.x.element_size(),
        len(asked.fresh),
        asked.resets is not None,
        asked.alive is not None,
        tuple(asked.masks),
        tuple(form_of(asked).zoneout.items()) if asked.zoneout else (),
        (asked.watched, tuple(asked.taps), asked.every),
        host,
    )


def _shape(
    same: Same,
    sizes: Sizes,
    parameters: tuple[str, ...],
    shape: tuple[int, ...],
    bytes_each: int,
    fresh: int,
    resets: bool,
    alive: bool,
    masks: tuple[str, ...],
    zoneout: tuple[tuple[str, float | None], ...],
    looks: tuple[tuple[str, ...], tuple[str, ...], int],
    host: Host,
) -> Shape:
    cell, bare = same.cell, len(shape) == 3
    return Shape(
        form=Form(cell, dict(sizes), parameters, len(cell.states), fresh, masks, dict(zoneout), *looks),
        task=find_task(
            same, tuple(sorted(masks)), resets, alive, tuple(sorted(name for name, _ in zoneout)), *looks[:2]
        ),
        sizes=sizes,
        rows=is_rows(sizes, shape[-2], host.bits // (8 * bytes_each)),
        bare=bare,
        time=shape[0],
        replicas=1 if bare else shape[1],
        batch=shape[-2],
        bits=8 * bytes_each,
        host=host,
    )


_known_shape = lru_cache(maxsize=4096)(_shape)


def is_rows(sizes: Sizes, batch: int, lanes: int) -> bool:
    """Which layout: rows for wide vectors, and where a batch would leave most lanes empty."""
    widest = max((size for symbol, size in sizes if symbol != "I"), default=1)
    return widest >= min(ROWS_FROM, lanes) or 2 * batch <= lanes


def record_shape(asked: Run, host: Host) -> tuple[int, int]:
    """(R, numbers) of a traced run; where the batch is a symbol and decides the layout, so does what the shape says."""
    shape = traced_shape(asked._replace(x=asked.x[:, ..., :1, :]), host)
    lanes, batch = host.bits // shape.bits, asked.x.shape[-2]

    def numbers(rows: bool) -> int:
        return replace(shape, rows=rows, batch=batch).record_numbers()

    # Few sequences are run in rows, more perhaps in lanes.
    few = next((b for b in range(1, lanes + 1) if not is_rows(shape.sizes, b, lanes)), None)
    if few is None:
        return shape.replicas, numbers(True)
    if isinstance(batch, int):
        return shape.replicas, numbers(batch < few)
    return shape.replicas, torch.sym_ite(batch < few, numbers(True), numbers(False))
