"""Layers and directions: cells run over sequences, without a module around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gatelab.backends.base import NOTHING, Backend, Run
from gatelab.language.cell import Cell
from gatelab.language.expressions import Name, Product, walk
from gatelab.nn.dropout import Generators, chosen, drop
from gatelab.nn.sequences import Ragged
from gatelab.nn.watching import Sight, Values, Wish, make_taps, sight_of, spread, values_of


class Direction(NamedTuple):
    """One cell going one way through a layer.

    Attributes:
        sizes: what each width symbol of the cell is.
        parameters: each of the shape that the cell says, with an axis R before it for replicas.
        start: the states before the first step, each ([R,] B, W), or None for zeros.
        fresh: the states that a reset goes back to, likewise; read only if there are resets.
    """

    cell: Cell
    sizes: Mapping[str, int]
    parameters: Mapping[str, Tensor]
    start: tuple[Tensor | None, ...]
    fresh: tuple[Tensor | None, ...]
    backwards: bool

    def to(self, dtype: torch.dtype) -> Direction:
        """With states of a dtype."""
        start, fresh = (
            tuple(value if value is None else value.to(dtype) for value in states)
            for states in (self.start, self.fresh)
        )
        return self._replace(start=start, fresh=fresh)


class Noise(NamedTuple):
    """What training adds, as probabilities.

    Attributes:
        dropout: of a feature of the output of every layer but the last.
        recurrent_dropout: of a unit of a state inside of products, the same for all steps of a sequence
            (Gal & Ghahramani 2016).
        zoneout: of a unit to keep its value over a step, by state (Krueger et al. 2017); out of training the
            mixture of both values in this proportion.
        training: whether to draw.
        variational: whether one mask between layers holds for all steps of a sequence.
        generators: what to draw from, one for each replica; None for torch's own.
    """

    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout: Mapping[str, float] | None = None
    training: bool = False
    variational: bool = False
    generators: Generators = None


NO_NOISE = Noise()


def run_layers(
    layers: Sequence[Sequence[Direction]],
    x: Tensor,
    *,
    backend: Backend,
    ragged: Ragged | None = None,
    resets: Tensor | None = None,
    noise: Noise = NO_NOISE,
    autocast_to: torch.dtype | None = None,
    wishes: Sequence[Wish] = (),
    sights: list[Sight] | None = None,
) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
    """Run layers of one or two directions over a batch of sequences.

    Under autocast they compute in the dtype of their parameters, and only the results are cast: that is more accurate
    than half precision at each step, and the same in all backends.

    Args:
        x: (T, [R,] B, I).
        ragged: where sequences end, or None if all have T steps.
        resets: (T, [R or 1,] B, 1), or None.
        autocast_to: the dtype of the results under autocast; None for autocast's own.
        wishes: for each layer and direction what to show of it, if anything.
        sights: where that is added.

    Returns:
        The output of the last layer, (T, [R,] B, D*W), and the final states of every layer and direction, in the
        order of torch: layer by layer, forwards before backwards.
    """
    if torch.is_autocast_enabled(x.device.type):
        like = next(iter(layers[0][0].parameters.values()), x)
        with torch.autocast(x.device.type, enabled=False):
            output, final = run_layers(
                [[direction.to(like.dtype) for direction in directions] for directions in layers],
                x.to(like.dtype),
                backend=backend,
                ragged=ragged,
                resets=resets,
                noise=noise,
                wishes=wishes,
                sights=sights,
            )
        if like.dtype is torch.float64:  # Autocast leaves it alone.
            return output, final
        dtype = autocast_to or torch.get_autocast_dtype(x.device.type)
        return output.to(dtype), [tuple(value.to(dtype) for value in states) for states in final]
    final = []
    for depth, directions in enumerate(layers):
        if depth and noise.dropout and noise.training:
            x = drop(x, noise.dropout, noise.generators, replicas_at=1, held_at=0 if noise.variational else None)
        outputs = []
        for direction in directions:
            wish = wishes[len(final)] if wishes else None
            output, state, sight = run_direction(direction, x, backend, ragged, resets, noise, wish)
            outputs.append(output)
            final.append(state)
            if sights is not None and sight is not None:
                sights.append(sight)
        x = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
    return x, final


def join_states(places: Sequence[tuple[Tensor, ...]], batched: bool) -> list[Tensor]:
    """(L*D) tuples of ([R,] B, W) as one of ([R,] L*D, B, W), without B if sequences came without it."""
    joined = [
        parts[0].unsqueeze(-3) if len(parts) == 1 else torch.stack(parts, dim=-3) for parts in zip(*places, strict=True)
    ]
    return joined if batched else [value.squeeze(-2) for value in joined]


def run_direction(
    direction: Direction,
    x: Tensor,
    backend: Backend,
    ragged: Ragged | None,
    resets: Tensor | None,
    noise: Noise,
    wish: Wish | None = None,
) -> tuple[Tensor, tuple[Tensor, ...], Sight | None]:
    """One cell, one way; shapes as in `run_layers`."""
    order = _backwards(ragged, x.shape[0], x.device) if direction.backwards else None
    if order is not None:
        x = _take(x, order)
        resets = None if resets is None else _backward_resets(resets, order)
    asked = make_run(direction, x, ragged, resets, noise)
    if wish is not None:
        return _run_watched(asked, backend, order, wish)
    result = backend.run(asked)
    return _in_order(result.output, order), result.state, None


def _run_watched(
    asked: Run, backend: Backend, order: Tensor | None, wish: Wish
) -> tuple[Tensor, tuple[Tensor, ...], Sight]:
    """A run and what is seen of it; `order` is that of a cell that goes backwards."""
    cell, names = asked.cell, wish.names
    taps = make_taps(cell, asked.sizes, wish, asked.x)
    if order is None:
        result = backend.run(asked._replace(watched=names, taps=taps, every=wish.every))
        seen: Sequence[Values] = result.seen
    else:
        # Every so many steps of the input are not so of the run, which begins at the end.
        turned = {name: _take(spread(tap, wish.every, len(asked.x)), order) for name, tap in taps.items()}
        result = backend.run(asked._replace(watched=names, taps=turned))
        seen = [_take(values_of(values), order)[:: wish.every] for values in result.seen]
    return _in_order(result.output, order), result.state, sight_of(cell, names, seen, taps)


def _in_order(output: Tensor, order: Tensor | None) -> Tensor:
    return output if order is None else _take(output, order)


def make_run(direction: Direction, x: Tensor, ragged: Ragged | None, resets: Tensor | None, noise: Noise) -> Run:
    """What a backend is asked for one cell, forwards; shapes as in `run_layers`."""
    return Run(
        cell=direction.cell,
        sizes=direction.sizes,
        parameters=direction.parameters,
        x=x,
        state=direction.start,
        fresh=() if resets is None else direction.fresh,
        resets=resets,
        alive=None if ragged is None else ragged.alive,
        masks=_masks(direction, x, noise) if noise.training and noise.recurrent_dropout else NOTHING,
        zoneout=_zoneout(direction, x, noise) if noise.zoneout else NOTHING,
    )


def _backwards(ragged: Ragged | None, steps: int, device: torch.device) -> Tensor:
    """For each step backwards the step forwards, (T, 1, ...) or (T, ..., B): each sequence turns at its own end.

    Steps beyond the end stay where they are, so that the order is its own inverse.
    """
    time = torch.arange(steps, device=device)
    if ragged is None:
        return time.flip(0)
    lengths = ragged.lengths
    time = time.view(-1, *[1] * lengths.ndim)
    return torch.where(time < lengths, lengths - 1 - time, time)


def _take(values: Tensor, order: Tensor) -> Tensor:
    """The steps of (T, ..., B, W) in another order."""
    if order.ndim == 1:
        return values.index_select(0, order)
    # Sequences may be shared by the replicas while their lengths are not, and the other way round.
    shape = torch.broadcast_shapes(values.shape[1:-1], order.shape[1:])
    index = order.expand(-1, *shape).unsqueeze(-1).expand(-1, *shape, values.shape[-1])
    return values.expand(-1, *shape, -1).gather(0, index)


def _backward_resets(resets: Tensor, order: Tensor) -> Tensor:
    """Going backwards a sequence starts afresh behind the step that would be its first, going forwards."""
    behind = torch.cat([resets[1:], torch.zeros_like(resets[:1])])
    turned = _take(behind, order)
    return torch.cat([torch.zeros_like(turned[:1]), turned[1:]])


def states_in_products(cell: Cell) -> tuple[str, ...]:
    """The states whose value before the step is read inside of a product."""
    inside = [
        name.name
        for line in cell.lines
        for product in walk(line.expression)
        if isinstance(product, Product)
        for name in walk(product.operand)
        if isinstance(name, Name) and name.role == "previous"
    ]
    return tuple(dict.fromkeys(cell.stored_as[name] for name in inside))


def _masks(direction: Direction, x: Tensor, noise: Noise) -> dict[str, Tensor]:
    return {
        name: drop(x.new_ones(_shape(direction, name, x)), noise.recurrent_dropout, noise.generators, replicas_at=0)
        for name in states_in_products(direction.cell)
    }


def _zoneout(direction: Direction, x: Tensor, noise: Noise) -> dict[str, Tensor | float]:
    shares = {name: share for name, share in (noise.zoneout or {}).items() if share}
    if not noise.training:
        return dict(shares)
    return {
        name: chosen(x, (x.shape[0], *_shape(direction, name, x)), share, noise.generators, replicas_at=1)
        for name, share in shares.items()
    }


def _shape(direction: Direction, state: str, x: Tensor) -> tuple[int, ...]:
    """([R,] B, W) of a state."""
    return (*x.shape[1:-1], direction.sizes[direction.cell.width(state)])
