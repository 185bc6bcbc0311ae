"""The catalogue against torchrecurrent 0.2.5: outputs, states and gradients, from the same weights.

Where the package's formula is not the paper's, the row holds the edits that make our cell into the package's;
then those two must agree, and the paper's cell, as it is in the catalogue, must not. `docs/catalogue.md` lists
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

import gatelab as gl

DOCS = Path(__file__).parents[2] / "docs" / "catalogue.md"
T, B, I, H = 5, 3, 4, 6
DTYPE = torch.float64


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One of the package's layers, and how our cell is given its weights.

    Attributes:
        layer: the class in the package.
        weights: our parameter, and the parts of their tensors that it is the sum of; "weight_ih:1" is the
            second block of H rows, "alpha" a whole tensor.
        states: for each of their states, ours.
        options: arguments of their layer.
        fixed: their learned numbers that are constants of the same name for us, and are set to our value.
        edits: what makes our cell into theirs.
        equations: theirs typed anew, where edits can't say it.
        square: the cell needs I = H.
    """

    layer: str
    weights: Mapping[str, str]
    states: tuple[str, ...] = ("h",)
    options: Mapping[str, object] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    edits: tuple[tuple[str, ...], ...] = ()
    equations: str = ""
    square: bool = False

    @property
    def differs(self) -> bool:
        return bool(self.edits or self.equations)


def stacked(gates: str) -> dict[str, str]:
    """The usual packing: blocks of `weight_ih` and `weight_hh` in this order, and two biases that add up."""
    packed = {}
    for k, gate in enumerate(gates.split()):
        packed |= {f"W_{gate}": f"weight_ih:{k}", f"R_{gate}": f"weight_hh:{k}"}
        packed |= {f"b_{gate}": f"bias_ih:{k} bias_hh:{k}"}
    return packed


class HardSigmoid(torch.nn.Module):
    """torch's own takes 1/6 in single precision in its gradient, which is off by 3e-8 of it."""

    def forward(self, a: Tensor) -> Tensor:
        return (a / 6 + 0.5).clamp(0, 1)


HC = ("h", "c")
PEEPHOLES = {"p_i": "weight_ph:0", "p_f": "weight_ph:1", "p_o": "weight_ph:2"}
BISTABLE = {"W_a": "weight_ih:0", "W_c": "weight_ih:1", "W_h": "weight_ih:2", "b_h": "bias_ih:2"}
BISTABLE |= {"b_a": "bias_ih:0 bias_hh:0", "b_c": "bias_ih:1 bias_hh:1"}
BISTABLE_EDIT = ("replace", "h", "c * h + (1 - c) * tanh(W_h @ x + b_h + a * h)")
SGU = {"W_g": "weight_ih:0", "b_g": "bias_ih:0", "R_g": "weight_hh:0", "b_rg": "bias_hh:0"}
SGU |= {"W_z": "weight_ih:1", "R_z": "weight_hh:1", "b_z": "bias_ih:1 bias_hh:1"}
SGU_EDIT = ("replace", "z_g", "tanh(R_g @ (x_g * h) + b_rg)")
TWO_INPUTS = {f"W_{gate}": f"weight_ih:{k}" for k, gate in enumerate("zfo")}
TWO_INPUTS |= {f"V_{gate}": f"weight_hh:{k}" for k, gate in enumerate("zfo")}
TWO_INPUTS |= {f"b_{gate}": f"bias_ih:{k} bias_hh:{k}" for k, gate in enumerate("zfo")}

PEERS = {
    "antisymmetric": Peer(layer="AntisymmetricRNN", weights=stacked("h")),
    "gated_antisymmetric": Peer(
        layer="GatedAntisymmetricRNN",
        weights={
            "R_h": "weight_hh:0",
            "W_z": "weight_ih:0",
            "b_z": "bias_ih:0",
            "W_h": "weight_ih:1",
            "b_h": "bias_ih:1 bias_hh:0",
        },
    ),
    "atr": Peer(
        layer="ATR",
        weights={"W_p": "weight_ih:0", "b_p": "bias_ih:0", "R_q": "weight_hh:0", "b_q": "bias_hh:0"},
    ),
    "br": Peer(
        layer="BR",
        weights=BISTABLE | {"p_a": "weight_hh:0", "p_c": "weight_hh:1"},
        edits=(BISTABLE_EDIT,),
    ),
    "nbr": Peer(
        layer="NBR",
        weights=BISTABLE | {"R_a": "weight_hh:0", "R_c": "weight_hh:1"},
        edits=(BISTABLE_EDIT,),
    ),
    "cfn": Peer(
        layer="CFN",
        weights=stacked("theta eta") | {"W_h": "weight_ih:2", "b_h": "bias_ih:2"},
        edits=(("replace", "h", "theta * tanh(h) + eta * tanh(W_h @ x + b_h)"),),
    ),
    "mclstm": Peer(layer="MCLSTM", weights=stacked("f i o m z"), states=("v", "c")),
    "mgu": Peer(layer="MGU", weights=stacked("f n")),
    "minimalrnn": Peer(
        layer="MinimalRNN",
        weights={
            "W_z": "weight_ih:0",
            "b_z": "bias_ih:0",
            "R_u": "weight_hh:0",
            "V_u": "weight_mm:0",
            "b_u": "bias_hh:0",
        },
    ),
    "miru1": Peer(layer="MiRU1", weights=stacked("r n")),
    "miru2": Peer(layer="MiRU2", weights=stacked("n")),
    "cornn": Peer(
        layer="coRNN",
        weights={
            "W_v": "weight_ih:0",
            "R_v": "weight_hh:0",
            "V_v": "weight_ch:0",
            "b_v": "bias_ih:0 bias_hh:0 bias_ch:0",
        },
        states=("h", "v"),
    ),
    "fastrnn": Peer(layer="FastRNN", weights=stacked("n") | {"alpha": "alpha", "beta": "beta"}),
    "fastgrnn": Peer(
        layer="FastGRNN",
        weights={
            "W_u": "weight_ih:0",
            "R_u": "weight_hh:0",
            "b_z": "bias_ih:0 bias_hh:0",
            "b_n": "bias_ih:1 bias_hh:1",
            "zeta": "zeta",
            "nu": "nu",
        },
        options={"nonlinearity": "sigmoid"},
    ),
    "indrnn": Peer(
        layer="IndRNN",
        weights={"W_h": "weight_ih:0", "p_h": "vector_u:0", "b_h": "bias_ih:0 bias_hh:0"},
        options={"nonlinearity": "relu"},
    ),
    "intersection": Peer(layer="IntersectionRNN", weights=stacked("y h gy gh"), square=True),
    "janet": Peer(layer="JANET", weights=stacked("s z"), states=("h", "h"), fixed=("beta",)),
    "lem": Peer(
        layer="LEM",
        weights={
            "W_dh": "weight_ih:0",
            "R_dh": "weight_hh:0",
            "b_dh": "bias_ih:0 bias_hh:0",
            "W_dc": "weight_ih:1",
            "R_dc": "weight_hh:1",
            "b_dc": "bias_ih:1 bias_hh:1",
            "W_c": "weight_ih:2",
            "R_c": "weight_hh:2",
            "b_c": "bias_ih:2 bias_hh:2",
            "W_h": "weight_ih:3",
            "V_h": "weight_ch:0",
            "b_h": "bias_ih:3 bias_ch:0",
        },
        states=HC,
        # h reads the memory of the step before.
        equations="""
            d_c = dt * sigmoid(W_dc @ x + R_dc @ h + b_dc)
            d_h = dt * sigmoid(W_dh @ x + R_dh @ h + b_dh)
            z = tanh(W_c @ x + R_c @ h + b_c)
            h = (1 - d_h) * h + d_h * tanh(W_h @ x + V_h @ c + b_h)
            c = (1 - d_c) * c + d_c * z
        """,
    ),
    "ligru": Peer(layer="LiGRU", weights=stacked("z n")),
    "lightru": Peer(
        layer="LightRU",
        weights={
            "W_z": "weight_ih:0",
            "b_z": "bias_ih:0",
            "W_f": "weight_ih:1",
            "R_f": "weight_hh:0",
            "b_f": "bias_ih:1 bias_hh:0",
        },
        edits=(("replace", "z", "tanh(W_z @ x + b_z)"),),
    ),
    "multiplicative_lstm": Peer(
        layer="MultiplicativeLSTM",
        weights={"W_m": "weight_ih:0", "R_m": "weight_hh:0", "b_m": "bias_ih:0", "b_rm": "bias_hh:0"}
        | {f"W_{gate}": f"weight_ih:{k + 1}" for k, gate in enumerate("ifzo")}
        | {f"V_{gate}": f"weight_mh:{k}" for k, gate in enumerate("ifzo")}
        | {f"b_{gate}": f"bias_ih:{k + 1} bias_mh:{k}" for k, gate in enumerate("ifzo")},
        states=HC,
        edits=(("replace", "m", "(W_m @ x + b_m) * (R_m @ h + b_rm)"),),
    ),
    "mut1": Peer(
        layer="MUT1",
        weights={
            "W_z": "weight_ih:0",
            "b_z": "bias_ih:0",
            "W_r": "weight_ih:1",
            "R_r": "weight_hh:0",
            "b_r": "bias_ih:1 bias_hh:0",
            "W_n": "weight_ih:2",
            "b_x": "bias_ih:2",
            "R_n": "weight_hh:1",
            "b_n": "bias_hh:1",
        },
        edits=(("replace", "n", "tanh(R_n @ (r * h) + tanh(W_n @ x + b_x) + b_n)"),),
        square=True,
    ),
    "mut2": Peer(
        layer="MUT2",
        weights=stacked("z r n"),
        edits=(("replace", "r", "sigmoid(W_r @ x + R_r @ h + b_r)"),),
        square=True,
    ),
    "mut3": Peer(layer="MUT3", weights=stacked("z r n")),
    "nas": Peer(
        layer="NAS",
        weights=stacked("0 1 2 3 4 5 6 7"),
        states=HC,
        edits=(("replace", "d", "tanh(sigmoid(W_2 @ x + R_2 @ h + b_2) + relu(W_3 @ x + R_3 @ h + b_3))"),),
    ),
    "original_lstm": Peer(
        layer="OriginalLSTM",
        weights=stacked("i z o"),
        states=HC,
        edits=(("replace", "z", "tanh(W_z @ x + R_z @ h + b_z)"), ("replace", "h", "o * tanh(c)")),
    ),
    "peephole": Peer(layer="PeepholeLSTM", weights=stacked("i f z o") | PEEPHOLES, states=HC),
    "ran": Peer(
        layer="RAN",
        weights={
            "W_z": "weight_ih:0",
            "W_i": "weight_ih:1",
            "W_f": "weight_ih:2",
            "R_i": "weight_hh:0",
            "R_f": "weight_hh:1",
            "b_i": "bias_ih:0 bias_hh:0",
            "b_f": "bias_ih:1 bias_hh:1",
        },
        states=HC,
    ),
    "residual_lstm": Peer(
        layer="ResLSTM",
        weights=stacked("i f z o") | PEEPHOLES | {"V_h": "weight_proj:0", "W_h": "weight_res:0"},
        states=HC,
    ),
    "scrn": Peer(
        layer="SCRN",
        weights={
            "W_s": "weight_ih:0",
            "b_s": "bias_ih:0",
            "W_h": "weight_ih:1",
            "R_h": "weight_hh:0",
            "V_h": "weight_ch:0",
            "b_h": "bias_ih:1 bias_hh:0 bias_ch:0",
            "U_y": "weight_hh:1",
            "V_y": "weight_ch:1",
            "b_y": "bias_hh:1 bias_ch:1",
        },
        states=("y", "s"),
        fixed=("alpha",),
        # What recurs is tanh of the output, not the hidden layer.
        edits=(
            ("replace", "s", "(1 - alpha) * (W_s @ x + b_s) + alpha * s"),
            ("replace", "h", "sigmoid(V_h @ s + W_h @ x + R_h @ y + b_h)"),
            ("replace", "y", "tanh(U_y @ h + V_y @ s + b_y)"),
        ),
    ),
    "sgu": Peer(
        layer="SGU",
        weights=SGU,
        options={"gate_nonlinearity": HardSigmoid()},
        edits=(SGU_EDIT,),
    ),
    "dsgu": Peer(
        layer="DSGU",
        weights=SGU | {"V_out": "weight_ho:0"},
        options={"gate_nonlinearity": HardSigmoid()},
        edits=(SGU_EDIT,),
    ),
    "sgrn": Peer(
        layer="SGRN",
        weights={"W_u": "weight_ih:0", "b_u": "bias_ih:0", "R_f": "weight_hh:0", "b_f": "bias_hh:0"},
    ),
    "star": Peer(
        layer="STAR",
        weights={
            "W_z": "weight_ih:0",
            "b_z": "bias_ih:0",
            "W_k": "weight_ih:1",
            "R_k": "weight_hh:0",
            "b_k": "bias_ih:1 bias_hh:0",
        },
    ),
    "taugru": Peer(layer="tauGRU", weights=stacked("u z g a"), options={"delay": 3}),
    "trnn": Peer(
        layer="TRNN",
        weights={"W_z": "weight_ih:0", "b_z": "bias_ih:0", "W_f": "weight_ih:1", "b_f": "bias_ih:1"},
    ),
    "tgru": Peer(layer="TGRU", weights=TWO_INPUTS, states=("h", "xp")),
    "tlstm": Peer(layer="TLSTM", weights=TWO_INPUTS, states=("c", "xp")),
    "ugrnn": Peer(layer="UGRNN", weights=stacked("n g")),
    "unicornn": Peer(
        layer="UnICORNN",
        weights={"W_v": "weight_ih:0", "p_v": "weight_hh:0", "p_dt": "weight_ch:0", "b_v": "bias_ih:0"},
        states=("h", "v"),
    ),
    "wmclstm": Peer(
        layer="WMCLSTM",
        weights=stacked("i f z o")
        | {f"V_{gate}": f"weight_mh:{k}" for k, gate in enumerate("ifo")}
        | {f"b_m{gate}": f"bias_mh:{k}" for k, gate in enumerate("ifo")},
        states=HC,
        edits=tuple(
            ("replace", g, f"sigmoid(W_{g} @ x + R_{g} @ h + tanh(V_{g} @ c + b_m{g}) + b_{g})") for g in "ifo"
        ),
    ),
}

# The defaults switch terms off or make factors 1; these values let each count.
CONSTANTS = {
    "antisymmetric": {"epsilon": 0.3, "gamma": 0.2},
    "gated_antisymmetric": {"epsilon": 0.3, "gamma": 0.2},
    "cornn": {"dt": 0.4, "gamma": 0.7, "epsilon": 1.3},
    "unicornn": {"dt": 0.4, "alpha": 0.7},
    "lem": {"dt": 0.4},
}


@pytest.fixture(scope="module")
def theirs() -> ModuleType:
    return pytest.importorskip("torchrecurrent.cells")  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Problem:
    """A layer of the package with random weights, an input and initial states by our names."""

    peer: Peer
    layer: torch.nn.Module
    x: Tensor
    initial: dict[str, Tensor]

    @classmethod
    def random(cls, theirs: ModuleType, peer: Peer, cell: gl.Cell, options: Mapping[str, object]) -> Problem:
        generator = torch.Generator().manual_seed(0)
        input_size = H if peer.square else I
        layer = getattr(theirs, peer.layer)(input_size, H, **peer.options, **options).double()
        with torch.no_grad():
            for name, parameter in layer.cells[0].named_parameters():
                if name in peer.fixed:
                    parameter.fill_(cell.constants[name])
                else:
                    parameter.normal_(0, 0.5, generator=generator)
        x = torch.randn(T, B, input_size, dtype=DTYPE, generator=generator)
        initial = {
            state: torch.randn(
                1, B, input_size if cell.width(state) == "I" else H, dtype=DTYPE, generator=generator
            ).requires_grad_()
            for state in dict.fromkeys(peer.states)
        }
        return cls(peer, layer, x.requires_grad_(), initial)

    @property
    def weights(self) -> dict[str, Tensor]:
        return {n: w for n, w in self.layer.cells[0].named_parameters() if n not in self.peer.fixed}

    def run_theirs(self) -> list[Tensor]:
        """The output and the final states."""
        states = tuple(self.initial[name] for name in self.peer.states)
        output, final = self.layer(self.x, states if len(states) > 1 else states[0])
        final = (final,) if isinstance(final, Tensor) else final
        # States as wide as the input come as a tuple over layers.
        return [output, *(part if isinstance(part, Tensor) else torch.stack(part) for part in final)]

    def run_ours(self, cell: gl.Cell) -> list[Tensor]:
        """The same from our layer, its parameters made of theirs."""
        layer = gl.Recurrent(cell, self.x.shape[-1], H, dtype=DTYPE, backend="eager")
        shapes = cell.parameters(self.x.shape[-1], H)
        parameters = {
            f"{name}_l0": sum_of_parts(self.peer.weights[name], self.weights).reshape(shape)
            for name, shape in shapes.items()
        }
        zeros = torch.zeros(1, B, H, dtype=DTYPE)
        states = tuple(self.initial.get(name, zeros) for name in cell.states)
        output, final = torch.func.functional_call(layer, parameters, (self.x, states))
        by_name = dict(zip(cell.states, final, strict=True))
        return [output, *(by_name[name] for name in self.peer.states if name in by_name)]

    def gradients(self, results: list[Tensor]) -> dict[str, Tensor]:
        """Of one weighted sum of all results, in the input, the initial states and their weights."""
        generator = torch.Generator().manual_seed(1)
        loss = sum((result * torch.randn(result.shape, dtype=DTYPE, generator=generator)).sum() for result in results)
        inputs = {"x": self.x, **self.initial, **self.weights}
        found = torch.autograd.grad(loss, tuple(inputs.values()), materialize_grads=True, allow_unused=True)
        return dict(zip(inputs, found, strict=True))


def sum_of_parts(parts: str, tensors: Mapping[str, Tensor]) -> Tensor:
    found = []
    for part in parts.split():
        name, _, block = part.partition(":")
        found.append(tensors[name].split(H)[int(block)] if block else tensors[name])
    return torch.stack(found).sum(0)


def as_theirs(peer: Peer, cell: gl.Cell) -> gl.Cell:
    """Our cell with the package's formula."""
    if peer.equations:
        return gl.Cell(peer.equations, constants=cell.constants, widths=cell.widths, output=cell.output)
    for edit, *arguments in peer.edits:
        cell = getattr(cell, edit)(*arguments)
    return cell


def check_agreement(theirs: ModuleType, peer: Peer, cell: gl.Cell, options: Mapping[str, object]) -> None:
    problem = Problem.random(theirs, peer, cell, options)
    expected, found = problem.run_theirs(), problem.run_ours(as_theirs(peer, cell))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(problem.gradients(found), problem.gradients(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", PEERS)
def test_package_formula_agrees(name: str, theirs: ModuleType) -> None:
    check_agreement(theirs, PEERS[name], gl.cell(name), {})


@pytest.mark.parametrize("name", CONSTANTS)
def test_package_formula_agrees_with_other_constants(name: str, theirs: ModuleType) -> None:
    cell = gl.cell(name)
    assert set(cell.constants) == set(CONSTANTS[name])
    cell = gl.Cell(cell.equations, constants=CONSTANTS[name], output=cell.output)
    check_agreement(theirs, PEERS[name], cell, CONSTANTS[name])


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.differs])
def test_paper_formula_differs(name: str, theirs: ModuleType) -> None:
    problem = Problem.random(theirs, PEERS[name], gl.cell(name), {})
    distance = problem.run_ours(gl.cell(name))[0] - problem.run_theirs()[0]
    assert distance.abs().max() > 1e-3


def test_defaults_that_are_not_the_papers(theirs: ModuleType) -> None:
    """Settings of the package that its rows above replace, or that only matter at the start of training."""
    assert isinstance(theirs.IndRNNCell(I, H).act, torch.nn.Tanh)
    assert isinstance(theirs.FastGRNNCell(I, H).act, torch.nn.Tanh)
    fast = theirs.FastRNNCell(I, H)
    assert fast.alpha > 0 > fast.beta
    assert theirs.JANETCell(I, H).beta.requires_grad
    assert theirs.SCRNCell(I, H).alpha.requires_grad


def test_the_documented_formulas_are_those_of_the_cells() -> None:
    table = [line.split("|")[1:4] for line in DOCS.read_text().splitlines() if line.startswith("|")][2:]
    documented = set()
    cells: list[str] = []
    for first, ours, package in table:
        cells = first.replace(",", " ").split() or cells
        documented |= set(cells)
        if "`" in ours:
            for name in cells:
                assert ours.strip().strip("`") in gl.cell(name).equations.splitlines()
                edited = as_theirs(PEERS[name], gl.cell(name))
                assert package.strip().strip("`") in edited.equations.splitlines()
    assert documented == {name for name, peer in PEERS.items() if peer.differs}


def test_every_cell_of_the_package_has_a_row(theirs: ModuleType) -> None:
    package = {name.removesuffix("Cell") for name in theirs.__all__ if name.endswith("Cell")}
    assert {peer.layer for peer in PEERS.values()} == package
