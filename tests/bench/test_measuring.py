"""The parts of a report, at sizes that say nothing about speed."""

import json
from dataclasses import replace

import pytest
import torch

from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.jit import form_of
from gatelab.bench import contenders, jax_steps, report
from gatelab.bench.apart import ApartError, run_apart
from gatelab.bench.conditions import Conditions
from gatelab.bench.contenders import Contender, make_step
from gatelab.bench.first_calls import new_cell
from gatelab.bench.keras_steps import STEPS, batch_first, keras_backend, keras_step
from gatelab.bench.losses import ALL, LAST, LOSSES, find_losses
from gatelab.bench.machine import cores, one_of_each, use_cores
from gatelab.bench.memory import peak_of_step
from gatelab.bench.peak import MultiplyAdds, measure_peak
from gatelab.bench.replicas import optimized_step
from gatelab.bench.report import Wanted, run_bench
from gatelab.bench.sizes import Size, find_size
from gatelab.bench.tables import report_tables, summary_text
from gatelab.bench.torch_steps import training_step
from gatelab.language.lookup import find_cell

TINY = find_size("2x3x4x5")
CONDITIONS = Conditions("eager", 1, 0.0)


def refuses(size):
    raise RuntimeError("it does not want to")


def test_peers_that_fail_are_missing_slow_or_well(monkeypatch):
    peers = (
        Contender("absent", lambda size, loss: refuses(size), needs="no_such_package"),
        Contender("broken", lambda size, loss: refuses(size)),
        Contender("late", lambda size, loss: lambda: refuses(size)),
        Contender("fine", lambda size, loss: lambda: None, loops=True),
    )
    monkeypatch.setattr(report, "PEERS", peers)
    monkeypatch.setattr("gatelab.bench.tables.PEER_NAMES", {peer.name for peer in peers})
    wanted = Wanted(sizes=(TINY,), losses=(LAST,), peers=True, cells=(), cell_sizes=(), more=())
    found = run_bench(wanted, CONDITIONS, lambda *_: None)
    timings = {timing.name: timing for timing in found.steps[0].timings}
    reasons = {name: timings[name].why_not for name in ("absent", "broken", "late", "fine")}
    assert reasons == {
        "absent": "no_such_package is not installed",
        "broken": "it does not want to",
        "late": "it does not want to",
        "fine": "",
    }
    table = report_tables(found)[1]
    assert table.sections[0][0][2:6] == ("last", "-", "-", "-")
    assert "broken, late, 2x3x4x5: it does not want to." in table.caption


def test_a_floor_above_the_peak_is_marked():
    asked = replace(TINY, torch=1e-9, eager=1e9)
    found = run_bench(Wanted((asked,), (ALL,), False, (), (), ()), CONDITIONS, lambda *_: None)
    step = found.steps[0]
    rates = {rate.name: rate.share for rate in step.rates}
    assert step.at_peak["nn.LSTM / lstm"] == pytest.approx(step.ratios[0].value / rates["lstm"])
    row = report_tables(found)[1].sections[0][0]
    assert "!" not in row[3] and row[5].startswith("!! ") and row[6].startswith("!! ")


def test_a_peer_that_would_take_too_long_is_left_out(monkeypatch):
    monkeypatch.setattr(contenders, "PATIENCE", -1.0)
    made = []
    slow = Contender("slow", lambda size, loss: made.append(size.T) or (lambda: None), loops=True)
    assert make_step(slow, replace(TINY, T=100), ALL)[0] is None
    assert made == [5]


class Bare(torch.nn.Module):
    """A layer whose outputs can be looked at, and are the same as what it learns."""

    def __init__(self):
        super().__init__()
        self.outputs = torch.nn.Parameter(torch.ones(TINY.T, TINY.B, TINY.H))

    def forward(self, x):
        return self.outputs, None


def read_steps(gradient):
    """At which steps a gradient, (T, B, H), arrives at the outputs."""
    return [bool(step.abs().min() > 0) if step.any() else False for step in gradient]


@pytest.mark.parametrize(("loss", "reads"), [("all", [True] * 3), ("last", [False, False, True])])
def test_what_a_loss_reads(loss, reads):
    layer = Bare()
    training_step(layer, TINY, LOSSES[loss])()
    assert read_steps(layer.outputs.grad) == reads


@pytest.mark.parametrize(("loss", "reads"), [("all", [True] * 3), ("last", [False, False, True])])
def test_keras_puts_the_batch_first(loss, reads):
    kept = torch.ones(TINY.B, TINY.T, TINY.H, requires_grad=True)
    learned = type("Variable", (), {"value": kept})
    layer = type("Layer", (), {"trainable_variables": [learned], "__call__": lambda self, x: kept * 1})()
    weights = LOSSES[loss].reads(torch.randn(TINY.T, TINY.B, TINY.H))
    STEPS["torch"](layer, torch.randn(TINY.B, TINY.T, TINY.I), weights, batch_first(LOSSES[loss]))()
    assert read_steps(kept.grad.swapaxes(0, 1)) == reads


def test_losses_by_name():
    assert (find_losses("all"), find_losses("last"), find_losses("both")) == ((ALL,), (LAST,), (ALL, LAST))


def test_each_loss_is_judged():
    asked = replace(TINY, torch=1e-9)
    found = run_bench(Wanted((asked,), (ALL, LAST), False, ("f",), (asked,), ()), CONDITIONS, lambda *_: None)
    assert [(step.loss, {ratio.loss for ratio in step.ratios}) for step in found.steps] == [
        ("all", {"all"}),
        ("last", {"last"}),
    ]
    assert [(row.loss, row.ratios[0].loss) for row in found.cells] == [("all", "all"), ("last", "last")]
    assert found.summary.hold == 2
    assert "training step, loss all: 1 of 1 hold; training step, loss last: 1 of 1 hold" in summary_text(found)
    first, second, ratios, *cells = report_tables(found)
    assert "all outputs" in first.title and "last output" in second.title
    assert [row[2] for row in ratios.sections[0]] == ["all", "last"]
    assert len(cells) == 2 and any("floors were set" in sentence for sentence in cells[-1].caption)


def test_cells_beside_lstm(monkeypatch):
    monkeypatch.setattr(Size, "is_small", False)
    asked = replace(TINY, cells=1e9)
    wanted = Wanted((), (ALL,), False, ("lstm", "min_gru"), (asked,), ())
    found = run_bench(wanted, CONDITIONS, lambda *_: None)
    assert found.summary.hold == 2, "only a multiply-add is judged"
    ratios = {verdict.name: verdict.value for verdict in found.cells[1].ratios}
    step = ratios["min_gru / lstm, a step"]
    assert ratios["min_gru / lstm, a multiply-add"] == pytest.approx(step * 4 * (4 + 5) / (2 * 4))
    assert ratios["min_gru / lstm, a byte kept"] == pytest.approx(step * 6 / 3)
    (table,) = report_tables(found)
    assert [row[:4] for row in table.sections[0]] == [("", "lstm", "1.00", "56 %"), ("*", "min_gru", "0.222", "0 %")]
    assert any(sentence.startswith("* No product is made in the loop") for sentence in table.caption)


def test_a_step_leaves_every_gradient():
    layer = torch.nn.LSTM(TINY.I, TINY.H)
    step = training_step(layer, TINY, ALL)
    step()
    first = [parameter.grad.clone() for parameter in layer.parameters()]
    step()
    assert all(torch.equal(a, b.grad) for a, b in zip(first, layer.parameters(), strict=True)), "gradients add up"


@pytest.mark.parametrize(("cell", "states", "gates"), [(jax_steps.lstm, 2, 4), (jax_steps.forget_only, 1, 2)])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_scans_of_jax(cell, states, gates, loss):
    pytest.importorskip("jax")
    value, (dx, parameters) = jax_steps.scan_step(cell, states, gates, TINY, loss)()
    assert value.shape == () and dx.shape == (3, 2, 4) and parameters["R"].shape == (5, gates * 5)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_keras(monkeypatch, loss):
    monkeypatch.setenv("KERAS_BACKEND", keras_backend())  # Else keras looks for tensorflow.
    pytest.importorskip("keras")
    keras_step(TINY, loss)()


def test_the_peak_is_a_number_of_any_vectors():
    peak = measure_peak(1, seconds=1e-4, turns=1)
    assert peak.one > 0 and peak.all > 0 and peak.threads == 1


def test_multiply_adds_are_counted():
    adds = MultiplyAdds(2, chains=8, seconds=1e-3)
    form = form_of(32, this_host())
    assert adds.operations % (2 * 8 * form.lanes * 2) == 0  # Whole turns of all chains in both threads.
    adds()
    assert adds.best_of(2) > 0


def test_threads_and_cores_are_given_back():
    before = torch.get_num_threads(), cores()
    with use_cores(1):
        assert (torch.get_num_threads(), cores()) == (1, 1) or cores() == before[1]
    assert (torch.get_num_threads(), cores()) == before


def test_cores_that_share_nothing_come_first(tmp_path):
    for number, siblings in enumerate(("0-1", "0-1", "2-3", "2-3")):
        place = tmp_path / f"cpu{number}" / "topology"
        place.mkdir(parents=True)
        (place / "thread_siblings_list").write_text(siblings)
    assert one_of_each({3, 1, 0, 2}, tmp_path) == [0, 2, 1, 3]
    assert one_of_each({5, 4}, tmp_path) == [4, 5]


def test_replicas_take_a_whole_step():
    for replicas in (None, 3):
        optimized_step("f", TINY, CONDITIONS, replicas)()


def test_memory_of_a_step():
    assert 0 <= peak_of_step("nn.LSTM", "2x3x4x5", "cpu", 1) < 1000


def test_a_new_cell_is_new():
    assert new_cell() != new_cell()
    assert new_cell().parameter_names == find_cell("lstm").parameter_names


def test_a_process_of_its_own():
    assert run_apart("answer = arguments['a'] + 1\nprint('noise')", a=2) == 3
    with pytest.raises(ApartError, match="KeyError: 'b'"):
        run_apart("answer = arguments['b']", a=2)
    assert json.dumps(run_apart("answer = {'x': None}")) == '{"x": null}'
