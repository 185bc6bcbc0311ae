"""The vector functions of the kernels against the mathematics, in units in the last place, over the whole range."""

import ctypes
import platform
from functools import cache

import numpy as np
import pytest
import torch
from scipy import special

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.jit import assemble, form_of, function_of, module_text
from gatelab.backends.cpu.operations import EMITTERS, POWERS
from gatelab.language.ops import OPERATIONS

LIMITS = {
    "exp": {32: 1.5, 64: 1.5},
    "sigmoid": {32: 2.5, 64: 2.5},
    "tanh": {32: 3.0, 64: 3.0},
    "elu": {32: 1.5, 64: 1.5},
    "softplus": {32: 2.5, 64: 2.5},
    "log": {32: 1.0, 64: 1.5},
    "erf": {32: 3.0, 64: 3.0},
    "sin": {32: 2.0, 64: 2.0},
    "cos": {32: 2.0, 64: 2.0},
    "sqrt": {32: 0.5, 64: 0.5},
    "softsign": {32: 1.5, 64: 1.5},
}
"""Units in the last place that a result may be off by, by the bits in a number."""

HOSTS = {
    "widest": this_host(),
    "avx2": Host("haswell", "", 256),
    "plain": Host("x86-64", "", 128, fused=False),
}


def _softplus(a):
    return np.where(a > 20, a, np.log1p(np.exp(np.minimum(a, 20))))


def _erf(a):
    """In the precision of the argument, by the series without cancellation."""
    if a.dtype == np.float64:
        return special.erf(a)
    t = np.minimum(np.abs(a), 7)
    term = total = 2 * t / np.sqrt(4 * np.arctan(np.ones_like(a)))
    for n in range(1, 250):
        term = term * (2 * t * t) / (2 * n + 1)
        total = total + term
    return np.copysign(total * np.exp(-t * t), a)


EXACT = {
    "exp": np.exp,
    "sigmoid": lambda a: np.exp(np.minimum(a, 0)) / (1 + np.exp(-np.abs(a))),
    "tanh": np.tanh,
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "softplus": _softplus,
    "log": np.log,
    "erf": _erf,
    "sin": np.sin,
    "cos": np.cos,
    "sqrt": np.sqrt,
    "softsign": lambda a: a / (1 + np.abs(a)),
}

ENDS = [0.0, -0.0, np.inf, -np.inf, np.nan]
DTYPES = {32: np.float32, 64: np.float64}
MORE_PRECISE = {32: np.float64, 64: np.longdouble}


def host_of(name):
    """A host that runs here, or the test is skipped."""
    host = HOSTS[name]
    if name != "widest" and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("these vectors are another processor's")
    if this_host().bits < host.bits:
        pytest.skip("this processor has no such vectors")
    return host


@cache
def compiled(name, bits, host, emit):
    """A function of pointers: arguments, results, number of vectors."""
    form = form_of(bits, host)
    arity = OPERATIONS[name].arity
    code = Code(form, "all", (*(("ptr", f"in{k}") for k in range(arity)), ("ptr", "out"), ("i64", "count")))
    with code.loop("%count") as loop:
        values = [code.load(code.row(f"%in{k}", loop.index)) for k in range(arity)]
        code.store((emit or EMITTERS[name])(code, *values), code.row("%out", loop.index))
    engine = assemble(module_text([code], host), host)
    return engine, function_of(engine, code), form


def applied(name, *arguments, host=None, emit=None):
    arguments = [np.asarray(a) for a in arguments]
    bits = arguments[0].dtype.itemsize * 8
    _, function, form = compiled(name, bits, host or this_host(), emit)
    padding = -len(arguments[0]) % form.lanes
    padded = [np.pad(a, (0, padding), constant_values=1) for a in arguments]
    out = np.empty_like(padded[0])
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*padded, out)]
    function(*pointers, len(out) // form.lanes)
    return out[: len(arguments[0])]


@cache
def arguments(name, bits):
    """Of all sizes, both signs, the borders between formulas, where results are subnormal, and beyond."""
    dtype = DTYPES[bits]
    generator = np.random.default_rng(0)
    limits = np.finfo(dtype)
    count = 20_000 if bits == 32 else 5_000
    sizes = np.exp(generator.uniform(np.log(float(limits.smallest_subnormal)), np.log(float(limits.max)), count))
    ordinary = generator.uniform(-25, 25, count)
    small = generator.uniform(-1.5, 1.5, count)
    far = generator.uniform(-750, 750, count) if bits == 64 else generator.uniform(-105, 105, count)
    halves = np.arange(1, 2000) * np.pi / 2
    powers = np.exp2(np.arange(limits.minexp, limits.maxexp))
    borders = np.array([0.5**0.5, 0.5 * np.log(2), 3.95, 5.95, 10.0, 20.0, 22.0, 44.0, 87.34, 88.73, 103.97, 708.4,
                        709.79, 745.2, 1e5, 1e9, float(limits.max), float(limits.tiny)])  # fmt: skip
    near = np.concatenate([halves, powers, borders]).astype(dtype)
    near = np.concatenate([near, np.nextafter(near, dtype(0)), np.nextafter(near, limits.max)])
    values = np.concatenate([sizes, -sizes, ordinary, small, far, near, -near]).astype(dtype)
    if name in ("log", "sqrt"):
        values = np.abs(values)
    return values[np.isfinite(values) & (values != 0)]


@cache
def expected(name, bits):
    if bits == 64 and np.finfo(np.longdouble).nmant < 63:
        pytest.skip("numpy has nothing more precise here")
    with np.errstate(under="ignore", over="ignore"):
        return EXACT[name](arguments(name, bits).astype(MORE_PRECISE[bits]))


def errors(found, exact, allowed=0.0):
    """In units in the last place of the result, subnormal results included; none where it is off by so little."""
    limits = np.finfo(found.dtype)
    _, exponent = np.frexp(exact)
    exponent = np.maximum(exponent - 1, limits.minexp)
    with np.errstate(invalid="ignore"):
        apart = np.abs(found.astype(exact.dtype) - exact)
    # What is halfway to the number that would follow the largest one is infinite.
    too_large = np.abs(exact) >= exact.dtype.type(limits.max) * (1 + exact.dtype.type(limits.eps) / 4)
    both = too_large & np.isinf(found) & (np.sign(found) == np.sign(exact))
    return np.where(both | (apart <= allowed), 0, np.ldexp(apart, limits.nmant - exponent))


def check(found, exact, values, limit, allowed=0.0):
    off = errors(found, exact, allowed)
    worst = np.argmax(np.where(np.isnan(off), np.inf, off))
    assert off[worst] <= limit, (off[worst], values[worst], found[worst], exact[worst])


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", LIMITS)
def test_errors_in_units_in_the_last_place(name, bits, host):
    host = host_of(host)
    values, exact = arguments(name, bits), expected(name, bits)
    check(applied(name, values, host=host), exact, values, LIMITS[name][bits])


@pytest.mark.parametrize("host", ["widest", "avx2"])
@pytest.mark.parametrize("name", LIMITS)
def test_flushing_to_zero_costs_no_more_than_the_least_normal_number(name, host):
    host = host_of(host)
    least = np.finfo(np.float32).tiny
    normal = np.abs(arguments(name, 32)) >= least
    values, exact = arguments(name, 32)[normal], expected(name, 32)[normal]
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor can't")
    try:
        found = applied(name, values, host=host)
    finally:
        torch.set_flush_denormal(False)
    check(found, exact, values, LIMITS[name][32], allowed=least)


def test_the_check_sees_an_error():
    values, exact = arguments("tanh", 32), expected("tanh", 32)
    found = applied("tanh", values)
    with pytest.raises(AssertionError):
        check(found * np.float32(1 + 4e-7), exact, values, LIMITS["tanh"][32])


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", [name for name in EMITTERS if OPERATIONS[name].arity == 1])
def test_ends_are_torchs(name, bits, host):
    values = np.array([*ENDS, np.finfo(DTYPES[bits]).max, -np.finfo(DTYPES[bits]).max, 1e-30], DTYPES[bits])
    if name == "gelu":
        # torch gives one or the other for what overflows on the way, by how many numbers there are.
        values = values[~(np.abs(values) > 1e30)]
    expected = OPERATIONS[name].meaning(torch.from_numpy(values))
    found = torch.from_numpy(applied(name, values, host=host_of(host)))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", ["tanh", "sin", "erf", "elu", "softsign"])
def test_the_sign_of_zero_stays(name):
    found = applied(name, np.array([0.0, -0.0], np.float32))
    np.testing.assert_array_equal(np.signbit(found), [False, True])


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "erf", "sin", "cos"])
@pytest.mark.parametrize("bits", [32, 64])
def test_bounded_functions_keep_to_their_bounds(name, bits):
    assert np.abs(applied(name, arguments(name, bits))).max() == 1


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", [name for name in EMITTERS if OPERATIONS[name].arity == 2])
def test_ends_of_functions_of_two_arguments(name, bits):
    grid = [*ENDS, 1.0, -2.0, 0.5]
    a, b = (np.ravel(axis).astype(DTYPES[bits]) for axis in np.meshgrid(grid, grid))
    expected = OPERATIONS[name].meaning(torch.from_numpy(a), torch.from_numpy(b))
    torch.testing.assert_close(torch.from_numpy(applied(name, a, b)), expected, rtol=1e-6, atol=0, equal_nan=True)


@pytest.mark.parametrize("exponent", [*POWERS, 1.5])
def test_powers_by_a_number_are_torchs(exponent):
    def emit(code, a, b):
        return EMITTERS["power"](code, a, code.form.constant(exponent))

    values = np.array([*ENDS, 1.0, -2.0, 0.5, 1e30, -1e-30, 3.7])
    found = torch.from_numpy(applied("power", values, values, emit=emit))
    torch.testing.assert_close(found, torch.from_numpy(values) ** exponent, rtol=1e-15, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in EMITTERS if OPERATIONS[name].arity <= 2])
def test_every_operation_is_torchs_on_ordinary_numbers(name):
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(100, generator=generator, dtype=torch.float64) * 3 for _ in range(OPERATIONS[name].arity)]
    if name in ("log", "sqrt", "power"):
        values[0] = values[0].abs()
    found = torch.from_numpy(applied(name, *(value.numpy() for value in values)))
    torch.testing.assert_close(found, OPERATIONS[name].meaning(*values), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("bits", [256, 128])
@pytest.mark.parametrize("name", LIMITS)
def test_narrower_vectors_give_the_same_bits(name, bits):
    host = this_host()
    if host.bits < bits:
        pytest.skip("this processor has no such vectors")
    values = arguments(name, 32)
    narrow = Host(host.cpu, host.features, bits)
    np.testing.assert_array_equal(applied(name, values), applied(name, values, host=narrow))


@pytest.mark.parametrize("name", [name for name in LIMITS if name not in ("sin", "cos")])
def test_nothing_goes_lane_by_lane(name):
    """A call of the C library would cost as much as all else in a cell."""
    code = Code(form_of(32, Host("haswell", "", 256)), "all", (("ptr", "in"),))
    EMITTERS[name](code, code.load("%in"))
    assert all("llvm." in text for text in code.declarations)


def test_every_operation_has_a_row():
    elementwise = {name for name, row in OPERATIONS.items() if not row.mixes}
    assert EMITTERS.keys() == elementwise
