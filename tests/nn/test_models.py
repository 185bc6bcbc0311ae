"""Models that read sequences: what they answer, ragged, stateful, with replicas, and with tied weights."""

import pytest
import torch

from gatelab.errors import OptionError, ShapeError
from gatelab.nn.inputs import Features, Tokens
from gatelab.nn.models import SequenceModel


def test_a_model_of_ragged_sequences_is_each_alone():
    torch.manual_seed(0)
    model = SequenceModel("lstm", 2, 3, 4, replicas=2, num_layers=2)
    x, lengths = torch.randn(2, 5, 3, 2), torch.tensor([[5, 1, 3], [2, 4, 4]])
    logits = model(x, lengths)
    for replica in range(2):
        alone = SequenceModel("lstm", 2, 3, 4, num_layers=2)
        alone.load_state_dict({name: value[replica] for name, value in model.state_dict().items()})
        for row in range(3):
            own = x[replica, : lengths[replica, row], row : row + 1]
            torch.testing.assert_close(alone(own)[0], logits[replica, row])


@pytest.mark.parametrize("cell", ["lstm", "qrnn"])  # The output of the second is no state.
def test_both_ways_read_each_way_at_its_own_end(cell):
    torch.manual_seed(0)
    model = SequenceModel(cell, 2, 3, 4, bidirectional=True)
    x, lengths = torch.randn(5, 3, 2), torch.tensor([5, 1, 3])
    answers = model(x, lengths)
    for row, steps in enumerate(lengths.tolist()):
        output, _ = model.recurrent(x[:steps, row : row + 1])
        read = torch.cat([output[-1, :, :3], output[0, :, 3:]], dim=-1)
        torch.testing.assert_close(answers[row], model.head(read)[0])


def test_the_head_is_as_wide_as_the_cells_output():
    model = SequenceModel("lstm_projected", 2, 8, 3, widths={"P": 5})
    assert model.head.weight.shape == (3, 5)
    assert model(torch.randn(4, 6, 2)).shape == (6, 3)


@pytest.mark.parametrize("replicas", [None, 2])
def test_a_head_can_read_every_output(replicas):
    torch.manual_seed(0)
    every = SequenceModel("gru", 2, 3, 4, reads="every", replicas=replicas)
    last = SequenceModel("gru", 2, 3, 4, replicas=replicas)
    last.load_state_dict(every.state_dict())
    x = torch.randn(5, 6, 2)
    answers = every(x)
    assert answers.shape == (*((replicas,) if replicas else ()), 5, 6, 4)
    torch.testing.assert_close(answers[..., -1, :, :], last(x))


def test_a_sequence_in_two_parts_is_the_whole():
    torch.manual_seed(0)
    model, x = SequenceModel("lstm", Tokens(7, 3), 4, 7, reads="every"), torch.randint(7, (6, 2))
    first, state = model.run(x[:4])
    second, _ = model.run(x[4:], None, state)
    torch.testing.assert_close(torch.cat([first, second]), model(x))


@pytest.mark.parametrize("learned", [True, False])
def test_tokens_that_all_replicas_read_are_looked_up_by_each(learned):
    torch.manual_seed(0)
    inputs = Tokens(7, 3, None if learned else torch.randn(7, 3), learned=learned)
    model, x = SequenceModel("f", inputs, 4, 2, replicas=2), torch.randint(7, (5, 6))
    torch.testing.assert_close(model(x), model(x.expand(2, 5, 6)))
    assert not torch.equal(*model(x))


def test_dropout_is_for_training_only_and_each_replica_has_its_own():
    torch.manual_seed(0)
    model = SequenceModel("f", 2, 4, 3, replicas=2, input_dropout=0.5, output_dropout=0.5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter[1] = parameter[0]
    x = torch.randn(5, 6, 2)
    model.draw_from([torch.Generator().manual_seed(seed) for seed in (1, 2)])
    assert not torch.equal(*model(x))
    model.draw_from([torch.Generator().manual_seed(1) for _ in range(2)])
    assert torch.equal(*model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_variational_dropout_drops_a_feature_for_the_whole_sequence():
    torch.manual_seed(0)
    model = SequenceModel("f", 3, 4, 2, input_dropout=0.5, variational=True)
    seen = []
    model.recurrent.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    model(torch.ones(6, 5, 3))
    assert torch.equal(seen[0], seen[0][:1].expand(6, 5, 3))
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}


def test_tied_weights_are_one_table():
    model = SequenceModel("lstm", Tokens(7, 4), 4, 7, reads="every", tied=True)
    assert model.head.weight is model.embedding.weight
    assert sum(name.endswith("weight") for name, _ in model.named_parameters()) == 1
    model(torch.randint(7, (3, 2))).sum().backward()
    assert model.embedding.weight.grad is not None


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [(Features(4), 7), (Tokens(7, 5), 7), (Tokens(7, 4), 6)],
    ids=["features", "width", "answers"],
)
def test_what_cannot_be_tied_is_one_clear_error(inputs, outputs):
    with pytest.raises(OptionError, match=r"can't be tied(.|\n)*Tied weights need"):
        SequenceModel("lstm", inputs, 4, outputs, tied=True)


def test_vectors_that_stay_can_not_be_tied():
    with pytest.raises(OptionError, match="Tied weights need learned vectors"):
        SequenceModel("lstm", Tokens(7, 4, torch.randn(7, 4), learned=False), 4, 7, tied=True)


@pytest.mark.parametrize("name", ["input_dropout", "output_dropout"])
@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_cannot_be(name, share):
    with pytest.raises(OptionError, match=f"{name} is {share}"):
        SequenceModel("f", 2, 3, 4, **{name: share})


def test_tokens_have_time_and_batch():
    with pytest.raises(ShapeError, match=r"Give \(T, B\)"):
        SequenceModel("f", Tokens(7, 3), 4, 2)(torch.zeros(5, dtype=torch.long))


@pytest.mark.parametrize(
    "model",
    [
        SequenceModel("peephole", 2, 3, 4, num_layers=2, bidirectional=True, zoneout={"c": 0.1}),
        SequenceModel("lstm_projected", Tokens(7, 3), 4, 7, reads="every", widths={"P": 2}, replicas=2),
        SequenceModel("lstm", Tokens(7, 4), 4, 7, reads="every", tied=True, variational=True, dropout=0.2),
    ],
    ids=["features", "tokens", "tied"],
)
def test_a_description_makes_a_model_of_the_same_shapes(model):
    again = SequenceModel.described(model.description())
    assert again.description() == model.description()
    shapes = [{name: value.shape for name, value in one.state_dict().items()} for one in (model, again)]
    assert shapes[0] == shapes[1]
