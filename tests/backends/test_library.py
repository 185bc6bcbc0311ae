"""torch's own recurrent functions as a backend, against eager."""

import pytest
import torch
from test_cpu import everything, random_run, same

import gatelab as gl
from gatelab.backends import eager, library

CELLS = {
    name + ("" if bias else " without biases"): gl.cell(name) if bias else gl.cell(name).without_biases()
    for name in library.OWN
    for bias in (True, False)
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_it_agrees_with_eager(cell):
    asked = random_run(cell)
    assert library.why_not(asked) is None
    same(everything(asked, library.run), everything(asked, eager.run))


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_states_that_are_not_given_are_zeros(cell):
    asked = random_run(cell)
    asked = asked._replace(state=(None,) * len(asked.state))
    found, expected = (run(asked) for run in (library.run, eager.run))
    same(found.output, expected.output)
    same(found.state, expected.state)


def test_layers_on_it_are_those_of_eager():
    x, found = torch.randn(5, 3, 2), []
    for backend in ("torch", "eager"):
        torch.manual_seed(0)
        layer = gl.Recurrent("gru", 2, 3, 2, bidirectional=True, learned_state=True, backend=backend)
        output, state = layer(x)
        found.append((output, state.h))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "around", "reason"),
    [
        ("peephole", (), "'peephole' is none of torch's own cells"),
        (gl.cell("lstm").without("f"), (), "none of torch's own cells"),
        (gl.cell("lstm").rename("f", "k"), (), "none of torch's own cells"),
        ("lstm", ("resets",), "no resets"),
        ("lstm", ("alive",), "lengths only for packed sequences"),
        ("lstm", ("masks",), "no recurrent dropout"),
        ("gru", ("share",), "no zoneout"),
    ],
)
def test_what_torch_does_not_have(cell, around, reason):
    assert reason in library.why_not(random_run(cell, around=around))


def test_torch_has_no_replicas():
    assert library.why_not(random_run("lstm", R=2)) == "torch has no replicas"
