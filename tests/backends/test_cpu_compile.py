"""torch.compile and torch.export see the kernels as operators: no graph break, no warning, the same numbers."""

import io
import shutil
import subprocess
import sys

import pytest
import torch
from test_cpu import randn, random_run
from torch import nn
from torch.export import Dim, export
from torch.func import functional_call, grad, vmap

import gatelab as gl
from gatelab.backends.base import form_of, tensors_of
from gatelab.backends.cpu import operators
from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.shapes import record_shape

T, B, I, H = 4, 3, 2, 5


class Model(nn.Module):
    """A layer on kernels, and a head."""

    def __init__(self, cell="lstm", **options):
        super().__init__()
        torch.manual_seed(0)
        self.layer = gl.Recurrent(cell, I, H, **{"backend": "cpu", "dtype": torch.float64, **options})
        self.head = nn.Linear(self.layer.output_size, 1, dtype=torch.float64)

    def forward(self, x, **given):
        output, state = self.layer(x, **given)
        return self.head(output), state


@pytest.fixture(autouse=True)
def afresh():
    torch.compiler.reset()


def compiled(model, **options):
    return torch.compile(model, fullgraph=True, **{"backend": "aot_eager", **options})


def everything(model, run, x, given):
    """Outputs, states, and gradients of the input and all parameters; noise from a seed."""
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    output, state = run(x, **given)
    loss = output.sin().sum() + sum(value.square().sum() for value in state)
    gradients = torch.autograd.grad(loss, [x, *model.parameters()], materialize_grads=True)
    return type(state), [output, *state, *gradients]


def check(model, given=None, shapes=((T, B),), tolerance=1e-12, **options):
    fast = compiled(model, **options)
    for shape in shapes:
        x = randn(*shape, I, seed=0)
        expected, found = (everything(model, run, x, given or {}) for run in (model, fast))
        assert found[0] is expected[0]
        torch.testing.assert_close(found[1], expected[1], rtol=tolerance, atol=tolerance)


CASES = {
    "plain": ({}, {}),
    "two layers both ways": ({"num_layers": 2, "bidirectional": True, "dropout": 0.3}, {}),
    "lengths": ({"bidirectional": True}, {"lengths": torch.tensor([4, 2, 3])}),
    "lengths in a list": ({}, {"lengths": [4, 2, 3]}),
    "resets": ({"learned_state": True}, {"resets": torch.eye(T, B).bool()}),
    "noise": ({"recurrent_dropout": 0.3, "zoneout": 0.2}, {}),
    "a state": ({}, {"state": (torch.ones(1, B, H).double(), torch.zeros(1, B, H).double())}),
    "several phases": ({"cell": "gru_original"}, {}),
    "reductions": ({"cell": "layer_norm_lstm"}, {}),
    "a cell of one's own": ({"cell": gl.Cell("h = tanh(a * (W @ x) + h)", constants={"a": 0.5}, init={"W": 1.0})}, {}),
}


@pytest.mark.parametrize(("options", "given"), CASES.values(), ids=CASES)
def test_results_and_gradients(options, given):
    check(Model(**options), given)


def test_zoneout_in_eval_is_a_number():
    check(Model(zoneout=0.2).eval())


@pytest.mark.parametrize("H", [5, 40], ids=["lanes", "rows"])
def test_one_graph_for_many_sizes(H):
    torch.manual_seed(0)
    layer = gl.Recurrent("lstm", I, H, backend="cpu", dtype=torch.float64)
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    fast = torch.compile(layer, fullgraph=True, dynamic=True, backend=count)
    for shape in ((4, 3), (5, 7), (3, 16), (6, 33)):
        x = randn(*shape, I, seed=0)
        assert torch.equal(fast(x)[0], layer(x)[0])
    assert len(graphs) == 1
    assert sum("gatelab.forward" in str(node.target) for node in graphs[0].graph.nodes) == 1
    check(Model(), shapes=((4, 3), (5, 7), (3, 16), (6, 33)), dynamic=True)


def test_replicas_and_a_step():
    layer = gl.Recurrent("gru", I, H, replicas=2, backend="cpu")
    x = torch.randn(T, B, I)
    assert torch.equal(compiled(layer)(x)[0], layer(x)[0])
    single = gl.Recurrent("lstm", I, H, backend="cpu")
    with torch.no_grad():
        step, state = compiled(single.step), None
        for t in range(T):
            y, state = step(x[t], state)
        torch.testing.assert_close(y, single(x)[0][-1])


def test_training_lowers_the_loss():
    model, x = Model("peephole"), randn(10, 16, I, seed=0)
    target, fast = x[..., :1].cumsum(0), compiled(model)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    losses = []
    for _ in range(40):
        loss = (fast(x)[0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch's own compiler of graphs needs one for C++")
@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("case", ["two layers both ways", "lengths", "noise"])
def test_inductor(case):
    options, given = CASES[case]
    check(Model(**options).eval(), given, shapes=((T, B), (6, B)), tolerance=1e-9, backend="inductor")


def test_autocast():
    model, x = Model(dtype=torch.float32), torch.randn(T, B, I)

    def run(x):
        with torch.autocast("cpu", torch.bfloat16):
            return model.layer(x)[0]

    found = compiled(run)(x)
    assert found.dtype is torch.bfloat16
    assert torch.equal(found, run(x))


def test_gradients_of_each_sample_go_to_eager():
    layer, x = Model().layer, randn(T, B, I, seed=0)
    weights = {name: value.detach() for name, value in layer.named_parameters()}

    def loss(weights, x):
        return functional_call(layer, weights, (x,))[0].square().sum()

    each = vmap(grad(loss), in_dims=(None, 1))
    torch.testing.assert_close(compiled(each)(weights, x), each(weights, x))


@pytest.mark.parametrize("backend", ["eager", "auto"])
def test_other_backends_are_traced(backend):
    check(Model(backend=backend))


def test_a_length_that_does_not_fit_stops_the_graph():
    with pytest.raises(RuntimeError, match="Each length must be from 1"):
        compiled(Model())(randn(T, B, I, seed=0), lengths=torch.tensor([4, 5, 1]))


# The modules that stand in for torch's are ones of torch's, which its compiler takes only if told to.
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_the_modules_of_torch(kind):
    layer, x = getattr(gl.nn, kind)(I, H, 2, bidirectional=True), torch.randn(T, B, I)
    layer.backend = "cpu"
    with torch._dynamo.config.patch(allow_rnn=True):
        torch.testing.assert_close(compiled(layer)(x), layer(x))


# The operators themselves.


@pytest.mark.parametrize("around", [(), ("resets", "alive", "masks", "zoneout"), ("share",)], ids="-".join)
@pytest.mark.parametrize("R", [None, 2])
def test_the_operators_are_what_torch_expects(R, around):
    asked = random_run("lstm", T=3, B=2, H=3, R=R, around=around)
    form, tensors = form_of(asked), tensors_of(asked)
    there = [value for value in tensors if value is not None]
    for value in (asked.x, *asked.state, *asked.fresh, *asked.parameters.values()):
        value.requires_grad_()
    text = operators.text_of(form, tensors)
    for saves in (False, True):
        # Not its results: the record has room between its numbers, where anything may stand.
        torch.library.opcheck(
            torch.ops.gatelab.forward.default,
            (there, text, saves),
            test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
        )


@pytest.mark.parametrize("H", [2, 5, 40])
@pytest.mark.parametrize("B", [1, 3, 4, 5, 8, 9, 40])
def test_the_record_has_the_shape_that_was_foretold(B, H):
    asked = random_run("lstm", T=3, B=B, H=H, dtype=torch.float32)
    form, tensors = form_of(asked), tensors_of(asked)
    there = [value for value in tensors if value is not None]
    text = operators.text_of(form, tensors)
    real, fake = (function(there, text, True) for function in (operators._forward, operators._forward_fake))
    assert [value.shape for value in real] == [value.shape for value in fake]
    assert record_shape(asked, this_host()) == real[-1].shape


# Export.


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("H", [5, 40], ids=["lanes", "rows"])
def test_export_with_any_time_and_batch(strict, H):
    torch.manual_seed(0)
    layer = gl.Recurrent("peephole", I, H, num_layers=2, backend="cpu")
    sizes = {"x": {0: Dim("time", min=2, max=1000), 1: Dim("batch", min=2, max=1000)}}
    exported = export(layer, (torch.randn(T, B, I),), strict=strict, dynamic_shapes=sizes).module()
    for shape in ((T, B), (7, 40)):
        x = torch.randn(*shape, I)
        output, state = exported(x)
        assert torch.equal(output, layer(x)[0])
        assert torch.equal(state[0], layer(x)[1].h)
    exported(x)[0].sum().backward()
    layer(x)[0].sum().backward()
    assert torch.equal(exported.get_parameter("R_f_l1").grad, layer.R_f_l1.grad)


def test_a_graph_without_gradients_saves_nothing():
    layer, x = gl.Recurrent("lstm", I, H, backend="cpu"), torch.randn(T, B, I)
    with torch.no_grad():
        graph = export(layer, (x,)).graph
    (node,) = (node for node in graph.nodes if "gatelab.forward" in str(node.target))
    assert node.args[-1] is False


RUN_A_FILE = """
import sys, torch, gatelab
saved = torch.export.load(sys.argv[1]).module()
print(float(saved(torch.arange(24.0).view(4, 3, 2) / 10)[0].sum()))
"""


def test_a_file_runs_in_another_process(tmp_path):
    torch.manual_seed(0)
    cell = gl.Cell("h = tanh(W @ x + a * (R @ h) + b)", constants={"a": 0.5})
    layer, x = gl.Recurrent(cell, I, H, backend="cpu"), torch.arange(24.0).view(4, 3, 2) / 10
    file = io.BytesIO()
    torch.export.save(export(layer, (x,)), file)
    path = tmp_path / "model.pt2"
    path.write_bytes(file.getvalue())
    run = subprocess.run([sys.executable, "-c", RUN_A_FILE, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) == pytest.approx(layer(x)[0].sum().item(), rel=1e-6)
