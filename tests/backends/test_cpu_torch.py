"""The cpu backend as a citizen of torch: transforms, second derivatives, changes in place, threads, processes."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from test_cpu import everything, inputs_of, randn, random_run, same
from torch import nn
from torch.func import functional_call, grad, jvp, vmap

import gatelab as gl
from gatelab.backends import eager
from gatelab.backends.cpu import backend as cpu
from gatelab.backends.cpu import launch
from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.refusal import why_not
from gatelab.backends.cpu.shapes import find_shape
from gatelab.backends.registry import choose
from gatelab.errors import OptionError

DOUBLE = torch.float64


def layer_of(cell="lstm", **options):
    torch.manual_seed(0)
    return gl.Recurrent(cell, 2, 3, **{"backend": "cpu", "dtype": DOUBLE, **options})


@pytest.fixture
def threads():
    """Sets the number of threads, and puts it back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_the_name_is_known():
    assert "backend='cpu' was asked for" in layer_of().explain()
    assert "eager" in layer_of(backend="auto").explain()


@pytest.mark.parametrize("around", [(), ("resets", "alive", "masks", "zoneout")], ids="-".join)
def test_second_derivatives_are_eagers(around):
    asked = random_run("lstm", T=3, B=2, H=3, around=around)

    def slopes(run):
        ready = {name: value.clone().requires_grad_() for name, value in inputs_of(asked).items()}
        count = len(asked.state)
        given = asked._replace(
            x=ready["x"],
            # A state that depends on a parameter: what leads to it that way must not be counted twice.
            state=tuple(ready[f"start {k}"] * ready["b_f"].sum() for k in range(count)),
            fresh=tuple(ready[f"fresh {k}"] for k in range(len(asked.fresh))),
            parameters={name: ready[name] for name in asked.parameters},
        )
        result = run(given)
        loss = result.output.square().sum() + sum(value.sin().sum() for value in result.state)
        first = torch.autograd.grad(loss, list(ready.values()), create_graph=True, materialize_grads=True)
        second = torch.autograd.grad(
            sum(value.square().sum() for value in first), list(ready.values()), materialize_grads=True
        )
        return dict(zip(ready, zip(first, second, strict=True), strict=True))

    same(slopes(cpu.run), slopes(eager.run))


def test_per_sample_gradients():
    layer, other = layer_of(), layer_of(backend="eager")
    x = randn(4, 5, 2, seed=0)
    weights = {name: value.detach() for name, value in layer.named_parameters()}

    def loss(weights, x, layer):
        return functional_call(layer, weights, (x.unsqueeze(1),))[0].square().sum()

    found, expected = (vmap(lambda x, each=each: grad(loss)(weights, x, each), in_dims=1)(x) for each in (layer, other))
    same(found, expected)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_forward_mode():
    layer, x = layer_of(), randn(4, 5, 2, seed=0)
    found = jvp(lambda x: layer(x)[0], (x,), (x,))
    same(found, jvp(lambda x: layer_of(backend="eager")(x)[0], (x,), (x,)))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, x)
        same(torch.autograd.forward_ad.unpack_dual(layer(dual)[0]).tangent, found[1])


def test_a_batch_of_gradients_at_once():
    asked = random_run("f", T=3, B=2, H=3)
    x = asked.x.clone().requires_grad_()
    directions = randn(4, 3, 2, 3, seed=1)
    found, expected = (
        torch.autograd.grad(run(asked._replace(x=x)).output, x, directions, is_grads_batched=True)
        for run in (cpu.run, eager.run)
    )
    same(found, expected)


def test_gradients_of_some_results_only():
    asked = random_run("lstm", T=3, B=2, H=3)
    for pick in (lambda r: r.output, lambda r: r.state[1], lambda r: r.output[-1, 0]):
        weight = asked.parameters["R_f"].clone().requires_grad_()
        found, expected = (
            torch.autograd.grad(pick(run(asked._replace(parameters={**asked.parameters, "R_f": weight}))).sum(), weight)
            for run in (cpu.run, eager.run)
        )
        same(found, expected)


@pytest.mark.parametrize("changed", ["x", "R_f", "start 0"])
def test_a_change_in_place_before_the_way_back_is_noticed(changed):
    asked = random_run("lstm", T=3, B=2, H=3)
    weight = asked.parameters["W_i"].clone().requires_grad_()
    result = cpu.run(asked._replace(parameters={**asked.parameters, "W_i": weight}))
    inputs_of(asked)[changed].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.output.sum().backward()


def test_a_change_of_the_output_in_place_is_no_harm():
    asked = random_run("lstm", T=3, B=2, H=3)
    weight = asked.parameters["W_i"].clone().requires_grad_()
    gradients = []
    for factor in (1, 2):
        output = cpu.run(asked._replace(parameters={**asked.parameters, "W_i": weight})).output
        output = output.mul_(2) if factor == 2 else output * 2
        gradients.append(torch.autograd.grad(output.sum(), weight)[0])
    same(*gradients)


def test_going_back_twice():
    asked = random_run("lstm")
    weight = asked.parameters["W_i"].clone().requires_grad_()
    result = cpu.run(asked._replace(parameters={**asked.parameters, "W_i": weight}))
    once, again = (torch.autograd.grad(result.output.sum(), weight, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(once, again)


@pytest.mark.parametrize("cell", ["lstm", "layer_norm_lstm"])
def test_the_same_bits_for_any_number_of_threads_and_every_time(cell, threads):
    asked = random_run(cell, B=70, T=20, dtype=torch.float32, around=("resets",))
    found = []
    for count in (1, 2, 3, 1):
        threads(count)
        found.append(everything(asked, cpu.run))
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())


@pytest.mark.parametrize("H", [6, 43], ids=["lanes", "rows"])
@pytest.mark.parametrize("R", [None, 3])
def test_weights_and_gradients_shared_out_to_threads(R, H, threads, monkeypatch):
    """Sizes of this test alone, so that nothing is kept from before; so small, one thread would do it."""
    monkeypatch.setattr(launch, "MUCH", 1)
    monkeypatch.setattr(launch, "WORTH_A_THREAD", 1)
    asked = random_run("peephole", T=3, B=37, H=H, R=R)
    threads(2)
    same(everything(asked, cpu.run), everything(asked, eager.run))
    made = find_shape(asked, this_host()).backward_to_input.launch()
    shares = [count for *_, count in made.program.phases]
    assert len(shares) > 2 and set(shares) == {2}


def test_two_threads_of_python_at_once():
    runs = [random_run(cell, B=20, T=50) for cell in ("lstm", "gru")]
    expected = [everything(asked, cpu.run) for asked in runs]
    barrier = Barrier(2)

    def work(k):
        barrier.wait()
        return [everything(runs[k], cpu.run) for _ in range(20)]

    with ThreadPoolExecutor(2) as pool:
        for k, found in enumerate(pool.map(work, range(2))):
            for each in found:
                same(each, expected[k], rtol=0, atol=0)


def _in_a_child(queue, seed):
    torch.set_num_threads(2)
    asked = random_run("lstm", B=40)
    queue.put((seed, everything(asked, cpu.run)["W_i"].sum().item()))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("way", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_child_process_after_a_kernel_has_run(way, threads):
    threads(2)
    asked = random_run("lstm", B=40)
    # No way back here before a fork: torch's own engine of gradients does not survive one.
    cpu.run(asked)
    context = multiprocessing.get_context(way)
    queue = context.Queue()
    child = context.Process(target=_in_a_child, args=(queue, 0))
    child.start()
    _, found = queue.get(timeout=60)
    child.join()
    assert found == pytest.approx(everything(asked, cpu.run)["W_i"].sum().item(), rel=1e-12)


def test_only_what_is_needed_is_saved():
    asked = random_run("lstm", T=50, B=8, H=5)
    assert cpu.run(asked).output.grad_fn is None
    weight = asked.parameters["W_i"].requires_grad_()
    with torch.no_grad():
        assert cpu.run(asked).output.grad_fn is None
    output = cpu.run(asked).output
    record, *_ = output.grad_fn.saved_tensors
    # h and c as the step reads them, and i, f, z, o, of 8 sequences; the five units may be filled up to eight.
    assert 51 * 6 * 5 * 8 <= record.numel() <= 51 * 6 * 8 * 8
    assert weight.grad is None


class Wrapped(torch.Tensor):
    """A tensor that may not be what it seems."""


REFUSED = {
    "not in float16": lambda asked: asked._replace(x=asked.x.half()),
    "W_i is of float64, not of float32": lambda asked: asked._replace(x=asked.x.float()),
    "the axes time, batch and unit": lambda asked: asked._replace(x=asked.x[0]),
    "width of the cell": lambda asked: asked._replace(x=asked.x[..., :1]),
    "R_f has the shape (2, 5), not (5, 5)": lambda asked: asked._replace(
        parameters={**asked.parameters, "R_f": asked.parameters["R_f"][:2]}
    ),
    "the state h": lambda asked: asked._replace(state=(asked.state[0][:1, :2], asked.state[1])),
    "one tensor for each state": lambda asked: asked._replace(state=asked.state[:1]),
    "x is on the device meta": lambda asked: asked._replace(x=asked.x.to("meta")),
    "b_f does not lie in memory number by number": lambda asked: asked._replace(
        parameters={**asked.parameters, "b_f": torch.view_as_complex(torch.ones(5, 2, dtype=DOUBLE)).conj().imag}
    ),
    "W_i is a Wrapped": lambda asked: asked._replace(
        parameters={**asked.parameters, "W_i": asked.parameters["W_i"].as_subclass(Wrapped)}
    ),
    "ends is of float64, not of bool": lambda asked: asked._replace(alive=torch.ones(6, 19, 1).double()),
    "gradient of a mask": lambda asked: asked._replace(masks={"h": torch.ones_like(asked.state[0]).requires_grad_()}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_kernels_refuse_and_why(reason):
    asked = REFUSED[reason](random_run("lstm"))
    assert reason in (why_not(asked) or "")
    with pytest.raises(OptionError, match="Take backend='auto'"):
        choose("cpu").run(asked)


def test_the_gradient_of_a_mask():
    asked = random_run("lstm", around=("masks",))
    mask = asked.masks["h"].requires_grad_()
    found, expected = (torch.autograd.grad(run(asked).output.sum(), mask) for run in (choose("auto").run, eager.run))
    same(found, expected)


def test_a_gradient_that_torch_keeps_negated():
    asked = random_run("lstm", T=3, B=2, H=3)
    weight = asked.parameters["W_i"].clone().requires_grad_()
    gradients = []
    for run in (cpu.run, eager.run):
        result = run(asked._replace(parameters={**asked.parameters, "W_i": weight}))
        parts = (torch.complex(value.detach(), value).conj().imag for value in (result.output, result.state[1]))
        gradients.append(torch.autograd.grad(sum(part.square().sum() for part in parts), weight)[0])
    same(*gradients)


def test_half_precision_is_an_error_that_says_what_to_do():
    with pytest.raises(OptionError, match="not in bfloat16"):
        layer_of(dtype=torch.bfloat16)(torch.zeros(3, 2, 2, dtype=torch.bfloat16))


def test_a_stack_of_layers_learns():
    torch.manual_seed(0)
    layer = gl.Recurrent(
        "peephole", 2, 8, num_layers=2, bidirectional=True, recurrent_dropout=0.2, zoneout=0.1, backend="cpu"
    )
    head = nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], 0.01)
    x = torch.randn(10, 32, 2)
    target = x[:, :, :1].cumsum(0)
    losses = []
    for _ in range(60):
        loss = (head(layer(x)[0]) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


# Tensors of every kind.


def tricky(value):
    """The same numbers, elsewhere: misaligned by one, every other one, turned, and one for many."""
    turned = value.transpose(0, -1).contiguous().transpose(0, -1)
    shifted = torch.empty(value.numel() + 1, dtype=value.dtype)[1:].view(value.shape).copy_(value)
    spaced = torch.empty(*value.shape, 2, dtype=value.dtype)[..., 0].copy_(value)
    return {"turned": turned, "misaligned": shifted, "spaced": spaced}


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("kind", ["turned", "misaligned", "spaced"])
@pytest.mark.parametrize("H", [5, 40], ids=["lanes", "rows"])
def test_where_numbers_lie_does_not_matter(kind, H, dtype):
    asked = random_run("lstm", H=H, dtype=dtype, around=("resets", "alive", "masks", "zoneout"))
    moved = asked._replace(
        x=tricky(asked.x)[kind],
        state=tuple(tricky(value)[kind] for value in asked.state),
        fresh=tuple(tricky(value)[kind] for value in asked.fresh),
        resets=tricky(asked.resets)[kind],
        alive=tricky(asked.alive)[kind],
        masks={name: tricky(value)[kind] for name, value in asked.masks.items()},
        zoneout={name: tricky(value)[kind] for name, value in asked.zoneout.items()},
        parameters={name: tricky(value)[kind] for name, value in asked.parameters.items()},
    )
    # Where the arguments are copied first, the kernel sees the same numbers; `everything` clones, so no gradients.
    for found, expected in zip(
        (cpu.run(moved).output, *cpu.run(moved).state), (cpu.run(asked).output, *cpu.run(asked).state), strict=True
    ):
        assert torch.equal(found, expected)
    weight, gradients = asked.parameters["R_f"], []
    for run in (moved, asked):
        leaf = run.x.detach().requires_grad_()
        own = tricky(weight)[kind].requires_grad_() if run is moved else weight.clone().requires_grad_()
        output = cpu.run(run._replace(x=leaf, parameters={**run.parameters, "R_f": own})).output
        arriving = randn(*output.shape, seed=3, dtype=dtype)
        arriving = tricky(arriving)[kind] if run is moved else arriving
        gradients.append(torch.autograd.grad(output, (leaf, own), arriving))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_one_sequence_for_a_whole_batch():
    asked = random_run("lstm", B=19)
    one = asked._replace(
        x=asked.x[:, :1].expand(-1, 19, -1), state=tuple(value[:1].expand(19, -1) for value in asked.state)
    )
    whole = one._replace(x=one.x.clone(), state=tuple(value.clone() for value in one.state))
    assert torch.equal(cpu.run(one).output, cpu.run(whole).output)
    same(everything(one, cpu.run), everything(whole, cpu.run), rtol=0, atol=0)


def test_states_that_are_not_given_are_zeros():
    asked = random_run("lstm", around=("resets",))
    nothing, zeros = (
        asked._replace(state=values, fresh=values)
        for values in ((None, None), tuple(torch.zeros_like(value) for value in asked.state))
    )
    for run in (cpu.run, eager.run):
        weights = {name: value.clone().requires_grad_() for name, value in asked.parameters.items()}
        found = []
        for given in (nothing, zeros):
            output = run(given._replace(parameters=weights)).output
            found.append((output, *torch.autograd.grad(output.square().sum(), list(weights.values()))))
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("around", ["resets", "masks", "zoneout"])
def test_a_change_in_place_of_what_surrounds_a_step_is_noticed(around):
    asked = random_run("lstm", T=3, B=2, H=3, around=(around,))
    weight = asked.parameters["W_i"].clone().requires_grad_()
    result = cpu.run(asked._replace(parameters={**asked.parameters, "W_i": weight}))
    value = getattr(asked, around)
    (value if isinstance(value, torch.Tensor) else next(iter(value.values()))).zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.output.sum().backward()


def test_what_is_saved_can_be_kept_elsewhere():
    """Hooks of torch that put what is saved somewhere, as for memory, get all of it."""
    layer, x = layer_of(), randn(4, 5, 2, seed=0)
    expected = torch.autograd.grad(layer(x)[0].square().sum(), list(layer.parameters()))
    with torch.autograd.graph.save_on_cpu():
        output, _ = layer(x)
    assert all(
        torch.equal(a, b)
        for a, b in zip(torch.autograd.grad(output.square().sum(), list(layer.parameters())), expected, strict=True)
    )
    again = torch.utils.checkpoint.checkpoint(lambda x: layer(x)[0], x, use_reentrant=False)
    found = torch.autograd.grad(again.square().sum(), list(layer.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


# Processes.


class Hidden(torch.utils.data.Dataset):
    """What a layer makes of random sequences: kernels run in the workers."""

    def __init__(self):
        self.layer = layer_of()

    def __len__(self):
        return 4

    @torch.no_grad()
    def __getitem__(self, index):
        return self.layer(randn(3, 2, 2, seed=index))[0]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # On a machine of one core.
def test_workers_of_a_data_loader():
    data = Hidden()
    expected = torch.stack([data[k] for k in range(4)])
    found = torch.utils.data.DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context="fork")
    assert torch.equal(next(iter(found)), expected)


def _summed(seed):
    return layer_of()(randn(3, 2, 2, seed=seed))[0].sum().item()


@pytest.mark.slow
def test_workers_of_joblib():
    joblib = pytest.importorskip("joblib")
    expected = [_summed(seed) for seed in range(2)]
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(_summed)(seed) for seed in range(2)) == expected
