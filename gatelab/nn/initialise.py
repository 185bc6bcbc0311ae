"""How parameters start: schemes as data, for a cell, a layer or one parameter.

A scheme is a number, a name as in "orthogonal", a call as in "uniform(-0.1, 0.1)", or minus another parameter as in
"-b_f". It is parsed, never evaluated.
"""

from __future__ import annotations

import ast
import fnmatch
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell, Init
from gatelab.language.widths import INPUT


@dataclass(frozen=True)
class Draw:
    """What a scheme is given.

    Attributes:
        tensor: the parameter of one replica, to be filled.
        hidden_size: H.
    """

    tensor: Tensor
    hidden_size: int


def _uniform(draw: Draw, low: float | None = None, high: float | None = None) -> None:
    bound = 1 / math.sqrt(draw.hidden_size)
    low, high = -bound if low is None else low, bound if high is None else high
    if low > high:
        raise OptionError(f"uniform({low:g}, {high:g}) runs backwards.\nWrite uniform({high:g}, {low:g}).")
    torch.nn.init.uniform_(draw.tensor, low, high)


def _glorot(draw: Draw) -> None:
    _needs_matrix(draw, "glorot")
    torch.nn.init.xavier_uniform_(draw.tensor)


def _orthogonal(draw: Draw, gain: float = 1.0) -> None:
    _needs_matrix(draw, "orthogonal")
    # LAPACK knows no half precision.
    wide = torch.empty_like(draw.tensor, dtype=torch.promote_types(draw.tensor.dtype, torch.float32))
    draw.tensor.copy_(torch.nn.init.orthogonal_(wide, gain))


def _identity(draw: Draw, gain: float = 1.0) -> None:
    _needs_matrix(draw, "identity")
    torch.nn.init.eye_(draw.tensor).mul_(gain)


def _chrono(draw: Draw, longest: float) -> None:
    """Tallec & Ollivier (2018), section 2: the logarithm of U(1, T - 1), for memories of up to T steps."""
    if longest <= 2:
        raise OptionError(
            f"chrono({longest:g}) is for memories of more than 2 steps.\n"
            "Write the longest time to remember, as in chrono(784)."
        )
    draw.tensor.uniform_(1, longest - 1).log_()


def _constant(draw: Draw, value: float) -> None:
    draw.tensor.fill_(value)


def _normal(draw: Draw, deviation: float = 1.0) -> None:
    if deviation < 0:
        raise OptionError(f"normal({deviation:g}) has a negative deviation.\nWrite normal({-deviation:g}).")
    draw.tensor.normal_(0, deviation)


def _needs_matrix(draw: Draw, name: str) -> None:
    if draw.tensor.ndim != 2:
        raise OptionError(f"'{name}' is for matrices.\nUse zeros, ones, uniform or normal for a vector.")


SCHEMES: dict[str, Callable[..., None]] = {
    "uniform": _uniform,
    "normal": _normal,
    "glorot": _glorot,
    "orthogonal": _orthogonal,
    "identity": _identity,
    "chrono": _chrono,
    "constant": _constant,
    "zeros": lambda draw: _constant(draw, 0.0),
    "ones": lambda draw: _constant(draw, 1.0),
}
"""For one parameter. `uniform` without bounds is torch's own, +-1/sqrt(H)."""

ON_INPUT, RECURRENT, GAIN, OTHER = "on the input", "recurrent", "gain", "other"
"""The kinds of parameters that a scheme for a whole layer tells apart."""


@dataclass(frozen=True)
class LayerScheme:
    """A way to start a whole layer: `base` below the cell's own entries, such as a forget bias, `over` above."""

    base: Mapping[str, str]
    over: Mapping[str, Init]


def _base(on_input: str, recurrent: str, other: str) -> dict[str, str]:
    return {ON_INPUT: on_input, RECURRENT: recurrent, GAIN: "ones", OTHER: other}


UNIFORM = _base("uniform", "uniform", "uniform")
LAYER_SCHEMES: dict[str, LayerScheme] = {
    "uniform": LayerScheme(UNIFORM, {}),
    "glorot": LayerScheme(_base("glorot", "glorot", "zeros"), {}),
    "orthogonal": LayerScheme(_base("glorot", "orthogonal", "zeros"), {}),
    "keras": LayerScheme(_base("glorot", "orthogonal", "zeros"), {}),
    "zeros": LayerScheme(UNIFORM, {"*": 0.0}),
}
"""What `init="..."` of a layer can be, beside "chrono(T)"."""


def initialise(parameters: Mapping[str, Tensor], cell: Cell, hidden_size: int, init: object) -> None:
    """Fills the parameters of one layer in one direction, of one replica, in their order.

    Args:
        parameters: by their names in the cell, each as `cell.parameters` says.
        init: None for torch's uniform; the name of a scheme for the layer; or a mapping from names or patterns to
            schemes. What a cell says itself stands, unless the mapping names it or the scheme is "zeros".

    Raises:
        OptionError: a scheme or a name that there is not.
    """
    scheme = _layer_scheme(init, cell)
    later = {}
    with torch.no_grad():
        for name, tensor in parameters.items():
            spec = _first(name, scheme.over, cell.init) or scheme.base[_kind(cell, name)]
            other = _negated(spec)
            if other is None:
                _fill(name, spec, Draw(tensor, hidden_size))
            else:
                later[name] = other
        while later:
            ready = {name: other for name, other in later.items() if other not in later}
            if not ready:
                raise OptionError(
                    f"init makes {', '.join(later)} minus each other.\nGive one of them a scheme of its own."
                )
            for name, other in ready.items():
                if other not in parameters:
                    raise OptionError(f"init refers to '-{other}'.\n{nearest(other, parameters)}")
                if parameters[other].shape != parameters[name].shape:
                    raise OptionError(
                        f"init makes '{name}' minus '{other}', which has another shape.\n"
                        "Name a parameter of the same shape."
                    )
                parameters[name].copy_(-parameters[other])
                del later[name]


def check_init(init: object, cell: Cell) -> None:
    """Raises the error that `initialise` would raise for an `init` of the wrong form or name."""
    scheme = _layer_scheme(init, cell)
    for name, given in (*scheme.over.items(), *cell.init.items()):
        spec = _as_text(name, given)
        if _negated(spec) is None:
            _scheme(spec)


def _layer_scheme(init: object, cell: Cell) -> LayerScheme:
    if init is None:
        return LAYER_SCHEMES["uniform"]
    if isinstance(init, Mapping):
        for pattern in init:
            if not fnmatch.filter(cell.parameter_names, str(pattern)):
                raise OptionError(
                    f"init names '{pattern}', and '{cell.name}' has no such parameter.\n"
                    f"{nearest(str(pattern), cell.parameter_names)}"
                )
        return LayerScheme(UNIFORM, init)
    if isinstance(init, int | float) and not isinstance(init, bool):
        return LayerScheme(UNIFORM, {"*": float(init)})
    if isinstance(init, str) and init in LAYER_SCHEMES:
        return LAYER_SCHEMES[init]
    if isinstance(init, str) and init.startswith("chrono("):
        if "b_f" not in cell.parameter_names:
            raise OptionError(
                f"'{init}' sets the bias b_f of a forget gate, and '{cell.name}' has none.\n"
                "Use it with a cell that has one, such as 'lstm'."
            )
        over: dict[str, Init] = {"b_f": init}
        return LayerScheme(UNIFORM, over | ({"b_i": "-b_f"} if "b_i" in cell.parameter_names else {}))
    offer = nearest(init, [*LAYER_SCHEMES, "chrono(T)"]) if isinstance(init, str) else ""
    raise OptionError(f"init is {init!r}.\nGive the name of a scheme, or a mapping from parameters to schemes. {offer}")


def _kind(cell: Cell, name: str) -> str:
    if name in cell.shapes.matrices:
        return ON_INPUT if INPUT in cell.shapes.matrices[name] else RECURRENT
    return GAIN if name.split("_")[0] == "g" else OTHER


def _first(name: str, *mappings: Mapping[str, Init]) -> str | None:
    """What the first mapping says that names the parameter; an exact name goes before a pattern."""
    for mapping in mappings:
        if name in mapping:
            return _as_text(name, mapping[name])
        for pattern, spec in mapping.items():
            if fnmatch.fnmatchcase(name, pattern):
                return _as_text(name, spec)
    return None


def _as_text(name: str, spec: object) -> str:
    """A number as a call, so that zero is not taken for nothing."""
    if isinstance(spec, str):
        return spec
    if isinstance(spec, bool) or not isinstance(spec, int | float) or not math.isfinite(spec):
        raise OptionError(f"init of '{name}' is {spec!r:.60}.\nGive a number, or a scheme as in 'orthogonal'.")
    return f"constant({float(spec)!r})"


def _negated(spec: str) -> str | None:
    text = spec.strip()
    return text[1:].strip() if text.startswith("-") and text[1:].strip().isidentifier() else None


def _fill(name: str, spec: str, draw: Draw) -> None:
    scheme, arguments = _scheme(spec)
    try:
        SCHEMES[scheme](draw, *arguments)
    except TypeError:
        raise OptionError(
            f"init of '{name}' is {spec!r:.60}: '{scheme}' takes other arguments.\n"
            "Write uniform(-0.1, 0.1), normal(0.1), constant(1), chrono(784), zeros."
        ) from None
    except OptionError as error:
        raise OptionError(f"init of '{name}': {error}") from None


def _scheme(spec: str) -> tuple[str, list[float]]:
    """The name and the arguments of a scheme such as "uniform(-0.1, 0.1)"."""
    try:
        tree = ast.parse(spec.strip(), mode="eval").body
        call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        arguments = [float(ast.literal_eval(argument)) for argument in call.args]
        name = call.func.id if isinstance(call.func, ast.Name) and not call.keywords else ""
    except (SyntaxError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        name, arguments = "", []
    if name not in SCHEMES or not all(map(math.isfinite, arguments)):
        raise OptionError(f"There is no scheme {spec!r:.60}.\n{nearest(name or spec, SCHEMES)}")
    return name, arguments
