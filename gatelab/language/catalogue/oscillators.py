"""Cells that are steps of a differential equation: antisymmetric, oscillating, of many time scales.

The papers leave the step and the damping to the task; their values here are torchrecurrent's.
"""

from gatelab.language.catalogue.entry import Entry

CHANG = "Chang et al. 2019, ICLR, arXiv:1902.09689"

CELLS = (
    Entry(
        name="antisymmetric",
        cite=CHANG,
        about="An antisymmetric recurrent matrix, so that nothing explodes or vanishes.",
        equations="""
            h = h + epsilon * tanh(W_h @ x + R_h @ h - transpose(R_h) @ h - gamma * h + b_h)
        """,
        constants={"epsilon": 1.0, "gamma": 0.0},
        aliases=("antisymmetric_rnn",),
    ),
    Entry(
        name="gated_antisymmetric",
        cite=CHANG,
        about="The antisymmetric network with a gate on the step; gate and step share the matrix.",
        equations="""
            u = R_h @ h - transpose(R_h) @ h - gamma * h
            z = sigmoid(u + W_z @ x + b_z)
            h = h + epsilon * z * tanh(u + W_h @ x + b_h)
        """,
        constants={"epsilon": 1.0, "gamma": 0.0},
    ),
    Entry(
        name="cornn",
        cite="Rusch & Mishra 2021, ICLR, arXiv:2010.00951, equation 3, explicit damping",
        about="A network of coupled, damped, driven oscillators: h is the place, v the velocity.",
        equations="""
            v = v + dt * (tanh(R_v @ h + V_v @ v + W_v @ x + b_v) - gamma * h - epsilon * v)
            h = h + dt * v
        """,
        constants={"dt": 0.1, "gamma": 1.0, "epsilon": 1.0},
    ),
    Entry(
        name="unicornn",
        cite="Rusch & Mishra 2021, ICML, arXiv:2103.05487",
        about="Undamped oscillators, each on its own with its own learned step.",
        equations="""
            v = v - dt * sigmoid(p_dt) * (tanh(p_v * h + W_v @ x + b_v) + alpha * h)
            h = h + dt * sigmoid(p_dt) * v
        """,
        constants={"dt": 0.1, "alpha": 0.0},
        init={"p_v": "uniform(0, 1)", "p_dt": "uniform(-0.1, 0.1)", "b_v": "zeros"},
    ),
    Entry(
        name="lem",
        cite="Rusch et al. 2022, ICLR, arXiv:2110.04744, equation 3",
        about="Long expressive memory: two states, each moving with a gated step of its own.",
        equations="""
            d_c = dt * sigmoid(W_dc @ x + R_dc @ h + b_dc)
            d_h = dt * sigmoid(W_dh @ x + R_dh @ h + b_dh)
            c = (1 - d_c) * c + d_c * tanh(W_c @ x + R_c @ h + b_c)
            h = (1 - d_h) * h + d_h * tanh(W_h @ x + V_h @ c + b_h)
        """,
        constants={"dt": 1.0},
    ),
)
