"""Equations as LaTeX."""

import pytest

from gatelab import Cell

EXPECTED = {
    "h = tanh(W @ x + R @ h + b)": r"h_{t} &= \tanh(W x_{t} + R h_{t-1} + b)",
    "h = alpha * h": r"h_{t} &= \alpha \odot h_{t-1}",
    "h = p_h * (W_h @ x)": r"h_{t} &= p_{h} \odot (W_{h} x_{t})",
    "h = (b + h) * (1 - h)": r"h_{t} &= (b + h_{t-1}) \odot (1 - h_{t-1})",
    "h = h / (b + h)": r"h_{t} &= \frac{h_{t-1}}{b + h_{t-1}}",
    "h = (b + h) ** 2": r"h_{t} &= (b + h_{t-1})^{2}",
    "h = b - (p - h)": r"h_{t} &= b - (p - h_{t-1})",
    "h = transpose(R) @ (b + h)": r"h_{t} &= R^\top (b + h_{t-1})",
    "h = b_in + b_m_f": r"h_{t} &= b_{\mathrm{in}} + b_{\mathrm{m\_f}}",
    "h = maximum(b, h)": r"h_{t} &= \max(b, h_{t-1})",
}


@pytest.mark.parametrize("text", EXPECTED)
def test_latex(text):
    cell = Cell(text, constants={"alpha": 0.5} if "alpha" in text else None)
    assert cell.latex() == "\\begin{aligned}\n" + EXPECTED[text] + "\n\\end{aligned}"


def test_a_state_has_the_step_that_is_meant():
    lines = Cell("c = f * c\nf = tanh(W @ x)\nh = c").latex().splitlines()
    assert lines[1] == r"c_{t} &= f_{t-1} \odot c_{t-1} \\"
    assert lines[3] == "h_{t} &= c_{t}"
