"""Which backend runs, and that nothing falls back in silence."""

import pytest
import torch
from test_cpu import random_run

import gatelab as gl
from gatelab.backends import eager, library, registry
from gatelab.backends.base import Backend
from gatelab.backends.registry import AUTO, BACKENDS, choose, explain, pick
from gatelab.errors import OptionError


@pytest.fixture
def order(monkeypatch):
    """Sets what `auto` tries."""
    return lambda *names: monkeypatch.setattr(registry, "ORDER", names)


@pytest.mark.parametrize("wanted", ["eagr", 3, [], None])
def test_there_is_no_such_backend(wanted):
    with pytest.raises(OptionError, match="There is no backend"):
        choose(wanted)


def test_a_name_is_its_backend_and_auto_looks_at_each_run():
    assert choose("auto") is AUTO
    for name in BACKENDS:
        assert choose(name).name == name
    own = Backend("mine", "nothing", eager.run)
    assert choose(own) is own


def test_auto_ends_with_what_can_do_everything():
    assert registry.ORDER[-1] == "eager"
    assert set(registry.ORDER) <= BACKENDS.keys()


def test_auto_takes_the_first_that_can(order):
    order("torch", "cpu", "eager")
    plain = random_run("peephole")
    assert pick(plain).name == "cpu"
    assert pick(plain._replace(x=plain.x.half())).name == "eager"
    assert pick(plain._replace(x=plain.x.to("meta"))).name == "eager"


def test_auto_takes_torch_only_where_it_is_faster(order, monkeypatch):
    order("torch", "cpu", "eager")
    asked = random_run("lstm", H=5, B=19)
    assert pick(asked).name == "cpu"
    for rule, taken in (
        (library.Range("cpu"), "torch"),
        (library.Range("cpu", units=(6, 100)), "cpu"),
        (library.Range("cpu", units=(1, 5), batch=(19, 19)), "torch"),
        (library.Range("cuda"), "cpu"),
    ):
        monkeypatch.setattr(library, "FASTER", (rule,))
        assert pick(asked).name == taken


def test_what_is_asked_for_by_name_is_done_or_is_an_error():
    asked = random_run("f")
    for name in ("cpu", "torch"):
        refused = asked._replace(x=asked.x.half())
        with pytest.raises(OptionError, match=f"backend='{name}' can't do this: .*\nTake backend='auto'"):
            choose(name).run(refused)


def test_explain_says_what_stands_in_the_way(order):
    order("torch", "cpu", "eager")
    text = explain("auto", random_run("f"))
    assert text.startswith("cpu: kernels")
    assert "auto takes the first that can, of torch, cpu, eager" in text
    assert "Not torch: 'f' is none of torch's own cells" in text
    assert "Second derivatives" in text
    layer = gl.Recurrent("f", 2, 3, dtype=torch.bfloat16)
    assert "Not cpu: kernels compute in float32 and float64, not in bfloat16" in layer.explain()
    layer.backend = "cpu"
    assert "But it can't: kernels compute in float32" in layer.explain()


@pytest.mark.parametrize("options", [{"replicas": 2, "batch_first": True}, {"bidirectional": True, "zoneout": 0.1}])
def test_explain_looks_at_the_layer_and_the_input(options):
    layer = gl.Recurrent("lstm", 2, 3, backend="torch", **options)
    reason = "torch has no replicas" if "replicas" in options else "no recurrent dropout and no zoneout"
    assert reason in layer.explain()
    assert "But it can't" not in gl.Recurrent("lstm", 2, 3, backend="torch").explain()
    assert "lengths only for packed" in gl.Recurrent("lstm", 2, 3, backend="torch").explain(
        torch.zeros(4, 2, 2), lengths=[4, 1]
    )
    assert "Taken because" in gl.Recurrent(gl.Cell("h = 2 * x", widths={"x": "H"}), 2, 2).explain()
