"""The cpu backend against eager: every cell, random cells, and everything that can surround a step."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import cells

import gatelab as gl
from gatelab.backends import eager
from gatelab.backends.base import Backend, Run
from gatelab.backends.cpu import backend as cpu
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.refusal import why_not
from gatelab.nn.function import states_in_products
from gatelab.testing import CHECKS, Sizes, Subject, check_against_eager, check_cell

DOUBLE = torch.float64
FEW = ("lstm", "f", "gru_original", "layer_norm_lstm", "lstm_projected", "scrn", "slstm", "unicornn", "qrnn")
"""Cells with one phase and several, a projection, reductions, products before and after the loop, none at all, and one
that carries its input."""


@pytest.mark.parametrize("name", FEW)
def test_the_suite(name):
    check_cell(name, backend="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in gl.cells() if name not in FEW])
def test_the_suite_on_the_rest_of_the_catalogue(name):
    check_cell(name, backend="cpu")


def test_the_suite_does_not_fall_back_to_eager():
    reasons = set()

    def run(asked):
        reasons.add(why_not(asked))
        return cpu.run(asked)

    for check in CHECKS.values():
        check(Subject(gl.cell("f"), Backend("cpu", "remembers", run)))
    assert reasons == {None}


PLAIN = ["h = step(W @ x)", "h = W @ x", "h = b", "h = 1", "h = h", "h = W @ x + R @ h", "c = c\nh = 2 * c",
         "h = mean(W @ x)", "a = 3\nh = a * h", "h = 0.9 * h", "h = tanh(h)", "h = W @ x + V @ b",
         "a = tanh(W @ x)\nh = d + a\nd = h", "h = R @ mean(h) + W @ x", "h = W @ (R @ (V @ h)) + U @ x",
         "h = W @ x + sum(h) * g", "h = softmax(W @ x + h)"]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_cells_with_next_to_nothing_in_them(text):
    check_cell(gl.Cell(text), backend="cpu")


EVERY_SIZE = [Sizes(T, B, 2, H) for T in (1, 3) for B in (1, 15, 16, 17, 33) for H in (1, 3, 17, 64)]


def check_random(cell, data):
    """As in the suite, at some sizes of many."""
    sizes = data.draw(st.lists(st.sampled_from(EVERY_SIZE), min_size=2, max_size=2, unique=True))
    check_against_eager(Subject(cell, "cpu"), sizes)
    for name in ("replicas", "ragged", "directions", "resets"):
        CHECKS[name](Subject(cell, "cpu"))


@pytest.mark.parametrize("lines", [1, 3])
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_cells(lines, data):
    check_random(data.draw(cells(lines)), data)


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5])
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_many_random_cells(lines, data):
    check_random(data.draw(cells(lines)), data)


SUMMED = ["sum(a + R @ a)", "normalize(a + R @ a)", "a * sum(0.3 * a + R @ a)", "tanh(sum(a + (a + R @ a)))"]


@pytest.mark.parametrize("output", SUMMED)
def test_what_a_later_phase_reads_around_the_loop_is_kept_for_each_step(output):
    check_cell(gl.Cell(f"a = tanh(a + W @ x)\nh = {output}"), "cpu")


# Runs, with everything around the step.


def same(found, expected, **tolerance):
    torch.testing.assert_close(found, expected, **{"rtol": 1e-10, "atol": 1e-10, "equal_nan": True, **tolerance})


def randn(*shape, seed, dtype=DOUBLE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE).to(dtype)


def random_run(cell, *, T=6, R=None, B=19, I=3, H=5, dtype=DOUBLE, around=()):
    """A run with random numbers, and of `around` what is asked for."""
    cell = gl.cell(cell) if isinstance(cell, str) else cell
    sizes = cell.sizes(I, H, dict.fromkeys(cell.width_names, 4))
    replicas = () if R is None else (R,)
    shapes = cell.parameters(I, H, **dict.fromkeys(cell.width_names, 4))
    batch = (*replicas, B)
    widths = {state: sizes[cell.width(state)] for state in cell.states}
    coin = torch.Generator().manual_seed(5)

    def flags(share):
        return torch.rand(T, *batch, 1, generator=coin) < share

    more = {}
    if "resets" in around:
        more["resets"] = flags(0.3)
        more["fresh"] = tuple(randn(*batch, width, seed=9, dtype=dtype) for width in widths.values())
    if "alive" in around:
        more["alive"] = flags(0.7)
    if "masks" in around:
        more["masks"] = {
            state: (randn(*batch, widths[state], seed=11, dtype=dtype) > 0) * 2.0 for state in states_in_products(cell)
        }
        more["masks"] = {state: mask.to(dtype) for state, mask in more["masks"].items()}
    if "zoneout" in around:
        more["zoneout"] = {
            state: (randn(T, *batch, width, seed=12, dtype=dtype) > 0.5).to(dtype) for state, width in widths.items()
        }
    if "share" in around:
        more["zoneout"] = dict.fromkeys(cell.states[-1:], 0.3)
    return Run(
        cell=cell,
        sizes=sizes,
        parameters={name: 0.5 * randn(*replicas, *shape, seed=k, dtype=dtype)
                    for k, (name, shape) in enumerate(shapes.items())},
        x=randn(T, *batch, I, seed=7, dtype=dtype),
        state=tuple(randn(*batch, width, seed=8, dtype=dtype) for width in widths.values()),
        **more,
    )  # fmt: skip


def inputs_of(asked):
    named = {"x": asked.x, **{f"start {k}": value for k, value in enumerate(asked.state)}}
    named |= {f"fresh {k}": value for k, value in enumerate(asked.fresh)}
    return named | dict(asked.parameters)


def everything(asked, run):
    """Outputs, states, and the gradients of everything that has one."""
    ready = asked._replace(
        x=asked.x.clone().requires_grad_(),
        state=tuple(value.clone().requires_grad_() for value in asked.state),
        fresh=tuple(value.clone().requires_grad_() for value in asked.fresh),
        parameters={name: value.clone().requires_grad_() for name, value in asked.parameters.items()},
    )
    result = run(ready)
    loss = sum((value * randn(*value.shape, seed=20, dtype=value.dtype)).sum()
               for value in (result.output, *result.state))  # fmt: skip
    inputs = inputs_of(ready)
    gradients = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True, materialize_grads=True)
    found = {"output": result.output, **{f"final {k}": value for k, value in enumerate(result.state)}}
    return {name: value.detach() for name, value in found.items()} | dict(zip(inputs, gradients, strict=True))


AROUND = [(), ("resets",), ("alive",), ("masks",), ("zoneout",), ("share",), ("resets", "alive", "masks", "zoneout")]


@pytest.mark.parametrize("around", AROUND, ids="-".join)
@pytest.mark.parametrize("cell", ["lstm", "f", "gru_original", "scrn", "layer_norm_lstm"])
def test_what_surrounds_a_step(cell, around):
    asked = random_run(cell, around=around)
    assert why_not(asked) is None
    same(everything(asked, cpu.run), everything(asked, eager.run))


@pytest.mark.parametrize("around", [(), ("resets", "alive", "masks", "zoneout")], ids="-".join)
def test_replicas_with_all_of_it(around):
    asked = random_run("peephole", R=3, around=around)
    found = everything(asked, cpu.run)
    same(found, everything(asked, eager.run))
    # Replica r gives the bits of that replica alone.
    for r in range(3):
        alone = asked._replace(
            parameters={name: value[r] for name, value in asked.parameters.items()},
            x=asked.x[:, r],
            state=tuple(value[r] for value in asked.state),
            fresh=tuple(value[r] for value in asked.fresh),
            resets=None if asked.resets is None else asked.resets[:, r],
            alive=None if asked.alive is None else asked.alive[:, r],
            masks={name: value[r] for name, value in asked.masks.items()},
            zoneout={name: value[:, r] for name, value in asked.zoneout.items()},
        )
        single = cpu.run(alone)
        assert torch.equal(single.output, cpu.run(asked).output[:, r])


@pytest.mark.parametrize("B", [1, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize(("T", "I", "H"), [(1, 1, 1), (40, 2, 3), (3, 5, 64)])
def test_awkward_sizes(B, T, I, H):
    asked = random_run("lstm", T=T, B=B, I=I, H=H)
    tolerance = {"rtol": 1e-9, "atol": 1e-9}
    same(everything(asked, cpu.run), everything(asked, eager.run), **tolerance)


@pytest.mark.parametrize("H", [3, 30])
@pytest.mark.parametrize("cell", ["lstm", "gru_original", "qrnn"])
def test_padding_changes_no_bit(cell, H):
    """A seed among others is padded to the longest sequence of all, and must not be told by its gradients."""
    torch.manual_seed(1)
    layer, x, lengths = (
        gl.Recurrent(cell, 4, H),
        randn(150, 9, 4, seed=0, dtype=torch.float32),
        torch.randint(1, 138, (9,)),
    )
    lengths[0], found = 137, []
    for steps in (137, 138, 150):
        own = x[:steps].clone().requires_grad_()
        output, state = layer(own, lengths=lengths)
        (output.square().sum() + sum(part.sum() for part in state)).backward()
        found.append([output[:137], *state, own.grad[:137], *(value.grad for value in layer.parameters())])
        layer.zero_grad()
    assert all(map(torch.equal, found[0], found[1]))
    assert all(map(torch.equal, found[0], found[2]))


@pytest.mark.parametrize("bits", [256, 128])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_narrower_vectors_agree(bits, dtype):
    host = this_host()
    if bits >= host.bits:
        pytest.skip("these are the vectors of this processor, or it has none so wide")
    without = "".join(f",-{name}" for name in ("avx512f", *(("avx2", "avx", "fma") if bits == 128 else ())))
    narrow = cpu.backend_on(Host(host.cpu, host.features + without, bits, fused=bits == 256))
    asked = random_run("peephole", dtype=dtype, around=("resets", "alive"))
    tolerance = {"rtol": 2e-5, "atol": 2e-5} if dtype is torch.float32 else {}
    same(everything(asked, narrow.run), everything(asked, cpu.run), **tolerance)


def test_masks_inside_of_products_only():
    cell = gl.Cell("a = R @ (h * p) + V @ (U @ h)\nh = tanh(W @ x + a) + 0.5 * h * p")
    asked = random_run(cell, around=("masks",))
    same(everything(asked, cpu.run), everything(asked, eager.run))


def test_tensors_that_are_not_contiguous():
    asked = random_run("lstm", T=4, B=6)
    turned = asked._replace(x=asked.x.transpose(0, 2).contiguous().transpose(0, 2),
        state=tuple(value.mT.contiguous().mT for value in asked.state),
        parameters={name: value.mT.contiguous().mT if value.ndim > 1 else value
                    for name, value in asked.parameters.items()},
    )  # fmt: skip
    same(everything(turned, cpu.run), everything(asked, cpu.run), rtol=0, atol=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e30])
@pytest.mark.parametrize("cell", ["lstm", "gru", "layer_norm_lstm", "elman_relu", "slstm"])
def test_nan_and_infinity_flow_as_in_eager(cell, value):
    asked = random_run(cell)
    x = asked.x.clone()
    x[2, 4, 1] = value
    asked = asked._replace(x=x)
    found, expected = (everything(asked, run) for run in (cpu.run, eager.run))
    for name in ("output", *(key for key in expected if key.startswith("final"))):
        same(found[name], expected[name])
    # Sequences that have nothing to do with it keep their gradients.
    others = [b for b in range(asked.x.shape[1]) if b != 4]
    same(found["x"][:, others], expected["x"][:, others])
    same(found["x"].isnan(), expected["x"].isnan())
