"""Products of small matrices as torch lays them out: what a linear head needs, forwards and backwards.

Sums go over the depth from the first to the last, in a register for each number, so their bits hang on nothing but
the numbers: not on where these lie, nor on what else is computed beside them.
"""

from __future__ import annotations

from functools import partial

from gatelab.backends.cpu.code import Code, Form

ROWS = 8
"""Of the result, computed side by side, since each waits for its own sum."""

MULTIPLY = (
    ("ptr", "out"),
    ("i64", "out_row"),
    ("ptr", "left"),
    ("i64", "left_row"),
    ("i64", "left_column"),
    ("ptr", "right"),
    ("i64", "right_row"),
    ("i64", "rows"),
    ("i64", "depth"),
    ("i64", "columns"),
    ("ptr", "first"),
    ("i64", "first_row"),
)
"""out (rows, columns) = first (rows, columns) + left (rows, depth) @ right (depth, columns).

`out_row` and the like count the numbers from one row, or column, to the next; where none is named there is one. A
`first_row` of 0 adds the same to each row; `first` may be `out`.
"""

TURN = (("ptr", "out"), ("ptr", "matrix"), ("i64", "rows"), ("i64", "columns"))
"""out (columns, rows) = matrix (rows, columns), transposed."""


def multiply(form: Form, name: str) -> Code:
    """The product of `MULTIPLY`; every length is at least 1."""
    code = Code(form, name, MULTIPLY)
    blocks = code.whole("sdiv", code.add("%columns", form.lanes - 1), form.lanes)
    whole = code.whole("mul", code.whole("sdiv", "%rows", ROWS), ROWS)
    with code.flushed(), code.loop(blocks) as block:
        column = code.multiply(block.index, form.lanes)
        there = code.lanes_below(code.whole("sub", "%columns", column))
        write = partial(_rows, code, column, there)
        with code.when(code.less("0", whole)), code.loop(whole, step=ROWS) as row:
            write(row.index, ROWS)
        with code.when(code.less(whole, "%rows")), code.loop("%rows", start=whole) as row:
            write(row.index, 1)
    return code


def _rows(code: Code, column: str, there: str, row: str, count: int) -> None:
    """So many rows of the result, one vector of each."""
    form = code.form
    rows = [code.add(row, k) for k in range(count)]
    lefts = [code.item("%left", code.multiply(own, "%left_row")) for own in rows]
    firsts = [code.add(code.multiply(own, "%first_row"), column) for own in rows]
    carried = [(form.vector, code.load_some(code.item("%first", place), there)) for place in firsts]
    right = code.item("%right", column)
    with code.loop("%depth", carried=carried) as step:
        own = code.load_some(code.item(right, code.multiply(step.index, "%right_row")), there)
        along = code.multiply(step.index, "%left_column")
        step.following = tuple(
            code.fma(code.spread(code.item(left, along)), own, total)
            for left, total in zip(lefts, step.carried, strict=True)
        )
    for own, total in zip(rows, step.following, strict=True):
        place = code.add(code.multiply(own, "%out_row"), column)
        code.store_some(total, code.item("%out", place), there)


def turn(form: Form, name: str) -> Code:
    """The copy of `TURN`."""
    code = Code(form, name, TURN)
    with code.loop("%rows") as row, code.loop("%columns") as column:
        number = code.number(code.item("%matrix", code.add(code.multiply(row.index, "%columns"), column.index)))
        code.put(number, code.item("%out", code.add(code.multiply(column.index, "%rows"), row.index)))
    return code
