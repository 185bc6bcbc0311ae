"""Sine and cosine on vectors of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.functions import by_lane, polynomial, rounded


@dataclass(frozen=True)
class Circle:
    """What sine and cosine need, by precision.

    Attributes:
        most: up to this size arguments are reduced here.
        quarter: pi / 2 as a sum of three numbers.
        sin: (sin(r) / r - 1) / z as a polynomial in z = r**2, |r| <= pi / 4.
        cos: (cos(r) - 1 + z / 2) / z**2 likewise.
    """

    most: float
    quarter: tuple[float, float, float]
    sin: tuple[float, ...]
    cos: tuple[float, ...]


# Fitted at 60 digits by Remez's exchange: errors of 3.7e-9 and 9.8e-11, and of 3.6e-18 and 4.9e-20.
CIRCLES: dict[int, Circle] = {
    32: Circle(
        most=1e5,
        quarter=(1.570796251296997, 7.549789415861596e-08, 5.390302529957765e-15),
        sin=(-0.16666655242443085, 0.008332169614732265, -0.00019516036263667047),
        cos=(0.04166664555668831, -0.0013887357199564576, 2.443714765831828e-05),
    ),
    64: Circle(
        most=1e9,
        quarter=(1.5707963267948966, 6.123233995736765e-17, 1.0828566739219139e-32),
        sin=(-0.16666666666666632, 0.008333333333322233, -0.00019841269829651314, 2.755731363402013e-06,
             -2.5050748547888025e-08, 1.5896214941990602e-10),
        cos=(0.0416666666666666, -0.0013888888888873969, 2.480158728936472e-05, -2.755731431373328e-07,
             2.087571749116884e-09, -1.13593243700854e-11),
    ),
}  # fmt: skip


def sin(code: Code, a: str) -> str:
    """The sine."""
    return _circular(code, a, "sin", 0)


def cos(code: Code, a: str) -> str:
    """The cosine: the sine a quarter turn later."""
    return _circular(code, a, "cos", 1)


def _circular(code: Code, a: str, name: str, quarters: int) -> str:
    """The sine of a and so many quarter turns.

    The nearest multiple of pi / 2 is taken off in three products, each of which is exact inside of a fused operation;
    where there are none, and for lanes whose arguments are larger than `Circle.most`, the C library is asked.
    """
    form, circle = code.form, CIRCLES[code.form.bits]
    if not form.fused:
        return by_lane(code, name, a)
    turned, n = rounded(code, a, 2 / math.pi, quarters)
    r = a
    for part in circle.quarter:
        r = code.fma(n, form.constant(-part), r)
    z = code.binary("fmul", r, r)
    even = code.binary("fmul", polynomial(code, (1.0, *circle.sin), z), r)
    odd = polynomial(code, (1.0, -0.5, *circle.cos), z)
    is_odd = code.value(f"trunc {form.integers} {turned} to {form.truths}")
    value = code.choose(is_odd, odd, even)
    # The second lowest bit says whether the sign changes.
    moved = code.value(f"shl {form.integers} {turned}, {form.whole(form.bits - 2)}")
    sign = code.value(f"and {form.integers} {moved}, {form.whole(-(1 << (form.bits - 1)))}")
    bits = code.value(f"bitcast {form.vector} {value} to {form.integers}")
    signed = code.value(f"xor {form.integers} {bits}, {sign}")
    value = code.value(f"bitcast {form.integers} {signed} to {form.vector}")
    is_far = code.compare("ogt", code.intrinsic("fabs", a), form.constant(circle.most))
    return code.where_any(is_far, value, lambda: code.choose(is_far, by_lane(code, name, a), value))
