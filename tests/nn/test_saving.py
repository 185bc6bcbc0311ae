"""Models in files: all comes back, and what is no model is one clear error."""

import pickle

import pytest
import torch

import gatelab as gl
from gatelab.errors import OptionError, StoreError
from gatelab.files import read_tensors, write_tensors
from gatelab.nn.saving import read_facts
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings

MODELS = {
    "features": (lambda: gl.SequenceModel("peephole", 2, 3, 4, num_layers=2, bidirectional=True), torch.randn(5, 6, 2)),
    "tokens": (
        lambda: gl.SequenceModel("gru", gl.Tokens(7, 3), 4, 7, reads="every", dropout=0.5, num_layers=2),
        torch.randint(7, (5, 6)),
    ),
    "tied": (
        lambda: gl.SequenceModel("lstm", gl.Tokens(7, 4), 4, 7, reads="every", tied=True, output_dropout=0.5),
        torch.randint(7, (5, 6)),
    ),
    "vectors that stay": (
        lambda: gl.SequenceModel("f", gl.Tokens(7, 3, torch.randn(7, 3), learned=False), 4, 2),
        torch.randint(7, (5, 6)),
    ),
    "a cell of one's own": (
        lambda: gl.SequenceModel(gl.Cell("h = a * h + tanh(W @ x + b)", constants={"a": 0.5}), 2, 3, 1),
        torch.randn(5, 6, 2),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_with_the_same_bits(name, tmp_path):
    make, x = MODELS[name]
    model = make().eval()
    gl.save(model, tmp_path / "model.safetensors")
    again = gl.load(tmp_path / "model.safetensors")
    assert not again.training
    assert torch.equal(again(x), model(x))
    assert again.description() == model.description()


def test_tied_weights_are_written_once_and_come_back_tied(tmp_path):
    model = MODELS["tied"][0]()
    gl.save(model, tmp_path / "model")
    assert "head.weight" not in read_tensors(tmp_path / "model").tensors
    again = gl.load(tmp_path / "model")
    assert again.head.weight is again.embedding.weight


@pytest.mark.parametrize("learned", [True, False])
def test_one_of_several_replicas_is_loaded_alone(learned, tmp_path):
    torch.manual_seed(0)
    inputs = gl.Tokens(7, 3, None if learned else torch.randn(7, 3), learned=learned)
    model, x = gl.SequenceModel("lstm", inputs, 4, 2, replicas=3), torch.randint(7, (5, 6))
    gl.save(model, tmp_path / "model", {"seeds": [4, 9, 2]})
    for replica, seed in enumerate((4, 9, 2)):
        alone = gl.load(tmp_path / "model", seed)
        torch.testing.assert_close(alone(x), model(x)[replica])
    assert torch.equal(gl.load(tmp_path / "model")(x), gl.load(tmp_path / "model", 4)(x))
    with pytest.raises(OptionError, match=r"has no seed 5\.\nIt has: 4, 9, 2"):
        gl.load(tmp_path / "model", 5)


def test_the_folder_of_a_run_is_a_model(tmp_path):
    settings = make_settings("digits", "f", 3, (3, 7), steps=2, options={"validation": 0.1})
    fitted = fit(settings, tmp_path / "run")
    model = gl.load(tmp_path / "run", 7)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, fitted.weights[name][1])
    assert read_tensors(tmp_path / "run" / "model.safetensors").facts["of"] == settings.identity


def test_what_is_no_model_is_one_clear_error(tmp_path):
    for read in (gl.load, read_facts):
        with pytest.raises(StoreError, match=r"There is no .*none\.\nGive the folder of a run") as said:
            read(tmp_path / "none")
        assert "delete" not in str(said.value)
    write_tensors(tmp_path / "other", {"a": torch.ones(2)}, {"step": 3})
    with pytest.raises(StoreError, match=r"holds no model\.\nGive a file that gatelab\.save wrote"):
        gl.load(tmp_path / "other")


def test_a_pickle_is_not_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (tmp_path / "model.pt").write_bytes(pickle.dumps(Trap()))
    torch.save({"weight": torch.ones(2)}, tmp_path / "torch.pt")
    for name in ("model.pt", "torch.pt"):
        with pytest.raises(StoreError, match="can't be read"):
            gl.load(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tensors: tensors.pop("head.bias"),
        lambda tensors: tensors.update({"head.bias": torch.ones(9)}),
    ],
    ids=["missing", "of another shape"],
)
def test_numbers_that_are_not_of_the_model(spoil, tmp_path):
    gl.save(gl.SequenceModel("f", 2, 3, 4), tmp_path / "model")
    found = read_tensors(tmp_path / "model")
    tensors = dict(found.tensors)
    spoil(tensors)
    write_tensors(tmp_path / "model", tensors, found.facts)
    with pytest.raises(StoreError, match="is broken: its numbers are not of its model"):
        gl.load(tmp_path / "model")


def test_half_a_file_is_broken(tmp_path):
    gl.save(gl.SequenceModel("f", 2, 3, 4), tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    (tmp_path / "model").write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match="can't be read"):
        gl.load(tmp_path / "model")
