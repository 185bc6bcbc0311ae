"""Between torch's arrays and those of kernels: sequences come in and go out, weights are packed, gradients collected.

An array of torch is (T, B, W) with the units one behind the other; `time_step` and `batch_step` count numbers. Inside,
a value is blocks of vectors as `layout.py` says. What pads a vector is 0 in rows; in lanes the last sequence is
repeated where a batch does not fill its last vector, or zeros stand there.
"""

from __future__ import annotations

from collections.abc import Callable

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.products import unroll

GATHER = (
    ("ptr", "outside"),
    ("i64", "time_step"),
    ("i64", "batch_step"),
    ("i64", "width"),
    ("ptr", "inside"),
    ("i64", "block_step"),
    ("i64", "slot_step"),
    ("i64", "slots"),
    ("i64", "members"),
    ("i64", "sequences"),
    ("i64", "zeros"),
)
"""The arguments of `gather` and `scatter`.

Inside, `block_step` vectors lie between two blocks and `slot_step` between two steps, of which there are `slots`.
`sequences` is how many there are from the first on. With `zeros` a vector of lanes is filled up with zeros. Where
nothing is outside, a null pointer, zeros come in and nothing goes out.
"""

FEW = 3
"""So many units in lanes are taken one by one; more are turned as a block."""

PACK_FIELDS = ("parameter", "outside", "inside", "rows", "row_step", "columns", "column_step", "padded", "step")
"""A row of the table that the packing functions take, all whole numbers of 8 bytes.

A parameter, by its number in a list of addresses, is gone through from its number `outside` on by `row_step` and
`column_step`. Number (row, column) lands at
`inside + column * step + row`; columns up to `padded` and, in whole vectors, rows are filled up with zeros.
"""

COLLECT_FIELDS = ("parameter", "inside", "rows", "columns", "pitch", "adds")
"""A row of the table that `collect` takes: the gradient of a parameter, by its number, and inside where it begins, with
`pitch` numbers between two rows."""


def border_functions(form: Form, layout: Layout, prefix: str) -> list[Code]:
    """All functions of this file."""
    if layout.is_rows:
        return [
            _rows_gather(form, f"{prefix}gather"),
            _rows_scatter(form, f"{prefix}scatter"),
            _rows_flags(form, f"{prefix}flags"),
            _pack_straight(form, f"{prefix}pack.straight"),
            _pack_turned(form, f"{prefix}pack.turned"),
            _collect(form, f"{prefix}collect"),
        ]
    return [
        _lanes_gather(form, f"{prefix}gather"),
        _lanes_scatter(form, f"{prefix}scatter"),
        _lanes_gather(form, f"{prefix}flags"),
        _pack_numbers(form, f"{prefix}pack.straight"),
        _collect(form, f"{prefix}collect"),
        _collect_lanes(form, f"{prefix}collect.lanes"),
    ]


def turned(code: Code, rows: list[str]) -> list[str]:
    """A square of numbers with rows and columns changed, in as many rounds as the size can be halved."""
    size = len(rows)
    half = size // 2
    while half:
        # In each round, blocks of `half` change places with those diagonally across.
        first = [lane if lane & half == 0 else lane - half + size for lane in range(size)]
        second = [lane + half if lane & half == 0 else lane + size for lane in range(size)]
        made = list(rows)
        for k in range(size):
            if k & half == 0:
                made[k] = code.shuffle(rows[k], rows[k + half], first)
                made[k + half] = code.shuffle(rows[k], rows[k + half], second)
        rows = made
        half //= 2
    return rows


def _rows_gather(form: Form, name: str) -> Code:
    """A load with no lane at all would do for what is absent, but at an address that is none it takes 400 cycles."""
    code = Code(form, name, GATHER)
    blocks = _blocks(code, "%width")
    absent = code.value("icmp eq ptr %outside, null")
    with code.when(absent), code.loop("%slots") as slot, code.loop("%members") as member:
        _, target = _corner(code, slot.index, member.index)
        with code.loop(blocks) as block:
            code.store(form.constant(0.0), code.row(target, code.multiply(block.index, "%block_step")))
    there = code.value(f"xor i1 {absent}, true")
    with code.when(there), code.loop("%slots") as slot, code.loop("%members") as member:
        source, target = _corner(code, slot.index, member.index)
        with code.loop(blocks) as block:
            left = code.whole("sub", "%width", code.multiply(block.index, form.lanes))
            value = code.load_some(code.row(source, block.index), code.lanes_below(left))
            code.store(value, code.row(target, code.multiply(block.index, "%block_step")))
    return code


def _rows_scatter(form: Form, name: str) -> Code:
    code = Code(form, name, GATHER)
    blocks = _blocks(code, "%width")
    there = code.value("icmp ne ptr %outside, null")
    with code.when(there), code.loop("%slots") as slot, code.loop("%members") as member:
        outside, inside = _corner(code, slot.index, member.index)
        with code.loop(blocks) as block:
            left = code.whole("sub", "%width", code.multiply(block.index, form.lanes))
            value = code.load(code.row(inside, code.multiply(block.index, "%block_step")))
            code.store_some(value, code.row(outside, block.index), code.lanes_below(left))
    return code


def _rows_flags(form: Form, name: str) -> Code:
    """A number for each step and sequence, in every lane."""
    code = Code(form, name, GATHER)
    with code.loop("%slots") as slot, code.loop("%members") as member:
        outside, inside = _corner(code, slot.index, member.index)
        code.store(code.spread(outside), inside)
    return code


def _corner(code: Code, slot: str, member: str) -> tuple[str, str]:
    """Where a sequence begins at a step, outside and inside."""
    outside = code.item("%outside", code.add(code.multiply("%time_step", slot), code.multiply("%batch_step", member)))
    inside = code.row("%inside", code.add(code.multiply("%slot_step", slot), member))
    return outside, inside


def _blocks(code: Code, width: str) -> str:
    return code.whole("sdiv", code.add(width, code.form.lanes - 1), code.form.lanes)


def _sequences(code: Code, member: str) -> tuple[str, list[str], str]:
    """Where a vector's sequences begin outside: the first, and how far from there each is, the last repeated where
    there are no more; and how many there are."""
    left = code.whole("sub", "%sequences", code.multiply(member, code.form.lanes))
    last = code.whole("sub", left, 1)
    start = code.item("%outside", code.multiply(code.multiply(member, code.form.lanes), "%batch_step"))
    apart = [code.multiply(code.least(last, lane), "%batch_step") for lane in range(code.form.lanes)]
    return start, apart, left


def _lanes_gather(form: Form, name: str) -> Code:
    code = Code(form, name, GATHER)
    absent = code.value("icmp eq ptr %outside, null")
    loops = code.loop("%slots"), code.loop("%members"), code.loop("%width")
    with code.when(absent), loops[0] as slot, loops[1] as member, loops[2] as unit:
        code.store(form.constant(0.0), _inside(code, slot.index, member.index, unit.index))
    there = code.value(f"xor i1 {absent}, true")
    with code.when(there), code.loop("%members") as member:
        start, apart, left = _sequences(code, member.index)
        filled = code.value("icmp eq i64 %zeros, 0")
        truths = code.lanes_below(code.value(f"select i1 {filled}, i64 {form.lanes}, i64 {left}"))
        whole = _whole_blocks(code)
        with code.loop("%slots") as slot:
            begin = code.item(start, code.multiply("%time_step", slot.index))
            with code.when(code.less("0", whole)), code.loop(whole, step=form.lanes) as unit:
                rest = code.whole("sub", "%width", unit.index)
                some, place = code.lanes_below(rest), code.item(begin, unit.index)
                columns = turned(code, [code.load_some(code.item(place, step), some) for step in apart])
                _each_below(code, rest, lambda k: code.store(
                    code.choose(truths, columns[k], form.constant(0.0)),
                    _inside(code, slot.index, member.index, code.add(unit.index, k)),
                ))  # fmt: skip
            with code.when(code.less(whole, "%width")), code.loop("%width", start=whole) as unit:
                value, place = "poison", code.item(begin, unit.index)
                for lane, step in enumerate(apart):
                    number = code.number(code.item(place, step))
                    value = code.value(f"insertelement {form.vector} {value}, {form.number} {number}, i32 {lane}")
                value = code.choose(truths, value, form.constant(0.0))
                code.store(value, _inside(code, slot.index, member.index, unit.index))
    return code


def _each_below(code: Code, count: str, write: Callable[[int], None]) -> None:
    """Writes what is to be done for each of a vector's lanes below a count, without asking each time if it is all."""
    lanes = code.form.lanes
    full = code.value(f"icmp sge i64 {count}, {lanes}")
    with code.when(full):
        for k in range(lanes):
            write(k)
    with code.when(code.value(f"xor i1 {full}, true")):
        for k in range(lanes - 1):
            with code.when(code.less(str(k), count)):
                write(k)


def _lanes_scatter(form: Form, name: str) -> Code:
    """Sequences are written from the last lane on, so that what is repeated gives way to the sequence itself."""
    code = Code(form, name, GATHER)
    there = code.value("icmp ne ptr %outside, null")
    with code.when(there), code.loop("%members") as member:
        start, apart, _ = _sequences(code, member.index)
        whole = _whole_blocks(code)
        with code.loop("%slots") as slot:
            begin = code.item(start, code.multiply("%time_step", slot.index))
            with code.when(code.less("0", whole)), code.loop(whole, step=form.lanes) as unit:
                some = code.lanes_below(code.whole("sub", "%width", unit.index))
                last = code.whole("sub", "%width", 1)
                columns = [
                    code.load(_inside(code, slot.index, member.index, code.least(code.add(unit.index, k), last)))
                    for k in range(form.lanes)
                ]
                place = code.item(begin, unit.index)
                for row, step in reversed([*zip(turned(code, columns), apart, strict=True)]):
                    code.store_some(row, code.item(place, step), some)
            with code.when(code.less(whole, "%width")), code.loop("%width", start=whole) as unit:
                value = code.load(_inside(code, slot.index, member.index, unit.index))
                place = code.item(begin, unit.index)
                for lane, step in reversed([*enumerate(apart)]):
                    number = code.value(f"extractelement {form.vector} {value}, i32 {lane}")
                    code.put(number, code.item(place, step))
    return code


def _inside(code: Code, slot: str, member: str, unit: str) -> str:
    step = code.add(code.multiply("%slot_step", slot), member)
    return code.row("%inside", code.add(code.multiply(unit, "%block_step"), step))


def _whole_blocks(code: Code) -> str:
    """Units that are turned as blocks: all but a few at the end."""
    rest = code.whole("urem", "%width", code.form.lanes)
    few = code.value(f"icmp ule i64 {rest}, {min(FEW, code.form.lanes - 1)}")
    return code.value(f"select i1 {few}, i64 {code.whole('sub', '%width', rest)}, i64 %width")


# Weights.


def _table(code: Code, names: tuple[str, ...], index: str) -> dict[str, str]:
    """A row of a table, by the names of its fields."""
    row = code.value(f"getelementptr i64, ptr %table, i64 {code.multiply(index, len(names))}")
    found = {}
    for k, name in enumerate(names):
        place = code.value(f"getelementptr i64, ptr {row}, i64 {k}")
        found[name] = code.value(f"load i64, ptr {place}")
    return found


def _address(code: Code, parameter: str) -> str:
    return code.value(f"load ptr, ptr {code.value(f'getelementptr i64, ptr %addresses, i64 {parameter}')}")


PACK = (("ptr", "table"), ("i64", "first"), ("i64", "last"), ("ptr", "addresses"), ("ptr", "packed"))


def _pack_entry(code: Code, index: str) -> tuple[dict[str, str], str, str]:
    """A row of the table, and where its numbers come from and go."""
    field = _table(code, PACK_FIELDS, index)
    source = code.item(_address(code, field["parameter"]), field["outside"])
    return field, source, code.item("%packed", field["inside"])


def _pack_straight(form: Form, name: str) -> Code:
    """Matrices whose rows of a column lie one behind the other; at most a vector of rows each."""
    code = Code(form, name, PACK)
    with code.loop("%last", start="%first") as entry:
        field, source, target = _pack_entry(code, entry.index)
        truths = code.lanes_below(field["rows"])
        with code.loop(field["columns"]) as column:
            value = code.load_some(code.item(source, code.multiply(column.index, field["column_step"])), truths)
            code.store(value, code.item(target, code.multiply(column.index, field["step"])))
        rest = code.less(field["columns"], field["padded"])
        with code.when(rest), code.loop(field["padded"], start=field["columns"]) as column:
            code.store(form.constant(0.0), code.item(target, code.multiply(column.index, field["step"])))
    return code


def _pack_turned(form: Form, name: str) -> Code:
    """Matrices whose columns of a row lie one behind the other; at most a vector of rows each."""
    code = Code(form, name, PACK)
    with code.loop("%last", start="%first") as entry:
        field, source, target = _pack_entry(code, entry.index)
        with code.loop(field["padded"], step=form.lanes) as column:
            left = code.whole("sub", field["columns"], column.index)
            rows = []
            for lane in range(form.lanes):
                there = code.less(str(lane), field["rows"])
                truths = code.lanes_below(code.value(f"select i1 {there}, i64 {left}, i64 0"))
                place = code.item(source, code.add(code.multiply(field["row_step"], lane), column.index))
                rows.append(code.load_some(place, truths))
            columns = turned(code, rows)
            for k in range(0, form.lanes, unroll(form)):
                with code.when(code.less(code.add(column.index, k), field["padded"])):
                    for j in range(k, k + unroll(form)):
                        place = code.item(target, code.multiply(code.add(column.index, j), field["step"]))
                        code.store(columns[j], place)
    return code


def _pack_numbers(form: Form, name: str) -> Code:
    """Matrices, number by number."""
    code = Code(form, name, PACK)
    with code.loop("%last", start="%first") as entry:
        field, source, target = _pack_entry(code, entry.index)
        with code.loop(field["columns"]) as column, code.loop(field["rows"]) as row:
            begin = code.multiply(column.index, field["column_step"])
            value = code.number(code.item(source, code.add(begin, code.multiply(row.index, field["row_step"]))))
            code.put(value, code.item(target, code.add(code.multiply(column.index, field["step"]), row.index)))
    return code


# Gradients.

COLLECT = (
    ("ptr", "table"),
    ("i64", "first"),
    ("i64", "last"),
    ("ptr", "addresses"),
    ("ptr", "tiles"),
    ("i64", "count"),
    ("i64", "stretch"),
)
"""`count` tiles, each with a share of every gradient, lie `stretch` numbers apart."""


def _collect(form: Form, name: str) -> Code:
    """Matrices, the sum over tiles."""
    code = Code(form, name, COLLECT)
    with code.loop("%last", start="%first") as entry:
        field = _table(code, COLLECT_FIELDS, entry.index)
        target = _address(code, field["parameter"])
        adds = code.value(f"icmp ne i64 {field['adds']}, 0")
        source = code.item("%tiles", field["inside"])
        with code.loop(field["rows"]) as row, code.loop(field["columns"], step=form.lanes) as column:
            truths = code.lanes_below(code.whole("sub", field["columns"], column.index))
            begin = code.item(source, code.add(code.multiply(row.index, field["pitch"]), column.index))
            sums = _over_tiles(code, begin, lambda place: code.load_some(place, truths))
            place = code.item(target, code.add(code.multiply(row.index, field["columns"]), column.index))
            some = code.load_some(place, code.value(f"select i1 {adds}, {form.truths} {truths}, {_none(form)}"))
            code.store_some(code.binary("fadd", sums, some), place, truths)
    return code


def _none(form: Form) -> str:
    return f"{form.truths} zeroinitializer"


def _collect_lanes(form: Form, name: str) -> Code:
    """Vectors, the sum over tiles and lanes: a number for each."""
    code = Code(form, name, COLLECT)
    with code.loop("%last", start="%first") as entry:
        field = _table(code, COLLECT_FIELDS, entry.index)
        target = _address(code, field["parameter"])
        source = code.item("%tiles", field["inside"])
        with code.loop(field["columns"]) as column:
            sums = _over_tiles(code, code.row(source, column.index), code.load)
            code.put(code.total(sums), code.item(target, column.index))
    return code


def _over_tiles(code: Code, begin: str, load: Callable[[str], str]) -> str:
    with code.loop("%count", carried=[("ptr", begin), (code.form.vector, code.form.constant(0.0))]) as tile:
        place, sums = tile.carried
        tile.following = (code.item(place, "%stretch"), code.binary("fadd", sums, load(place)))
    return tile.following[1]
