"""Memory that is used again: never by two at once, never with an effect of what was in it."""

import gc

import torch
from test_cpu import everything, random_run, same

from gatelab.backends import eager
from gatelab.backends.cpu import backend as cpu
from gatelab.backends.cpu import memory

LIKE = torch.empty(0)


def test_memory_in_use_is_not_given_twice():
    memory.release()
    first, second = memory.borrow((1000, 300, 4), LIKE), memory.borrow((1000, 300, 4), LIKE)
    assert first.data_ptr() != second.data_ptr()
    # A part of it is enough to hold it.
    place, part = first.data_ptr(), first[3:4]
    del first
    gc.collect()
    assert memory.borrow((1000, 300, 4), LIKE).data_ptr() != place
    del part
    gc.collect()
    again = memory.borrow((1000, 300, 4), LIKE), memory.borrow((1000, 300, 4), LIKE)
    assert place in {value.data_ptr() for value in again}


def test_all_arrays_begin_on_a_cache_line():
    memory.release()
    for length in (4, 1000, 300_001):
        assert memory.borrow((length, 16), LIKE).data_ptr() % memory.ALIGNMENT == 0


def test_no_more_is_kept_than_was_once_in_use(monkeypatch):
    monkeypatch.setattr(memory, "ALWAYS", 0)
    memory.release()
    store, one = memory._STORE, 4 * 1000 * 300 * 4 + memory.ALIGNMENT
    held = [memory.borrow((1000, 300, 4), LIKE) for _ in range(5)]
    held.clear()
    gc.collect()
    assert (store.used, store.kept, len(store.free)) == (0, 5 * one, 5)
    large = memory.borrow((1000, 300, 12), LIKE)  # As much as three of them, which have to go.
    assert (len(store.free), store.kept + store.used <= 5 * one) == (2, True)
    del large
    gc.collect()
    assert (store.used, store.kept <= 5 * one) == (0, True)
    memory.release()
    assert (store.used, store.kept, len(store.free)) == (0, 0, 0)


def test_arrays_of_many_lengths_share_a_few(monkeypatch):
    monkeypatch.setattr(memory, "ALWAYS", 0)
    memory.release()
    for length in (1000, 990, 900, 801, 800):
        memory.borrow((length, 300, 4), LIKE)
        gc.collect()
        assert len(memory._STORE.free) == 1
        assert memory._STORE.kept == 4 * 1000 * 300 * 4 + memory.ALIGNMENT
    memory.borrow((700, 300, 4), LIKE)
    gc.collect()
    assert memory._STORE.kept == 4 * 700 * 300 * 4 + memory.ALIGNMENT
    memory.release()


def test_what_was_in_memory_has_no_effect(monkeypatch):
    def poisoned(shape, like):
        return borrow(shape, like).fill_(torch.nan)

    borrow = memory.borrow
    monkeypatch.setattr("gatelab.backends.cpu.kernels.borrow", poisoned)
    for around in ((), ("resets", "alive", "masks", "zoneout")):
        asked = random_run("layer_norm_lstm", around=around)
        same(everything(asked, cpu.run), everything(asked, eager.run))
