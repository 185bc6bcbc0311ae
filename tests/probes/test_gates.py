"""Readings of gates and states, against values made by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.errors import DataError, OptionError, ShapeError
from gatelab.probes.gates import (
    QUANTILES,
    distribution,
    half_life,
    idle_units,
    saturation,
    valid_mask,
    valid_steps,
)


def units(*columns):
    """One sequence whose units take these values, (T, 1, W)."""
    return torch.tensor(columns).T.unsqueeze(1)


@st.composite
def ragged_gates(draw):
    """Gates with lengths, and anything at all beyond the ends."""
    steps, batch, width = draw(st.integers(1, 6)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    values = torch.rand(steps, batch, width, generator=generator)
    lengths = torch.tensor(draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch)))
    beyond = torch.arange(steps).unsqueeze(-1) >= lengths
    values[beyond] = draw(st.sampled_from([0.0, 1.0, 5.0, math.nan]))
    return values, lengths


def by_sequence(values, lengths):
    """The same steps, picked one sequence after the other, as one sequence (N, 1, W)."""
    return torch.cat([values[: int(length), b] for b, length in enumerate(lengths)]).unsqueeze(1)


def test_saturation_counts_what_lies_beyond_its_borders():
    found = saturation(units([0.0, 0.05, 0.1, 0.5], [0.9, 0.95, 1.0, 0.5]))
    assert found.shut_by_unit == (0.5, 0.0)  # 0.1 itself is float32 0.1, which is not below 0.1.
    assert found.open_by_unit == (0.0, 0.5)  # Nor is 0.9 above 0.9.
    assert (found.shut, found.open) == (0.25, 0.25)
    assert (found.low, found.high) == (0.1, 0.9)


def test_saturation_with_borders_of_ones_own():
    found = saturation(units([-1.0, -0.25, 0.25, 1.0]), low=-0.5, high=0.0)
    assert (found.shut, found.open) == (0.25, 0.5)
    with pytest.raises(OptionError, match="Turn them round"):
        saturation(torch.zeros(1, 1, 1), low=0.9, high=0.1)


def test_half_life_of_constant_gates():
    found = half_life(units([0.5] * 3, [0.25] * 3, [1.0] * 3, [0.0] * 3))
    assert found.by_unit == (1.0, 0.5, math.inf, 0.0)
    assert found.quantiles[0] == 0.0 and found.quantiles[-1] == math.inf


def test_half_life_goes_by_the_geometric_mean():
    """1/4 and 1 keep as much over two steps as 1/2 twice; 0.9 keeps half for log 2 / -log 0.9 steps."""
    found = half_life(units([0.25, 1.0], [0.9, 0.9]))
    assert found.by_unit == pytest.approx((1.0, 6.5788), abs=1e-4)


def test_half_life_is_counted_in_steps_of_the_memory():
    """A memory of 1 that forgets for as long as found has half left."""
    gate = torch.tensor(0.9)
    steps = half_life(gate.expand(4, 2, 1)).by_unit[0]
    assert float(gate) ** steps == pytest.approx(0.5)


def test_infinite_half_lives_have_quantiles_too():
    found = half_life(units(*[[1.0]] * 3, *[[0.5]] * 1))
    assert found.quantiles == (1.0, 1.0, 1.0, math.inf, math.inf, math.inf, math.inf)


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_what_is_no_gate_has_no_half_life(value):
    with pytest.raises(OptionError, match="from 0 to 1"):
        half_life(torch.full((2, 1, 1), value))


def test_distribution_of_known_values():
    found = distribution(units([0.0, 0.25, 0.5, 1.0], [1.0] * 4), bins=4)
    assert found.edges == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert found.counts == ((1, 1, 1, 1), (0, 0, 0, 4))
    assert found.quantiles[0][0] == 0.0 and found.quantiles[0][3] == 0.375 and found.quantiles[0][-1] == 1.0
    assert found.quantiles[1] == (1.0,) * len(QUANTILES)
    assert found.mean == (0.4375, 1.0)
    assert found.deviation == (pytest.approx(np.std([0, 0.25, 0.5, 1])), 0.0)


def test_distribution_with_edges_of_ones_own():
    assert distribution(units([0.1, 0.2, 0.7, 3.0]), bins=[0, 0.5, 1]).counts == ((2, 1),)


@pytest.mark.parametrize("bins", [0, [1, 0], "many", 2.5])
def test_bins_that_cannot_be(bins):
    with pytest.raises(OptionError, match="bins is"):
        distribution(torch.zeros(1, 1, 1), bins=bins)


def test_dead_and_frozen_units():
    values = units([0.0, 1e-4, -1e-4], [0.7, 0.7004, 0.7], [0.0, 0.0, 0.1], [-0.2, -0.2, -0.2])
    found = idle_units(values)
    assert (found.dead, found.frozen, found.of, found.tolerance) == ((0,), (1, 3), 4, 1e-3)
    assert idle_units(values, tolerance=0.2).dead == (0, 2, 3)
    assert idle_units(values, tolerance=0.0).frozen == (3,)
    with pytest.raises(OptionError, match="at least 0"):
        idle_units(values, tolerance=-1.0)


@given(ragged_gates())
def test_steps_beyond_the_end_do_not_count(drawn):
    values, lengths = drawn
    alone = by_sequence(values, lengths)
    edges = np.linspace(0, 1, 5)
    assert saturation(values, lengths).shut_by_unit == pytest.approx(saturation(alone).shut_by_unit)
    assert half_life(values, lengths).by_unit == pytest.approx(half_life(alone).by_unit)
    assert distribution(values, lengths, edges).counts == distribution(alone, bins=edges).counts
    assert distribution(values, lengths, edges).quantiles == distribution(alone, bins=edges).quantiles
    assert idle_units(values, lengths, 0.1) == idle_units(alone, tolerance=0.1)


@given(ragged_gates())
def test_a_histogram_counts_every_step_once(drawn):
    values, lengths = drawn
    found = distribution(values, lengths)
    assert {sum(row) for row in found.counts} == {int(lengths.sum())}


def test_half_precision_is_read_in_single():
    assert valid_steps(torch.full((1, 1, 1), 0.5, dtype=torch.bfloat16)).dtype == torch.float32
    assert valid_steps(torch.full((1, 1, 1), 0.5, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(
    ("values", "lengths", "says"),
    [
        (torch.zeros(2, 3), None, r"\(T, B, W\)"),
        (torch.zeros(2, 2, 3, 4), None, r"values\[0\]"),
        (torch.zeros(2, 3, 4, dtype=torch.long), None, "int64"),
        (torch.zeros(2, 3, 4), torch.tensor([1, 2]), r"\(3,\)"),
        (torch.zeros(2, 3, 4), torch.ones(3), "whole numbers"),
        (torch.zeros(2, 3, 4), torch.tensor([0, 1, 2]), "from 0 to 2"),
        (torch.zeros(2, 3, 4), torch.tensor([1, 1, 3]), "the 2 steps"),
    ],
)
def test_shapes_that_do_not_fit(values, lengths, says):
    with pytest.raises(ShapeError, match=says):
        valid_mask(values, lengths)


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 3, 0)])
def test_nothing_has_no_reading(shape):
    with pytest.raises(ShapeError, match="nothing to read"):
        saturation(torch.zeros(shape))


def test_a_diverged_model_is_named():
    with pytest.raises(DataError, match="diverged"):
        saturation(torch.full((1, 1, 1), math.nan))
