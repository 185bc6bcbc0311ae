"""LSTMs with something more: further states, paths or gates."""

from gatelab.language.catalogue.entry import Entry

CELLS = (
    Entry(
        name="wmclstm",
        cite="Landi et al. 2021, Neural Networks 144, arXiv:2109.00020",
        about="Working memory connections: the gates see the memory through a matrix and tanh.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + tanh(V_i @ c) + b_i)
            f = sigmoid(W_f @ x + R_f @ h + tanh(V_f @ c) + b_f)
            z = tanh(W_z @ x + R_z @ h + b_z)
            c = f * c + i * z
            o = sigmoid(W_o @ x + R_o @ h + tanh(V_o @ c) + b_o)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0},
        aliases=("wmc_lstm",),
    ),
    Entry(
        name="mclstm",
        cite="Sequence Modeling Using a Memory Controller Extension for LSTM, NIPS 2017 Time Series Workshop, "
        "as torchrecurrent 0.2.5 gives it",
        about="Two outputs of one memory: h for the layer above, v for the gates of the next step.",
        equations="""
            f = sigmoid(W_f @ x + R_f @ v + b_f)
            i = sigmoid(W_i @ x + R_i @ v + b_i)
            o = sigmoid(W_o @ x + R_o @ v + b_o)
            m = sigmoid(W_m @ x + R_m @ v + b_m)
            z = tanh(W_z @ x + R_z @ v + b_z)
            c = f * c + i * z
            v = m * tanh(c)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0},
    ),
    Entry(
        name="residual_lstm",
        cite="Kim, El-Khamy & Lee 2017, Interspeech, arXiv:1701.03360",
        about="The output gate lets a projection of the memory and the input itself through.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + p_i * c + b_i)
            f = sigmoid(W_f @ x + R_f @ h + p_f * c + b_f)
            z = tanh(W_z @ x + R_z @ h + b_z)
            c = f * c + i * z
            o = sigmoid(W_o @ x + R_o @ h + p_o * c + b_o)
            h = o * (V_h @ tanh(c) + W_h @ x)
        """,
        init={"b_f": 1.0},
        aliases=("res_lstm",),
    ),
    Entry(
        name="nested_lstm",
        cite="Moniz & Krueger 2017, ACML, arXiv:1801.10308",
        about="The memory of the outer LSTM is the output of an inner one.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + b_i)
            f = sigmoid(W_f @ x + R_f @ h + b_f)
            z = tanh(W_z @ x + R_z @ h + b_z)
            xn = i * z
            hn = f * c
            i_n = sigmoid(U_i @ xn + V_i @ hn + b_ni)
            f_n = sigmoid(U_f @ xn + V_f @ hn + b_nf)
            z_n = tanh(U_z @ xn + V_z @ hn + b_nz)
            d = f_n * d + i_n * z_n
            o_n = sigmoid(U_o @ xn + V_o @ hn + b_no)
            c = o_n * tanh(d)
            o = sigmoid(W_o @ x + R_o @ h + b_o)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0, "b_nf": 1.0},
    ),
    Entry(
        name="on_lstm",
        cite="Shen et al. 2019, ICLR, arXiv:1810.09536",
        about="Ordered neurons: master gates, monotone over the units, keep high ones longer.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + b_i)
            f = sigmoid(W_f @ x + R_f @ h + b_f)
            z = tanh(W_z @ x + R_z @ h + b_z)
            m_f = cumsum(softmax(W_mf @ x + R_mf @ h + b_mf))
            m_i = 1 - cumsum(softmax(W_mi @ x + R_mi @ h + b_mi))
            w = m_f * m_i
            c = (f * w + m_f - w) * c + (i * w + m_i - w) * z
            o = sigmoid(W_o @ x + R_o @ h + b_o)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0},
        aliases=("ordered_neurons",),
    ),
    Entry(
        name="mogrifier_lstm",
        cite="Melis, Kocisky & Blunsom 2020, ICLR, arXiv:1909.01792, equations 1 and 2",
        about="Input and past gate each other, here for five rounds, before an LSTM reads them.",
        equations="""
            x1 = 2 * sigmoid(Q_1 @ h) * x
            h2 = 2 * sigmoid(R_2 @ x1) * h
            x3 = 2 * sigmoid(Q_3 @ h2) * x1
            h4 = 2 * sigmoid(R_4 @ x3) * h2
            x5 = 2 * sigmoid(Q_5 @ h4) * x3
            i = sigmoid(W_i @ x5 + R_i @ h4 + b_i)
            f = sigmoid(W_f @ x5 + R_f @ h4 + b_f)
            z = tanh(W_z @ x5 + R_z @ h4 + b_z)
            c = f * c + i * z
            o = sigmoid(W_o @ x5 + R_o @ h4 + b_o)
            h = o * tanh(c)
        """,
        widths={"x1": "I", "x3": "I", "x5": "I"},
        init={"b_f": 1.0},
    ),
    Entry(
        name="nas",
        cite="Zoph & Le 2017, ICLR, arXiv:1611.01578, appendix; the authors' NASCell in TensorFlow",
        about="The cell that architecture search found for language; one branch multiplies input and past.",
        equations="""
            a = tanh(sigmoid(W_0 @ x + R_0 @ h + b_0) * relu(W_1 @ x + R_1 @ h + b_1))
            d = tanh(sigmoid(W_2 @ x + R_2 @ h + b_2) + relu((W_3 @ x) * (R_3 @ h + b_3)))
            u = tanh(tanh(W_4 @ x + R_4 @ h + b_4) * sigmoid(W_5 @ x + R_5 @ h + b_5))
            v = sigmoid(tanh(W_6 @ x + R_6 @ h + b_6) + sigmoid(W_7 @ x + R_7 @ h + b_7))
            c = tanh(a + c) * d
            h = tanh(c * tanh(u + v))
        """,
    ),
)
