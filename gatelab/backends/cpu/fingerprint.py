"""A number that tells whether arrays still hold the same bits."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.jit import assemble

SUMS = 8
"""Vectors that are mixed side by side, since each waits for its own multiplication."""

LANES = 8
"""Numbers of 64 bits in each."""

STRETCH = 8 * SUMS * LANES
"""Bytes that are mixed at a time; of what is left over each 4 are."""

VECTOR = f"<{LANES} x i64>"

HALF = 29
"""By how many bits a value is shifted onto itself."""

ODD = 0x9E3779B97F4A7C15
"""Of the golden ratio: multiplying by an odd number loses nothing, and this one spreads bits well."""


def fingerprint(addresses: int, sizes: int, count: int) -> int:
    """64 bits of all the bits of some arrays: a change goes unseen in one of 2**64 cases.

    Each number goes through a mixing that can be undone, so that a change of one is always seen.

    Args:
        addresses: the address of a table of their addresses.
        sizes: likewise of how many bytes each has, a multiple of 4.
        count: how many arrays there are.
    """
    return function_on(this_host())(addresses, sizes, count)


@lru_cache(maxsize=8)
def function_on(host: Host) -> Callable[[int, int, int], int]:
    """The function for a processor, compiled once."""
    engine = assemble(_text(), host)
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_int64] * 3)(engine.get_function_address("fingerprint"))
    function.owner = engine  # type: ignore[attr-defined]  # Keeps the machine code in memory.
    return function


def _mix(name: str, kind: str, value: str, to: str, half: str, odd: str) -> str:
    """Mixes one more value, a number or a vector, into what stands at an address."""
    return f"""
  %{name}.old = load {kind}, ptr {to}
  %{name}.both = xor {kind} %{name}.old, {value}
  %{name}.high = lshr {kind} %{name}.both, {half}
  %{name}.low = xor {kind} %{name}.both, %{name}.high
  %{name}.spread = mul {kind} %{name}.low, {odd}
  %{name}.top = lshr {kind} %{name}.spread, {half}
  %{name}.new = xor {kind} %{name}.spread, %{name}.top
  store {kind} %{name}.new, ptr {to}"""


def _number(name: str, value: str) -> str:
    return _mix(name, "i64", value, "%rest", str(HALF), str(ODD))


def _vector(name: str, value: str, to: str) -> str:
    return _mix(name, VECTOR, value, to, _all(HALF), _all(ODD))


def _all(number: int) -> str:
    """A vector of it."""
    return f"<{', '.join([f'i64 {number}'] * LANES)}>"


def _text() -> str:
    sums = range(SUMS)
    return _FUNCTION.format(
        stretch=STRETCH,
        odd=ODD,  # Where sums begin: from 0 on, zeros would leave them as they are.
        begin="".join(f"\n  %s{k} = alloca {VECTOR}\n  store {VECTOR} {_all(ODD)}, ptr %s{k}" for k in sums),
        mix="".join(map(_mix_vector, sums)),
        mix_rest=_number("own", "%wide"),
        gather=_gather(),
    )


def _mix_vector(k: int) -> str:
    """One of those of a stretch, into its own sum."""
    return f"""
  %p{k} = getelementptr i8, ptr %here, i64 {8 * LANES * k}
  %v{k} = load {VECTOR}, ptr %p{k}, align 4{_vector(f"m{k}", f"%v{k}", f"%s{k}")}"""


def _gather() -> str:
    """All sums into the first, and its numbers into one."""
    sums = [f"\n  %l{k} = load {VECTOR}, ptr %s{k}{_vector(f'g{k}', f'%l{k}', '%s0')}" for k in range(1, SUMS)]
    numbers = [f"\n  %n{k} = extractelement {VECTOR} %all, i32 {k}{_number(f'r{k}', f'%n{k}')}" for k in range(LANES)]
    return "".join([*sums, f"\n  %all = load {VECTOR}, ptr %s0", *numbers])


_FUNCTION = """
define i64 @fingerprint(ptr %addresses, ptr %sizes, i64 %count) {{
entry:
  %rest = alloca i64
  store i64 {odd}, ptr %rest{begin}
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %later, %done ]
  %there = icmp slt i64 %k, %count
  br i1 %there, label %array, label %end
array:
  %address_place = getelementptr ptr, ptr %addresses, i64 %k
  %size_place = getelementptr i64, ptr %sizes, i64 %k
  %address = load ptr, ptr %address_place
  %size = load i64, ptr %size_place
  %last = sub i64 %size, {stretch}
  br label %stretch
stretch:
  %at = phi i64 [ 0, %array ], [ %at_next, %whole ]
  %fits = icmp sle i64 %at, %last
  br i1 %fits, label %whole, label %rests
whole:
  %here = getelementptr i8, ptr %address, i64 %at{mix}
  %at_next = add i64 %at, {stretch}
  br label %stretch
rests:
  %at_rest = phi i64 [ %at, %stretch ], [ %at_rest_next, %part ]
  %left = icmp slt i64 %at_rest, %size
  br i1 %left, label %part, label %done
part:
  %here_rest = getelementptr i8, ptr %address, i64 %at_rest
  %own = load i32, ptr %here_rest, align 4
  %wide = zext i32 %own to i64{mix_rest}
  %at_rest_next = add i64 %at_rest, 4
  br label %rests
done:
  %later = add i64 %k, 1
  br label %next
end:{gather}
  %found = load i64, ptr %rest
  ret i64 %found
}}
"""
