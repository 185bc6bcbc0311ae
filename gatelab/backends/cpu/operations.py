"""The operation table in LLVM: for each operation that works unit by unit, what writes it down.

Where torch lets NaN through, so does this, and where torch gives a number for NaN (`sign`), this does too.
"""

from __future__ import annotations

from collections.abc import Callable

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.error_function import erf
from gatelab.backends.cpu.functions import elu, exp, sigmoid, tanh
from gatelab.backends.cpu.logarithms import log, softplus
from gatelab.backends.cpu.trigonometry import cos, sin

Emitter = Callable[..., str]


def _binary(name: str) -> Emitter:
    return lambda code, a, b: code.binary(name, a, b)


def _intrinsic(name: str) -> Emitter:
    return lambda code, *values: code.intrinsic(name, *values)


def _reciprocal(code: Code, a: str) -> str:
    return code.binary("fdiv", code.form.constant(1.0), a)


def _square(code: Code, a: str) -> str:
    return code.binary("fmul", a, a)


def _root(code: Code, a: str) -> str:
    return code.intrinsic("sqrt", a)


POWERS: dict[float, Callable[[Code, str], str]] = {
    2.0: _square,
    3.0: lambda code, a: code.binary("fmul", _square(code, a), a),
    0.5: _root,
    -0.5: lambda code, a: _reciprocal(code, _root(code, a)),
    -1.0: _reciprocal,
    -2.0: lambda code, a: _reciprocal(code, _square(code, a)),
}
"""Those that torch writes by simpler operations too where the exponent is a number."""


def _power(code: Code, a: str, b: str) -> str:
    """a ** b: a simple form for an exponent that stands in the text as a number of the table, else the C library's.

    That goes lane by lane. A vector form needs log(a) to some ten bits more than it has, and a choice for each of
    the dozen special cases; powers with learnt exponents are too rare for that.
    """
    for exponent, simple in POWERS.items():
        if b == code.form.constant(exponent):
            return simple(code, a)
    return code.intrinsic("pow", a, b)


def _clip(code: Code, a: str, low: str, high: str) -> str:
    return code.intrinsic("minimum", code.intrinsic("maximum", a, low), high)


def _relu(code: Code, a: str) -> str:
    zero = code.form.constant(0.0)
    return code.choose(code.compare("ole", a, zero), zero, a)


def _leaky_relu(code: Code, a: str) -> str:
    form = code.form
    return code.choose(code.compare("ogt", a, form.constant(0.0)), a, code.binary("fmul", a, form.constant(0.01)))


def _gelu(code: Code, a: str) -> str:
    form = code.form
    inner = erf(code, code.binary("fmul", a, form.constant(0.5**0.5)))
    both = code.binary("fadd", inner, form.constant(1.0))
    return code.binary("fmul", code.binary("fmul", a, form.constant(0.5)), both)


def _silu(code: Code, a: str) -> str:
    return code.binary("fmul", a, sigmoid(code, a))


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
    "power": _power,
    "minimum": _intrinsic("minimum"),
    "maximum": _intrinsic("maximum"),
    "clip": _clip,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": elu,
    "gelu": _gelu,
    "silu": _silu,
    "softplus": softplus,
    "softsign": _softsign,
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _hard_tanh,
    "exp": exp,
    "log": log,
    "sqrt": _root,
    "square": _square,
    "abs": _intrinsic("fabs"),
    "sin": sin,
    "cos": cos,
    "erf": erf,
    "sign": _sign,
    "step": _step,
}
