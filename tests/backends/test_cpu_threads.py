"""Starts of programs, alone and in a chain, with the threads of torch's OpenMP library and without."""

from array import array

import pytest
import torch

from gatelab.backends.cpu import threads
from gatelab.backends.cpu.adam import ADAM, pass_for
from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.launch import shares
from gatelab.backends.cpu.program import Program
from gatelab.backends.cpu.threads import Chain

COUNT = 48


@pytest.fixture(params=["team", "pool"])
def way(request, monkeypatch):
    """Whether there is such a library."""
    if request.param == "pool":
        monkeypatch.setattr(threads, "_has_team", lambda: False)


def doubling(values, parts):
    """A program that multiplies numbers by 2, in parts of a thread each; with what must be held for it."""
    # Adam with a decay that is decoupled, and no gradient, does so.
    zeros, factors = torch.zeros(COUNT), torch.tensor([0.0, 0, 0, 1, 1, 0, 0, 2])
    function, owner = pass_for(32, this_host())
    fixed = function, *(tensor.data_ptr() for tensor in (values, zeros, zeros, zeros, factors))
    assert len(fixed) + 2 == len(ADAM) + 1
    program = Program([[[(*fixed, *part)] for part in shares(COUNT, parts)]], 0, [])
    words = program.place(array("q"), 0)
    return program.starts(words), (words, zeros, factors, owner)


def test_starts_run_alone(way):
    values = torch.arange(COUNT) + 1.0
    for parts in (1, 3):
        starts, held = doubling(values, parts)
        for start in starts:
            start.run()
        del held
    assert torch.equal(values, 4 * (torch.arange(COUNT) + 1.0))


def test_a_chain_runs_each_of_its_starts_every_time(way):
    values, starts, held = torch.arange(COUNT) + 1.0, [], []
    for parts in (1, 2, 1, 3):
        own, kept = doubling(values, parts)
        starts += own
        held.append(kept)
    chain = Chain(starts)
    chain()
    assert torch.equal(values, 2.0**4 * (torch.arange(COUNT) + 1.0))
    chain()
    assert torch.equal(values, 2.0**8 * (torch.arange(COUNT) + 1.0))


def test_an_empty_chain_does_nothing():
    Chain([])()
