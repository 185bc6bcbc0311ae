"""The operation table in LLVM: for each operation that works unit by unit, what writes it down.

Where torch lets NaN through, so does this, and where torch gives a number for NaN (`sign`), this does too.
"""

from __future__ import annotations

from collections.abc import Callable

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.functions import by_lane, exp, sigmoid, tanh

Emitter = Callable[..., str]


def _binary(name: str) -> Emitter:
    return lambda code, a, b: code.binary(name, a, b)


def _intrinsic(name: str) -> Emitter:
    return lambda code, *values: code.intrinsic(name, *values)


def _library(name: str) -> Emitter:
    return lambda code, a: by_lane(code, name, a)


def _clip(code: Code, a: str, low: str, high: str) -> str:
    return code.intrinsic("minimum", code.intrinsic("maximum", a, low), high)


def _relu(code: Code, a: str) -> str:
    zero = code.form.constant(0.0)
    return code.choose(code.compare("ole", a, zero), zero, a)


def _leaky_relu(code: Code, a: str) -> str:
    form = code.form
    return code.choose(code.compare("ogt", a, form.constant(0.0)), a, code.binary("fmul", a, form.constant(0.01)))


def _elu(code: Code, a: str) -> str:
    return code.choose(code.compare("ogt", a, code.form.constant(0.0)), a, by_lane(code, "expm1", a))


def _gelu(code: Code, a: str) -> str:
    form = code.form
    inner = by_lane(code, "erf", code.binary("fmul", a, form.constant(0.5**0.5)))
    both = code.binary("fadd", inner, form.constant(1.0))
    return code.binary("fmul", code.binary("fmul", a, form.constant(0.5)), both)


def _silu(code: Code, a: str) -> str:
    return code.binary("fmul", a, sigmoid(code, a))


def _softplus(code: Code, a: str) -> str:
    large = code.compare("ogt", a, code.form.constant(20.0))
    return code.choose(large, a, by_lane(code, "log1p", exp(code, a)))


def _softsign(code: Code, a: str) -> str:
    return code.binary("fdiv", a, code.binary("fadd", code.intrinsic("fabs", a), code.form.constant(1.0)))


def _hard_sigmoid(code: Code, a: str) -> str:
    form = code.form
    clipped = _clip(code, code.binary("fadd", a, form.constant(3.0)), form.constant(0.0), form.constant(6.0))
    return code.binary("fdiv", clipped, form.constant(6.0))


def _hard_tanh(code: Code, a: str) -> str:
    return _clip(code, a, code.form.constant(-1.0), code.form.constant(1.0))


def _sign(code: Code, a: str) -> str:
    form = code.form
    zero = form.constant(0.0)
    negative = code.choose(code.compare("olt", a, zero), form.constant(-1.0), zero)
    return code.choose(code.compare("ogt", a, zero), form.constant(1.0), negative)


def _step(code: Code, a: str) -> str:
    zero = code.form.constant(0.0)
    return code.choose(code.compare("ogt", a, zero), code.form.constant(1.0), zero)


EMITTERS: dict[str, Emitter] = {
    "add": _binary("fadd"),
    "subtract": _binary("fsub"),
    "multiply": _binary("fmul"),
    "divide": _binary("fdiv"),
    "negate": lambda code, a: code.value(f"fneg {code.form.vector} {a}"),
    "power": _intrinsic("pow"),
    "minimum": _intrinsic("minimum"),
    "maximum": _intrinsic("maximum"),
    "clip": _clip,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "silu": _silu,
    "softplus": _softplus,
    "softsign": _softsign,
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _hard_tanh,
    "exp": exp,
    "log": _intrinsic("log"),
    "sqrt": _intrinsic("sqrt"),
    "square": lambda code, a: code.binary("fmul", a, a),
    "abs": _intrinsic("fabs"),
    "sin": _intrinsic("sin"),
    "cos": _intrinsic("cos"),
    "erf": _library("erf"),
    "sign": _sign,
    "step": _step,
}
