"""Random cells: any shape of equations, with values and slopes that stay ordinary."""

import re

from hypothesis import assume
from hypothesis import strategies as st

from gatelab import Cell
from gatelab.errors import EquationError

UNARY = ["tanh", "sigmoid", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "softsign", "hard_sigmoid",
         "hard_tanh", "square", "abs", "sin", "cos", "erf", "sign", "step", "-", "mean", "sum", "max", "normalize",
         "softmax", "cumsum"]  # fmt: skip
BINARY = ["{} + {}", "{} - {}", "({}) * ({})", "minimum({}, {})", "maximum({}, {})"]
TAME = ["exp(-square({}))", "log(1 + square({}))", "sqrt(1 + square({}))", "1 / (1 + square({}))", "({}) ** 2",
        "(1 + square({})) ** 0.3", "clip({}, -0.4, 0.6)"]  # fmt: skip
BOUNDED = ["tanh({})", "sigmoid({})", "sin({})", "0.5 * {name} + 0.5 * tanh({})", "hard_tanh({})", "softsign({})"]


@st.composite
def cells(draw: st.DrawFn, lines: int) -> Cell:
    """A random cell of so many lines, the last one for h; some have a vector of another width, some read old inputs."""
    names = [f"a{k}" for k in range(lines - 1)] + ["h"]
    narrow = draw(st.sampled_from([None, "P"])) and "s"
    delayed = draw(st.booleans())
    counter = iter(range(1000))

    def leaf() -> str:
        kind = draw(st.sampled_from("nnnnxxrrrtpbcmv"))
        k = next(counter)
        name = draw(st.sampled_from(names))
        match kind:
            case "x":
                return f"(W_{k} @ {'xp' if delayed and draw(st.booleans()) else 'x'})"
            case "r":
                return f"(R_{k} @ {name})"
            case "t":
                return f"(transpose(R_{k}) @ {name})"
            case "p":
                return f"p_{k} * {name}"
            case "b":
                return f"b_{k}"
            case "c":
                return draw(st.sampled_from(["0.5", "2", "-1.5", "alpha", "k"]))
            case "m":
                return f"mean({narrow})" if narrow else f"b_{k}"
            case "v":
                return f"(V_{k} @ {narrow})" if narrow else f"(R_{k} @ ({name} * b_{k}))"
        return name

    def expression(depth: int) -> str:
        kind = draw(st.integers(0, 3)) if depth else 0
        if kind == 0:
            return leaf()
        if kind == 1:
            function = draw(st.sampled_from(UNARY))
            inner = expression(depth - 1)
            # Reductions are taken of vectors, and slopes stay ordinary below them.
            return f"{function}({inner} + 0.3 * {draw(st.sampled_from(names))})"
        if kind == 2:
            return f"({draw(st.sampled_from(BINARY)).format(expression(depth - 1), expression(depth - 1))})"
        return draw(st.sampled_from(TAME)).format(expression(depth - 1))

    text = []
    for name in names:
        body = expression(3)
        text.append(f"{name} = {draw(st.sampled_from(BOUNDED)).format(body, name=name)}")
    if narrow:
        text.insert(draw(st.integers(0, len(text))), "s = tanh(W_s @ x + R_s @ s + U_s @ h + b_s)")
    if delayed:
        text.append("xp = x")
    read = "\n".join(text)
    options = {
        "name": "random",
        "constants": {"k": 0.7} if "k" in re.findall(r"\w+", read) else {},
        "parameters": {"alpha": "scalar"} if "alpha" in read else {},
        "widths": ({"s": "P"} if narrow else {}) | ({"xp": "I"} if delayed else {}),
    }
    try:
        return Cell(read, **options)
    except EquationError as error:
        # A reduction of a line that turned out to be the same for all units.
        assume("the same for all units" not in str(error))
        raise
