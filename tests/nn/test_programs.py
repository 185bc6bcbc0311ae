"""Programs written for torch, run as they are and again with only the import of `nn` changed."""

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

import gatelab as gl

PROGRAMS = Path(__file__).parent / "programs"
IMPORT = "from torch import nn\n"


def run(source, seed, *arguments):
    """The losses of a program's `main`, and every class of module that it called."""
    module = ModuleType("program")
    exec(compile(source, "program", "exec"), module.__dict__)
    called = set()
    with register_module_forward_hook(lambda layer, *_: called.add(type(layer))):
        torch.manual_seed(seed)
        return module.main(*arguments), called


@pytest.mark.parametrize(
    ("program", "arguments", "layer"),
    [
        ("tagger", (), "LSTM"),
        ("char_model", ("LSTM",), "LSTM"),
        ("char_model", ("GRU",), "GRU"),
        ("packed_classifier", (), "LSTM"),
    ],
)
def test_a_program_runs_the_same_with_only_the_import_changed(program, arguments, layer, capsys):
    source = (PROGRAMS / f"{program}.py").read_text()
    assert source.count(IMPORT) == 1
    theirs, called_by_theirs = run(source, 0, *arguments)
    printed_by_theirs = capsys.readouterr().out
    ours, called_by_ours = run(source.replace(IMPORT, "from gatelab import nn\n"), 0, *arguments)
    assert ours == pytest.approx(theirs, rel=0, abs=1e-5)
    assert capsys.readouterr().out == printed_by_theirs != ""
    assert getattr(torch.nn, layer) in called_by_theirs
    assert getattr(gl.nn, layer) in called_by_ours
    assert called_by_ours.isdisjoint({torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN})
    assert ours[-1] < 0.8 * ours[0]
    # The seed matters: losses that agree are no accident.
    assert run(source, 1, *arguments)[0] != pytest.approx(theirs, rel=0, abs=1e-3)
