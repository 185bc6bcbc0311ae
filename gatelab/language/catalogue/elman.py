"""Cells without a gate: one layer of units that reads its own past."""

from gatelab.language.catalogue.entry import Entry

CELLS = (
    Entry(
        name="elman",
        cite="Elman 1990, Cognitive Science 14(2), doi:10.1207/s15516709cog1402_1",
        about="The plain recurrent network, with tanh.",
        equations="""
            h = tanh(W_h @ x + R_h @ h + b_h)
        """,
        aliases=("rnn", "rnn_tanh"),
    ),
    Entry(
        name="elman_relu",
        cite="Elman 1990, Cognitive Science 14(2), doi:10.1207/s15516709cog1402_1",
        about="The plain recurrent network, with rectified units.",
        base="elman",
        edits=(("replace", "h", "relu(W_h @ x + R_h @ h + b_h)"),),
        aliases=("rnn_relu",),
    ),
    Entry(
        name="irnn",
        cite="Le, Jaitly & Hinton 2015, arXiv:1504.00941",
        about="Rectified units whose recurrent matrix starts as the identity, so the past is kept at first.",
        base="elman_relu",
        init={"W_h": "normal(0.001)", "R_h": "identity", "b_h": "zeros"},
    ),
    Entry(
        name="indrnn",
        cite="Li et al. 2018, CVPR, arXiv:1803.04831",
        about="Each unit reads only its own past, through one weight.",
        equations="""
            h = relu(W_h @ x + p_h * h + b_h)
        """,
        # From forgetting at once to keeping all, as in the authors' code.
        init={"p_h": "uniform(0, 1)"},
    ),
    Entry(
        name="indrnn_tanh",
        cite="Li et al. 2018, CVPR, arXiv:1803.04831",
        about="IndRNN with the bounded activation.",
        base="indrnn",
        edits=(("replace", "h", "tanh(W_h @ x + p_h * h + b_h)"),),
    ),
    Entry(
        name="leaky",
        cite="Jaeger et al. 2007, Neural Networks 20(3), doi:10.1016/j.neunet.2007.04.016",
        about="A leaky integrator: each step moves a fixed share of the way, as in echo state networks.",
        equations="""
            h = (1 - alpha) * h + alpha * tanh(W_h @ x + R_h @ h + b_h)
        """,
        # The paper leaves the leaking rate to the task.
        constants={"alpha": 0.5},
        aliases=("leaky_integrator", "leaky_esn"),
    ),
    Entry(
        name="ctrnn",
        cite="Beer 1995, Adaptive Behavior 3(4), doi:10.1177/105971239500300405, equation 1",
        about="A continuous-time network in Euler steps, each unit with its own time constant.",
        equations="""
            h = h + dt / tau * (R_h @ sigmoid(h + b_h) + W_h @ x - h)
        """,
        # The paper leaves the step to the simulation; time constants start at ten steps.
        constants={"dt": 0.1},
        parameters={"tau": "vector"},
        init={"tau": "ones"},
    ),
    Entry(
        name="scrn",
        cite="Mikolov et al. 2014, arXiv:1412.7753",
        about="A slow context, nearly the identity in time, beside a fast hidden layer.",
        equations="""
            s = (1 - alpha) * (W_s @ x) + alpha * s
            h = sigmoid(V_h @ s + W_h @ x + R_h @ h)
            y = U_y @ h + V_y @ s
        """,
        # y is what the paper gives to its softmax.
        output="y",
        constants={"alpha": 0.95},
    ),
    Entry(
        name="rhn",
        cite="Zilly et al. 2017, ICML, arXiv:1607.03474, equations 6 to 9",
        about="Recurrent highway network: three highway layers a step, the carry gate coupled as 1 - t.",
        equations="""
            z1 = tanh(W_z @ x + R_z1 @ h + b_z1)
            t1 = sigmoid(W_t @ x + R_t1 @ h + b_t1)
            s1 = z1 * t1 + h * (1 - t1)
            z2 = tanh(R_z2 @ s1 + b_z2)
            t2 = sigmoid(R_t2 @ s1 + b_t2)
            s2 = z2 * t2 + s1 * (1 - t2)
            z3 = tanh(R_z3 @ s2 + b_z3)
            t3 = sigmoid(R_t3 @ s2 + b_t3)
            h = z3 * t3 + s2 * (1 - t3)
        """,
        # The transform gates start nearly closed, as in the authors' code.
        init={"b_t*": -2.0},
    ),
)
