"""Memory for the arrays of kernels, used again.

The system hands out large arrays as pages that it has to clear at their first use: at (B, T, I, H) = (512, 250, 50, 64)
that took half of the time of the way forth. So large arrays come back here when nothing refers to them any more, and
the next run with the same sizes takes them.
"""

from __future__ import annotations

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

ALIGNMENT = 64
"""Bytes: that of a cache line, so that no vector lies in two."""


@dataclass(frozen=True, eq=False)
class _Buffer:
    """Memory that is not in use."""

    bytes: np.ndarray[Any, np.dtype[np.uint8]]


_FREE: deque[_Buffer] = deque(maxlen=8)
"""The newest last; what is too many is given back to the system. Its methods are safe between threads."""


def borrow(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """An array whose numbers are arbitrary."""
    size = prod(shape) * like.element_size()
    if size < LEAST:
        return like.new_empty(shape)
    buffer = _taken(size) or _Buffer(np.empty(size + ALIGNMENT, np.uint8))
    start = -buffer.bytes.ctypes.data % ALIGNMENT
    # An object of its own for this loan: torch holds it as long as any tensor needs the memory.
    loan = buffer.bytes[start : start + size]
    weakref.finalize(loan, _FREE.append, buffer).atexit = False
    return torch.from_numpy(loan).view(like.dtype).view(shape)


def room(size: int) -> tuple[int, object]:
    """So many bytes for the time of one call: where they begin, on a cache line, and what keeps them.

    Small calls of a thread all have the same bytes: asking for memory would take longer than some kernels do.
    """
    if size > LEAST:
        held = borrow((size // 4 + ALIGNMENT,), _BYTES)
        return -(-held.data_ptr() // ALIGNMENT) * ALIGNMENT, held
    if not _OWN.start:
        _OWN.bytes = np.empty(LEAST + ALIGNMENT, np.uint8)
        _OWN.start = -(-_OWN.bytes.ctypes.data // ALIGNMENT) * ALIGNMENT
    return _OWN.start, None


class _Own(threading.local):
    """What small calls of a thread use."""

    bytes: Any = None
    start: int = 0


_OWN = _Own()
_BYTES = torch.empty(0, dtype=torch.float32)


def release() -> None:
    """Gives the memory that is not in use back to the system."""
    _FREE.clear()


def _taken(size: int) -> _Buffer | None:
    for buffer in tuple(_FREE):
        if len(buffer.bytes) == size + ALIGNMENT:
            try:
                _FREE.remove(buffer)
            except ValueError:  # Another thread was faster.
                continue
            return buffer
    return None
