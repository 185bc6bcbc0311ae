"""Equations as LaTeX, with the step written as a subscript where a name changes with it."""

from __future__ import annotations

from gatelab.language.expressions import PRODUCT_BINDS, Apply, Expression, Line, Name, Number, Product, show_number
from gatelab.language.ops import OPERATIONS

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi chi psi omega".split()
)
TRANSPOSE = r"^\top"
SUBSCRIPT = {
    "input": "t",
    "previous": "t-1",
    "current": "t",
    "vector": "",
    "scalar": "",
    "constant": "",
    "arriving": "t",
}


def latex_name(name: str, step: str = "") -> str:
    """`W_i` as W_{i}, `alpha` as a Greek letter, whole words upright; with the step as a further subscript."""
    base, _, below = name.partition("_")
    if base in GREEK:
        base = "\\" + base
    elif len(base) > 1:
        base = rf"\mathrm{{{base}}}"
    below = below.replace("_", r"\_")
    below = below if len(below) <= 1 else rf"\mathrm{{{below}}}"
    subscript = ",".join(part for part in (below, step) if part)
    return f"{base}_{{{subscript}}}" if subscript else base


def latex_expression(expression: Expression) -> str:
    return _latex(expression)[0]


def latex_lines(lines: tuple[Line, ...]) -> str:
    """The lines as one `aligned` environment."""
    rows = (f"{latex_name(line.name, 't')} &= {latex_expression(line.expression)}" for line in lines)
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _latex(expression: Expression) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds."""
    match expression:
        case Number(value=value):
            return show_number(value), (9 if value >= 0 else OPERATIONS["negate"].binds)
        case Name(name=name, role=role):
            return latex_name(name, SUBSCRIPT[role]), 9
        case Product(matrix=matrix, operand=operand, transposed=transposed):
            return f"{latex_name(matrix)}{TRANSPOSE if transposed else ''} {_bracket(operand, 9)}", PRODUCT_BINDS
        case Apply(operation=name, arguments=arguments):
            row = OPERATIONS[name]
            if not row.symbol or name == "divide":  # Calls and fractions bring their own brackets.
                texts = [latex_expression(a) for a in arguments]
            elif name == "power":
                texts = [_bracket(arguments[0], 9), latex_expression(arguments[1])]
            else:
                texts = [_bracket(a, row.binds + i) for i, a in enumerate(arguments)]
            return row.latex.format(**dict(zip("abc", texts, strict=False))), row.binds if row.symbol else 9
    raise AssertionError(expression)


def _bracket(expression: Expression, least: int) -> str:
    text, binds = _latex(expression)
    return text if binds >= least else f"({text})"
