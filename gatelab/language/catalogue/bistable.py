"""Cells whose units can hold one of two values for ever."""

from gatelab.language.catalogue.entry import Entry

CITE = "Vecoven, Ernst & Drion 2021, PLOS ONE 16(6), doi:10.1371/journal.pone.0252676, arXiv:2006.05252"

CELLS = (
    Entry(
        name="br",
        cite=CITE,
        about="Bistable cell: feedback a of a unit to itself above 1 makes it remember for ever.",
        equations="""
            a = 1 + tanh(W_a @ x + p_a * h + b_a)
            c = sigmoid(W_c @ x + p_c * h + b_c)
            h = c * h + (1 - c) * tanh(W_h @ x + a * h)
        """,
        aliases=("brc",),
    ),
    Entry(
        name="nbr",
        cite=CITE,
        about="Neuromodulated bistable cell: all units set the feedback of each.",
        equations="""
            a = 1 + tanh(W_a @ x + R_a @ h + b_a)
            c = sigmoid(W_c @ x + R_c @ h + b_c)
            h = c * h + (1 - c) * tanh(W_h @ x + a * h)
        """,
        aliases=("nbrc",),
    ),
)
