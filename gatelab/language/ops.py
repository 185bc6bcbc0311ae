"""The operations of the language, a row each.

A row gives the meaning in torch on tensors whose last axis is the units, and the adjoint: for each argument, the
gradient that reaches it, as an expression in the arguments `a, b, c`, the result `y` and the gradient `d` that
arrives at the result. Where the result is one number a sequence, so is `d`: the sum of what arrives from all units.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Value = Tensor | float

EPSILON = 1e-5
"""Added to the variance by `normalize`, as in torch's LayerNorm."""


@dataclass(frozen=True)
class Operation:
    """One row.

    Attributes:
        name: what it is called; with a `symbol` it is written between or before its arguments.
        meaning: in torch.
        adjoint: one expression an argument, in `a, b, c, y, d`.
        latex: a template over `{a}`, `{b}`, `{c}`.
        symbol: the operator, for those that are not calls.
        binds: how tightly the operator holds its arguments; calls bind tightest.
        reduces: the result is one number a sequence, the same for all units.
        mixes: the result of one unit depends on other units.
        bounded: the result lies between 0 and 1, so a name given by it is a gate.
    """

    name: str
    meaning: Callable[..., Tensor]
    adjoint: tuple[str, ...]
    latex: str
    symbol: str = ""
    binds: int = 9
    reduces: bool = False
    mixes: bool = False
    bounded: bool = False

    @property
    def arity(self) -> int:
        return len(self.adjoint)


def _normalize(a: Tensor) -> Tensor:
    return functional.layer_norm(a, a.shape[-1:], eps=EPSILON)


def _hard_sigmoid(a: Tensor) -> Tensor:
    # torch's own has no second derivative, and a sixth that is off by 1e-8.
    return functional.relu6(a + 3) / 6


def _size(a: Tensor) -> Tensor:
    return torch.full_like(a[..., :1], a.shape[-1])


def _of_two(
    operation: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Tensor | float, Tensor | float], Tensor]:
    """Lets plain numbers stand where torch insists on tensors."""

    def meaning(a: Tensor | float, b: Tensor | float) -> Tensor:
        like = a if isinstance(a, Tensor) else b
        assert isinstance(like, Tensor)
        return operation(torch.as_tensor(a, dtype=like.dtype, device=like.device),
                         torch.as_tensor(b, dtype=like.dtype, device=like.device))  # fmt: skip

    return meaning


def _clip(a: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    return minimum(maximum(a, low), high)


maximum = _of_two(torch.maximum)
minimum = _of_two(torch.minimum)

# Where a function has a kink, the derivative there is torch's: 0 for relu and abs, half to each of two equal
# arguments of minimum and maximum, shared among equal maxima of max.
_SHARE = "(1 + sign(a - b)) / 2"
_AT_MAXIMUM = "(1 - abs(sign(a - y)))"
_SPREAD = f"sqrt(mean(square(a - mean(a))) + {EPSILON})"
_NORMAL = "0.3989422804014327 * exp(-square(a) / 2)"

_ROWS = (
    # Written between their arguments.
    Operation("add", operator.add, ("d", "d"), "{a} + {b}", "+", 1),
    Operation("subtract", operator.sub, ("d", "-d"), "{a} - {b}", "-", 1),
    Operation("multiply", operator.mul, ("d * b", "d * a"), r"{a} \odot {b}", "*", 3),
    Operation("divide", operator.truediv, ("d / b", "-d * y / b"), r"\frac{{{a}}}{{{b}}}", "/", 3),
    Operation("negate", operator.neg, ("-d",), "-{a}", "-", 4),
    Operation("power", operator.pow, ("d * b * a ** (b - 1)", "d * y * log(a)"), "{a}^{{{b}}}", "**", 5),
    # Elementwise.
    Operation("minimum", minimum, (f"d * (1 - {_SHARE})", f"d * {_SHARE}"), r"\min({a}, {b})"),
    Operation("maximum", maximum, (f"d * {_SHARE}", f"d * (1 - {_SHARE})"), r"\max({a}, {b})"),
    Operation("clip", _clip, ("d * (1 + sign(a - b)) / 2 * (1 + sign(c - maximum(a, b))) / 2",
                              "d * (1 - sign(a - b)) / 2 * (1 + sign(c - maximum(a, b))) / 2",
                              "d * (1 - sign(c - maximum(a, b))) / 2"),
              r"\operatorname{{clip}}({a}, {b}, {c})"),
    Operation("sigmoid", torch.sigmoid, ("d * y * (1 - y)",), r"\sigma({a})", bounded=True),
    Operation("tanh", torch.tanh, ("d * (1 - y * y)",), r"\tanh({a})"),
    Operation("relu", torch.relu, ("d * step(a)",), r"\operatorname{{relu}}({a})"),
    Operation("leaky_relu", functional.leaky_relu, ("d * (0.01 + 0.99 * step(a))",),
              r"\operatorname{{leakyrelu}}({a})"),
    Operation("elu", functional.elu, ("d * (step(a) + (1 - step(a)) * exp(minimum(a, 0)))",),
              r"\operatorname{{elu}}({a})"),
    Operation("gelu", functional.gelu, (f"d * (0.5 + erf(a * 0.7071067811865476) / 2 + a * {_NORMAL})",),
              r"\operatorname{{gelu}}({a})"),
    Operation("silu", functional.silu, ("d * (sigmoid(a) + y * (1 - sigmoid(a)))",),
              r"\operatorname{{silu}}({a})"),
    Operation("softplus", functional.softplus, ("d * sigmoid(a)",), r"\operatorname{{softplus}}({a})"),
    Operation("softsign", functional.softsign, ("d * square(1 - abs(y))",), r"\operatorname{{softsign}}({a})"),
    Operation("hard_sigmoid", _hard_sigmoid, ("d / 6 * step(a + 3) * step(3 - a)",),
              r"\hat\sigma({a})", bounded=True),
    Operation("hard_tanh", functional.hardtanh, ("d * step(a + 1) * step(1 - a)",),
              r"\operatorname{{hardtanh}}({a})"),
    Operation("exp", torch.exp, ("d * y",), r"\exp({a})"),
    Operation("log", torch.log, ("d / a",), r"\log({a})"),
    Operation("sqrt", torch.sqrt, ("d / (2 * y)",), r"\sqrt{{{a}}}"),
    Operation("square", torch.square, ("d * 2 * a",), "({a})^2"),
    Operation("abs", torch.abs, ("d * sign(a)",), r"\left|{a}\right|"),
    Operation("sin", torch.sin, ("d * cos(a)",), r"\sin({a})"),
    Operation("cos", torch.cos, ("-d * sin(a)",), r"\cos({a})"),
    Operation("erf", torch.erf, ("d * 1.1283791670955126 * exp(-square(a))",), r"\operatorname{{erf}}({a})"),
    Operation("sign", torch.sign, ("0 * d",), r"\operatorname{{sign}}({a})"),
    Operation("step", lambda a: torch.relu(torch.sign(a)), ("0 * d",), r"\mathbb{{1}}[{a} > 0]",
              bounded=True),
    # Over the units of a vector.
    Operation("sum", lambda a: a.sum(-1, keepdim=True), ("d",), r"\sum {a}", reduces=True, mixes=True),
    Operation("mean", lambda a: a.mean(-1, keepdim=True), ("d / size(a)",),
              r"\operatorname{{mean}}({a})", reduces=True, mixes=True),
    Operation("max", lambda a: a.amax(-1, keepdim=True),
              (f"d * {_AT_MAXIMUM} / sum({_AT_MAXIMUM})",), r"\max {a}", reduces=True, mixes=True),
    Operation("size", _size, ("0 * a",), r"\operatorname{{size}}({a})", reduces=True, mixes=True),
    Operation("normalize", _normalize, (f"(d - mean(d) - y * mean(d * y)) / {_SPREAD}",),
              r"\operatorname{{norm}}({a})", mixes=True),
    Operation("softmax", lambda a: torch.softmax(a, -1), ("y * (d - sum(d * y))",),
              r"\operatorname{{softmax}}({a})", mixes=True, bounded=True),
    Operation("cumsum", lambda a: a.cumsum(-1), ("sum(d) - cumsum(d) + d",),
              r"\operatorname{{cumsum}}({a})", mixes=True),
)  # fmt: skip

OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
BY_CALL: dict[str, Operation] = {row.name: row for row in _ROWS if not row.symbol}
"""Those written as calls, by name."""


def apply(operation: str, values: list[Value]) -> Value:
    """An operation of the table on tensors and plain numbers."""
    meaning = OPERATIONS[operation].meaning
    if any(isinstance(value, Tensor) for value in values):
        return meaning(*values)
    # Plain numbers only, as in sqrt(2): computed in double precision.
    return float(meaning(*(torch.tensor(value, dtype=torch.float64) for value in values)))
