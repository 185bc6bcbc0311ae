"""The parts of a report, at sizes that say nothing about speed."""

import json
from dataclasses import replace

import pytest
import torch

from gatelab.bench import contenders, jax_steps, report
from gatelab.bench.apart import ApartError, run_apart
from gatelab.bench.conditions import Conditions
from gatelab.bench.contenders import Contender, make_step
from gatelab.bench.first_calls import new_cell
from gatelab.bench.keras_steps import keras_backend, keras_step
from gatelab.bench.machine import cores, one_of_each, use_cores
from gatelab.bench.memory import peak_of_step
from gatelab.bench.peak import measure_peak
from gatelab.bench.replicas import optimized_step
from gatelab.bench.report import Wanted, run_bench
from gatelab.bench.sizes import find_size
from gatelab.bench.tables import report_tables
from gatelab.bench.torch_steps import training_step
from gatelab.language.lookup import find_cell

TINY = find_size("2x3x4x5")
CONDITIONS = Conditions("eager", 1, 0.0)


def refuses(size):
    raise RuntimeError("it does not want to")


def test_peers_that_fail_are_missing_slow_or_well(monkeypatch):
    peers = (
        Contender("absent", refuses, needs="no_such_package"),
        Contender("broken", refuses),
        Contender("late", lambda size: lambda: refuses(size)),
        Contender("fine", lambda size: lambda: None, loops=True),
    )
    monkeypatch.setattr(report, "PEERS", peers)
    monkeypatch.setattr("gatelab.bench.tables.PEER_NAMES", {peer.name for peer in peers})
    wanted = Wanted(sizes=(TINY,), peers=True, cells=(), cell_sizes=(), more=())
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
    assert table.sections[0][0][2:5] == ("-", "-", "-")
    assert "broken, late, 2x3x4x5: it does not want to." in table.caption


def test_a_floor_above_the_peak_is_marked():
    asked = replace(TINY, torch=1e-9, eager=1e9)
    found = run_bench(Wanted((asked,), False, (), (), ()), CONDITIONS, lambda *_: None)
    step = found.steps[0]
    rates = {rate.name: rate.share for rate in step.rates}
    assert step.at_peak["nn.LSTM / lstm"] == pytest.approx(step.ratios[0].value / rates["lstm"])
    row = report_tables(found)[1].sections[0][0]
    assert "!" not in row[2] and row[4].startswith("!! ") and row[5].startswith("!! ")


def test_a_peer_that_would_take_too_long_is_left_out(monkeypatch):
    monkeypatch.setattr(contenders, "PATIENCE", -1.0)
    made = []
    slow = Contender("slow", lambda size: made.append(size.T) or (lambda: None), loops=True)
    assert make_step(slow, replace(TINY, T=100))[0] is None
    assert made == [5]


def test_a_step_leaves_every_gradient():
    layer = torch.nn.LSTM(TINY.I, TINY.H)
    step = training_step(layer, TINY)
    step()
    first = [parameter.grad.clone() for parameter in layer.parameters()]
    step()
    assert all(torch.equal(a, b.grad) for a, b in zip(first, layer.parameters(), strict=True)), "gradients add up"


@pytest.mark.parametrize(("cell", "states", "gates"), [(jax_steps.lstm, 2, 4), (jax_steps.forget_only, 1, 2)])
def test_the_scans_of_jax(cell, states, gates):
    pytest.importorskip("jax")
    value, (dx, parameters) = jax_steps.scan_step(cell, states, gates, TINY)()
    assert value.shape == () and dx.shape == (3, 2, 4) and parameters["R"].shape == (5, gates * 5)


def test_keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", keras_backend())  # Else keras looks for tensorflow.
    pytest.importorskip("keras")
    keras_step(TINY)()


def test_the_peak_is_a_number_of_any_vectors():
    peak = measure_peak(1, seconds=1e-4, turns=1)
    assert 0.1 < peak.one and 0.1 < peak.all and peak.threads == 1


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
