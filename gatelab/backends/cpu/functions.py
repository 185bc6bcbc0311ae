"""The exponential and its kin on vectors of numbers, to a few units in the last place over the whole range.

The polynomials were fitted at 50 digits to the function with its first terms taken out (Chebyshev interpolation), so
that small arguments keep their relative accuracy. Clamps are written as a comparison and a choice: a comparison with
NaN is false, so NaN goes through, as it does in torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gatelab.backends.cpu.code import Code, float32


@dataclass(frozen=True)
class Constants:
    """What the functions need, by precision.

    Attributes:
        least: below it exp is 0.
        most: above it exp is infinite.
        turn: adding it rounds to a whole number, which is then found in the lowest bits.
        mantissa: bits behind the leading one.
        bias: of the exponent.
        ln2: the logarithm of 2 as a part with few digits, which products with whole numbers keep exactly, and a rest.
        exp: (exp(r) - 1 - r) / r**2 as a polynomial in r, |r| < log(2) / 2.
        tanh: (tanh(a) - a) / a**3 as a polynomial in a**2, |a| < NEAR.
    """

    least: float
    most: float
    turn: float
    mantissa: int
    bias: int
    ln2: tuple[float, float]
    exp: tuple[float, ...]
    tanh: tuple[float, ...]


NEAR = 0.625
"""Up to here tanh is its polynomial; beyond, what the exponential gives loses no digits."""

_LN2_SINGLE = 0.693359375
_LN2_DOUBLE = 0.6931471803691238

CONSTANTS: dict[int, Constants] = {
    32: Constants(
        least=-104.0, most=89.0, turn=1.5 * 2.0**23, mantissa=23, bias=127,
        ln2=(_LN2_SINGLE, -2.1219444005469057e-4),
        exp=(0.5, 0.16666573381900845, 0.04166655011030512, 0.008363773874405574, 0.0013926926614021907),
        tanh=(-0.33333328944134255, 0.13332769736976327, -0.05385090957851358, 0.020997178999074752,
              -0.006096714165908197),
    ),
    64: Constants(
        least=-746.0, most=710.0, turn=1.5 * 2.0**52, mantissa=52, bias=1023,
        ln2=(_LN2_DOUBLE, 1.9082149292705877e-10),
        exp=(0.5000000000000001, 0.16666666666666669, 0.04166666666662064, 0.008333333333329793,
             0.0013888888918939168, 0.00019841269864380513, 2.4801518641395993e-05, 2.75572664186123e-06,
             2.7621338669142925e-07, 2.510134692835034e-08),
        tanh=(-0.3333333333333332, 0.13333333333326658, -0.05396825396139557, 0.021869488260559115,
              -0.008863229830925709, 0.0035920589774734554, -0.001455309297534642, 0.0005874372860094381,
              -0.00023077616269519857, 7.959955735264808e-05, -1.724487449484433e-05),
    ),
}  # fmt: skip


def exp(code: Code, a: str) -> str:
    """e to the power of a."""
    found = CONSTANTS[code.form.bits]
    return _exp(code, below(code, above(code, a, found.least), found.most))


def _exp(code: Code, a: str) -> str:
    """The same between the ends that `Constants` give: 2**n * exp(r) with n whole and r small."""
    form, found = code.form, CONSTANTS[code.form.bits]
    turn = form.constant(found.turn)
    shifted = code.fma(a, form.constant(math.log2(math.e)), turn)
    n = code.binary("fsub", shifted, turn)
    r = code.fma(n, form.constant(-found.ln2[0]), a)
    r = code.fma(n, form.constant(-found.ln2[1]), r)
    tail = code.binary("fmul", polynomial(code, found.exp, r), code.binary("fmul", r, r))
    value = code.binary("fadd", code.binary("fadd", tail, r), form.constant(1.0))
    if form.scales:
        return _scaled(code, value, n)
    # The whole number n from the bits of the shifted one: unlike a conversion this is defined for NaN too. It is
    # applied in two halves, since 2**n by itself may be too large or too small where the result is not.
    bits = code.value(f"bitcast {form.vector} {shifted} to {form.integers}")
    whole = code.value(f"sub {form.integers} {bits}, {form.whole(_bits_of(found.turn, form.bits))}")
    half = code.value(f"ashr {form.integers} {whole}, {form.whole(1)}")
    rest = code.value(f"sub {form.integers} {whole}, {half}")
    for part in (half, rest):
        value = code.binary("fmul", value, _power_of_two(code, part))
    return value


def sigmoid(code: Code, a: str) -> str:
    """1 / (1 + exp(-a)), written with exp(-|a|), which is never too large: small results keep their digits."""
    form = code.form
    least = CONSTANTS[form.bits].least
    e = _exp(code, above(code, code.value(f"fneg {form.vector} {code.intrinsic('fabs', a)}"), least))
    one = form.constant(1.0)
    above_half = code.compare("oge", a, form.constant(0.0))
    return code.binary("fdiv", code.choose(above_half, one, e), code.binary("fadd", e, one))


def tanh(code: Code, a: str) -> str:
    """A polynomial near 0, elsewhere 1 - 2 / (exp(2 |a|) + 1) with the sign of a."""
    form, found = code.form, CONSTANTS[code.form.bits]
    size = code.intrinsic("fabs", a)
    square = code.binary("fmul", a, a)
    near = code.fma(code.binary("fmul", polynomial(code, found.tanh, square), square), a, a)
    one = form.constant(1.0)
    e = _exp(code, below(code, code.binary("fadd", size, size), found.most))
    far = code.binary("fsub", one, code.binary("fdiv", form.constant(2.0), code.binary("fadd", e, one)))
    is_near = code.compare("olt", size, form.constant(NEAR))
    return code.choose(is_near, near, code.intrinsic("copysign", far, a))


def polynomial(code: Code, coefficients: tuple[float, ...], a: str) -> str:
    """The coefficients from that of the lowest power."""
    *lower, value = (code.form.constant(c) for c in coefficients)
    for coefficient in reversed(lower):
        value = code.fma(value, a, coefficient)
    return value


def above(code: Code, a: str, least: float) -> str:
    """At least so much; NaN stays."""
    bound = code.form.constant(least)
    return code.choose(code.compare("olt", a, bound), bound, a)


def below(code: Code, a: str, most: float) -> str:
    """At most so much; NaN stays."""
    bound = code.form.constant(most)
    return code.choose(code.compare("ogt", a, bound), bound, a)


def by_lane(code: Code, function: str, a: str) -> str:
    """A function of the C library, lane by lane: slow, and as accurate as the library."""
    form = code.form
    called = f"@{function}{'f' if form.bits == 32 else ''}"
    code.declarations.add(f"declare {form.number} {called}({form.number})")
    value = "poison"
    for lane in range(form.lanes):
        one = code.value(f"extractelement {form.vector} {a}, i32 {lane}")
        result = code.value(f"call {form.number} {called}({form.number} {one})")
        value = code.value(f"insertelement {form.vector} {value}, {form.number} {result}, i32 {lane}")
    return value


def _scaled(code: Code, value: str, n: str) -> str:
    """value * 2**n by the instruction that AVX-512 has for it, which rounds once, as the two halves do."""
    form = code.form
    called, mask = f"@llvm.x86.avx512.mask.scalef.{'ps' if form.bits == 32 else 'pd'}.512", f"i{max(form.lanes, 8)}"
    vector = form.vector
    code.declarations.add(f"declare {vector} {called}({vector}, {vector}, {vector}, {mask}, i32)")
    return code.value(f"call {vector} {called}({vector} {value}, {vector} {n}, {vector} {value}, {mask} -1, i32 4)")


def _power_of_two(code: Code, n: str) -> str:
    form, found = code.form, CONSTANTS[code.form.bits]
    biased = code.value(f"add {form.integers} {n}, {form.whole(found.bias)}")
    placed = code.value(f"shl {form.integers} {biased}, {form.whole(found.mantissa)}")
    return code.value(f"bitcast {form.integers} {placed} to {form.vector}")


def _bits_of(value: float, bits: int) -> int:
    """The bits of 1.5 * 2**mantissa, read as a whole number."""
    found = CONSTANTS[bits]
    assert float32(value) == value
    return ((found.bias + found.mantissa) << found.mantissa) | (1 << (found.mantissa - 1))
