"""Small gated cells: one gate or two, few matrices."""

from gatelab.language.catalogue.entry import Entry

COLLINS = "Collins, Sohl-Dickstein & Sussillo 2017, ICLR, arXiv:1611.09913"
HECK = "Heck & Salem 2017, MWSCAS, arXiv:1701.03452"
GAO = "Gao & Glowacka 2016, ACML, arXiv:1604.02910"
MIRU = "doi:10.1016/j.neucom.2026.132847, as torchrecurrent 0.2.5 gives it"

CELLS = (
    Entry(
        name="mgu",
        cite="Zhou et al. 2016, arXiv:1603.09420",
        about="Minimal gated unit: one gate resets and updates.",
        equations="""
            f = sigmoid(W_f @ x + R_f @ h + b_f)
            n = tanh(W_n @ x + R_n @ (f * h) + b_n)
            h = (1 - f) * h + f * n
        """,
    ),
    Entry(
        name="mgu1",
        cite=HECK,
        about="The gate reads the past and a bias, not the input.",
        base="mgu",
        edits=(("without", "W_f"),),
    ),
    Entry(
        name="mgu2",
        cite=HECK,
        about="The gate reads the past only.",
        base="mgu1",
        edits=(("without", "b_f"),),
    ),
    Entry(
        name="mgu3",
        cite=HECK,
        about="The gate is a learned number, the same at every step.",
        base="mgu1",
        edits=(("without", "R_f"),),
    ),
    Entry(
        name="ugrnn",
        cite=COLLINS,
        about="Update gate network: a plain network and one gate that keeps or replaces.",
        equations="""
            n = tanh(W_n @ x + R_n @ h + b_n)
            g = sigmoid(W_g @ x + R_g @ h + b_g)
            h = g * h + (1 - g) * n
        """,
    ),
    Entry(
        name="intersection",
        cite=COLLINS,
        about="+RNN: one gate for the way up, y, and one for the way through time, h.",
        equations="""
            n_y = relu(W_y @ x + R_y @ h + b_y)
            n_h = tanh(W_h @ x + R_h @ h + b_h)
            g_y = sigmoid(W_gy @ x + R_gy @ h + b_gy)
            g_h = sigmoid(W_gh @ x + R_gh @ h + b_gh)
            y = g_y * x + (1 - g_y) * n_y
            h = g_h * h + (1 - g_h) * n_h
        """,
        output="y",
        widths={"x": "H"},
        aliases=("plus_rnn", "intersection_rnn"),
    ),
    Entry(
        name="minimalrnn",
        cite="Chen 2017, arXiv:1711.06788",
        about="The candidate sees the input only; one gate mixes it with the past.",
        equations="""
            z = tanh(W_z @ x + b_z)
            u = sigmoid(R_u @ h + V_u @ z + b_u)
            h = u * h + (1 - u) * z
        """,
        aliases=("minimal_rnn",),
    ),
    Entry(
        name="janet",
        cite="van der Westhuizen & Lasenby 2018, arXiv:1804.04849",
        about="Just the forget gate; through beta it writes a little more than it forgets.",
        equations="""
            s = W_s @ x + R_s @ h + b_s
            z = tanh(W_z @ x + R_z @ h + b_z)
            f = sigmoid(s)
            i = 1 - sigmoid(s - beta)
            c = f * c + i * z
            h = c
        """,
        constants={"beta": 1.0},
        # Started for long memories. The longest dependency is the task's; 784 is that of MNIST by pixels.
        init={"b_s": "chrono(784)", "b_z": "zeros"},
    ),
    Entry(
        name="ligru",
        cite="Ravanelli et al. 2018, IEEE TETCI 2(2), arXiv:1803.10225",
        about="A GRU without a reset gate, with rectified candidates. The paper's batch norm is left out.",
        equations="""
            z = sigmoid(W_z @ x + R_z @ h + b_z)
            n = relu(W_n @ x + R_n @ h + b_n)
            h = z * h + (1 - z) * n
        """,
        init={"R_*": "orthogonal"},
    ),
    Entry(
        name="lightru",
        cite="Ye et al. 2024, Electronics 13(16), doi:10.3390/electronics13163204",
        about="One gate, which alone reads the past.",
        equations="""
            z = tanh(W_z @ x)
            f = sigmoid(W_f @ x + R_f @ h + b_f)
            h = (1 - f) * h + f * z
        """,
    ),
    Entry(
        name="miru1",
        cite=MIRU,
        about="A GRU whose update gate is one fixed number.",
        equations="""
            r = sigmoid(W_r @ x + R_r @ h + b_r)
            n = tanh(W_n @ x + R_n @ (r * h) + b_n)
            h = update * h + (1 - update) * n
        """,
        # Left free; the value is torchrecurrent's, as are both of miru2.
        constants={"update": 0.5},
    ),
    Entry(
        name="miru2",
        cite=MIRU,
        about="A GRU whose two gates are fixed numbers.",
        equations="""
            n = tanh(W_n @ x + R_n @ (reset * h) + b_n)
            h = update * h + (1 - update) * n
        """,
        constants={"update": 0.5, "reset": 0.5},
    ),
    Entry(
        name="sgrn",
        cite="doi:10.1049/gtd2.12056, as torchrecurrent 0.2.5 gives it",
        about="Input and gate share one product with x.",
        equations="""
            u = W_u @ x + b_u
            f = sigmoid(u + R_f @ h + b_f)
            h = tanh((1 - f) * u + f * h)
        """,
    ),
    Entry(
        name="star",
        cite="Turkoglu et al. 2021, IEEE TPAMI, arXiv:1911.11033",
        about="Made to be stacked deep: one gate, and tanh over the mixture.",
        equations="""
            z = tanh(W_z @ x + b_z)
            k = sigmoid(W_k @ x + R_k @ h + b_k)
            h = tanh((1 - k) * h + k * z)
        """,
    ),
    Entry(
        name="atr",
        cite="Zhang et al. 2018, EMNLP, arXiv:1810.12546",
        about="Twin gates from the sum and the difference of the same two products.",
        equations="""
            p = W_p @ x + b_p
            q = R_q @ h + b_q
            i = sigmoid(p + q)
            f = sigmoid(p - q)
            h = i * p + f * h
        """,
    ),
    Entry(
        name="ran",
        cite="Lee, Levy & Zettlemoyer 2017, arXiv:1705.07393",
        about="Recurrent additive network: the memory is a gated sum of linear inputs.",
        equations="""
            z = W_z @ x
            i = sigmoid(W_i @ x + R_i @ h + b_i)
            f = sigmoid(W_f @ x + R_f @ h + b_f)
            c = i * z + f * c
            h = tanh(c)
        """,
    ),
    Entry(
        name="cfn",
        cite="Laurent & von Brecht 2017, ICLR, arXiv:1612.06212",
        about="Chaos-free network: without input it can only decay.",
        equations="""
            theta = sigmoid(W_theta @ x + R_theta @ h + b_theta)
            eta = sigmoid(W_eta @ x + R_eta @ h + b_eta)
            h = theta * tanh(h) + eta * tanh(W_h @ x)
        """,
    ),
    Entry(
        name="sgu",
        cite=GAO,
        about="Simple gated unit: the input gates the past twice; hard_sigmoid has torch's slope, 1/6.",
        equations="""
            x_g = W_g @ x + b_g
            z_g = tanh(R_g @ (x_g * h))
            z_out = softplus(z_g * h)
            z = hard_sigmoid(W_z @ x + R_z @ h + b_z)
            h = (1 - z) * h + z * z_out
        """,
    ),
    Entry(
        name="dsgu",
        cite=GAO,
        about="Deep simple gated unit: a matrix and a sigmoid at the output keep it stable.",
        base="sgu",
        edits=(("replace", "z_out", "sigmoid(V_out @ (z_g * h))"),),
    ),
)
