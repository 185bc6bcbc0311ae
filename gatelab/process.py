"""How a process that is all ours is set up: threads, sums, torch's compiler, memory that is not given back, its end.

A library leaves that to its user, so this is for commands, their workers, and the bench.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""What glibc's `mallopt` calls them in <malloc.h>."""
KEPT, LARGEST = 2**30, 2**25
"""Bytes that may be free and kept; and those of the largest array that comes from them, the most that glibc allows."""


def set_up_process(threads: int) -> None:
    """Has torch use so many threads, and the process keep its memory."""
    ask_for_same_sums()
    torch.set_num_threads(threads)
    keep_memory()
    spare_compiler()
    end_quickly()


def ask_for_same_sums() -> None:
    """Has MKL, which multiplies for torch, give the same sums wherever in memory their numbers lie.

    By itself it does so on some processors only. On one of AMD's a seed that was trained with others had other bits in
    the last place than the same seed alone. It takes no longer. MKL looks for this when it is called first; who has
    set it otherwise keeps that.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def spare_compiler() -> None:
    """Has optimizers be made without torch's compiler, which torch loads only to leave them out of it.

    That is 1.7 s, half of the time of a short command. Where torch looks for the mark no more, nothing happens.
    """
    for name in ("add_param_group", "state_dict", "load_state_dict"):
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None:
            vars(method).setdefault("__dynamo_disable", method)


def end_quickly() -> None:
    """Has Python not look for garbage when it ends: with torch in it, that takes half a second."""
    atexit.register(gc.freeze)


def keep_memory() -> bool:
    """Has the C library keep what is freed, as far as it can be told to; whether it can.

    By itself glibc gives arrays of a few megabytes back to the system when they are freed, or not, as chance has laid
    them; the system then clears their pages when the next step asks for as much. That was 5 to 13 % of the time of
    training on texts, and what one step of two alike took longer than the other.
    """
    if sys.platform != "linux":
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none.
    if set_option is None:
        return False
    return bool(set_option(M_TRIM_THRESHOLD, KEPT) and set_option(M_MMAP_THRESHOLD, LARGEST))
