"""Functions that every module of kernels has: packing weights, and sums of outer products."""

from __future__ import annotations

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.plan import BLOCK

PACK_FIELDS = ("source", "target", "rows", "columns", "row_step", "column_step", "units", "members", "member")
"""A row of the table that `pack` takes: whole numbers of 8 bytes, the source being an address."""


def pack_function(form: Form) -> Code:
    """Puts matrices into the order in which kernels read them: (block of units, column, unit in block, member).

    Members are the matrices of a group, whose products with one vector are taken together. The source is stepped
    through by `row_step` and `column_step`, so that a transpose costs nothing. Rows beyond the last are left alone.
    """
    code = Code(form, "pack", (("ptr", "table"), ("i64", "count"), ("ptr", "weights")))
    with code.loop("%count") as entry:
        field = dict(zip(PACK_FIELDS, _fields(code, entry.index), strict=True))
        source = code.value(f"inttoptr i64 {field['source']} to ptr")
        target = code.item("%weights", field["target"])
        width = code.multiply(field["units"], field["members"])
        with code.loop(field["rows"]) as row:
            block = code.whole("sdiv", row.index, field["units"])
            inside = code.whole("srem", row.index, field["units"])
            start = code.multiply(code.multiply(block, field["columns"]), width)
            start = code.add(start, code.add(code.multiply(inside, field["members"]), field["member"]))
            begin = code.multiply(row.index, field["row_step"])
            with code.loop(field["columns"]) as column:
                place = code.item(source, code.add(begin, code.multiply(column.index, field["column_step"])))
                number = code.value(f"load {form.number}, ptr {place}")
                where = code.item(target, code.add(start, code.multiply(column.index, width)))
                code.write(f"store {form.number} {number}, ptr {where}")
    return code


def _fields(code: Code, entry: str) -> list[str]:
    start = code.multiply(entry, len(PACK_FIELDS))
    found = []
    for k in range(len(PACK_FIELDS)):
        place = code.value(f"getelementptr i64, ptr %table, i64 {code.add(start, k)}")
        found.append(code.value(f"load i64, ptr {place}"))
    return found


def outer_function(form: Form) -> Code:
    """Adds the sum over steps and lanes of rows times columns to a matrix, a block of it at a time.

    The matrix is padded to whole blocks. What stands behind the last row or column is read too, and lands in the
    padding.
    """
    sides = [(kind, f"{side}_{name}") for side in ("row", "column")
             for kind, name in (("ptr", "values"), ("i64", "stretch"), ("i64", "count"))]  # fmt: skip
    code = Code(form, "outer", (*sides, ("i64", "steps"), ("ptr", "matrix")), internal=True)
    blocks = code.whole("sdiv", code.add("%column_count", BLOCK - 1), BLOCK)
    pitch = code.multiply(blocks, BLOCK)
    with code.loop("%row_count", step=BLOCK) as rows, code.loop("%column_count", step=BLOCK) as columns:
        zeros = [(form.vector, form.constant(0.0))] * BLOCK**2
        left, right = code.row("%row_values", rows.index), code.row("%column_values", columns.index)
        with code.loop("%steps", carried=[("ptr", left), ("ptr", right), *zeros]) as time:
            left, right, *sums = time.carried
            a = [code.load(code.row(left, k)) for k in range(BLOCK)]
            b = [code.load(code.row(right, k)) for k in range(BLOCK)]
            added = [code.fma(a[k // BLOCK], b[k % BLOCK], sums[k]) for k in range(BLOCK**2)]
            time.following = (code.row(left, "%row_stretch"), code.row(right, "%column_stretch"), *added)
        corner = code.item("%matrix", code.add(code.multiply(rows.index, pitch), columns.index))
        for k, vector in enumerate(time.following[2:]):
            place = code.item(corner, code.add(code.multiply(pitch, k // BLOCK), k % BLOCK))
            before = code.value(f"load {form.number}, ptr {place}")
            after = code.value(f"fadd {form.number} {before}, {code.total(vector)}")
            code.write(f"store {form.number} {after}, ptr {place}")
    return code
