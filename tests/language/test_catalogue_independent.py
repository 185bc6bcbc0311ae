"""The catalogue against plain numpy, for what no package gives: each step written from the paper.

One sequence at a time; `w` holds the weights by our names, `s` the states before the step. A reference returns the
output of the step and the states after it.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import gatelab as gl
from gatelab.language import catalogue

Array = NDArray[np.float64]
Step = Callable[[SimpleNamespace, Array, SimpleNamespace], tuple[Array, dict[str, Array]]]

T, B, I, H, P = 4, 2, 3, 5, 2


def sigma(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def gate(w: SimpleNamespace, name: str, x: Array, h: Array) -> Array:
    """What enters a gate: one matrix over the input and the past together."""
    both = np.hstack([getattr(w, "W_" + name), getattr(w, "R_" + name)])
    return both @ np.concatenate([x, h]) + getattr(w, "b_" + name)


# Without gates.


def plain(activation: Callable[[Array], Array]) -> Step:
    def step(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
        h = activation(gate(w, "h", x, s.h))
        return h, {"h": h}

    return step


def rectify(a: Array) -> Array:
    return np.where(a > 0, a, 0)


def independent(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    h = np.tanh(w.W_h @ x + np.diag(w.p_h) @ s.h + w.b_h)
    return h, {"h": h}


def leaky(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    h = s.h + 0.5 * (np.tanh(gate(w, "h", x, s.h)) - s.h)
    return h, {"h": h}


def ctrnn(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    speed = (-s.h + w.R_h @ sigma(s.h + w.b_h) + w.W_h @ x) / w.tau
    h = s.h + 0.1 * speed
    return h, {"h": h}


def scrn(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    context = 0.05 * (w.W_s @ x) + 0.95 * s.s
    hidden = sigma(w.V_h @ context + w.W_h @ x + w.R_h @ s.h)
    return w.U_y @ hidden + w.V_y @ context, {"s": context, "h": hidden}


def rhn(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    layer = s.h
    for depth in "123":
        first = depth == "1"
        proposal = getattr(w, "R_z" + depth) @ layer + getattr(w, "b_z" + depth) + (w.W_z @ x if first else 0)
        transform = getattr(w, "R_t" + depth) @ layer + getattr(w, "b_t" + depth) + (w.W_t @ x if first else 0)
        layer = (np.tanh(proposal) - layer) * sigma(transform) + layer
    return layer, {"h": layer}


def multiplicative_rnn(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    recurrent = w.V_h @ np.diag(w.W_m @ x) @ w.R_m
    h = np.tanh(w.W_h @ x + recurrent @ s.h + w.b_h)
    return h, {"h": h}


def mi_rnn(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    a, b = w.W_h @ x, w.R_h @ s.h
    h = np.tanh((w.alpha * a + w.beta_1) * b + w.beta_2 * a + w.b_h)
    return h, {"h": h}


# The LSTM, its ablations and its relatives.


def lstm_like(
    *,
    peepholes: bool = False,
    input_gate: str = "own",
    forget_gate: str = "own",
    output_gate: bool = True,
    squash_in: Callable[[Array], Array] = np.tanh,
    squash_out: Callable[[Array], Array] = np.tanh,
    forgets_both: bool = False,
) -> Step:
    """An LSTM whose gates are each "own", coupled as one minus the "other", or "one"."""

    def step(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
        def opened(name: str, memory: Array) -> Array:
            seen = getattr(w, "p_" + name) * memory if peepholes else 0
            return sigma(gate(w, name, x, s.h) + seen)

        one = np.ones(H)
        old = s.c if hasattr(s, "c") else s.h
        i = opened("i", old) if input_gate == "own" else one
        f = opened("f", old) if forget_gate == "own" else one
        i = 1 - f if input_gate == "other" else i
        f = 1 - i if forget_gate == "other" else f
        z = squash_in(gate(w, "z", x, s.h))
        c = f * (old + z) if forgets_both else f * old + i * z
        h = (opened("o", c) if output_gate else one) * squash_out(c)
        return h, {"h": h, "c": c}

    return step


def same(a: Array) -> Array:
    return a


def original_lstm(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    squashed = 4 / (1 + np.exp(-gate(w, "z", x, s.h))) - 2
    c = s.c + sigma(gate(w, "i", x, s.h)) * squashed
    h = sigma(gate(w, "o", x, s.h)) * (2 / (1 + np.exp(-c)) - 1)
    return h, {"h": h, "c": c}


def lstm_projected(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    i = sigma(gate(w, "i", x, s.h) + w.p_i * s.c)
    f = sigma(gate(w, "f", x, s.h) + w.p_f * s.c)
    c = f * s.c + i * np.tanh(gate(w, "z", x, s.h))
    o = sigma(gate(w, "o", x, s.h) + w.p_o * c)
    r = w.P_h @ (o * np.tanh(c))
    return r, {"h": r, "c": c}


def layer_norm_lstm(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    def norm(a: Array, gain: Array) -> Array:
        deviation = a - a.sum() / H
        return gain * deviation / math.sqrt((deviation**2).sum() / H + 1e-5)

    def inner(name: str) -> Array:
        from_input = norm(getattr(w, "W_" + name) @ x, getattr(w, "g_W_" + name))
        from_past = norm(getattr(w, "R_" + name) @ s.h, getattr(w, "g_R_" + name))
        return from_past + from_input + getattr(w, "b_" + name)

    c = sigma(inner("f")) * s.c + sigma(inner("i")) * np.tanh(inner("z"))
    h = sigma(inner("o")) * np.tanh(norm(c, w.g_c) + w.b_c)
    return h, {"h": h, "c": c}


def fgr(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    def inner(name: str) -> Array:
        gates = sum(getattr(w, f"R_{other}{name}") @ getattr(s, other) for other in "ifo")
        return gate(w, name, x, s.h) + gates

    i = sigma(inner("i") + w.p_i * s.c)
    f = sigma(inner("f") + w.p_f * s.c)
    c = np.tanh(gate(w, "z", x, s.h)) * i + s.c * f
    o = sigma(inner("o") + w.p_o * c)
    h = np.tanh(c) * o
    return h, {"h": h, "c": c, "i": i, "f": f, "o": o}


def nested_lstm(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    inner_x = sigma(gate(w, "i", x, s.h)) * np.tanh(gate(w, "z", x, s.h))
    inner_h = sigma(gate(w, "f", x, s.h)) * s.c
    raw = {
        name: getattr(w, "U_" + name) @ inner_x + getattr(w, "V_" + name) @ inner_h + getattr(w, "b_n" + name)
        for name in "ifzo"
    }
    inner_c = sigma(raw["f"]) * s.d + sigma(raw["i"]) * np.tanh(raw["z"])
    c = sigma(raw["o"]) * np.tanh(inner_c)
    h = sigma(gate(w, "o", x, s.h)) * np.tanh(c)
    return h, {"h": h, "c": c, "d": inner_c}


def on_lstm(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    def cumax(a: Array) -> Array:
        shares = np.exp(a) / np.exp(a).sum()
        return np.array([shares[: k + 1].sum() for k in range(H)])

    master_f = cumax(gate(w, "mf", x, s.h))
    master_i = 1 - cumax(gate(w, "mi", x, s.h))
    overlap = master_f * master_i
    f = sigma(gate(w, "f", x, s.h)) * overlap + (master_f - overlap)
    i = sigma(gate(w, "i", x, s.h)) * overlap + (master_i - overlap)
    c = f * s.c + i * np.tanh(gate(w, "z", x, s.h))
    h = sigma(gate(w, "o", x, s.h)) * np.tanh(c)
    return h, {"h": h, "c": c}


def mogrifier_lstm(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    h = s.h
    for round_ in range(1, 6):
        if round_ % 2:
            x = 2 * sigma(getattr(w, f"Q_{round_}") @ h) * x
        else:
            h = 2 * sigma(getattr(w, f"R_{round_}") @ x) * h
    return lstm_like()(w, x, SimpleNamespace(h=h, c=s.c))


def nas(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    from_input = [getattr(w, f"W_{k}") @ x for k in range(8)]
    from_past = [getattr(w, f"R_{k}") @ s.h + getattr(w, f"b_{k}") for k in range(8)]
    combined = [a + b for a, b in zip(from_input, from_past, strict=True)]
    combined[3] = from_input[3] * from_past[3]
    shapes = [sigma, rectify, sigma, rectify, np.tanh, sigma, np.tanh, sigma]
    first = [shape(a) for shape, a in zip(shapes, combined, strict=True)]
    second = [
        np.tanh(first[0] * first[1]),
        np.tanh(first[2] + first[3]),
        np.tanh(first[4] * first[5]),
        sigma(first[6] + first[7]),
    ]
    c = np.tanh(second[0] + s.c) * second[1]
    h = np.tanh(c * np.tanh(second[2] + second[3]))
    return h, {"h": h, "c": c}


def slstm(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    """Equations 8 to 14, without the stabiliser: c and n are true sums here, and m is zero."""
    i, f = np.exp(gate(w, "i", x, s.h)), sigma(gate(w, "f", x, s.h))
    c = f * (s.c * np.exp(s.m)) + i * np.tanh(gate(w, "z", x, s.h))
    n = f * (s.n * np.exp(s.m)) + i
    h = sigma(gate(w, "o", x, s.h)) * c / n
    return h, {"h": h, "c": c, "n": n, "m": np.zeros(H)}


# The GRU and its relatives.


def gru(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    r, z = sigma(gate(w, "r", x, s.h)), sigma(gate(w, "z", x, s.h))
    n = np.tanh((w.W_n @ x + w.b_n) + r * (w.R_n @ s.h + w.b_rn))
    h = n + z * (s.h - n)
    return h, {"h": h}


def slim_gru(parts: str) -> Step:
    """The published GRU, its gates made of the input `x`, the past `h` and a bias `b`."""

    def step(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
        r, z = (sigma(slim_gate(w, name, parts, x, s.h)) for name in "rz")
        n = np.tanh(w.W_n @ x + w.R_n @ (r * s.h) + w.b_n)
        h = z * s.h + (1 - z) * n
        return h, {"h": h}

    return step


def slim_mgu(parts: str) -> Step:
    def step(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
        f = sigma(slim_gate(w, "f", parts, x, s.h))
        h = s.h + f * (np.tanh(gate(w, "n", x, f * s.h)) - s.h)
        return h, {"h": h}

    return step


def slim_gate(w: SimpleNamespace, name: str, parts: str, x: Array, h: Array) -> Array:
    total = np.zeros(H)
    if "x" in parts:
        total += getattr(w, "W_" + name) @ x
    if "h" in parts:
        total += getattr(w, "R_" + name) @ h
    if "b" in parts:
        total += getattr(w, "b_" + name)
    return total


def mut1(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    z, r = sigma(w.W_z @ x + w.b_z), sigma(gate(w, "r", x, s.h))
    h = np.tanh(w.R_n @ (r * s.h) + np.tanh(x) + w.b_n) * z + s.h * (1 - z)
    return h, {"h": h}


def mut2(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    z, r = sigma(gate(w, "z", x, s.h)), sigma(x + w.R_r @ s.h + w.b_r)
    h = np.tanh(gate(w, "n", x, r * s.h)) * z + s.h * (1 - z)
    return h, {"h": h}


def lem(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    step, step_bar = sigma(gate(w, "dc", x, s.h)), sigma(gate(w, "dh", x, s.h))
    z = (1 - step) * s.c + step * np.tanh(gate(w, "c", x, s.h))
    y = (1 - step_bar) * s.h + step_bar * np.tanh(w.V_h @ z + w.W_h @ x + w.b_h)
    return y, {"h": y, "c": z}


# Scans.


def qrnn(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    window = np.concatenate([s.xp, x])
    z, f, o = (np.hstack([getattr(w, "V_" + g), getattr(w, "W_" + g)]) @ window for g in "zfo")
    c = sigma(f) * s.c + (1 - sigma(f)) * np.tanh(z)
    return sigma(o) * c, {"c": c, "xp": x}


def sru(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    f = sigma(w.W_f @ x + w.p_f * s.c + w.b_f)
    r = sigma(w.W_r @ x + w.p_r * s.c + w.b_r)
    c = f * s.c + (1 - f) * (w.W_z @ x)
    return r * c + (1 - r) * x, {"c": c}


def gilr(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    g = sigma(w.W_g @ x + w.b_g)
    h = g * s.h + (1 - g) * np.tanh(w.W_z @ x + w.b_z)
    return h, {"h": h}


def positive(v: Array) -> Array:
    return np.where(v >= 0, v + 0.5, sigma(v))


def min_gru(candidate: Callable[[Array], Array]) -> Step:
    def step(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
        z = sigma(w.W_f @ x + w.b_f)
        h = (1 - z) * s.h + z * candidate(w.W_z @ x + w.b_z)
        return h, {"h": h}

    return step


def min_lstm(candidate: Callable[[Array], Array]) -> Step:
    def step(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
        f, i = sigma(w.W_f @ x + w.b_f), sigma(w.W_i @ x + w.b_i)
        h = (f * s.h + i * candidate(w.W_z @ x + w.b_z)) / (f + i)
        return h, {"h": h}

    return step


def rg_lru(w: SimpleNamespace, x: Array, s: SimpleNamespace) -> tuple[Array, dict[str, Array]]:
    r, i = sigma(w.W_r @ x + w.b_r), sigma(w.W_i @ x + w.b_i)
    a = sigma(w.Lambda) ** (8 * r)
    h = a * s.h + np.sqrt(1 - a * a) * (i * x)
    return h, {"h": h}


REFERENCES: Mapping[str, Step] = {
    "elman": plain(np.tanh),
    "elman_relu": plain(rectify),
    "irnn": plain(rectify),
    "indrnn_tanh": independent,
    "leaky": leaky,
    "ctrnn": ctrnn,
    "scrn": scrn,
    "rhn": rhn,
    "multiplicative_rnn": multiplicative_rnn,
    "mi_rnn": mi_rnn,
    "original_lstm": original_lstm,
    "lstm": lstm_like(),
    "chrono_lstm": lstm_like(),
    "lstm_projected": lstm_projected,
    "layer_norm_lstm": layer_norm_lstm,
    "fo": lstm_like(input_gate="other"),
    "f": lstm_like(input_gate="other", output_gate=False, squash_out=same),
    "io": lstm_like(forget_gate="one"),
    "o": lstm_like(input_gate="one", forget_gate="one"),
    "myfo": lstm_like(input_gate="one", forgets_both=True),
    "vanilla": lstm_like(peepholes=True),
    "nig": lstm_like(peepholes=True, input_gate="one"),
    "nfg": lstm_like(peepholes=True, forget_gate="one"),
    "nog": lstm_like(peepholes=True, output_gate=False),
    "niaf": lstm_like(peepholes=True, squash_in=same),
    "noaf": lstm_like(peepholes=True, squash_out=same),
    "cifg": lstm_like(peepholes=True, forget_gate="other"),
    "np": lstm_like(),
    "fgr": fgr,
    "nested_lstm": nested_lstm,
    "on_lstm": on_lstm,
    "mogrifier_lstm": mogrifier_lstm,
    "nas": nas,
    "slstm": slstm,
    "gru": gru,
    "gru_original": slim_gru("xhb"),
    "gru1": slim_gru("hb"),
    "gru2": slim_gru("h"),
    "gru3": slim_gru("b"),
    "mut1": mut1,
    "mut2": mut2,
    "mgu1": slim_mgu("hb"),
    "mgu2": slim_mgu("h"),
    "mgu3": slim_mgu("b"),
    "lem": lem,
    "qrnn": qrnn,
    "sru": sru,
    "gilr": gilr,
    "min_gru": min_gru(same),
    "min_gru_positive": min_gru(positive),
    "min_lstm": min_lstm(same),
    "min_lstm_positive": min_lstm(positive),
    "rg_lru": rg_lru,
}

# Its reference has no stabiliser, so only what leaves the cell can be compared.
STATES_DIFFER = {"slstm"}


def compare(name: str, reference: Step) -> None:
    """Our layer beside a reference, over a few steps from random weights, inputs and states."""
    cell = gl.cell(name)
    random = np.random.default_rng(0)
    input_size = H if cell.width("x") == "H" else I
    widths = dict.fromkeys(cell.width_names, P)
    size = {"I": input_size, "H": H, **widths}
    shapes = cell.parameters(input_size, H, **widths)
    weights = {parameter: random.uniform(-1, 1, shape) for parameter, shape in shapes.items()}
    if "tau" in weights:  # a time, so positive
        weights["tau"] = 0.5 + np.abs(weights["tau"])
    x = random.uniform(-2, 2, (T, B, input_size))
    # Positive, since the normaliser of slstm is a sum of positive terms.
    initial = {state: random.uniform(0.1, 1, (B, size[cell.width(state)])) for state in cell.states}

    layer = gl.Recurrent(cell, input_size, H, dtype=torch.float64, widths=widths, backend="eager")
    parameters = {f"{parameter}_l0": torch.from_numpy(value) for parameter, value in weights.items()}
    states = tuple(torch.from_numpy(initial[state])[None] for state in cell.states)
    output, final = torch.func.functional_call(layer, parameters, (torch.from_numpy(x), states))

    w = SimpleNamespace(**weights)
    for b in range(B):
        s = SimpleNamespace(**{state: value[b] for state, value in initial.items()})
        for t in range(T):
            expected, after = reference(w, x[t, b], s)
            np.testing.assert_allclose(output[t, b].detach().numpy(), expected, rtol=1e-11, atol=1e-12)
            s = SimpleNamespace(**{state: after[state] for state in cell.states})
        if name not in STATES_DIFFER:
            for state, value in zip(cell.states, final, strict=True):
                expected = getattr(s, state)
                np.testing.assert_allclose(value[0, b].detach().numpy(), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", REFERENCES)
def test_agrees_with_numpy(name: str) -> None:
    compare(name, REFERENCES[name])


@pytest.mark.parametrize(("name", "wrong"), [("lstm", "io"), ("noaf", "vanilla"), ("gru", "gru_original")])
def test_another_formula_is_seen(name: str, wrong: str) -> None:
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compare(name, REFERENCES[wrong])


def test_every_cell_is_compared_with_something() -> None:
    # The neighbouring file, by whatever name pytest imports the two.
    peers = importlib.import_module(__name__.replace("independent", "peers")).PEERS
    assert set(catalogue.NAMES) == set(peers) | set(REFERENCES)


def test_paper_formulas_that_no_package_has_are_compared_here() -> None:
    """Where torchrecurrent's formula is another one by more than a bias, numpy checks the paper's."""
    more_than_a_bias = {"lem", "nas", "mut1", "mut2", "scrn", "original_lstm"}
    assert more_than_a_bias <= set(REFERENCES)


def test_names_and_aliases_are_of_one_cell_each() -> None:
    families = [cell for family in catalogue.FAMILIES for cell in family]
    names = [name for cell in families for name in (cell.name, *cell.aliases)]
    assert len(names) == len(set(names))
    assert set(names) == set(catalogue.ALL_NAMES)


def test_an_alias_finds_its_cell() -> None:
    assert catalogue.entry("rnn") is catalogue.ENTRIES["elman"]
    with pytest.raises(KeyError):
        catalogue.entry("lstmm")


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_entry_is_either_equations_or_edits(name: str) -> None:
    entry = catalogue.ENTRIES[name]
    assert bool(entry.equations) != bool(entry.base)
    assert entry.cite
    assert entry.about.endswith(".")
    if entry.base:
        assert not any((entry.constants, entry.parameters, entry.widths))
        assert entry.output == "h"
