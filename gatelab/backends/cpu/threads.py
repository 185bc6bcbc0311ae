"""Jobs, functions of machine code with their arguments, run one after the other or in several threads.

Where torch brings an OpenMP library, its threads do the work. Between torch's operations they wait busily, so that
threads of our own would have to share the cores with them: with two threads on two cores a step took up to twice as
long. Elsewhere, and in a forked child, where such threads are gone, a pool of Python's does it.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.jit import assemble

ARGUMENTS = 12
"""Of a function; what a shorter one is given too much it does not read."""

WORDS = 1 + ARGUMENTS
"""Of a job in memory: the address of a function and its arguments."""

WORD = 8
"""Bytes of a word."""

_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}
"""A pool of threads by process and size: after a fork the child makes its own, since threads do not survive it."""

_PROCESS = os.getpid()


class Start(NamedTuple):
    """Jobs that are ready to run.

    Attributes:
        begin: their address.
        end: that of what follows the last one.
        table: the address of a table of their shares: how many there are, where each begins, and where the last ends.
        shares: how many there are, each for a thread of its own.
    """

    begin: int
    end: int
    table: int
    shares: int

    def run(self) -> None:
        """Returns when all are done."""
        machine = _machine()
        if self.shares == 1:
            machine.jobs(self.begin, self.end)
        elif _has_team():
            machine.team(machine.share, self.table, self.shares, 0)
        else:
            self._run_in_pool(machine)

    def _run_in_pool(self, machine: _Machine) -> None:
        key = os.getpid(), self.shares
        if key not in _POOLS:
            _POOLS[key] = ThreadPoolExecutor(self.shares - 1, "gatelab")
        _, *bounds = (ctypes.c_int64 * (self.shares + 2)).from_address(self.table)
        others = [_POOLS[key].submit(machine.jobs, *bounds[k : k + 2]) for k in range(1, self.shares)]
        machine.jobs(*bounds[:2])
        for other in others:
            other.result()


class Chain:
    """Jobs of several programs, those of one when those before it are done, in one call.

    To run a start is a job itself. Each call that Python makes takes a microsecond, and what is around it another few.

    Args:
        starts: one after the other. What lies at their addresses must be held as long as the chain.
    """

    def __init__(self, starts: Iterable[Start]) -> None:
        self.starts, self.jobs = list(starts), _machine().jobs
        self.has_threads = any(start.shares > 1 for start in self.starts)
        self.words = array("q", chain.from_iterable(map(_as_job, self.starts)))
        self.begin, count = self.words.buffer_info()
        self.end = self.begin + WORD * count

    def __call__(self) -> None:
        if self.has_threads and not _has_team():
            for start in self.starts:
                start.run()
        else:
            self.jobs(self.begin, self.end)


def _as_job(start: Start) -> Iterator[int]:
    """Its words, if there is a team for its shares."""
    machine = _machine()
    if start.shares == 1:
        yield from (_address(machine.jobs), start.begin, start.end)
        yield from [0] * (WORDS - 3)
    else:
        yield from (_address(machine.team), machine.share, start.table, start.shares, 0)
        yield from [0] * (WORDS - 5)


def _has_team() -> bool:
    """Whether there are threads of torch's OpenMP library; in a forked child they are gone."""
    return _machine().team is not None and os.getpid() == _PROCESS


@dataclass(frozen=True)
class _Machine:
    """What reads tables of jobs.

    Attributes:
        jobs: runs those between two addresses.
        team: has the threads of torch's OpenMP library call a function with a table, if there is such a library.
        share: the address of that function.
    """

    jobs: Any
    team: Any
    share: int
    owner: object


@lru_cache(maxsize=1)
def _machine() -> _Machine:
    library = _openmp()
    text = _JOBS.format(
        words=WORD * WORDS,
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
