"""The long short-term memory: its first form, the form in use, and the forms that keep its four parts."""

from gatelab.language.catalogue.entry import Entry

CELLS = (
    Entry(
        name="original_lstm",
        cite="Hochreiter & Schmidhuber 1997, Neural Computation 9(8), doi:10.1162/neco.1997.9.8.1735",
        about="The first LSTM: no forget gate; squashing to (-2, 2) at the input and (-1, 1) at the output.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + b_i)
            z = 4 * sigmoid(W_z @ x + R_z @ h + b_z) - 2
            c = c + i * z
            o = sigmoid(W_o @ x + R_o @ h + b_o)
            h = o * (2 * sigmoid(c) - 1)
        """,
    ),
    Entry(
        name="lstm",
        cite="Gers, Schmidhuber & Cummins 2000, Neural Computation 12(10), doi:10.1162/089976600300015015",
        about="The LSTM with a forget gate, as in nn.LSTM.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + b_i)
            f = sigmoid(W_f @ x + R_f @ h + b_f)
            z = tanh(W_z @ x + R_z @ h + b_z)
            c = f * c + i * z
            o = sigmoid(W_o @ x + R_o @ h + b_o)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0},
        aliases=("basic",),
    ),
    Entry(
        name="peephole",
        cite="Gers & Schmidhuber 2000, IJCNN, doi:10.1109/IJCNN.2000.861302",
        about="The gates see the memory: input and forget gate the old one, the output gate the new one.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + p_i * c + b_i)
            f = sigmoid(W_f @ x + R_f @ h + p_f * c + b_f)
            z = tanh(W_z @ x + R_z @ h + b_z)
            c = f * c + i * z
            o = sigmoid(W_o @ x + R_o @ h + p_o * c + b_o)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0},
        aliases=("peephole_lstm",),
    ),
    Entry(
        name="chrono_lstm",
        cite="Tallec & Ollivier 2018, ICLR, arXiv:1804.11188",
        about="The LSTM with memories that start out as long as the task's dependencies.",
        base="lstm",
        # The longest dependency is the task's; 784 is that of MNIST by pixels.
        init={"b_f": "chrono(784)", "b_i": "-b_f"},
    ),
    Entry(
        name="lstm_projected",
        cite="Sak, Senior & Beaufays 2014, arXiv:1402.1128",
        about="A peephole LSTM with a narrower output, P wide, which is also what recurs.",
        equations="""
            i = sigmoid(W_i @ x + R_i @ h + p_i * c + b_i)
            f = sigmoid(W_f @ x + R_f @ h + p_f * c + b_f)
            z = tanh(W_z @ x + R_z @ h + b_z)
            c = f * c + i * z
            o = sigmoid(W_o @ x + R_o @ h + p_o * c + b_o)
            h = P_h @ (o * tanh(c))
        """,
        widths={"h": "P"},
        init={"b_f": 1.0},
        aliases=("lstmp",),
    ),
    Entry(
        name="layer_norm_lstm",
        cite="Ba, Kiros & Hinton 2016, arXiv:1607.06450, equations 20 to 22",
        about="Layer norm of each product and of the memory; each gate by itself, the paper's over all four.",
        base="lstm",
        edits=(("with_layer_norm",),),
        init={"g_*": "ones", "b_c": "zeros", "b_f": 1.0},
    ),
)
