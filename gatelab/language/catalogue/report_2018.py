"""The structures of the 2018 report on gates, made from the LSTM, its "basic", by taking gates away."""

from gatelab.language.catalogue.entry import Entry

CITE = "Orbay 2018, CMPE 597 report, Bogazici University, section 2"

CELLS = (
    Entry(
        name="fo",
        cite=CITE,
        about="What is forgotten is what is written: one gate for both, and an output gate.",
        base="lstm",
        edits=(("without", "i"), ("replace", "c", "f * c + (1 - f) * z")),
    ),
    Entry(
        name="f",
        cite=CITE,
        about="One gate, forget; the memory is the output.",
        base="fo",
        edits=(("without", "o"), ("replace", "h", "c")),
        aliases=("forget_only",),
    ),
    Entry(
        name="io",
        cite=CITE,
        about="No forget gate: the memory only adds.",
        base="lstm",
        edits=(("without", "f"),),
    ),
    Entry(
        name="o",
        cite=CITE,
        about="The memory adds every candidate; only the output is gated.",
        base="io",
        edits=(("without", "i"),),
        aliases=("output_only",),
    ),
    Entry(
        name="myfo",
        cite=CITE,
        about="The candidate joins the memory first, then both are forgotten by one gate.",
        base="lstm",
        edits=(("without", "i"), ("replace", "c", "f * (c + z)")),
    ),
)
