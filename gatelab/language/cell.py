"""A cell: equations, and what they say about its states, gates and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from gatelab.errors import EquationError, OptionError, nearest
from gatelab.language import edits
from gatelab.language.expressions import Line, Product, names, walk
from gatelab.language.latex import latex_lines
from gatelab.language.parse import GOOD_NAME, Source, Vocabulary, dedent, parse
from gatelab.language.states import find_equal_states, find_states
from gatelab.language.widths import HIDDEN, INPUT, Shapes, find_shapes

Init = float | str
"""How a parameter starts: a number, or a scheme such as "orthogonal" or "chrono(784)"."""


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Cell:
    """A recurrent cell, written as its equations.

    One assignment a line. `x` is the input; a name read before it is assigned is a state and means the previous
    step; a free name left of `@` is a learned matrix, one named `b...`, `p...` or `g...` a learned vector.

    Args:
        equations: the text.
        name: what to call it.
        cite: the paper.
        output: the name whose value the cell gives.
        constants: names that are plain numbers.
        parameters: further learned parameters, "scalar" or "vector" each.
        widths: names of vectors whose width is not the hidden one, and the symbol of their width. "I" is the
            input's; `{"x": "H"}` says that the input is as wide as the hidden vectors.
        init: how parameters start, by name or pattern, where it is not the layer's way.

    Raises:
        EquationError: the text is not a cell; the message points at the place.

    Example:
        >>> cell = Cell("h = tanh(W @ x + R @ h + b)")
        >>> cell.states, cell.parameters(input_size=2, hidden_size=3)
        (('h',), {'W': (3, 2), 'R': (3, 3), 'b': (3,)})
    """

    lines: tuple[Line, ...]
    name: str
    cite: str
    output: str
    constants: Mapping[str, float]
    declared: Mapping[str, Literal["scalar", "vector"]]
    widths: Mapping[str, str]
    init: Mapping[str, Init]
    states: tuple[str, ...]
    stored_as: Mapping[str, str]
    shapes: Shapes

    def __init__(
        self,
        equations: str,
        *,
        name: str = "cell",
        cite: str = "",
        output: str = "h",
        constants: Mapping[str, float] | None = None,
        parameters: Mapping[str, Literal["scalar", "vector"]] | None = None,
        widths: Mapping[str, str] | None = None,
        init: Mapping[str, Init] | None = None,
        first_line: int = 1,
    ) -> None:
        if not isinstance(equations, str):
            raise EquationError(
                f"Equations are text, not {type(equations).__name__}.\nWrite Cell('h = tanh(W @ x + R @ h + b)')."
            )
        constants, declared, widths = dict(constants or {}), dict(parameters or {}), dict(widths or {})
        source = Source(dedent(equations), first_line)
        lines = parse(source, Vocabulary(constants, declared))
        _check_options(lines, output, constants, declared, widths)
        shapes = find_shapes(lines, widths, source)
        states = find_states(lines, output)
        stored_as = find_equal_states(lines, states, widths)
        values = {
            "lines": lines,
            "name": name,
            "cite": cite,
            "output": output,
            "constants": MappingProxyType({key: float(value) for key, value in constants.items()}),
            "declared": MappingProxyType(declared),
            "widths": MappingProxyType(widths),
            "init": MappingProxyType(dict(init or {})),
            "states": tuple(state for state in states if stored_as[state] == state),
            "stored_as": MappingProxyType(stored_as),
            "shapes": shapes,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)
        _check_init(self)

    # What it is.

    @property
    def equations(self) -> str:
        """The equations as a person would write them."""
        return edits.text_of(self.lines)

    @cached_property
    def gates(self) -> tuple[str, ...]:
        """The names whose values lie between 0 and 1 by how they are made."""
        return edits.gates(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that can be looked at, in order."""
        return tuple(line.name for line in self.lines)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Matrices, vectors, scalars, each in the order of their first use."""
        return (*self.shapes.matrices, *self.shapes.vectors, *self.shapes.scalars)

    @property
    def width_names(self) -> tuple[str, ...]:
        """The widths that a layer must be told beside `input_size` and `hidden_size`."""
        return tuple(dict.fromkeys(w for w in self.widths.values() if w not in (INPUT, HIDDEN)))

    def width(self, name: str) -> str:
        """The width symbol of a name."""
        return self.widths.get(name, INPUT if name == "x" else HIDDEN)

    def parameters(self, input_size: int, hidden_size: int, **widths: int) -> dict[str, tuple[int, ...]]:
        """The shape of every learned parameter.

        Args:
            input_size: I.
            hidden_size: H.
            widths: a size for each further width of the cell, as in `P=32`.
        """
        size = self.sizes(input_size, hidden_size, widths)
        found: dict[str, tuple[int, ...]] = {
            name: (size[rows], size[columns]) for name, (rows, columns) in self.shapes.matrices.items()
        }
        found |= {name: (size[width],) for name, width in self.shapes.vectors.items()}
        return found | dict.fromkeys(self.shapes.scalars, ())

    def parameter_count(self, input_size: int, hidden_size: int, **widths: int) -> int:
        """How many numbers are learned."""
        total = 0
        for shape in self.parameters(input_size, hidden_size, **widths).values():
            count = 1
            for length in shape:
                count *= length
            total += count
        return total

    def sizes(self, input_size: int, hidden_size: int, widths: Mapping[str, int]) -> dict[str, int]:
        """Every width symbol and its size.

        Raises:
            OptionError: a width is missing, unknown or not positive; or the input must be as wide as the rest.
        """
        for symbol in self.width_names:
            if symbol not in widths:
                raise OptionError(
                    f"The cell '{self.name}' has vectors of width {symbol}, and no size is given for it.\n"
                    f"Say widths={{'{symbol}': 32}}."
                )
        for symbol in widths:
            if symbol not in self.width_names:
                known = ", ".join(self.width_names) or "none beside I and H"
                raise OptionError(f"The cell '{self.name}' has no width '{symbol}'.\nIt has: {known}.")
        sizes = {INPUT: input_size, HIDDEN: hidden_size, **widths}
        for symbol, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise OptionError(f"The width {symbol} is {size!r}.\nA width is a whole number from 1 on.")
        needed = self.width("x")
        if sizes[needed] != input_size:
            raise OptionError(
                f"The cell '{self.name}' adds its input to vectors of width {needed} = {sizes[needed]}, "
                f"but the input has width {input_size}.\nMake them equal, or put a linear layer before."
            )
        return sizes

    def latex(self) -> str:
        """The equations as a LaTeX `aligned` environment."""
        return latex_lines(self.lines)

    def _repr_latex_(self) -> str:
        """How a notebook shows the cell."""
        return f"$${self.latex()}$$"

    def __str__(self) -> str:
        return self.equations

    def __repr__(self) -> str:
        indented = "\n".join("    " + line for line in self.equations.splitlines())
        options = "".join(f", {key}={value!r}" for key, value in self._options().items())
        return f'Cell("""\n{indented}\n"""{options})'

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Cell) and self._meaning == other._meaning)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self._meaning)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.equations, self._options())

    def __copy__(self) -> Cell:
        return self

    def __deepcopy__(self, memo: object) -> Cell:
        return self

    @cached_property
    def _meaning(self) -> tuple[object, ...]:
        mappings = (self.constants, self.declared, self.widths, self.init)
        return (self.lines, self.output, *(tuple(sorted(m.items())) for m in mappings))

    def _options(self) -> dict[str, object]:
        """The arguments beside the equations that are not the default."""
        options: dict[str, object] = {"name": self.name, "cite": self.cite, "output": self.output}
        options |= {"constants": dict(self.constants), "parameters": dict(self.declared)}
        options |= {"widths": dict(self.widths), "init": dict(self.init)}
        return {key: value for key, value in options.items() if value and (key, value) != ("output", "h")}

    # Edits: each gives a new cell.

    def without(self, name: str) -> Cell:
        """The cell without a gate (it becomes 1) or without a parameter (0, a gain 1)."""
        return self._edited(edits.without(self.lines, name), f"{self.name} without {name}")

    def without_biases(self) -> Cell:
        """The cell without its biases `b` and `b_...`."""
        return self._edited(edits.without_biases(self.lines), self.name)

    def tie(self, name: str, right_side: str) -> Cell:
        """The cell with one gate given by others of the same step, as in `tie("i", "1 - f")`."""
        read = self._names_in(name, right_side)
        text = edits.tied(self.lines, name, right_side, read)
        return self._edited(text, f"{self.name} with {name} = {right_side}")

    def replace(self, name: str, right_side: str) -> Cell:
        """The cell with a new right side for one line."""
        text = edits.replaced(self.lines, name, right_side)
        return self._edited(text, f"{self.name} with {name} = {right_side}", same_states=False)

    def linear(self, name: str) -> Cell:
        """The cell with the outermost function of one line taken off."""
        return self._edited(edits.linear(self.lines, name), f"{self.name} with {name} linear")

    def hardened(self, *gates: str) -> Cell:
        """The cell with gates that are 0 or 1 and nothing between: `sigmoid(a)` becomes `step(a)`, 1 where a > 0.

        Of the gates named, or of all. The parameters stay, so trained weights fit.
        """
        named = f"with hard {', '.join(gates)}" if gates else "hardened"
        return self._edited(edits.hardened(self.lines, gates), f"{self.name} {named}")

    def rename(self, old: str, new: str) -> Cell:
        """The cell with one name changed wherever it stands; a state, a gate or a parameter."""
        text = edits.renamed(self.lines, old, new)
        changed: dict[str, object] = {
            key: {(new if k == old else k): v for k, v in value.items()} if isinstance(value, dict) else value
            for key, value in self._options().items()
        }
        changed["output"] = new if self.output == old else self.output
        return _rebuild(text, changed)

    def with_peepholes(self, memory: str = "c") -> Cell:
        """The cell with every sigmoid gate looking at the memory through a vector `p_...` (Gers 2000)."""
        return self._edited(edits.with_peepholes(self.lines, memory), f"{self.name} with peepholes")

    def with_layer_norm(self, memory: str = "c") -> Cell:
        """The cell with layer normalisation of every product and of the memory at the output (Ba 2016)."""
        return self._edited(edits.with_layer_norm(self.lines, memory), f"{self.name} with layer norm")

    def called(self, name: str, cite: str = "", init: Mapping[str, Init] | None = None) -> Cell:
        """The same equations under another name, with another citation or initialisation if they are given."""
        options = self._options() | {"name": name} | ({"cite": cite} if cite else {})
        return _rebuild(self.equations, options | ({"init": dict(init)} if init is not None else {}))

    def _names_in(self, name: str, right_side: str) -> tuple[str, ...]:
        """What a new right side reads, as a line at the end of the cell, where every name is known."""
        kept = [str(line) for line in self.lines if line.name != name]
        source = Source("\n".join([*kept, f"{name} = {right_side}"]))
        line = parse(source, Vocabulary(self.constants, self.declared))[-1]
        return names(line.expression, "current")

    def _edited(self, text: str, name: str, same_states: bool = True) -> Cell:
        """The cell of an edited text, without the lines and options that no longer matter."""
        vocabulary = Vocabulary(self.constants, self.declared)
        lines = parse(Source(text), vocabulary)
        lines = parse(Source(edits.live(lines, self.output)), vocabulary)
        read = {n for line in lines for n in names(line.expression)} | {line.name for line in lines} | {"x"}
        options = self._options()
        for key in ("widths", "parameters", "constants"):
            given = options.get(key, {})
            assert isinstance(given, dict)
            options[key] = {k: v for k, v in given.items() if k in read}
        learned = {p.matrix for line in lines for p in walk(line.expression) if isinstance(p, Product)} | read
        options["init"] = {
            name: scheme
            for name, scheme in self.init.items()
            if (not GOOD_NAME.fullmatch(name) or name in learned) and _negated(scheme) in (None, *learned)
        }
        edited = _rebuild(edits.text_of(lines), options | {"name": name})
        new = set(edited.stored_as) - set(self.stored_as)
        if same_states and new:
            raise EquationError(
                f"After the edit '{min(new)}' would be read before it is known, and so become a state.\n"
                "Use cell.replace, which lets you say so, or write the cell anew."
            )
        return edited


def _negated(scheme: Init) -> str | None:
    """The parameter that a scheme is minus of, as in "-b_f"."""
    return scheme[1:] if isinstance(scheme, str) and scheme.startswith("-") else None


def _rebuild(equations: str, options: Mapping[str, object]) -> Cell:
    return Cell(equations, **options)  # type: ignore[arg-type]


def _check_options(
    lines: tuple[Line, ...],
    output: str,
    constants: Mapping[str, float],
    declared: Mapping[str, str],
    widths: Mapping[str, str],
) -> None:
    assigned = {line.name for line in lines}
    if output not in assigned:
        raise EquationError(
            f"The output '{output}' is not assigned.\n"
            f"Add a line {output} = ..., or say which name is the output: output='{lines[-1].name}'."
        )
    for where, given in (("constants", constants), ("parameters", declared)):
        for name in given:
            if name in assigned or name == "x":
                raise EquationError(f"'{name}' is in {where} and is also assigned.\nChoose one.")
    read = {n for line in lines for n in names(line.expression)}
    for name, value in constants.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise EquationError(f"The constant '{name}' is {value!r}.\nA constant is a plain number.")
        if name in declared:
            raise EquationError(f"'{name}' is in constants and in parameters.\nChoose one.")
    for name, kind in declared.items():
        if kind not in ("scalar", "vector"):
            raise EquationError(
                f"The parameter '{name}' is declared as {kind!r}.\nWrite 'scalar' or 'vector'; a matrix is found by @."
            )
    for name in (*constants, *declared):
        if name not in read:
            raise EquationError(f"'{name}' is listed but never read.\n{nearest(name, read)}")
    for name, symbol in widths.items():
        if name not in assigned | {"x"}:
            raise EquationError(f"widths gives '{name}' a width, but no line assigns it.\n{nearest(name, assigned)}")
        if not isinstance(symbol, str) or not GOOD_NAME.fullmatch(symbol):
            raise EquationError(
                f"The width of '{name}' is {symbol!r}.\nGive it a name, as in widths={{'h': 'P'}}; "
                "the size comes with the layer."
            )


def _check_init(cell: Cell) -> None:
    for name in cell.init:
        if GOOD_NAME.fullmatch(name) and name not in cell.parameter_names:
            raise EquationError(
                f"init names '{name}', which is not a parameter.\n{nearest(name, cell.parameter_names)}"
            )
