"""The eager backend: the meaning of a cell, in plain torch.

It runs on any device and dtype and carries second derivatives, `vmap` and per-sample gradients. Two things are done
for speed, and change nothing else: products with `x` are taken for all steps at once, and matrices that multiply
the same vector are stacked, so that a step is one product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from gatelab.backends.base import Backend, Result, Run
from gatelab.backends.taps import tapped_lines
from gatelab.language.cell import Cell
from gatelab.language.expressions import Apply, Expression, Name, Number, Product, walk
from gatelab.language.ops import Value, apply

Operand = Expression


def find_products(cell: Cell) -> dict[Operand, tuple[Product, ...]]:
    """The products of a cell, gathered by the vector they multiply."""
    found: dict[Operand, dict[Product, None]] = {}
    for line in cell.lines:
        for expression in walk(line.expression):
            if isinstance(expression, Product):
                found.setdefault(expression.operand, {})[expression] = None
    return {operand: tuple(members) for operand, members in found.items()}


products = lru_cache(maxsize=256)(find_products)


def run(asked: Run) -> Result:
    """Steps through time; see `Run` and `Result` for the shapes."""
    cell, weights = asked.cell, _stack_weights(asked.cell, asked.parameters)
    by_input: dict[Operand, _Stacked] = {}
    by_step: dict[Operand, _Stacked] = {}
    for operand, stacked in weights.items():
        is_input = isinstance(operand, Name) and operand.role == "input"
        (by_input if is_input else by_step)[operand] = stacked
    # (T, B, I) @ (I, G*H) for all steps at once, then one list of steps a matrix.
    projected = {
        product: values.unbind(0)
        for operand, stacked in by_input.items()
        for product, values in stacked.times(asked.x).items()
    }
    x = asked.x.unbind(0)
    known = _vectors_and_scalars(asked)
    state = _states(asked, asked.state)
    fresh = {} if asked.resets is None else _states(asked, asked.fresh)
    outputs = []
    seen: dict[str, list[Tensor]] = {name: [] for name in asked.watched}
    taps = _taps(asked)
    for t in range(len(x)):
        if asked.resets is not None:
            state = {name: torch.where(asked.resets[t], fresh[name], state[name]) for name in state}
        step = Step(
            cell=cell,
            sizes=asked.sizes,
            batch=x[t].shape[:-1],
            x=x[t],
            previous=state,
            inside=_masked(state, asked.masks),
            known=known,
            weights=by_step,
            products={product: steps[t] for product, steps in projected.items()},
            taps={} if t % asked.every else {line: steps[t // asked.every] for line, steps in taps.items()},
        )
        step.take()
        for name, values in seen.items():
            if t % asked.every == 0:
                values.append(_within(asked, t, step.current[name].detach()))
        new = {name: _kept(step.current[name], state[name], asked.zoneout.get(name), t) for name in state}
        stored = cell.stored_as.get(cell.output)
        output = new[stored] if stored else step.current[cell.output]
        if asked.alive is not None:
            new = {name: torch.where(asked.alive[t], new[name], state[name]) for name in state}
            output = _within(asked, t, output)
        state = new
        outputs.append(output)
    return Result(torch.stack(outputs), tuple(state.values()), tuple(map(torch.stack, seen.values())))


@dataclass
class Step:
    """One step of a cell: what is known before it, and the values of its lines as they come.

    Attributes:
        batch: ([R,] B).
        inside: the states as read inside of a product, with recurrent dropout.
        known: learned vectors and scalars and constants by name, shaped to meet (B, W).
        weights: stacked matrices by the vector they multiply.
        products: the products known so far.
        taps: zeros to be added to lines, by their names, each ([R,] B, W).
        current: the lines' values so far, each ([R,] B, W).
    """

    cell: Cell
    sizes: Mapping[str, int]
    batch: torch.Size
    x: Tensor
    previous: Mapping[str, Tensor]
    inside: Mapping[str, Tensor]
    known: Mapping[str, Value]
    weights: Mapping[Operand, _Stacked]
    products: dict[Product, Tensor]
    taps: Mapping[str, Tensor] = field(default_factory=dict)
    current: dict[str, Tensor] = field(default_factory=dict)

    def take(self) -> None:
        for line in self.cell.lines:
            value = self.value(line.expression, self.previous)
            value = self._wide(value, self.sizes[self.cell.width(line.name)])
            self.current[line.name] = value + self.taps[line.name] if line.name in self.taps else value

    def value(self, expression: Expression, states: Mapping[str, Tensor]) -> Value:
        match expression:
            case Number(value=value):
                return value
            case Name(name=name, role="current"):
                return self.current[name]
            case Name(name=name, role="previous"):
                return states[self.cell.stored_as[name]]
            case Name(role="input"):
                return self.x
            case Name(name=name):
                return self.known[name]
            case Apply(operation=operation, arguments=arguments):
                values = [self.value(argument, states) for argument in arguments]
                return apply(operation, values)
            case Product(operand=operand):
                if expression not in self.products:
                    vector = self.value(operand, self.inside)
                    self.products |= self.weights[operand].times(self._wide(vector, self.weights[operand].width))
                return self.products[expression]
        raise AssertionError(expression)

    def _wide(self, value: Value, width: int) -> Tensor:
        """A value that is the same for all units or sequences, as a vector for each, ([R,] B, W)."""
        if not isinstance(value, Tensor):
            value = self.x.new_full((1, 1), value)
        shape = (*torch.broadcast_shapes(self.batch, value.shape[:-1]), width)
        return value if value.shape == shape else value.expand(shape)


@dataclass(frozen=True)
class _Stacked:
    """Matrices that multiply the same vector, side by side: (..., width, sum of rows)."""

    members: tuple[Product, ...]
    weight: Tensor
    rows: list[int]

    @property
    def width(self) -> int:
        return self.weight.shape[-2]

    def times(self, vector: Tensor) -> dict[Product, Tensor]:
        if vector.ndim == 4 and self.weight.ndim == 3:
            # (T, R, B, W): as a plain product torch would copy the weights for each step.
            product = torch.einsum("trbw,rwg->trbg", vector, self.weight)
        else:
            product = torch.matmul(vector, self.weight)
        parts = product.split(self.rows, dim=-1)
        return dict(zip(self.members, parts, strict=True))


def _stack_weights(cell: Cell, parameters: Mapping[str, Tensor]) -> dict[Operand, _Stacked]:
    stacked = {}
    found = find_products(cell) if torch.compiler.is_compiling() else products(cell)
    for operand, members in found.items():
        each = [parameters[p.matrix] if p.transposed else parameters[p.matrix].mT for p in members]
        stacked[operand] = _Stacked(members, torch.cat(each, dim=-1), [w.shape[-1] for w in each])
    return stacked


def _states(asked: Run, given: tuple[Tensor | None, ...]) -> dict[str, Tensor]:
    """States by name, each ([R,] B, W)."""
    batch = asked.x.shape[1:-1]
    return {
        name: asked.x.new_zeros((*batch, asked.sizes[asked.cell.width(name)])) if value is None else value
        for name, value in zip(asked.cell.states, given, strict=True)
    }


def _vectors_and_scalars(asked: Run) -> dict[str, Value]:
    known: dict[str, Value] = dict(asked.cell.constants)
    known |= {name: asked.parameters[name].unsqueeze(-2) for name in asked.cell.shapes.vectors}
    return known | {name: asked.parameters[name][..., None, None] for name in asked.cell.shapes.scalars}


def _masked(state: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {name: value * masks[name] if name in masks else value for name, value in state.items()}


def _taps(asked: Run) -> dict[str, tuple[Tensor, ...]]:
    """The taps of each line, step by step."""
    return {line: tap.unbind(0) for name, tap in asked.taps.items() for line in tapped_lines(asked.cell, name)}


def _within(asked: Run, t: int, value: Tensor) -> Tensor:
    """A value of the step t, 0 for sequences that it does not belong to."""
    return value if asked.alive is None else torch.where(asked.alive[t], value, torch.zeros_like(value))


def _kept(new: Tensor, old: Tensor, keep: Tensor | float | None, t: int) -> Tensor:
    """Zoneout (Krueger et al. 2017, equation 3): a share of the units stays as it was before the step."""
    if keep is None:
        return new
    share = keep[t] if isinstance(keep, Tensor) else keep
    return share * old + (1 - share) * new


BACKEND = Backend(
    name="eager",
    about="plain torch, step by step; any device and dtype, second derivatives, vmap",
    run=run,
)
