"""Every stage of the compiler can be printed, for every cell."""

import pytest

import gatelab as gl
from gatelab.errors import OptionError
from gatelab.views.stages import STAGES, stage_text


@pytest.mark.parametrize("name", gl.cells())
def test_every_cell_prints_in_every_stage(name):
    cell = gl.cell(name)
    texts = [stage_text(cell, stage) for stage in STAGES]
    assert texts[0] == cell.equations
    assert len(set(texts)) == len(STAGES)
    for matrix in cell.shapes.matrices:
        assert all(matrix in text for text in texts)


def test_the_schedule_says_where_everything_is_computed():
    text = stage_text(gl.cell("scrn"), "schedule").splitlines()
    before = text.index("  for all steps at once, before")
    loop = text.index("  at each step, phase 1")
    after = text.index("  for all steps at once, after")
    assert before < text.index("    h.2 = W_h @ x") < loop < text.index("    h.4 = R_h @ h.before") < after
    assert after < text.index("    y.1 = U_y @ h")


def test_the_adjoint_names_the_state_before_the_step():
    text = stage_text(gl.cell("f"), "adjoint")
    assert "d.f.4 = (-(d.c * z) + d.c * h.before) * f * (1 - f)" in text
    assert "d.R_f += d.f.4 x h.before" in text


def test_an_unknown_stage():
    with pytest.raises(OptionError, match="Did you mean 'schedule'"):
        stage_text(gl.cell("f"), "shedule")
