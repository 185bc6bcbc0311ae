"""The nine cells of "LSTM: A Search Space Odyssey": the vanilla LSTM and eight ablations of it."""

from gatelab.language.catalogue.entry import Entry

CITE = "Greff et al. 2017, IEEE TNNLS 28(10), arXiv:1503.04069"

CELLS = (
    Entry(
        name="vanilla",
        cite=CITE + ", section II",
        about="V: the LSTM with peepholes that the eight others are compared with.",
        base="peephole",
        aliases=("vanilla_lstm",),
    ),
    Entry(name="nig", cite=CITE, about="No input gate.", base="vanilla", edits=(("without", "i"),)),
    Entry(name="nfg", cite=CITE, about="No forget gate.", base="vanilla", edits=(("without", "f"),)),
    Entry(name="nog", cite=CITE, about="No output gate.", base="vanilla", edits=(("without", "o"),)),
    Entry(
        name="niaf",
        cite=CITE,
        about="No input activation function: the candidate is linear.",
        base="vanilla",
        edits=(("replace", "z", "W_z @ x + R_z @ h + b_z"),),
    ),
    Entry(
        name="noaf",
        cite=CITE,
        about="No output activation function: the memory leaves as it is.",
        base="vanilla",
        edits=(("replace", "h", "o * c"),),
    ),
    Entry(
        name="cifg",
        cite=CITE,
        about="Coupled input and forget gate, f = 1 - i.",
        base="vanilla",
        edits=(("tie", "f", "1 - i"),),
        aliases=("coupled",),
    ),
    Entry(
        name="np",
        cite=CITE,
        about="No peepholes, which leaves the plain LSTM.",
        base="vanilla",
        edits=(("without", "p_i"), ("without", "p_f"), ("without", "p_o")),
    ),
    Entry(
        name="fgr",
        cite=CITE,
        about="Full gate recurrence: every gate also reads all three gates of the step before.",
        equations="""
            a_i = W_i @ x + R_i @ h + R_ii @ i + R_fi @ f + R_oi @ o + b_i
            a_f = W_f @ x + R_f @ h + R_if @ i + R_ff @ f + R_of @ o + b_f
            a_o = W_o @ x + R_o @ h + R_io @ i + R_fo @ f + R_oo @ o + b_o
            i = sigmoid(a_i + p_i * c)
            f = sigmoid(a_f + p_f * c)
            z = tanh(W_z @ x + R_z @ h + b_z)
            c = f * c + i * z
            o = sigmoid(a_o + p_o * c)
            h = o * tanh(c)
        """,
        init={"b_f": 1.0},
    ),
)
