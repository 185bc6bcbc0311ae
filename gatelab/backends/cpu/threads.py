"""Several calls of machine code at once.

Where torch brings an OpenMP library, its threads do the work. Between torch's operations they wait busily, so that
threads of our own would have to share the cores with them: with two threads on two cores a step took up to twice as
long. Elsewhere, and in a forked child, where such threads are gone, a pool of Python's does it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.jit import assemble

Job = tuple[Any, ...]
"""A function of an engine and its arguments, all of them addresses or whole numbers."""

MOST = 9
"""Arguments of a function; what a shorter one is given too much it does not read."""

_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}
"""A pool of threads by process and size: after a fork the child makes its own, since threads do not survive it."""

_PROCESS = os.getpid()


def run(function: Callable[..., None], shares: Sequence[Sequence[Job]]) -> None:
    """Calls a function with the arguments of each job, each share in a thread of its own; returns when all is done."""
    if len(shares) == 1:
        for job in shares[0]:
            function(*job)
        return
    team = _team() if os.getpid() == _PROCESS else None
    if team is None:
        _with_pool(function, shares)
        return
    starts = len(shares) + 3
    rows = (ctypes.c_int64 * (starts + sum(map(len, shares)) * MOST))()
    rows[0], rows[1] = len(shares), _address(function)
    rows[2] = at = starts
    for k, share in enumerate(shares):
        for job in share:
            rows[at : at + len(job)] = [v if isinstance(v, int) else ctypes.addressof(v) for v in job]
            at += MOST
        rows[3 + k] = at
    team(rows, len(shares))


def _with_pool(function: Callable[..., None], shares: Sequence[Sequence[Job]]) -> None:
    def take(share: Sequence[Job]) -> None:
        for job in share:
            function(*job)

    key = os.getpid(), len(shares)
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(len(shares) - 1, "gatelab")
    others = [_POOLS[key].submit(take, share) for share in shares[1:]]
    take(shares[0])
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _team() -> Callable[[Any, int], None] | None:
    """What runs a table of jobs in the threads of torch's OpenMP library, if it has one."""
    library = _openmp()
    if library is None:
        return None
    text = _SHARE.format(
        number=_address(library.omp_get_thread_num),
        count=_address(library.omp_get_num_threads),
        arguments=", ".join(f"i64 %a{k}" for k in range(MOST)),
        loads="\n".join(
            f"  %p{k} = getelementptr i64, ptr %row, i64 {k}\n  %a{k} = load i64, ptr %p{k}" for k in range(MOST)
        ),
        most=MOST,
    )
    engine = assemble(text, this_host())
    share = engine.get_function_address("share")
    start = library.GOMP_parallel
    start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    start.restype = None

    def team(rows: Any, threads: int, _owner: object = engine) -> None:
        start(share, ctypes.addressof(rows), threads, 0)

    return team


def _openmp() -> Any:
    """The library that torch's own operations use; another one would have threads of its own."""
    folder = Path(torch.__file__).parent / "lib"
    for pattern in ("libgomp*.so*", "libomp*.so*", "libiomp5*.so*", "libomp*.dylib"):
        for path in sorted(folder.glob(pattern)):
            try:
                library = ctypes.CDLL(str(path))
                _ = library.GOMP_parallel, library.omp_get_thread_num, library.omp_get_num_threads
            except (OSError, AttributeError):
                continue
            return library
    return None


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


_SHARE = """
define void @share(ptr %work) {{
entry:
  %count = load i64, ptr %work
  %second = getelementptr i64, ptr %work, i64 1
  %function = load ptr, ptr %second
  %own32 = call i32 inttoptr (i64 {number} to ptr)()
  %all32 = call i32 inttoptr (i64 {count} to ptr)()
  %own = sext i32 %own32 to i64
  %all = sext i32 %all32 to i64
  br label %next
next:
  %k = phi i64 [ %own, %entry ], [ %later, %done ]
  %there = icmp slt i64 %k, %count
  br i1 %there, label %begin, label %end
begin:
  %k2 = add i64 %k, 2
  %k3 = add i64 %k, 3
  %first_place = getelementptr i64, ptr %work, i64 %k2
  %last_place = getelementptr i64, ptr %work, i64 %k3
  %first = load i64, ptr %first_place
  %last = load i64, ptr %last_place
  br label %jobs
jobs:
  %at = phi i64 [ %first, %begin ], [ %following, %body ]
  %more = icmp slt i64 %at, %last
  br i1 %more, label %body, label %done
body:
  %row = getelementptr i64, ptr %work, i64 %at
{loads}
  call void %function({arguments})
  %following = add i64 %at, {most}
  br label %jobs
done:
  %later = add i64 %k, %all
  br label %next
end:
  ret void
}}
"""
"""What each thread of a team does: its shares of a table, which has their number, the function, where each share begins
and the last one ends, and the arguments of each job."""
