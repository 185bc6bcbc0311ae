"""Cells in which the input multiplies what comes from the past."""

from gatelab.language.catalogue.entry import Entry

CELLS = (
    Entry(
        name="multiplicative_rnn",
        cite="Sutskever, Martens & Hinton 2011, ICML",
        about="The input chooses the recurrent matrix, through a product of factors.",
        equations="""
            m = (W_m @ x) * (R_m @ h)
            h = tanh(W_h @ x + V_h @ m + b_h)
        """,
        aliases=("mrnn",),
    ),
    Entry(
        name="mi_rnn",
        cite="Wu et al. 2016, NIPS, arXiv:1606.06630",
        about="Multiplicative integration: products of the two inner sums beside the sums.",
        equations="""
            u = W_h @ x
            v = R_h @ h
            h = tanh(alpha * u * v + beta_1 * v + beta_2 * u + b_h)
        """,
        parameters={"alpha": "vector", "beta_1": "vector", "beta_2": "vector"},
        init={"alpha": "ones", "beta_*": "ones", "b_h": "zeros"},
    ),
    Entry(
        name="multiplicative_lstm",
        cite="Krause et al. 2016, arXiv:1609.07959",
        about="An LSTM whose gates read the product of input and past instead of the past.",
        equations="""
            m = (W_m @ x) * (R_m @ h)
            i = sigmoid(W_i @ x + V_i @ m + b_i)
            f = sigmoid(W_f @ x + V_f @ m + b_f)
            z = tanh(W_z @ x + V_z @ m + b_z)
            c = f * c + i * z
            o = sigmoid(W_o @ x + V_o @ m + b_o)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0},
    ),
)
