"""The gated recurrent unit and cells near it: a gate that updates, a gate that resets."""

from gatelab.language.catalogue.entry import Entry

DEY = "Dey & Salem 2017, MWSCAS, arXiv:1701.05923"
MUT = "Jozefowicz, Zaremba & Sutskever 2015, ICML, PMLR 37"

CELLS = (
    Entry(
        name="gru",
        cite="Cho et al. 2014, arXiv:1406.1078, first version",
        about="The GRU as in nn.GRU: the reset gate after the product, so two biases in the candidate.",
        equations="""
            r = sigmoid(W_r @ x + R_r @ h + b_r)
            z = sigmoid(W_z @ x + R_z @ h + b_z)
            n = tanh(W_n @ x + b_n + r * (R_n @ h + b_rn))
            h = (1 - z) * n + z * h
        """,
    ),
    Entry(
        name="gru_original",
        cite="Cho et al. 2014, EMNLP, arXiv:1406.1078, equations 5 to 8",
        about="The GRU as published: the reset gate before the product.",
        equations="""
            r = sigmoid(W_r @ x + R_r @ h + b_r)
            z = sigmoid(W_z @ x + R_z @ h + b_z)
            n = tanh(W_n @ x + R_n @ (r * h) + b_n)
            h = (1 - z) * n + z * h
        """,
        aliases=("gru_cho",),
    ),
    Entry(
        name="gru1",
        cite=DEY,
        about="The gates read the past and a bias, not the input.",
        base="gru_original",
        edits=(("replace", "r", "sigmoid(R_r @ h + b_r)"), ("replace", "z", "sigmoid(R_z @ h + b_z)")),
    ),
    Entry(
        name="gru2",
        cite=DEY,
        about="The gates read the past only.",
        base="gru1",
        edits=(("without", "b_r"), ("without", "b_z")),
    ),
    Entry(
        name="gru3",
        cite=DEY,
        about="The gates are learned numbers, the same at every step.",
        base="gru1",
        edits=(("without", "R_r"), ("without", "R_z")),
    ),
    Entry(
        name="mut1",
        cite=MUT,
        about="Found by mutation: the update gate reads the input only, and tanh(x) enters unweighted.",
        equations="""
            z = sigmoid(W_z @ x + b_z)
            r = sigmoid(W_r @ x + R_r @ h + b_r)
            n = tanh(R_n @ (r * h) + tanh(x) + b_n)
            h = n * z + h * (1 - z)
        """,
        widths={"x": "H"},
    ),
    Entry(
        name="mut2",
        cite=MUT,
        about="Found by mutation: x enters the reset gate unweighted.",
        equations="""
            z = sigmoid(W_z @ x + R_z @ h + b_z)
            r = sigmoid(x + R_r @ h + b_r)
            n = tanh(R_n @ (r * h) + W_n @ x + b_n)
            h = n * z + h * (1 - z)
        """,
        widths={"x": "H"},
    ),
    Entry(
        name="mut3",
        cite=MUT,
        about="Found by mutation: the update gate reads tanh of the past.",
        equations="""
            z = sigmoid(W_z @ x + R_z @ tanh(h) + b_z)
            r = sigmoid(W_r @ x + R_r @ h + b_r)
            n = tanh(R_n @ (r * h) + W_n @ x + b_n)
            h = n * z + h * (1 - z)
        """,
    ),
    Entry(
        name="taugru",
        cite="Erichson, Lim & Mahoney 2022, arXiv:2212.00228",
        about="A second candidate reads the state of three steps earlier; a gate weights it.",
        # The delay is the task's; here it is three steps, each a state that holds the one before it.
        equations="""
            u = tanh(W_u @ x + R_u @ h + b_u)
            z = tanh(W_z @ x + R_z @ d3 + b_z)
            g = sigmoid(W_g @ x + R_g @ h + b_g)
            a = sigmoid(W_a @ x + R_a @ h + b_a)
            d3 = d2
            d2 = d1
            d1 = h
            h = (1 - g) * h + g * (u + a * z)
        """,
        aliases=("tau_gru",),
    ),
)
