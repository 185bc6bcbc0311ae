"""Which gate of an LSTM do the digits need? Each ablation is an edit, and three seeds of it train in one call."""

from statistics import median

import gatelab as gl
from gatelab.testing import check_cell
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings

STEPS = 300
LSTM = gl.cell("lstm")
ABLATIONS = {
    "the whole LSTM": LSTM,
    "no input gate": LSTM.without("i"),
    "no forget gate": LSTM.without("f"),
    "no output gate": LSTM.without("o"),
    "input gate tied to the forget gate": LSTM.tie("i", "1 - f"),
    "peepholes": LSTM.with_peepholes(),
}


def main() -> dict[str, float]:
    """The median test accuracy of three seeds for each, in percent."""
    found = {}
    for title, cell in ABLATIONS.items():
        check_cell(cell)
        run = fit(make_settings("digits", cell, hidden_size=15, seeds=(0, 1, 2), steps=STEPS)).run
        found[title] = median(result.scores["accuracy"] or 0.0 for result in run.results)
        print(f"{found[title]:5.1f} %  {title}: {', '.join(line.split(' = ')[0] for line in str(cell).splitlines())}")
    return found


if __name__ == "__main__":
    main()
