"""Jobs, functions of machine code with their arguments, run one after the other or in several threads.

Where torch brings an OpenMP library, its threads do the work. Between torch's operations they wait busily, so that
threads of our own would have to share the cores with them: with two threads on two cores a step took up to twice as
long. Elsewhere, and in a forked child, where such threads are gone, a pool of Python's does it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.jit import assemble

ARGUMENTS = 12
"""Of a function; what a shorter one is given too much it does not read."""

WORDS = 1 + ARGUMENTS
"""Of a job in memory: the address of a function and its arguments."""

_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}
"""A pool of threads by process and size: after a fork the child makes its own, since threads do not survive it."""

_PROCESS = os.getpid()


def run_jobs(begin: int, end: int) -> None:
    """Runs the jobs between two addresses, one after the other."""
    _machine().jobs(begin, end)


def run_shares(shares: int, count: int) -> None:
    """Runs shares of jobs, each in a thread; returns when all are done.

    Args:
        shares: the address of a table: how many there are, where each begins, and where the last one ends.
        count: how many there are.
    """
    machine = _machine()
    if machine.team is not None and os.getpid() == _PROCESS:
        machine.team(machine.share, shares, count, 0)
        return
    key = os.getpid(), count
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(count - 1, "gatelab")
    _, *bounds = (ctypes.c_int64 * (count + 2)).from_address(shares)
    others = [_POOLS[key].submit(machine.jobs, *bounds[k : k + 2]) for k in range(1, count)]
    machine.jobs(*bounds[:2])
    for other in others:
        other.result()


@dataclass(frozen=True)
class _Machine:
    """What reads tables of jobs.

    Attributes:
        jobs: runs those between two addresses.
        team: has the threads of torch's OpenMP library call a function with a table, if there is such a library.
        share: the address of that function.
    """

    jobs: Callable[[int, int], None]
    team: Callable[[int, int, int, int], None] | None
    share: int
    owner: object


@lru_cache(maxsize=1)
def _machine() -> _Machine:
    library = _openmp()
    text = _JOBS.format(
        words=8 * WORDS,
        arguments=", ".join(f"i64 %a{k}" for k in range(ARGUMENTS)),
        loads="\n".join(
            f"  %p{k} = getelementptr i64, ptr %job, i64 {k + 1}\n  %a{k} = load i64, ptr %p{k}"
            for k in range(ARGUMENTS)
        ),
    )
    if library is not None:
        text += _SHARE.format(
            number=_address(library.omp_get_thread_num),
            count=_address(library.omp_get_num_threads),
        )
    engine = assemble(text, this_host())
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)
    jobs = kind(engine.get_function_address("jobs"))
    if library is None:
        return _Machine(jobs, None, 0, engine)
    team = library.GOMP_parallel
    team.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    team.restype = None
    return _Machine(jobs, team, engine.get_function_address("share"), engine)


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


_JOBS = """
define void @jobs(i64 %first, i64 %last) {{
entry:
  br label %next
next:
  %at = phi i64 [ %first, %entry ], [ %following, %body ]
  %more = icmp slt i64 %at, %last
  br i1 %more, label %body, label %end
body:
  %job = inttoptr i64 %at to ptr
  %function = load ptr, ptr %job
{loads}
  call void %function({arguments})
  %following = add i64 %at, {words}
  br label %next
end:
  ret void
}}
"""

_SHARE = """
define void @share(ptr %shares) {{
entry:
  %count = load i64, ptr %shares
  %own32 = call i32 inttoptr (i64 {number} to ptr)()
  %all32 = call i32 inttoptr (i64 {count} to ptr)()
  %own = sext i32 %own32 to i64
  %all = sext i32 %all32 to i64
  br label %next
next:
  %k = phi i64 [ %own, %entry ], [ %later, %begin ]
  %there = icmp slt i64 %k, %count
  br i1 %there, label %begin, label %end
begin:
  %k1 = add i64 %k, 1
  %k2 = add i64 %k, 2
  %first_place = getelementptr i64, ptr %shares, i64 %k1
  %last_place = getelementptr i64, ptr %shares, i64 %k2
  %first = load i64, ptr %first_place
  %last = load i64, ptr %last_place
  call void @jobs(i64 %first, i64 %last)
  %later = add i64 %k, %all
  br label %next
end:
  ret void
}}
"""
"""What each thread of a team does: its shares, one in a team as large as it was asked to be."""
