"""The vector functions of the kernels against the mathematics, in units in the last place, over the whole range."""

import ctypes
from functools import cache

import mpmath
import numpy as np
import pytest
import torch

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.jit import assemble, form_of, function_of, module_text
from gatelab.backends.cpu.operations import EMITTERS
from gatelab.language.ops import OPERATIONS

ENDS = [0.0, -0.0, np.inf, -np.inf, np.nan]
DTYPES = {32: np.float32, 64: np.float64}

LIMITS = {"exp": 1.5, "sigmoid": 3.0, "tanh": 2.0, "log": 1.5, "sin": 1.5, "cos": 1.5, "erf": 1.5, "softplus": 3.0,
          "sqrt": 0.5, "elu": 1.5, "softsign": 1.5}  # fmt: skip
"""Units in the last place that a result may be off by."""

EXACT = {
    "exp": mpmath.exp,
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "tanh": mpmath.tanh,
    "log": mpmath.log,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "erf": mpmath.erf,
    "softplus": lambda a: a if a > 20 else mpmath.log1p(mpmath.exp(a)),
    "sqrt": mpmath.sqrt,
    "elu": lambda a: a if a > 0 else mpmath.expm1(a),
    "softsign": lambda a: a / (1 + abs(a)),
}


@cache
def compiled(name, bits, host):
    """A function of pointers: arguments, results, number of vectors."""
    form = form_of(bits, host)
    arity = OPERATIONS[name].arity
    code = Code(form, "all", (*(("ptr", f"in{k}") for k in range(arity)), ("ptr", "out"), ("i64", "count")))
    with code.loop("%count") as loop:
        values = [code.load(code.row(f"%in{k}", loop.index)) for k in range(arity)]
        code.store(EMITTERS[name](code, *values), code.row("%out", loop.index))
    engine = assemble(module_text([code], host), host)
    return engine, function_of(engine, code), form


def applied(name, *arguments, host=None):
    arguments = [np.asarray(a) for a in arguments]
    bits = arguments[0].dtype.itemsize * 8
    _, function, form = compiled(name, bits, host or this_host())
    padding = -len(arguments[0]) % form.lanes
    padded = [np.pad(a, (0, padding), constant_values=1) for a in arguments]
    out = np.empty_like(padded[0])
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*padded, out)]
    function(*pointers, len(out) // form.lanes)
    return out[: len(arguments[0])]


def arguments(name, dtype, count=2000):
    """Of all sizes, both signs, the borders between formulas, where results are subnormal, and beyond."""
    generator = np.random.default_rng(0)
    limits = np.finfo(dtype)
    small = np.exp(generator.uniform(np.log(float(limits.smallest_subnormal)), 0, count))
    ordinary = generator.uniform(-25, 25, count)
    edge = 750 if dtype is np.float64 else 105
    far = generator.uniform(-edge, edge, count)
    borders = np.array([0.625, 0.5 * np.log(2), 20.0, 88.0, 709.0, float(limits.max), float(limits.tiny)])
    values = np.concatenate([small, -small, ordinary, far, borders, -borders, np.nextafter(borders, 0)]).astype(dtype)
    if name in ("log", "sqrt"):
        values = np.abs(values)
    return values[np.isfinite(values) & (values != 0)]


def ulps(found, expected, dtype):
    """The error in units in the last place of the result, subnormal results included."""
    limits = np.finfo(dtype)
    mantissa = limits.nmant
    least = mpmath.mpf(float(limits.smallest_subnormal))
    exponent = mpmath.frexp(expected)[1] - 1
    unit = max(mpmath.ldexp(1, exponent - mantissa), least)
    return abs(mpmath.mpf(float(found)) - expected) / unit


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", LIMITS)
def test_errors_in_units_in_the_last_place(name, bits):
    dtype = DTYPES[bits]
    values = arguments(name, dtype, 400)
    found = applied(name, values)
    worst = (0.0, 0.0)
    with mpmath.workprec(150):
        for value, result in zip(values, found, strict=True):
            expected = EXACT[name](mpmath.mpf(float(value)))
            if expected > float(np.finfo(dtype).max):
                assert result == np.inf, value
                continue
            worst = max(worst, (float(ulps(result, expected, dtype)), float(value)))
    assert worst[0] <= LIMITS[name], worst


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", [name for name in EMITTERS if OPERATIONS[name].arity == 1])
def test_ends_are_torchs(name, bits):
    values = np.array([*ENDS, np.finfo(DTYPES[bits]).max, -np.finfo(DTYPES[bits]).max, 1e-30], DTYPES[bits])
    if name == "gelu":
        # torch gives one or the other for what overflows on the way, by how many numbers there are.
        values = values[~(np.abs(values) > 1e30)]
    expected = OPERATIONS[name].meaning(torch.from_numpy(values))
    torch.testing.assert_close(torch.from_numpy(applied(name, values)), expected, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", [name for name in EMITTERS if OPERATIONS[name].arity == 2])
def test_ends_of_functions_of_two_arguments(name, bits):
    grid = [*ENDS, 1.0, -2.0, 0.5]
    a, b = (np.ravel(axis).astype(DTYPES[bits]) for axis in np.meshgrid(grid, grid))
    expected = OPERATIONS[name].meaning(torch.from_numpy(a), torch.from_numpy(b))
    torch.testing.assert_close(torch.from_numpy(applied(name, a, b)), expected, rtol=1e-6, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in EMITTERS if OPERATIONS[name].arity <= 2])
def test_every_operation_is_torchs_on_ordinary_numbers(name):
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(100, generator=generator, dtype=torch.float64) * 3 for _ in range(OPERATIONS[name].arity)]
    if name in ("log", "sqrt", "power"):
        values[0] = values[0].abs()
    found = torch.from_numpy(applied(name, *(value.numpy() for value in values)))
    torch.testing.assert_close(found, OPERATIONS[name].meaning(*values), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("bits", [256, 128])
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "erf"])
def test_narrower_vectors_give_the_same_bits(name, bits):
    host = this_host()
    if host.bits < bits:
        pytest.skip("this processor has no such vectors")
    values = arguments(name, np.float32, 300)
    narrow = Host(host.cpu, host.features, bits)
    np.testing.assert_array_equal(applied(name, values), applied(name, values, host=narrow))


def test_every_operation_has_a_row():
    elementwise = {name for name, row in OPERATIONS.items() if not row.mixes}
    assert EMITTERS.keys() == elementwise
