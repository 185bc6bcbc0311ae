"""Losses of the answers of a replica, and their gradients, in one go.

The sum over B sequences, each with O outputs, is divided by `divisor`, which makes it a mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.functions import exp, sigmoid
from gatelab.backends.cpu.logarithms import log, log1p_exp

LOSS = (
    ("ptr", "answers"),
    ("ptr", "where"),
    ("ptr", "loss"),
    ("ptr", "slopes"),
    ("i64", "sequences"),
    ("i64", "outputs"),
    ("i64", "divisor"),
    ("ptr", "wrong"),
)
"""The arguments of a loss: answers (B, O); where the address of its target stands; the number to write; the gradient
(B, O) to write; B; O; what the sum is divided by; a whole number that becomes 1 if a target is no class."""


def binary(form: Form, name: str) -> Code:
    """-log p(target) with p = sigmoid(answer) for 1, and 1 - that for 0; O is 1, targets (B) are numbers."""

    def each(code: Code, answer: str, target: str) -> tuple[str, str]:
        entropy = code.binary("fsub", log1p_exp(code, answer), code.binary("fmul", answer, target))
        return entropy, code.binary("fsub", sigmoid(code, answer), target)

    return _one_by_one(form, name, each)


def squares(form: Form, name: str) -> Code:
    """The squared difference to targets (B, O)."""

    def each(code: Code, answer: str, target: str) -> tuple[str, str]:
        apart = code.binary("fsub", answer, target)
        return code.binary("fmul", apart, apart), code.binary("fadd", apart, apart)

    return _one_by_one(form, name, each)


def classes(form: Form, name: str) -> Code:
    """-log p(target) with p the softmax of a sequence's answers; targets (B) are classes, whole numbers of 64 bits."""
    code = Code(form, name, LOSS)
    target = code.value("load ptr, ptr %where")
    blocks = code.whole("sdiv", code.add("%outputs", form.lanes - 1), form.lanes)
    zero = form.constant(0.0)
    with code.flushed():
        divisor = _divisor(code)
        share = code.binary("fdiv", form.constant(1.0), divisor)
        with code.loop("%sequences", carried=[(form.vector, zero)]) as sequence:
            first = code.multiply(sequence.index, "%outputs")
            answers, slopes = code.item("%answers", first), code.item("%slopes", first)
            with code.loop(blocks, carried=[(form.vector, form.constant(-math.inf))]) as block:
                own, there = _part(code, answers, block.index)
                own = code.choose(there, own, form.constant(-math.inf))
                block.following = (_greater(code, own, block.carried[0]),)
            most = code.splat(_reduced(code, "fmax", block.following[0]))
            with code.loop(blocks, carried=[(form.vector, zero)]) as block:
                own, there = _part(code, answers, block.index)
                power = code.choose(there, exp(code, code.binary("fsub", own, most)), zero)
                _store_part(code, power, slopes, block.index, there)
                block.following = (code.binary("fadd", block.carried[0], power),)
            total = code.splat(code.total(block.following[0]))
            factor = code.binary("fdiv", share, total)
            with code.loop(blocks) as block:
                power, there = _part(code, slopes, block.index)
                _store_part(code, code.binary("fmul", power, factor), slopes, block.index, there)
            right = _class(code, code.value(f"getelementptr i64, ptr {target}, i64 {sequence.index}"))
            place = code.item(slopes, right)
            less = code.binary("fsub", code.spread(place), share)
            code.put(code.value(f"extractelement {form.vector} {less}, i32 0"), place)
            entropy = code.binary("fsub", most, code.spread(code.item(answers, right)))
            entropy = code.binary("fadd", log(code, total), entropy)
            sequence.following = (code.binary("fadd", sequence.carried[0], entropy),)
        loss = code.binary("fdiv", sequence.following[0], divisor)
        code.put(code.value(f"extractelement {form.vector} {loss}, i32 0"), "%loss")
    return code


class Kind(NamedTuple):
    """A loss.

    Attributes:
        write: its function.
        of_classes: whether targets are whole numbers.
        of_outputs: whether each output has a target of its own, and not each sequence.
    """

    write: Callable[[Form, str], Code]
    of_classes: bool = False
    of_outputs: bool = False


LOSSES = {"binary": Kind(binary), "classes": Kind(classes, of_classes=True), "squares": Kind(squares, of_outputs=True)}
"""By name."""


def _one_by_one(form: Form, name: str, each: Callable[[Code, str, str], tuple[str, str]]) -> Code:
    """A loss whose targets are numbers, one for each answer; `each` gives its part and its slope."""
    code = Code(form, name, LOSS)
    target = code.value("load ptr, ptr %where")
    count = code.multiply("%sequences", "%outputs")
    blocks = code.whole("sdiv", code.add(count, form.lanes - 1), form.lanes)
    zero = form.constant(0.0)
    with code.flushed():
        divisor = _divisor(code)
        with code.loop(blocks, carried=[(form.vector, zero)]) as block:
            first = code.multiply(block.index, form.lanes)
            there = code.lanes_below(code.whole("sub", count, first))
            part, slope = each(
                code,
                code.load_some(code.item("%answers", first), there),
                code.load_some(code.item(target, first), there),
            )
            code.store_some(code.binary("fdiv", slope, divisor), code.item("%slopes", first), there)
            block.following = (code.binary("fadd", block.carried[0], code.choose(there, part, zero)),)
        loss = code.binary("fdiv", code.splat(code.total(block.following[0])), divisor)
        code.put(code.value(f"extractelement {form.vector} {loss}, i32 0"), "%loss")
    return code


def _class(code: Code, pointer: str) -> str:
    """The class at a place; the first one, and a mark in `wrong`, where none of that number is there."""
    found = code.value(f"load i64, ptr {pointer}")
    is_none = code.value(f"icmp uge i64 {found}, %outputs")
    with code.when(is_none):
        code.write("store i64 1, ptr %wrong")
    return code.value(f"select i1 {is_none}, i64 0, i64 {found}")


def _divisor(code: Code) -> str:
    """What the sum is divided by, in every lane."""
    return code.splat(code.value(f"sitofp i64 %divisor to {code.form.number}"))


def _part(code: Code, pointer: str, block: str) -> tuple[str, str]:
    """A vector of a sequence's outputs, and which of its lanes there are."""
    first = code.multiply(block, code.form.lanes)
    there = code.lanes_below(code.whole("sub", "%outputs", first))
    return code.load_some(code.item(pointer, first), there), there


def _store_part(code: Code, value: str, pointer: str, block: str, there: str) -> None:
    code.store_some(value, code.item(pointer, code.multiply(block, code.form.lanes)), there)


def _greater(code: Code, a: str, b: str) -> str:
    """The greater of two vectors, lane by lane; NaN, if `a` has it, and else where `b` has it."""
    return code.choose(code.compare("ogt", b, a), b, code.choose(code.compare("uno", b, b), b, a))


def _reduced(code: Code, operation: str, vector: str) -> str:
    """A number of all lanes."""
    form = code.form
    called = f"@llvm.vector.reduce.{operation}.{form.suffix}"
    code.declarations.add(f"declare {form.number} {called}({form.vector})")
    return code.value(f"call {form.number} {called}({form.vector} {vector})")
