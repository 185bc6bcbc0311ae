"""A process that is set up keeps the memory that it has had, and does not load what it does not need, and ends soon."""

import platform
import resource
import subprocess
import sys

import pytest
import torch

from gatelab.process import keep_memory

PAGES = """
import resource, sys
import torch
from gatelab.process import set_up_process
if sys.argv[1] == "kept":
    set_up_process(1)
def use():
    held = [torch.ones(2**20) for _ in range(10)]
use(), use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, torch.get_num_threads())
"""
ENDS = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 10_000))  # What is registered first runs last.
from gatelab.process import set_up_process
set_up_process(1)
"""
GLIBC = platform.libc_ver()[0] == "glibc"


TRAINS = """
import sys
from gatelab.process import set_up_process
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings
if sys.argv[1] == "set up":
    set_up_process(1)
settings = make_settings("parity", "lstm", 3, steps=4)
training = Training(settings)
training.step(), training.step()
training = Training.restore(settings, training.checkpoint(0.0))
while not training.over:
    training.step()
loaded = [name in sys.modules for name in ("torch._dynamo", "sympy")]
print(*loaded, {name: tensor.tolist() for name, tensor in training.kept.items()})
"""


def pages_of(how):
    done = subprocess.run([sys.executable, "-c", PAGES, how], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split()))


@pytest.mark.skipif(not GLIBC, reason="Only glibc can be told to.")
def test_memory_is_asked_for_once():
    of_all = 10 * 10 * 4 * 2**20 // resource.getpagesize()
    asked_for, threads = pages_of("kept")
    assert asked_for < of_all / 10 and threads == 1
    assert pages_of("as it comes")[0] > 10 * (asked_for + 1)  # A page may be a large one, of 2 MB.


def test_where_it_can_not_be_told_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_memory()


def trained(how):
    done = subprocess.run([sys.executable, "-c", TRAINS, how], capture_output=True, text=True, check=True)
    compiler, sympy, weights = done.stdout.split(" ", 2)
    return compiler == "True", sympy == "True", weights


def test_training_loads_neither_the_compiler_of_torch_nor_sympy():
    (compiler, sympy, ours), (loaded, _, theirs) = trained("set up"), trained("as it comes")
    assert not compiler and not sympy
    assert loaded, "else torch needs no sparing any more, and spare_compiler can go"
    assert ours == theirs


@pytest.mark.parametrize("sizes", [(3, 5, 30, 10), (2, 10, 5, 10), (10, 100, 30, 10), (3, 7, 1, 10)], ids=str)
def test_a_product_does_not_hang_on_where_its_numbers_lie(sizes):
    replicas, batch, hidden, out = sizes
    generator = torch.Generator().manual_seed(0)
    read = torch.randn(replicas, batch, hidden, generator=generator)
    weight = torch.randn(replicas, out, hidden, generator=generator)
    together = torch.bmm(read, weight.mT)
    for r in range(replicas):
        alone = torch.bmm(read[r : r + 1].clone(), weight[r : r + 1].clone().mT)
        assert torch.equal(together[r], alone[0])
        assert torch.equal(torch.mm(read[r], weight[r].T), torch.mm(read[r].clone(), weight[r].clone().T))


def test_at_its_end_nothing_is_looked_through():
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
