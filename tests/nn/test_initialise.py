"""How parameters start: what each scheme draws, which of two says it, and texts that are not schemes."""

import copy
import math
import warnings

import pytest
import torch

import gatelab as gl
from gatelab.errors import OptionError

I, H = 30, 40
BOUND = 1 / math.sqrt(H)

# A cell with every kind of parameter: matrices, biases, a peephole, a gain, a scalar and a vector of its own.
ALL_KINDS = gl.Cell(
    "f = sigmoid(W_f @ x + R_f @ h + p_f * h + b_f)\nh = f * h + a * g_h * normalize(h) + s",
    parameters={"a": "scalar", "s": "vector"},
)


def layer_of(cell="lstm", seed=0, **options):
    torch.manual_seed(seed)
    return gl.Recurrent(cell, I, H, **options)


def started(name, spec, cell="lstm", **options):
    return layer_of(cell, init={name: spec}, **options).get_parameter(f"{name}_l0").detach()


def uniform_between(tensor, low, high):
    """The values fill the interval evenly: bounds, mean and spread; 2,000 draws or so."""
    assert low <= tensor.min() <= low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) <= tensor.max() <= high
    assert tensor.mean().item() == pytest.approx((low + high) / 2, abs=0.05 * (high - low))
    assert tensor.std().item() == pytest.approx((high - low) / math.sqrt(12), rel=0.1)


# Schemes for one parameter.


@pytest.mark.parametrize(
    ("spec", "low", "high"),
    [
        ("uniform", -BOUND, BOUND),
        ("uniform()", -BOUND, BOUND),
        ("uniform(-0.1, 0.3)", -0.1, 0.3),
        (" uniform( 2,3 ) ", 2, 3),
        ("chrono(100)", 0, math.log(99)),
    ],
)
def test_bounds(spec, low, high):
    weights = torch.cat([started("R_z", spec, seed=seed).flatten() for seed in range(2)])
    if spec.startswith("chrono"):
        assert weights.min() >= low
        uniform_between(weights.exp(), 1, 99)
    else:
        uniform_between(weights, low, high)


def test_normal():
    for spec, deviation in (("normal", 1), ("normal(0.02)", 0.02)):
        weights = started("R_z", spec)
        assert weights.mean().item() == pytest.approx(0, abs=0.1 * deviation)
        assert weights.std().item() == pytest.approx(deviation, rel=0.1)
        assert weights.abs().max() > 2.5 * deviation


def test_glorot():
    bound = math.sqrt(6 / (I + H))
    uniform_between(started("W_z", "glorot"), -bound, bound)


@pytest.mark.parametrize("name", ["R_z", "W_z"])
@pytest.mark.parametrize("gain", [1, 0.5])
def test_orthogonal(name, gain):
    weight = started(name, f"orthogonal({gain})")
    rows = weight.mT if weight.shape[0] > weight.shape[1] else weight
    torch.testing.assert_close(rows @ rows.mT, gain**2 * torch.eye(len(rows)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheme", ["orthogonal", "uniform", "normal", "glorot", "chrono(9)", "identity"])
def test_half_precision_starts_too(scheme):
    weight = started("R_z", scheme, dtype=torch.bfloat16)
    assert weight.dtype == torch.bfloat16
    assert weight.isfinite().all()
    assert weight.any()


def test_identity():
    assert torch.equal(started("R_z", "identity"), torch.eye(H))
    assert torch.equal(started("W_z", "identity(0.5)"), 0.5 * torch.eye(H, I))


@pytest.mark.parametrize(
    ("spec", "value"),
    [("zeros", 0), ("ones", 1), (0, 0), (2, 2), (-0.5, -0.5), ("constant(3)", 3), ("constant(-1e-3)", -1e-3)],
)
def test_constants(spec, value):
    for name in ("b_i", "W_i"):
        assert started(name, spec).eq(torch.tensor(value, dtype=torch.float32)).all()


def test_minus_another_parameter():
    layer = layer_of(init={"b_o": "normal", "b_i": "-b_o", "W_i": "- W_f"})
    assert torch.equal(layer.b_i_l0, -layer.b_o_l0)
    assert torch.equal(layer.W_i_l0, -layer.W_f_l0)
    assert layer.b_o_l0.all()


# Schemes for a layer.


def test_usually_torchs_uniform_with_the_cells_own_entries():
    for init in (None, "uniform"):
        layer = layer_of(ALL_KINDS, init=init)
        uniform_between(torch.cat([layer.W_f_l0.flatten(), layer.R_f_l0.flatten()]), -BOUND, BOUND)
        for name in ("b_f", "p_f", "s", "a"):
            assert layer.get_parameter(f"{name}_l0").abs().max() <= BOUND
            assert layer.get_parameter(f"{name}_l0").any()
        assert layer.g_h_l0.eq(1).all(), "gains start at 1"
        assert layer_of(init=init).b_f_l0.eq(1).all(), "and the forget bias of the LSTM"


@pytest.mark.parametrize("init", ["glorot", "orthogonal", "keras"])
def test_schemes_of_the_field(init):
    layer = layer_of(init=init)
    bound = math.sqrt(6 / (I + H))
    uniform_between(layer.W_z_l0, -bound, bound)
    if init == "glorot":
        uniform_between(layer.R_z_l0, -math.sqrt(3 / H), math.sqrt(3 / H))
    else:
        torch.testing.assert_close(layer.R_z_l0 @ layer.R_z_l0.mT, torch.eye(H), rtol=0, atol=1e-5)
    assert layer.b_f_l0.eq(1).all()
    assert not any(layer.get_parameter(f"b_{gate}_l0").any() for gate in "izo")
    kinds = layer_of(ALL_KINDS, init=init)
    assert kinds.g_h_l0.eq(1).all()
    assert not kinds.p_f_l0.any()


@pytest.mark.parametrize("init", ["zeros", 0, 0.25])
def test_one_number_for_all(init):
    value = 0 if init == "zeros" else init
    for cell in ("lstm", ALL_KINDS):
        assert all(parameter.eq(value).all() for parameter in layer_of(cell, init=init, num_layers=2).parameters())


@pytest.mark.parametrize("cell", ["lstm", "f"])
def test_chrono(cell):
    layer = layer_of(cell, init="chrono(784)", num_layers=2, bidirectional=True)
    for end in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        forget = layer.get_parameter("b_f" + end)
        assert forget.min() > 0
        assert math.log(784 / 2) < forget.max() <= math.log(783)
        if "b_i" in layer.cell.parameter_names:
            assert torch.equal(layer.get_parameter("b_i" + end), -forget)
    assert layer.R_z_l0.abs().max() <= BOUND


def test_a_cells_own_chrono():
    layer = layer_of("chrono_lstm")
    assert torch.equal(layer.b_i_l0, -layer.b_f_l0)
    assert layer.b_f_l0.min() > 0


# Which of two says it.


def test_a_mapping_goes_before_the_cell_and_the_cell_before_the_base():
    assert layer_of().b_f_l0.eq(1).all()
    assert layer_of(init="keras").b_f_l0.eq(1).all()
    layer = layer_of(init={"b_f": -2.0, "R_*": "orthogonal"})
    assert layer.b_f_l0.eq(-2).all()
    assert layer.b_i_l0.abs().max() <= BOUND
    torch.testing.assert_close(layer.R_o_l0 @ layer.R_o_l0.mT, torch.eye(H), rtol=0, atol=1e-5)
    assert layer_of(init={"b_*": 0}).b_f_l0.eq(0).all()


def test_an_exact_name_goes_before_a_pattern():
    for init in ({"b_*": 0.0, "b_o": 3.0}, {"b_o": 3.0, "b_*": 0.0}, {"b_o": 3.0, "*": 0.0}):
        layer = layer_of(init=init)
        assert layer.b_o_l0.eq(3).all()
        assert layer.b_f_l0.eq(0).all()
    first = layer_of(init={"b_[io]": 1, "b_*": 2})
    assert first.b_i_l0.eq(1).all(), "of two patterns the first"
    assert first.b_z_l0.eq(2).all()


def test_every_layer_direction_and_replica_is_drawn_by_itself():
    layer = layer_of("elman", init="orthogonal", num_layers=2, bidirectional=True, replicas=2)
    weights = [
        layer.get_parameter(f"R_h_{place}")[r] for place in ("l0", "l0_reverse", "l1", "l1_reverse") for r in (0, 1)
    ]
    for k, weight in enumerate(weights):
        torch.testing.assert_close(weight @ weight.mT, torch.eye(H), rtol=0, atol=1e-5)
        assert not any(torch.equal(weight, other) for other in weights[:k])


def test_reset_parameters_draws_anew():
    layer = layer_of(init="keras", learned_state=True)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    with torch.no_grad():
        layer.initial_h_l0.fill_(5)
    torch.manual_seed(0)
    layer.reset_parameters()
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    layer.reset_parameters()
    assert not torch.equal(layer.R_z_l0, before["R_z_l0"])


def test_the_mapping_of_a_cell_can_be_given_and_copied():
    layer = copy.deepcopy(layer_of(init=gl.cell("lstm").init))
    assert layer.b_f_l0.eq(1).all()
    layer.reset_parameters()
    assert layer.b_f_l0.eq(1).all()


def test_a_later_change_of_the_mapping_changes_nothing():
    init = {"b_f": 2.0}
    layer = layer_of(init=init)
    init["b_f"] = "nonsense"
    layer.reset_parameters()
    assert layer.b_f_l0.eq(2).all()


# Texts that are not schemes.

HOSTILE = [
    "__import__('os')",
    "__import__('os').system('true')",
    "().__class__",
    "uniform.__call__(1)",
    "uniform(",
    "uniform)",
    "uniform(a)",
    "uniform(low=1)",
    "uniform(*[1])",
    "uniform(1, 2, 3)",
    "uniform(2, 1)",
    "uniform('nan')",
    "uniform(1e999)",
    "uniform(1j)",
    "uniform(1" + "0" * 400 + ")",
    "uniform(10**10)",
    "normal(-1)",
    "chrono",
    "chrono(1)",
    "chrono(2)",
    "chrono(-5)",
    "chrono(1e999)",
    "orthogonal",
    "identity",
    "glorot",
    "constant",
    "constant('nan')",
    "constant(1, 2)",
    "zeros(1)",
    "lambda: 0",
    "[0 for _ in range(9)]",
    "1if 1else 2",
    "",
    " ",
    "-",
    "--b_f",
    "-b_nowhere",
    "-W_f",
    "-b_i",
    "\0",
    "\ud800",
    "ｕniform(",
    "(" * 10_000,
    "-" * 10_000 + "1",
    "9" * 10_000,
    float("nan"),
    float("inf"),
    None,
    [1.0],
    {"b": 1},
]


@pytest.mark.parametrize("spec", HOSTILE, ids=lambda spec: repr(spec)[:25])
def test_a_text_that_is_no_scheme_for_a_vector(spec):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        with pytest.raises(OptionError) as raised:
            started("b_i", spec)
    message = str(raised.value)
    assert len(message.splitlines()) > 1 or "Did you mean" in message, f"no cure: {message}"
    assert len(message) < 500, "a long text is not repeated whole"


def test_minus_each_other_is_refused():
    """Which of them would be drawn? Neither: they would hold whatever lay in memory."""
    for init in ({"b_i": "-b_f", "b_f": "-b_i"}, {"b_i": "-b_f", "b_f": "-b_o", "b_o": "-b_i"}):
        with pytest.raises(OptionError, match="b_i"):
            layer_of(init=init)


def test_minus_a_parameter_that_is_itself_minus_another():
    layer = layer_of(init={"b_i": "-b_f", "b_f": "-b_o", "b_o": "normal"})
    assert torch.equal(layer.b_f_l0, -layer.b_o_l0)
    assert torch.equal(layer.b_i_l0, -layer.b_f_l0)


@pytest.mark.parametrize("init", ["chrono(1)", "chrono()", "chrono(a)", "chrono(9, 9)", "chrono(", "chrono(1e999)"])
def test_a_text_that_is_no_scheme_for_a_layer(init):
    with pytest.raises(OptionError, match="chrono") as raised:
        layer_of(init=init)
    assert len(str(raised.value).splitlines()) > 1
