"""Memory for the arrays of kernels, used again.

The system hands out large arrays as pages that it has to clear at their first use: at (B, T, I, H) = (512, 250, 50, 64)
that took half of the time of the way forth. So large arrays come back here when nothing refers to them any more, and
the next run that needs about as much takes them. What is kept and what is in use are together no more than was once in
use at a time, or than `ALWAYS` if that is more.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

LEAST = 2**20
"""Bytes from which an array is kept; the C library reuses smaller ones by itself."""

ALWAYS = 2**29
"""Bytes that may be kept in any case, so that two models that take turns do not have to ask for theirs each time."""

WASTE = 1.25
"""How much larger than asked for an array may be, so that batches of many lengths share a few."""

ALIGNMENT = 64
"""Bytes: that of a cache line, so that no vector lies in two."""


@dataclass(frozen=True, eq=False)
class _Buffer:
    """Memory that is not in use."""

    bytes: np.ndarray[Any, np.dtype[np.uint8]]


class _Store:
    """Memory that is not in use, the newest last, and how many bytes are."""

    def __init__(self) -> None:
        self.free: deque[_Buffer] = deque()
        self.kept = self.used = self.most = 0
        self.unlock()

    def unlock(self) -> None:
        """A new lock: in a forked child a thread that is gone may hold the old one."""
        # The same thread may come in twice: an array is given back wherever Python collects garbage.
        self.lock = threading.RLock()

    def take(self, size: int) -> _Buffer:
        with self.lock:
            buffer = self._find(size) or _Buffer(np.empty(size, np.uint8))
            self.used += len(buffer.bytes)
            self.most = max(self.most, self.used)
            self._keep_to_limit()
        return buffer

    def _find(self, size: int) -> _Buffer | None:
        for place in reversed(range(len(self.free))):  # The newest is the nearest to the processor.
            buffer = self.free[place]
            if size <= len(buffer.bytes) <= WASTE * size:
                del self.free[place]
                self.kept -= len(buffer.bytes)
                return buffer
        return None

    def give_back(self, buffer: _Buffer) -> None:
        size = len(buffer.bytes)
        with self.lock:
            self.used -= size
            self.kept += size
            self.free.append(buffer)
            self._keep_to_limit()

    def clear(self) -> None:
        with self.lock:
            self.free.clear()
            self.kept, self.most = 0, self.used

    def _keep_to_limit(self) -> None:
        while self.free and self.kept + self.used > max(self.most, ALWAYS):
            self.kept -= len(self.free.popleft().bytes)


_STORE = _Store()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_STORE.unlock)


def borrow(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """An array whose numbers are arbitrary."""
    size = prod(shape) * like.element_size()
    if size < LEAST:
        return like.new_empty(shape)
    buffer = _STORE.take(size + ALIGNMENT)
    start = -buffer.bytes.ctypes.data % ALIGNMENT
    # An object of its own for this loan: torch holds it as long as any tensor needs the memory.
    loan = buffer.bytes[start : start + size]
    weakref.finalize(loan, _STORE.give_back, buffer).atexit = False
    return torch.from_numpy(loan).view(like.dtype).view(shape)


def room(size: int) -> tuple[int, object]:
    """So many bytes for the time of one call: where they begin, on a cache line, and what keeps them.

    Small calls of a thread all have the same bytes: asking for memory would take longer than some kernels do.
    """
    if size > LEAST:
        return own_room(size)
    if not _OWN.start:
        _OWN.bytes = np.empty(LEAST + ALIGNMENT, np.uint8)
        _OWN.start = -(-_OWN.bytes.ctypes.data // ALIGNMENT) * ALIGNMENT
    return _OWN.start, None


def own_room(size: int) -> tuple[int, object]:
    """So many bytes, for as long as something holds them: as `room`."""
    held = borrow((size // 4 + ALIGNMENT,), _BYTES)
    return -(-held.data_ptr() // ALIGNMENT) * ALIGNMENT, held


class _Own(threading.local):
    """What small calls of a thread use."""

    bytes: Any = None
    start: int = 0


_OWN = _Own()
_BYTES = torch.empty(0, dtype=torch.float32)


def release() -> None:
    """Gives the memory that is not in use back to the system."""
    _STORE.clear()
