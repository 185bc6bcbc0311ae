"""Strongly typed cells: the past enters no matrix, so every unit keeps its meaning through time."""

from gatelab.language.catalogue.entry import Entry

CITE = "Balduzzi & Ghifary 2016, ICML, arXiv:1602.02218"

CELLS = (
    Entry(
        name="trnn",
        cite=CITE,
        about="A gate of the input averages linear features of the input.",
        equations="""
            z = W_z @ x + b_z
            f = sigmoid(W_f @ x + b_f)
            h = f * h + (1 - f) * z
        """,
        aliases=("t_rnn",),
    ),
    Entry(
        name="tgru",
        cite=CITE,
        about="Gates read this input and the one before; the candidate is gated before it is added.",
        equations="""
            z = W_z @ x + V_z @ xp + b_z
            f = sigmoid(W_f @ x + V_f @ xp + b_f)
            o = tanh(W_o @ x + V_o @ xp + b_o)
            h = f * h + z * o
            xp = x
        """,
        widths={"xp": "I"},
        aliases=("t_gru",),
    ),
    Entry(
        name="tlstm",
        cite=CITE,
        about="Gates read this input and the one before; an averaging memory with an output gate.",
        equations="""
            z = W_z @ x + V_z @ xp + b_z
            f = sigmoid(W_f @ x + V_f @ xp + b_f)
            o = tanh(W_o @ x + V_o @ xp + b_o)
            c = f * c + (1 - f) * z
            h = c * o
            xp = x
        """,
        widths={"xp": "I"},
        aliases=("t_lstm",),
    ),
)
