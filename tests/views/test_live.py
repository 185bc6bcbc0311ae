"""The model's side of the live view: gates are held, and inputs, scores and like spans are those of the model."""

from dataclasses import replace

import pytest
import torch

from gatelab.data.windows import sine
from gatelab.errors import DataError, OptionError
from gatelab.language.catalogue import NAMES
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell
from gatelab.nn.models import SequenceModel
from gatelab.training.fit import fit
from gatelab.training.folder import read_run
from gatelab.training.settings import make_settings
from gatelab.views.examples import Examples
from gatelab.views.live.exhibits import open_exhibit, open_exhibits
from gatelab.views.live.forcing import forced, forced_cell
from gatelab.views.live.inputs import HANDS
from gatelab.views.live.likes import find_likes
from gatelab.views.live.looks import look, score_of
from gatelab.views.live.values import write_numbers
from gatelab.views.own_inputs import bits_as_examples

LEAKY = Cell("""
    f = sigmoid(W_f @ x + b_f)
    z = tanh(W_z @ x + b_z)
    h = f * h + (1 - f) * z
""")
FORECAST = {
    "columns": ["level", "load"],
    "target": "load",
    "mean": [1.0, 10.0],
    "deviation": [2.0, 5.0],
    "past": 4,
    "ahead": 2,
    "quantiles": [0.1, 0.5, 0.9],
    "relative": True,
}


def run(folder, task, cell, hidden, **choices):
    """A run that has hardly begun, which is all that these tests need."""
    fit(make_settings(task, cell, hidden, (0,), steps=2, **choices), folder)
    return folder


@pytest.fixture(scope="module")
def parity(tmp_path_factory):
    return open_exhibit(run(tmp_path_factory.mktemp("live") / "parity", "parity", "lstm", 3))


# Inputs.


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("0120", "'2'"),
        ("", "empty"),
        ("0" * 1001, "1,001 steps"),
        ("0" * 20_001, "20,001 letters"),
    ],
)
def test_bits_that_cannot_be_read(parity, text, cause):
    with pytest.raises(OptionError, match=cause):
        parity.read(text)


def test_bits_may_be_spaced(parity):
    assert parity.read("01 1\n0").examples.labels == (tuple("0110"),)


# Gates that are held.


@pytest.mark.parametrize("name", NAMES)
def test_every_gate_of_the_catalogue_can_be_held(name):
    cell = find_cell(name)
    for gate in cell.gates:
        for value in "01":
            lines = {line.name: str(line) for line in forced_cell(cell, ((gate, value),)).lines}
            assert lines.pop(gate) == f"{gate} = {value}"
            assert lines.items() <= {line.name: str(line) for line in cell.lines}.items()


def test_a_shut_forget_gate_forgets_all_but_the_last_step():
    torch.manual_seed(0)
    model = SequenceModel(LEAKY, 2, 3, 1, num_layers=2, zoneout={"h": 0.0}).eval()
    x = torch.randn(6, 1, 2)
    shut, open_ = forced(model, (("f", "0"),)), forced(model, (("f", "1"),))
    with torch.no_grad():
        assert torch.allclose(shut(x), shut(torch.cat([x + 1, x])))
        assert not torch.allclose(model(x), model(torch.cat([x + 1, x])))
        assert torch.allclose(open_(x), model.head.bias.expand(1, 1))
    assert torch.equal(shut.recurrent.W_z_l1, model.recurrent.W_z_l1)
    assert not hasattr(shut.recurrent, "W_f_l0")
    assert forced(model, ()) is model


@pytest.mark.parametrize("forces", [(("z", "0"),), (("f", "0.5"),)])
def test_what_cannot_be_held(forces):
    with pytest.raises(OptionError, match=r"no gate|held at"):
        forced(SequenceModel("f", 1, 2, 1).eval(), forces)


# What models do.


def test_a_look_has_what_the_model_answers(parity):
    typed = parity.read("011")
    found = look(parity.model, typed, parity.hand)
    with torch.no_grad():
        odd = [parity.model(typed.examples.x[:steps]).sigmoid().item() for steps in (1, 2, 3)]
    assert found.line == pytest.approx(odd, rel=1e-4)
    assert found.names == ("even", "odd")
    assert {key: own.shape for key, own in found.values.items()} == dict.fromkeys("ifzcoh", (3, 3))


def test_a_forecast_stands_behind_its_series():
    hand = HANDS["series"]({}, FORECAST)
    model = SequenceModel("gru", 2, 3, 6).eval()
    typed = hand.read("3, 20\n1, 15\n5, 25")
    found = look(model, typed, hand)
    with torch.no_grad():
        answer = model(typed.examples.x)[0] * 5 + 25
    assert found.begin == 4
    assert found.line == pytest.approx(answer.view(2, 3)[:, 1].numpy())


def test_a_next_value_stands_a_step_later():
    hand = HANDS["sine"]({}, {"window": 20})
    typed = hand.read(write_numbers(sine(torch.linspace(0, 2, 5)).unsqueeze(1)))
    found = look(SequenceModel("gru", 1, 3, 1, reads="every").eval(), typed, hand)
    assert (found.begin, len(found.line)) == (2, 5)


def test_scores_by_hand():
    class Echo(torch.nn.Module):
        def forward(self, x, lengths):
            return x[-1]

    x = torch.tensor([[[1.0], [-1.0], [2.0], [-3.0]]])
    examples = Examples(x, "values", (("",),) * 4, torch.tensor([1, 0, 0, 0]), ("no", "yes"))
    assert score_of(Echo(), examples).value == 75
    numbers = replace(examples, target=x[0] + 2, are_classes=False, answers=("sum",))
    assert score_of(Echo(), numbers).value == 4


@pytest.mark.parametrize("quantiles", [None, [0.1, 0.5, 0.9]])
def test_the_score_of_a_forecaster_is_that_of_its_record(tmp_path, quantiles):
    data = tmp_path / "waves.csv"
    data.write_text("\n".join(["level", *(str(step % 7 + step % 5) for step in range(200))]))
    options = {"data": str(data), "past": 9, "ahead": 3, "season": 7, "quantiles": quantiles}
    exhibit = open_exhibit(run(tmp_path / "run", "series", "f", 3, options=options))
    found = score_of(exhibit.model, exhibit.sample, exhibit.hand.ahead)
    assert found.name == "MSE"
    assert found.value == pytest.approx(read_run(tmp_path / "run").results[0].scores["MSE"], rel=1e-4)
    assert "training part's standard deviation" in found.about


def test_a_model_that_overflows_says_so(parity):
    wild = SequenceModel(Cell("h = W @ x + R @ h"), 1, 3, 1).eval()
    with torch.no_grad():
        wild.recurrent.R_l0.fill_(1e30)
    with pytest.raises(DataError, match="not finite"):
        look(wild, parity.read("1111"), parity.hand)


def test_like_spans_are_those_with_the_same_past():
    """A cell that knows its last input only is alike wherever the same is read."""
    shut = forced(SequenceModel(LEAKY, 1, 2, 1).eval(), (("f", "0"),))
    own, others = bits_as_examples(["0110"]), bits_as_examples(["00011", "10101"])
    found = find_likes(shut, own, others, "h", (1, 3), (0, 1))
    assert (found[0].example, found[0].begin, found[0].marked, found[0].before) == (0, 3, ("1", "1"), ("0", "0", "0"))
    assert found[0].score == pytest.approx(1)
    assert found[1].score < 0.99
    assert all(like.example != 0 for like in find_likes(shut, own, own, "h", (1, 3), (0, 1)))


# Runs.


def test_an_input_may_be_an_example(tmp_path):
    exhibit = open_exhibit(run(tmp_path / "run", "adding", "lstm", 2, batch_size=4, options={"length": 9}))
    typed = exhibit.read("2")
    assert torch.equal(typed.examples.x[:, 0], exhibit.sample.x[: len(typed.examples.x), 1])
    for text in ("0", "257", "two", "", "9" * 99):
        with pytest.raises(OptionError, match="no example"):
            exhibit.read(text)
    assert "no live input yet" in exhibit.hand.hint


def test_runs_of_one_name_are_told_apart(tmp_path):
    run(tmp_path / "a", "parity", "fo", 1)
    assert [one.title for one in open_exhibits([tmp_path / "a"])] == ["parity: fo, 1 unit"]
    run(tmp_path / "b", "parity", "fo", 1, learning_rate=0.2)
    titles = [one.title for one in open_exhibits([tmp_path / "a", tmp_path / "b"])]
    assert titles == ["parity: fo, 1 unit (a)", "parity: fo, 1 unit (b)"]


def test_a_diverged_seed_is_not_opened(tmp_path):
    run(tmp_path / "run", "digits", "f", 2, learning_rate=1e38)
    with pytest.raises(OptionError, match="diverged"):
        open_exhibit(tmp_path / "run")
