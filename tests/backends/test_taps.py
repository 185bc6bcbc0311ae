"""Names inside of a cell while it runs: kernels show the values and the gradients that eager has."""

import pytest
import torch
from backends.test_cpu import random_run

import gatelab as gl
from gatelab.backends import eager
from gatelab.backends.cpu import backend as cpu
from gatelab.backends.taps import tapped_lines
from gatelab.nn.watching import values_of

AROUND = [(), ("alive", "resets"), ("zoneout", "masks", "alive")]


def watched_run(cell, every=1, **sizes):
    """A run in which every name of the equations is watched, with its gradient."""
    asked = random_run(cell, T=7, **sizes)
    cell, lead = asked.cell, (-(-7 // every), *asked.x.shape[1:-1])
    names = tuple(line.name for line in cell.lines)
    taps = {
        name: torch.zeros(*lead, asked.sizes[cell.width(name)], dtype=asked.x.dtype)
        for name in dict.fromkeys(cell.stored_as.get(name, name) for name in names)
    }
    return asked._replace(watched=names, taps=taps, every=every)


def seen_by(run, asked):
    """Values, gradients of the names, and gradients of the parameters, by what they are."""
    parameters = {name: value.clone().requires_grad_() for name, value in asked.parameters.items()}
    taps = {name: value.clone().requires_grad_() for name, value in asked.taps.items()}
    result = run(asked._replace(parameters=parameters, taps=taps))
    generator = torch.Generator().manual_seed(3)
    results = (result.output, *result.state)
    sum((v * torch.randn(v.shape, generator=generator, dtype=v.dtype)).sum() for v in results).backward()
    found = {f"value of {name}": values_of(value) for name, value in zip(asked.watched, result.seen, strict=True)}
    leaves = {"gradient of": taps, "weights": parameters}
    return found | {
        f"{kind} {name}": torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        for kind, those in leaves.items()
        for name, leaf in those.items()
    }


def check(asked):
    """With gradients, and without, when values that a kernel keeps for the way back are read from there."""
    for each in (asked, asked._replace(taps={})):
        compare(each)


def compare(asked):
    expected, found = seen_by(eager.run, asked), seen_by(cpu.run, asked)
    assert expected.keys() == found.keys()
    for what, value in expected.items():
        torch.testing.assert_close(found[what], value, rtol=1e-9, atol=1e-10, msg=lambda text, what=what: what + text)


@pytest.mark.parametrize("name", gl.cells())
def test_every_name_of_the_catalogue_as_eager_has_it(name):
    wide = len(name) % 2  # Half of the cells in each layout.
    check(watched_run(name, every=3, I=5, H=5, B=19 if wide else 3, R=2, around=("alive", "zoneout")))


@pytest.mark.parametrize("around", AROUND, ids=str)
@pytest.mark.parametrize("name", ["lstm", "f", "gru", "lstm_projected", "layer_norm_lstm"])
def test_around_the_steps(name, around):
    check(watched_run(name, H=17, around=around))


@pytest.mark.slow
@pytest.mark.parametrize("around", AROUND, ids=str)
@pytest.mark.parametrize("hidden", [5, 17])
@pytest.mark.parametrize("name", gl.cells())
def test_the_catalogue_in_both_layouts(name, hidden, around):
    check(watched_run(name, I=hidden, H=hidden, around=around))


def test_states_that_are_always_equal_have_one_tap():
    assert tapped_lines(gl.cell("f"), "h") == tapped_lines(gl.cell("f"), "c") == ("c",)
    assert tapped_lines(gl.cell("lstm"), "h") == ("h",)
    twice = gl.Cell("a = tanh(W @ x + R @ a)\nb = tanh(W @ x + R @ b)\nh = a * b", output="h")
    assert tapped_lines(twice, "b") == ("a", "b")
    check(watched_run(twice))


def test_names_that_the_compiler_does_away_with_are_seen():
    equations = """
        one = 1
        copy = x
        same = sigmoid(W @ x)
        again = sigmoid(W @ x)
        mean_of = mean(R @ h)
        unused = tanh(h)
        h = one * same + again * h + mean_of + sum(copy)
    """
    check(watched_run(gl.Cell(equations, widths={"copy": "I"}), every=2))


def test_what_a_kernel_keeps_is_read_from_there():
    asked = watched_run("lstm")._replace(taps={})
    result = cpu.run(asked._replace(parameters={k: v.requires_grad_() for k, v in asked.parameters.items()}))
    lazy = {name for name, value in zip(asked.watched, result.seen, strict=True) if not isinstance(value, torch.Tensor)}
    assert {"i", "f", "z", "o", "c"} <= lazy


def test_a_wrong_gradient_is_noticed():
    asked = watched_run("f")
    found = seen_by(cpu.run, asked)
    found["gradient of f"][3, 2, 1] += 1e-6
    with pytest.raises(AssertionError):
        torch.testing.assert_close(found["gradient of f"], seen_by(eager.run, asked)["gradient of f"])


def test_gradients_go_on_when_they_are_differentiated_again():
    asked = watched_run("f", B=3)
    tap = asked.taps["f"].clone().requires_grad_()
    result = cpu.run(asked._replace(taps={"f": tap}, watched=("f",)))
    (first,) = torch.autograd.grad(result.output.square().sum(), tap, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), tap)
    assert second.abs().sum() > 0


def test_watching_changes_no_bit_of_the_results():
    for name in ("lstm", "gru", "f"):
        asked = watched_run(name, dtype=torch.float32)
        plain = asked._replace(watched=(), taps={})
        only_values = asked._replace(taps={})
        for run in (cpu.run, eager.run):
            assert torch.equal(run(plain).output, run(only_values).output)
            assert torch.equal(run(plain).output, run(asked).output)
