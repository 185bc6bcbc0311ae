"""The examples run and show what they say."""

import runpy
from pathlib import Path

import gatelab as gl
from gatelab.testing import check_cell

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_cell():
    cell = gl.cell(EXAMPLES / "leaky.cell")
    assert cell.name == "leaky forget"
    check_cell(cell)


def test_the_ablations(monkeypatch):
    program = runpy.run_path(str(EXAMPLES / "ablation.py"))
    monkeypatch.setitem(program["main"].__globals__, "STEPS", 60)
    found = program["main"]()
    assert found.keys() == program["ABLATIONS"].keys()
    assert all(value > 15 for value in found.values())


def test_the_torch_program():
    losses = runpy.run_path(str(EXAMPLES / "torch_program.py"))["main"]()
    assert losses[-1] < 0.5 * losses[0]
