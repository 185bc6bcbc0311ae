"""The conformance suite: what every cell and every backend must satisfy, yours included.

    >>> from gatelab.testing import check_cell
    >>> check_cell("my.cell")

Each check raises `ConformanceError` with the cell, the tensor and the size of the difference, or returns the largest
difference that it saw, relative to the size of the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from gatelab.backends.base import Backend
from gatelab.errors import GatelabError
from gatelab.language.cell import Cell
from gatelab.language.expressions import Apply, Expression, Name, Number
from gatelab.language.files import read_cell_text, write_cell
from gatelab.language.lookup import find_cell
from gatelab.language.ops import Operation, apply
from gatelab.language.parse import parse_expression
from gatelab.nn.recurrent import Recurrent
from gatelab.probes.probe import probe

TOLERANCE: dict[torch.dtype, float] = {torch.float64: 1e-10, torch.float32: 2e-5}
"""The error budget, relative to the largest entry of a tensor, for sequences of up to 16 steps.

A product of H = 64 terms in float32 is off by up to some 64 roundings of 6e-8, and a gradient gathers them over the
steps; float64 leaves eight digits of room.
"""

CHAOS = 8.0
"""In float32 a result may also be off by so many times what eager's own float32 is off from float64.

Some cells double each rounding at every step; there no two orders of summing agree, and float64 decides.
"""

GRADIENT_TOLERANCE = 1e-6
"""Of an analytic derivative against differences in float64; these are good to some 1e-8."""


class ConformanceError(GatelabError, AssertionError):
    """A cell or a backend does not do what it must."""


@dataclass(frozen=True)
class Sizes:
    """T time, B batch, I input, H hidden."""

    T: int = 4
    B: int = 3
    I: int = 2  # noqa: E741
    H: int = 3


AWKWARD = (
    Sizes(1, 1, 1, 1),
    Sizes(1, 3, 2, 4),
    Sizes(5, 1, 3, 5),
    Sizes(3, 17, 1, 7),
    Sizes(6, 2, 5, 17),
    Sizes(16, 5, 4, 33),
    Sizes(2, 15, 2, 17),
    Sizes(2, 16, 3, 64),
    Sizes(3, 33, 2, 3),
)
"""Sizes at which blocked and vectorised code goes wrong first."""


@dataclass(frozen=True)
class Subject:
    """What is tested: a cell on a backend, with random numbers from a seed."""

    cell: Cell
    backend: str | Backend = "auto"
    seed: int = 0

    def layer(
        self, sizes: Sizes = Sizes(), dtype: torch.dtype = torch.float64, **options: Any
    ) -> tuple[Recurrent, Sizes]:
        """A layer with parameters near their usual start but with no two alike; and the sizes, made to fit."""
        if self.cell.width("x") != "I":
            sizes = Sizes(sizes.T, sizes.B, sizes.H, sizes.H)
        widths = {symbol: max(1, sizes.H - 1) for symbol in self.cell.width_names}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            options = {"backend": self.backend, "widths": widths, **options}
            # Drawn in float64 whatever the dtype, so that the same numbers serve all.
            layer = Recurrent(self.cell, sizes.I, sizes.H, dtype=torch.float64, **options)
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.add_(torch.randn_like(parameter), alpha=0.1)
        return layer.to(dtype), sizes

    def inputs(
        self, layer: Recurrent, sizes: Sizes, dtype: torch.dtype = torch.float64, places: int = 1
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """An input (T, B, I) and states (L*D, B, W), random."""
        generator = torch.Generator().manual_seed(self.seed + 1)
        widths = self.cell.sizes(sizes.I, sizes.H, layer.widths)
        x = torch.randn(sizes.T, sizes.B, sizes.I, generator=generator, dtype=torch.float64)
        state = tuple(
            0.5 * torch.randn(places, sizes.B, widths[self.cell.width(name)], generator=generator, dtype=torch.float64)
            for name in self.cell.states
        )
        return x.to(dtype), tuple(value.to(dtype) for value in state)


def check_cell(cell: str | PathLike[str] | Cell, backend: str | Backend = "auto", seed: int = 0) -> dict[str, float]:
    """Every check of the suite.

    Args:
        cell: a name, a path or a Cell.
        backend: which to test, by name, or one of your own.

    Returns:
        For each check the largest relative difference seen.

    Raises:
        ConformanceError: a check fails; the message says which, where and by how much.
    """
    subject = Subject(find_cell(cell), backend, seed)
    return {name: check(subject) for name, check in CHECKS.items()}


def check_printing(subject: Subject) -> float:
    """The printed equations, and the file, read back as the same cell."""
    cell = subject.cell
    again = read_cell_text(write_cell(cell))
    if again != cell or again.equations != cell.equations:
        raise ConformanceError(f"'{cell.name}' reads back as another cell:\n{cell}\nbecame\n{again}")
    return 0.0


def check_gradients(subject: Subject) -> float:
    """First and second derivatives against differences in float64, of outputs and states, by everything."""
    layer, sizes = subject.layer(Sizes(T=3, B=2, I=2, H=3))
    x, state = subject.inputs(layer, sizes)
    named = {name: value.detach() for name, value in layer.named_parameters()}

    def values(*tensors: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(named, tensors, strict=False))
        output, final = functional_call(layer, given, (tensors[len(named)], tensors[len(named) + 1 :]))
        return tuple(value for value in (output, *final) if value.requires_grad)

    # gradgradcheck loses count where one of several gradients is constant, so the gradients are a function here.
    def slopes(*tensors: Tensor) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(subject.seed)
        outputs = values(*tensors)
        weights = [torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in outputs]
        found = torch.autograd.grad(outputs, tensors, weights, create_graph=True, materialize_grads=True)
        return tuple(value for value in found if value.requires_grad)

    inputs = [value.clone().requires_grad_() for value in (*named.values(), x, *state)]
    for what, function in (("first", values), ("second", slopes)):
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(subject.seed)
                torch.autograd.gradcheck(function, inputs, atol=1e-7, rtol=GRADIENT_TOLERANCE, fast_mode=True)
        except RuntimeError as error:  # torch's GradcheckError is one.
            raise ConformanceError(
                f"'{subject.cell.name}' has a wrong {what} derivative.\n{error}\n{subject.cell}"
            ) from None
    return GRADIENT_TOLERANCE


def check_against_eager(subject: Subject, at: Sequence[Sizes] = AWKWARD) -> float:
    """Outputs, states and all gradients equal eager's, at awkward sizes and dtypes."""
    worst = 0.0
    for dtype, tolerance in TOLERANCE.items():
        for sizes in at:
            layer, fitted = subject.layer(sizes, dtype)
            eager, _ = subject.layer(sizes, dtype, backend="eager")
            x, state = subject.inputs(layer, fitted, dtype)
            lengths = [1 + (7 * b) % fitted.T for b in range(fitted.B)]
            for given in ({}, {"lengths": lengths}):
                where = f"{fitted}, {dtype}" + (", ragged" if given else "")
                ours, theirs = all_of(layer, x, state, **given), all_of(eager, x, state, **given)
                allowed = dict.fromkeys(theirs, tolerance)
                if dtype is torch.float32:
                    exact = all_of(eager.double(), x.double(), tuple(value.double() for value in state), **given)
                    rounding = {name: _difference(theirs[name].double(), exact[name]) for name in theirs}
                    allowed = {name: max(tolerance, CHAOS * rounding[name]) for name in theirs}
                    eager.float()
                worst = max(worst, compare(subject, "the eager backend", ours, theirs, allowed, where))
    return worst


def _difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest entry, or 1 if that is less; 0 of nothing."""
    if not expected.numel():
        return 0.0
    return float((found - expected).detach().abs().max() / expected.detach().abs().max().clamp(min=1))


def check_stepwise(subject: Subject) -> float:
    """Steps one by one give what the whole sequence gives."""
    layer, sizes = subject.layer()
    x, state = subject.inputs(layer, sizes)
    whole, final = layer(x, state)
    outputs = []
    for x_t in x:
        output, state = layer.step(x_t, state)
        outputs.append(output)
    expected = {"output": whole, **_named(final)}
    return compare(subject, "single steps", {"output": torch.stack(outputs), **_named(state)}, expected)


def check_replicas(subject: Subject) -> float:
    """Replica r of R gives what it gives alone; with inputs of its own and with shared ones."""
    alone = [Subject(subject.cell, subject.backend, subject.seed + r).layer()[0] for r in range(3)]
    layer, sizes = subject.layer(replicas=len(alone))
    layer.load_state_dict({key: torch.stack([each.state_dict()[key] for each in alone]) for key in layer.state_dict()})
    inputs = [Subject(subject.cell, seed=r).inputs(layer, sizes) for r in range(3)]
    x = torch.stack([x for x, _ in inputs])
    state = tuple(torch.stack(values) for values in zip(*(state for _, state in inputs), strict=True))
    lengths = torch.tensor([[4, 1, 3], [2, 4, 4], [3, 3, 1]])
    worst = 0.0
    for given, shared in (({}, False), ({"lengths": lengths}, False), ({}, True)):
        together = all_of(layer, x[0] if shared else x, state, **given)
        for r, single in enumerate(alone):
            own = {key: value[r] for key, value in given.items()}
            expected = all_of(single, x[0 if shared else r], tuple(value[r] for value in state), **own)
            found = {key: value[r] for key, value in together.items() if not (shared and key == "gradient of x")}
            expected = {key: expected[key] for key in found}
            worst = max(worst, compare(subject, f"replica {r} alone", found, expected))
    return worst


def check_ragged(subject: Subject) -> float:
    """Ragged sequences in a batch give what each gives alone, and what lies beyond their ends has no effect."""
    layer, sizes = subject.layer(Sizes(T=5, B=4))
    x, state = subject.inputs(layer, sizes)
    lengths = [5, 1, 3, 2]
    for b, length in enumerate(lengths):
        x[length:, b] = torch.nan
    found = all_of(layer, x, state, lengths=lengths)
    outputs, finals = torch.zeros_like(found["output"]), []
    for b, length in enumerate(lengths):
        output, final = layer(x[:length, b : b + 1], tuple(value[:, b : b + 1] for value in state))
        outputs[:length, b : b + 1] = output.detach()
        finals.append(final)
    joined = {
        f"final {name}": torch.cat([getattr(final, name) for final in finals], dim=1).detach()
        for name in subject.cell.states
    }
    expected = {"output": outputs, **joined}
    worst = compare(subject, "each alone", {key: found[key] for key in expected}, expected)
    for name, value in found.items():
        if not torch.isfinite(value).all():
            raise ConformanceError(f"'{subject.cell.name}': NaN beyond the end of a sequence reaches the {name}.")
    return worst


def check_directions(subject: Subject) -> float:
    """The way back is the way forth on the reversed sequence, `batch_first` only turns axes, layers feed each other."""
    layer, sizes = subject.layer(bidirectional=True)
    forth, _ = subject.layer()
    back, _ = subject.layer()
    states = layer.state_dict()
    forth.load_state_dict({key: states[key] for key in forth.state_dict()})
    back.load_state_dict({key: states[key + "_reverse"] for key in back.state_dict()})
    x, state = subject.inputs(layer, sizes, places=2)
    both, final = layer(x, state)
    there, final_there = forth(x, tuple(value[:1] for value in state))
    turned, final_turned = back(x.flip(0), tuple(value[1:] for value in state))
    ends = [torch.cat(pair) for pair in zip(final_there, final_turned, strict=True)]
    worst = compare(
        subject,
        "two single directions",
        {"output": both, **_named(final)},
        {
            "output": torch.cat([there, turned.flip(0)], -1),
            **{f"final {n}": end for n, end in zip(subject.cell.states, ends, strict=True)},
        },
    )
    forth.batch_first = True
    output, final = forth(x.transpose(0, 1), tuple(value[:1] for value in state))
    found = {"output": output.transpose(0, 1), **_named(final)}
    return max(worst, compare(subject, "time first", found, {"output": there, **_named(final_there)}))


def check_resets(subject: Subject) -> float:
    """A sequence with resets gives what its parts give, each begun afresh."""
    layer, sizes = subject.layer(Sizes(T=6, B=2), learned_state=True)
    x, _ = subject.inputs(layer, sizes)
    resets = torch.zeros(6, 2, dtype=torch.bool)
    resets[[2, 5], 0] = True
    resets[3, 1] = True
    found, _ = layer(x, resets=resets)
    parts = [[(0, 2), (2, 5), (5, 6)], [(0, 3), (3, 6)]]
    expected = torch.zeros_like(found)
    for b, spans in enumerate(parts):
        for start, end in spans:
            expected[start:end, b : b + 1] = layer(x[start:end, b : b + 1])[0].detach()
    return compare(subject, "the parts", {"output": found}, {"output": expected})


def check_watched(subject: Subject) -> float:
    """Every name of the equations under a probe has the values and the gradients that eager shows."""
    sizes = Sizes(T=5, B=4)
    layer, fitted = subject.layer(sizes)
    eager, _ = subject.layer(sizes, backend="eager")
    x, state = subject.inputs(layer, fitted)
    worst = 0.0
    for given in ({}, {"lengths": [5, 1, 3, 2]}):
        found, expected = (_inside(each, x, state, **given) for each in (layer, eager))
        # A line that nothing reads may be the logarithm of a negative number.
        fits = {name: torch.isfinite(value) for name, value in expected.items()}
        ours, theirs = ({name: v.where(fits[name], 0.0) for name, v in each.items()} for each in (found, expected))
        worst = max(worst, compare(subject, "what eager shows", ours, theirs, where=f"{given}"))
    return worst


def _inside(layer: Recurrent, x: Tensor, state: tuple[Tensor, ...], **given: Any) -> dict[str, Tensor]:
    """The values of all names, and their gradients of a random loss."""
    names = [line.name for line in layer.cell.lines]
    with probe(layer, *names, gradients=True) as record:
        output, final = layer(x, state, **given)
        generator = torch.Generator().manual_seed(7)
        results = (output, *final)
        sum((v * torch.randn(v.shape, generator=generator, dtype=v.dtype)).sum() for v in results).backward()
    gradients = {f"gradient of {name}": record.gradient[name] for name in names}
    return {name: record[name] for name in names} | gradients


CHECKS: dict[str, Callable[[Subject], float]] = {
    "printing": check_printing,
    "gradients": check_gradients,
    "against eager": check_against_eager,
    "stepwise": check_stepwise,
    "replicas": check_replicas,
    "ragged": check_ragged,
    "directions": check_directions,
    "resets": check_resets,
    "watched": check_watched,
}


def check_operation(row: Operation, seed: int = 0) -> float:
    """The adjoint of a row of the operation table against torch's derivative of its meaning.

    Raises:
        ConformanceError: they differ by more than 1e-9 of their size.
    """
    generator = torch.Generator().manual_seed(seed)
    worst = 0.0
    for shift in (0.0, 3.0):  # Around zero, and where logarithms and roots are defined.
        values = [torch.randn(4, 6, generator=generator, dtype=torch.float64) for _ in range(row.arity)]
        given = {key: (value.abs() + 0.1 if shift else value).requires_grad_()
                 for key, value in zip("abc", values, strict=False)}  # fmt: skip
        if row.name == "power" and not shift:
            given["b"] = torch.full((1, 1), 3.0, dtype=torch.float64, requires_grad=True)
        y = row.meaning(*given.values())
        d = torch.randn(4, 6, generator=generator, dtype=torch.float64)
        gradients = torch.autograd.grad((y * d).sum(), list(given.values()), allow_unused=True) \
            if y.requires_grad else [None] * row.arity  # fmt: skip
        arriving = d.sum(-1, keepdim=True) if row.reduces else d
        names = {**given, "y": y, "d": arriving}
        for (name, value), text, gradient in zip(given.items(), row.adjoint, gradients, strict=True):
            expected = torch.zeros_like(value) if gradient is None else gradient
            found = torch.as_tensor(evaluate_adjoint(text, names)).expand_as(d).sum_to_size(value.shape)
            fits = torch.isfinite(expected) & torch.isfinite(y.expand_as(d).sum_to_size(value.shape))
            if not fits.any():
                continue
            difference = float(
                (found - expected).detach()[fits].abs().max() / expected.detach()[fits].abs().max().clamp(min=1)
            )
            if not difference <= 1e-9:
                raise ConformanceError(
                    f"The adjoint of '{row.name}' by {name}, {text}, is off by {difference:.1e} of its size."
                )
            worst = max(worst, difference)
    return worst


def evaluate_adjoint(text: str, values: Mapping[str, Tensor]) -> Tensor | float:
    """The value of an expression of the operation table in the names a, b, c, y, d."""

    def of(expression: Expression) -> Tensor | float:
        match expression:
            case Number(value=value):
                return value
            case Name(name=name):
                return values[name]
            case Apply(operation=operation, arguments=arguments):
                return apply(operation, [of(argument) for argument in arguments])
        raise AssertionError(expression)

    return of(parse_expression(text, dict.fromkeys(values, "vector")))


def all_of(layer: Recurrent, x: Tensor, state: Sequence[Tensor], **given: Any) -> dict[str, Tensor]:
    """The output, the final states, and the gradients by input, states and parameters of a random loss."""
    x = x.detach().requires_grad_()
    state = [value.detach().requires_grad_() for value in state]
    output, final = layer(x, tuple(state), **given)
    results = {"output": output, **_named(final)}
    generator = torch.Generator().manual_seed(7)
    # Weights that do not depend on the replica, so that one of many meets the same loss as one alone.
    loss = sum(
        (value * torch.randn(value.shape[-3:], generator=generator, dtype=value.dtype)).sum()
        for value in results.values()
    )
    inputs = {"x": x, **{f"initial {n}": v for n, v in zip(layer.cell.states, state, strict=True)}}
    inputs |= dict(layer.named_parameters())
    # A cell that depends on nothing has no gradients; then they are zeros.
    loss = loss + 0 * x.sum()
    gradients = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True, materialize_grads=True)
    found = {f"gradient of {name}": value for name, value in zip(inputs, gradients, strict=True)}
    return {name: value.detach() for name, value in (results | found).items()}


def compare(
    subject: Subject,
    against: str,
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    tolerance: float | Mapping[str, float] = TOLERANCE[torch.float64],
    where: str = "",
) -> float:
    """The largest difference, relative to each tensor's largest entry, or 1 if that is less."""
    worst = 0.0
    for name, value in expected.items():
        if found[name].shape != value.shape:
            raise ConformanceError(
                f"'{subject.cell.name}': {name} has shape {tuple(found[name].shape)}, not {tuple(value.shape)}."
            )
        if not value.numel():
            continue
        if not torch.isfinite(value).all():
            raise ConformanceError(f"'{subject.cell.name}': {name} is not finite for ordinary numbers. {where}")
        difference = _difference(found[name], value)
        allowed = tolerance if isinstance(tolerance, float) else tolerance[name]
        if not difference <= allowed:
            raise ConformanceError(
                f"'{subject.cell.name}': {name} differs from {against} by {difference:.1e} of its size; "
                f"{allowed:.0e} is allowed. {where}\n{subject.cell}"
            )
        worst = max(worst, difference)
    return worst


def _named(state: Any) -> dict[str, Tensor]:
    return {f"final {name}": value for name, value in state._asdict().items()}
