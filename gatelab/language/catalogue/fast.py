"""Cells for tiny devices: a residual step weighted by two learned numbers."""

from gatelab.language.catalogue.entry import Entry

CITE = "Kusupati et al. 2018, NeurIPS, arXiv:1901.02358"

CELLS = (
    Entry(
        name="fastrnn",
        cite=CITE,
        about="A plain network with a residual connection; two scalars say how much of each.",
        equations="""
            n = tanh(W_n @ x + R_n @ h + b_n)
            h = sigmoid(alpha) * n + sigmoid(beta) * h
        """,
        parameters={"alpha": "scalar", "beta": "scalar"},
        # The authors' values: little of the new, nearly all of the old.
        init={"alpha": -3.0, "beta": 3.0},
    ),
    Entry(
        name="fastgrnn",
        cite=CITE,
        about="FastRNN with a gate that shares both matrices with the candidate.",
        equations="""
            u = W_u @ x + R_u @ h
            z = sigmoid(u + b_z)
            n = tanh(u + b_n)
            h = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * n + z * h
        """,
        parameters={"zeta": "scalar", "nu": "scalar"},
        # The authors' values, as are the biases of one.
        init={"zeta": 1.0, "nu": -4.0, "b_*": "ones"},
    ),
)
