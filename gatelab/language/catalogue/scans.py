"""Cells without a recurrent product: the input sets the gates, and the memory is an elementwise scan."""

from gatelab.language.catalogue.entry import Entry

FENG = "Feng et al. 2024, arXiv:2410.01201"
POSITIVE = "maximum(W_z @ x + b_z + 0.5, sigmoid(W_z @ x + b_z))"

CELLS = (
    Entry(
        name="qrnn",
        cite="Bradbury et al. 2017, ICLR, arXiv:1611.01576, equations 2 and 4",
        about="Quasi-recurrent: a convolution of width two over the input, then fo-pooling.",
        equations="""
            z = tanh(V_z @ xp + W_z @ x)
            f = sigmoid(V_f @ xp + W_f @ x)
            o = sigmoid(V_o @ xp + W_o @ x)
            c = f * c + (1 - f) * z
            h = o * c
            xp = x
        """,
        widths={"xp": "I"},
    ),
    Entry(
        name="sru",
        cite="Lei et al. 2018, EMNLP, arXiv:1709.02755, equations 1 to 4",
        about="Simple recurrent unit: gates with peepholes, and a highway past the memory.",
        equations="""
            f = sigmoid(W_f @ x + p_f * c + b_f)
            r = sigmoid(W_r @ x + p_r * c + b_r)
            c = f * c + (1 - f) * (W_z @ x)
            h = r * c + (1 - r) * x
        """,
        widths={"x": "H"},
    ),
    Entry(
        name="gilr",
        cite="Martin & Cundy 2018, ICLR, arXiv:1709.04057",
        about="Gated impulse linear recurrence: a gate of the input averages tanh features of it.",
        equations="""
            g = sigmoid(W_g @ x + b_g)
            z = tanh(W_z @ x + b_z)
            h = g * h + (1 - g) * z
        """,
    ),
    Entry(
        name="min_gru",
        cite=FENG + ", section 3.1",
        about="A GRU whose gate and candidate no longer read the past.",
        equations="""
            f = sigmoid(W_f @ x + b_f)
            z = W_z @ x + b_z
            h = (1 - f) * h + f * z
        """,
        aliases=("mingru",),
    ),
    Entry(
        name="min_gru_positive",
        cite=FENG + ", appendix",
        about="min_gru with candidates kept positive, the form that the paper computes in logarithms.",
        base="min_gru",
        edits=(("replace", "z", POSITIVE),),
    ),
    Entry(
        name="min_lstm",
        cite=FENG + ", section 3.2",
        about="An LSTM without recurrent products, its two gates normalised to sum to one.",
        equations="""
            f = sigmoid(W_f @ x + b_f)
            i = sigmoid(W_i @ x + b_i)
            z = W_z @ x + b_z
            h = f / (f + i) * h + i / (f + i) * z
        """,
        aliases=("minlstm",),
    ),
    Entry(
        name="min_lstm_positive",
        cite=FENG + ", appendix",
        about="min_lstm with candidates kept positive, the form that the paper computes in logarithms.",
        base="min_lstm",
        edits=(("replace", "z", POSITIVE),),
    ),
    Entry(
        name="rg_lru",
        cite="De et al. 2024, arXiv:2402.19427, equations 1 to 4",
        about="Real-gated linear recurrence of Griffin: a gated power of a learned decay.",
        # a is sigmoid(Lambda) ** (8 * r), taken in logarithms.
        equations="""
            r = sigmoid(W_r @ x + b_r)
            i = sigmoid(W_i @ x + b_i)
            a = exp(-8 * softplus(-Lambda) * r)
            h = a * h + sqrt(1 - square(a)) * (i * x)
        """,
        parameters={"Lambda": "vector"},
        widths={"x": "H"},
        # Decays from 0.9 to 0.999 at r = 1, as in the paper, though not spread evenly over them.
        init={"Lambda": "uniform(4.3, 9.0)"},
    ),
)
