"""Cells with exponential gates."""

from gatelab.language.catalogue.entry import Entry

CELLS = (
    Entry(
        name="slstm",
        cite="Beck et al. 2024, NeurIPS, arXiv:2405.04517, equations 8 to 17",
        about="An LSTM with an exponential input gate, a normaliser n and a stabiliser m; one head.",
        # The forget gate is the sigmoid of the paper's two choices, taken in logarithms: log sigmoid(a) is
        # -softplus(-a). The stabiliser cancels in c / n; it only keeps exp within range.
        equations="""
            log_i = W_i @ x + R_i @ h + b_i
            log_f = -softplus(-(W_f @ x + R_f @ h + b_f))
            z = tanh(W_z @ x + R_z @ h + b_z)
            o = sigmoid(W_o @ x + R_o @ h + b_o)
            u = log_f + m
            m = maximum(u, log_i)
            i = exp(log_i - m)
            f = exp(u - m)
            c = f * c + i * z
            n = f * n + i
            h = o * c / n
        """,
    ),
)
