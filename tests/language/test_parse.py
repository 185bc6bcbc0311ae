"""Text in, expressions or one clear error out; nothing is evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatelab import Cell
from gatelab.errors import EquationError
from gatelab.language.expressions import Apply, Name, Number, Product, show
from gatelab.language.ops import BY_CALL


def test_roles_are_found_by_use():
    cell = Cell("f = sigmoid(W @ x + R @ h + p * c + b_f)\nc = f * c + k\nh = c", constants={"k": 2})
    roles = {}
    for line in cell.lines:
        stack = [line.expression]
        while stack:
            node = stack.pop()
            match node:
                case Name(name=name, role=role):
                    roles.setdefault((line.name, name), role)
                case Apply(arguments=arguments):
                    stack += arguments
                case Product(operand=operand):
                    stack.append(operand)
    assert roles == {
        ("f", "x"): "input",
        ("f", "h"): "previous",
        ("f", "p"): "vector",
        ("f", "c"): "previous",
        ("f", "b_f"): "vector",
        ("c", "f"): "current",
        ("c", "c"): "previous",
        ("c", "k"): "constant",
        ("h", "c"): "current",
    }


def test_an_expression_is_read_as_python_reads_it():
    (line,) = Cell("h = 1 - h * b ** 2 ** p / -h + (b - (p - b))").lines
    assert show(line.expression) == "1 - h * b ** 2 ** p / -h + (b - (p - b))"
    assert show(Cell("h = -(2)").lines[0].expression) == "-2"
    assert Cell("h = -2").lines == Cell("h = -(2.0)").lines
    assert Cell("h = b + -1 * (W @ x)").lines[0].expression == Apply(
        "add",
        (
            Name("b", "vector"),
            Apply("multiply", (Number(-1.0), Product("W", Name("x", "input")))),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "a * b_1 / h",
        "a / (b_1 / h)",
        "a - (b_1 - h)",
        "(a - b_1) * h",
        "(-a) ** 2",
        "-a ** 2",
        "a ** (-b_1)",
        "(a ** b_1) ** h",
        "a ** b_1 ** h",
        "(W @ h) * a",
        "a * (W @ h)",
        "W @ (a * h)",
        "W @ -a",
        "-(W @ h)",
        "W @ (V @ h)",
        "transpose(W) @ h + V @ a",
        "sigmoid(a) - tanh(maximum(a, 0.5))",
        "1e-05 * a",
        "a - -1",
    ],
)
def test_brackets_are_printed_where_they_are_needed_and_nowhere_else(text):
    cell = Cell(f"a = tanh(b_2)\nh = {text} + h")
    assert str(cell.lines[1]) == f"h = {text} + h"
    assert Cell(cell.equations) == cell


BAD = {
    # text: (line, the place that the caret marks, part of what is said)
    "h = c_prev": (1, "c_prev", "not a state, a constant or an earlier line"),
    "c = f * c_prev\nh = c": (1, "f", "not a state"),
    "h = sigmiod(b)": (1, "sigmiod", "Did you mean 'sigmoid'?"),
    "h = tanh(b, b)": (1, "tanh(b, b)", "takes 1 argument, not 2"),
    "h = maximum(b)": (1, "maximum(b)", "takes 2 arguments, not 1"),
    "h = tanh()": (1, "tanh()", "takes 1 argument, not 0"),
    "h = tanh(a=b)": (1, "tanh(a=b)", "plain arguments"),
    "h = tanh(*b)": (1, "tanh(*b)", "plain arguments"),
    "h = b\nh = b": (2, "h", "assigned twice, first in line 1"),
    "x = b\nh = b": (1, "x", "is the input"),
    "tanh = b\nh = b": (1, "tanh", "is a function"),
    "_a = b\nh = b": (1, "_a", "can't be a name"),
    "h = W @ x + W @ h": (1, "W @ h", "the matrix 'W' is (H, H) here and (H, I) above"),
    "h = b @ x + b": (1, "b", "used as a matrix and as a vector"),
    "h = b + b @ x": (1, "b @ x", "used as a matrix and as a vector"),
    "h = x": (1, "x", "the input's width I"),
    "h = b * x": (1, "x", "Multiply x by a matrix first"),
    "h = b * W @ x": (1, "b * W", "write p * (W @ v)"),
    "h = h @ x": (1, "h", "the name of a learned matrix"),
    "h = x @ x": (1, "x", "the name of a learned matrix"),
    "h = W.T @ x": (1, "W.T", "the name of a learned matrix"),
    "h = 2 @ x": (1, "2", "the name of a learned matrix"),
    "h = transpose(W)": (1, "transpose(W)", "left of @ only"),
    "h = transpose(W, V) @ h": (1, "transpose(W, V)", "takes one matrix"),
    "h = tanh": (1, "tanh", "wants its arguments"),
    "h = tanh @ x": (1, "tanh", "wants its arguments"),
    "h = gain * (W @ x)": (1, "gain", "To learn a vector"),
    "h = sum(2) + b": (1, "sum(2)", "the same for all units"),
    "m = mean(h)\nh = sum(m) + b": (2, "sum(m)", "the same for all units"),
    "h = normalize(mean(h))": (1, "normalize(mean(h))", "the same for all units"),
    "h = 'a'": (1, "'a'", "only real numbers"),
    "h = 1j * b": (1, "1j", "only real numbers"),
    "h = True": (1, "True", "only real numbers"),
    "h = None": (1, "None", "only real numbers"),
    "h = ...": (1, "...", "only real numbers"),
    "h = b'a'": (1, "b'a'", "only real numbers"),
    "h = 1e999": (1, "1e999", "too large"),
    "h = 1" + "0" * 400: (1, "1" + "0" * 115, "too large"),
    "h = b < h": (1, "b < h", "not an expression of the language"),
    "h = b and h": (1, "b and h", "not an expression of the language"),
    "h = not b": (1, "not b", "not an expression of the language"),
    "h = b if b else h": (1, "b if b else h", "not an expression of the language"),
    "h = lambda: 1": (1, "lambda: 1", "not an expression of the language"),
    "h = [b for b in x]": (1, "[b for b in x]", "not an expression of the language"),
    "h = {b}": (1, "{b}", "not an expression of the language"),
    "h = (b, b)": (1, "(b, b)", "not an expression of the language"),
    "h = b[0]": (1, "b[0]", "not an expression of the language"),
    "h = b.real": (1, "b.real", "not an expression of the language"),
    "h = f'{b}'": (1, "f'{b}'", "not an expression of the language"),
    "h = (y := b)": (1, "y := b", "not an expression of the language"),
    "h = b // 2": (1, "b // 2", "not an expression of the language"),
    "h = ~b": (1, "~b", "not an expression of the language"),
    "h = b.exp()": (1, "b.exp", "only a function's name can be called"),
    "h = (lambda: 1)()": (1, "lambda: 1", "only a function's name can be called"),
    "h = __import__('os')": (1, "__import__", "there is no function '__import__'"),
    "h = __builtins__": (1, "__builtins__", "can't be a name"),
    "import os": (1, "import os", "not an assignment"),
    "h": (1, "h", "not an assignment"),
    "h += b": (1, "h += b", "not an assignment"),
    "h: int = b": (1, "h: int = b", "not an assignment"),
    "h = c = b": (1, "h = c = b", "not an assignment"),
    "h, c = b": (1, "h, c", "only a plain name"),
    "h[0] = b": (1, "h[0]", "only a plain name"),
    "h.a = b": (1, "h.a", "only a plain name"),
    "def f(): pass": (1, "d", "not an assignment"),
    "h = b; c = b": (1, "c", "second assignment on one line"),
    "h = (b": (1, "(", "not an equation"),
    "h = b +": (1, "", "not an equation"),
    "h = ": (1, "", "not an equation"),
    "h = b\n  c = b": (2, "", "not an equation"),
    "\uff48 = b": (1, "\uff48", "write h"),
    "h = \u03c3(b)": (1, "\u03c3", "write sigmoid"),
    "h = b \u2212 h": (1, "\u2212", "write -"),
    "h = b \u2299 h": (1, "\u2299", "write *"),
    "\u0441 = b\nh = b": (1, "\u0441", "cyrillic small letter es"),
    "h = " + "(" * 300 + "b" + ")" * 300: (1, "", "not an equation (too many nested parentheses)"),
    "h = " + "tanh(" * 120 + "b" + ")" * 120: (1, "tanh(", "nested more than 100 deep"),
    "h = b" + " + b" * 150: (1, "b", "nested more than 100 deep"),
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:30])
def test_a_mistake_is_one_error_with_line_caret_and_cure(text):
    line, marked, said = BAD[text]
    with pytest.raises(EquationError) as caught:
        Cell(text)
    message = str(caught.value).splitlines()
    assert said in str(caught.value)
    assert message[0].startswith(f"line {line}: ")
    assert len(message) >= 4, "the cause, the line, the caret, the cure"
    start, width = message[2].index("^"), message[2].count("^")
    assert message[1][start:].startswith(marked)
    if marked:
        assert width >= min(len(marked), 1)


def test_the_caret_of_a_long_line_stays_in_sight():
    with pytest.raises(EquationError) as caught:
        Cell("h = " + "b + " * 90 + "oops")
    _, shown, caret, _ = str(caught.value).splitlines()
    assert len(shown) < 130
    assert shown[caret.index("^") :].startswith("oops")


@pytest.mark.parametrize("text", ["", "\n\n", "   ", "# nothing", "\n# nothing\n"])
def test_an_empty_cell(text):
    with pytest.raises(EquationError, match="empty"):
        Cell(text)


def test_without_the_output():
    with pytest.raises(EquationError, match="output='y'"):
        Cell("y = tanh(W @ x)")


@pytest.mark.parametrize("text", [None, 3, b"h = b", ["h = b"]])
def test_equations_are_text(text):
    with pytest.raises(EquationError, match="are text"):
        Cell(text)


def test_a_huge_text_is_refused_before_it_is_read():
    with pytest.raises(EquationError, match="characters"):
        Cell("h = b\n" * 10_000)


@pytest.mark.parametrize("text", ["h = b\x00", "h = -" + "-" * 5000 + "b", "\x0c\x0c", "h = \ud800"])
def test_hostile_text(text):
    with pytest.raises(EquationError):
        Cell(text)


def test_line_numbers_are_those_of_the_writer():
    with pytest.raises(EquationError, match=r"^line 3: "):
        Cell("""
            f = sigmoid(W @ x)
            # A comment counts as a line, Ünicode in it is welcome.
            h = f * oops
        """)


def test_an_equation_in_brackets_may_run_over_lines():
    cell = Cell("h = tanh(\n    W @ x\n    + R @ h\n)")
    assert cell.equations == "h = tanh(W @ x + R @ h)"
    with pytest.raises(EquationError, match=r"^line 3: "):
        Cell("h = tanh(\n    W @ x\n    + oops\n)")


@given(st.text(max_size=200))
def test_any_text_is_a_cell_or_an_equation_error(text):
    try:
        cell = Cell(text)
    except EquationError as error:
        assert str(error)
    else:
        assert Cell(cell.equations) == cell


PIECES = [*BY_CALL, *"hcxbWR+-*/@()=,.:[]{}'\n 01", "**", "transpose", "lambda", " if ", "import ", "p_i", "h = ", "\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_pieces_of_equations_are_a_cell_or_an_equation_error(text):
    try:
        cell = Cell("h = " + text)
    except EquationError as error:
        assert str(error)
    else:
        assert Cell(cell.equations) == cell
