"""The logarithm and what is built on it, on vectors of numbers."""

from __future__ import annotations

import math
import struct

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.functions import CONSTANTS, above, bounded_exp, negative, polynomial

RATIO: dict[int, tuple[float, ...]] = {
    32: (0.6666667461395264, 0.39998888969421387, 0.2861661911010742, 0.2143026888370514, 0.24291940033435822),
    64: (0.6666666666666667, 0.3999999999999431, 0.28571428572467733, 0.2222222212825479, 0.18181823094600377,
         0.15384454589324492, 0.13336763573462626, 0.1171638530162447, 0.10969773720662199, 0.07004439620508675,
         0.16451508401981274),
}  # fmt: skip
"""(log((1 + s) / (1 - s)) / s - 2) / z as a polynomial in z = s**2, |s| <= 1/3.

Fitted at 60 digits by Remez's exchange to the least error relative to the logarithm: 1.1e-10 and 3.7e-20.
"""

THRESHOLD = 20.0
"""Above it softplus is its argument, as in torch."""


def log(code: Code, a: str) -> str:
    """The natural logarithm: e log(2) + log(m) with a = 2**e m, m between sqrt(1/2) and sqrt(2)."""
    form, found = code.form, CONSTANTS[code.form.bits]
    bits, lift, middle = form.bits, found.mantissa + 2, _bits(math.sqrt(0.5), form.bits)
    one = found.bias << found.mantissa
    # Subnormal numbers have no leading one; lifted by a power of two they do.
    is_low = code.compare("olt", a, form.constant(2.0 ** (1 - found.bias)))
    lifted = code.choose(is_low, code.binary("fmul", a, form.constant(2.0**lift)), a)
    read = code.value(f"bitcast {form.vector} {lifted} to {form.integers}")
    apart = code.value(f"add {form.integers} {read}, {form.whole(one - middle)}")
    rest = code.value(f"and {form.integers} {apart}, {form.whole((1 << found.mantissa) - 1)}")
    m = _as_number(code, code.value(f"add {form.integers} {rest}, {form.whole(middle)}"))
    # As in `rounded`, but the other way round: the exponent set into the lowest bits of a number.
    turn = 1.5 * 2.0**found.mantissa
    biased = code.value(f"lshr {form.integers} {apart}, {form.whole(found.mantissa)}")
    turned = _as_number(code, code.value(f"or {form.integers} {biased}, {form.whole(_bits(turn, bits))}"))
    zero = code.choose(is_low, form.constant(turn + found.bias + lift), form.constant(turn + found.bias))
    e = code.binary("fsub", turned, zero)
    value = _log1p(code, code.binary("fsub", m, form.constant(1.0)))
    value = code.fma(e, form.constant(found.ln2[0]), code.fma(e, form.constant(found.ln2[1]), value))
    at_zero = code.compare("oeq", a, form.constant(0.0))
    beyond = code.choose(at_zero, form.constant(-math.inf), form.constant(math.nan))
    value = code.choose(code.compare("ogt", a, form.constant(0.0)), value, beyond)
    # What is left are infinity and NaN, which stay.
    return code.choose(code.compare("ult", a, form.constant(math.inf)), value, a)


def softplus(code: Code, a: str) -> str:
    """log(1 + exp(a)); above `THRESHOLD` a itself."""
    above_it = code.compare("ogt", a, code.form.constant(THRESHOLD))
    return code.choose(above_it, a, log1p_exp(code, a))


def log1p_exp(code: Code, a: str) -> str:
    """log(1 + exp(a)), which is max(a, 0) + log(1 + exp(-|a|))."""
    form = code.form
    size = negative(code, code.intrinsic("fabs", a))
    value = _log1p(code, bounded_exp(code, above(code, size, CONSTANTS[form.bits].least), 0.0))
    zero = form.constant(0.0)
    return code.binary("fadd", code.choose(code.compare("ogt", a, zero), a, zero), value)


def _log1p(code: Code, f: str) -> str:
    """log(1 + f) for f between sqrt(1/2) - 1 and 1: with s = f / (2 + f) it is f - s (f - z R(z)), z = s**2.

    The first term is exact and the second at most half of it, so that their difference is rounded little more than
    once. The form is that of Sun's fdlibm.
    """
    form = code.form
    s = code.binary("fdiv", f, code.binary("fadd", f, form.constant(2.0)))
    z = code.binary("fmul", s, s)
    rest = code.fma(negative(code, z), polynomial(code, RATIO[form.bits], z), f)
    return code.fma(negative(code, s), rest, f)


def _as_number(code: Code, whole: str) -> str:
    return code.value(f"bitcast {code.form.integers} {whole} to {code.form.vector}")


def _bits(value: float, bits: int) -> int:
    """The bits of a number, read as a whole number."""
    number, whole = ("<f", "<I") if bits == 32 else ("<d", "<Q")
    found: int = struct.unpack(whole, struct.pack(number, value))[0]
    return found
