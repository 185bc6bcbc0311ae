"""Mutual information, against counts whose information is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from gatelab.errors import DataError, OptionError, ShapeError
from gatelab.probes import information as module
from gatelab.probes.information import Information, information


def random(*shape, seed=0, **options):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), **options)


def symbols(count, *shape, seed=1):
    return torch.randint(count, shape, generator=torch.Generator().manual_seed(seed))


def one_step(*columns):
    """Sequences of one step whose units take these values, (1, B, W)."""
    return torch.tensor(columns).float().T.unsqueeze(0)


def correction(cells, rows, columns, pairs):
    """What Miller and Madow add to an information, in bits."""
    return (rows + columns - cells - 1) / (2 * pairs * math.log(2))


def test_a_unit_that_is_the_label_tells_all_of_it():
    labels = torch.tensor([0, 1] * 500)
    found = information(one_step(labels.tolist(), (3 - labels).tolist(), [0.5] * 1000), labels)
    assert found.bits == (1, 1, 0)
    assert found.entropy == 1
    assert (found.pairs, found.informative) == (1000, (0, 1))


@pytest.mark.parametrize("pairs", [40, 2000])
def test_ten_classes_hold_no_more_than_their_logarithm(pairs):
    labels = torch.arange(pairs) % 10
    found = information(one_step(labels.tolist()), labels, bins=20)
    assert found.entropy == math.log2(10) == found.bits[0]
    assert found.threshold <= found.entropy


def test_a_unit_that_is_right_nine_times_in_ten():
    """A binary channel that errs with 0.1 carries 1 - H(0.1) = 0.531 bits."""
    labels, unit = [0] * 1000 + [1] * 1000, [0] * 900 + [1] * 100 + [1] * 900 + [0] * 100
    found = information(one_step(unit), torch.tensor(labels))
    assert found.bits[0] == pytest.approx(0.5310 + correction(4, 2, 2, 2000), abs=1e-4)


def test_two_bits_of_four_symbols_and_none_of_what_is_unrelated():
    """All combinations come equally often; of the exclusive or, each of its two parts alone tells nothing."""
    first, second = torch.arange(800) // 2 % 2, torch.arange(800) % 2
    values = one_step((2 * first + second).tolist(), first.tolist())
    both, one = information(values, 2 * first + second).bits
    assert both == 2
    assert one == pytest.approx(1 + correction(4, 2, 4, 800))
    assert information(values, first ^ second).bits == (1, 0)


def test_it_is_what_scikit_learn_counts_with_the_correction():
    labels = symbols(3, 500)
    unit = labels + symbols(3, 500, seed=2)
    plain = mutual_info_score(labels, unit) / math.log(2)
    cells, levels = len(set(zip(labels.tolist(), unit.tolist(), strict=True))), 5
    found = information(one_step(unit.tolist()), labels, bins=64)
    assert found.bits[0] == pytest.approx(plain + correction(cells, levels, 3, 500))


def test_the_correction_takes_off_what_chance_adds():
    """16 x 8 cells from 2,000 unrelated pairs seem to have 0.038 bits: (16 - 1)(8 - 1) / 2N nats."""
    found = information(random(2000, 1, 40), symbols(8, 2000, 1), bins=16)
    counted = [value - correction(128, 16, 8, 2000) for value in found.bits]
    assert np.mean(counted) == pytest.approx(0.038, abs=0.003)
    assert np.mean(found.bits) < 0.003


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_a_unit_that_remembers_tells_the_symbol_of_that_step(lag):
    read = symbols(2, 50, 20)
    values = torch.zeros(50, 20, 2)
    values[lag:, :, 0] = read[: 50 - lag].float()
    found = information(values, read, lag=lag)
    assert found.bits == (pytest.approx(1.0, abs=0.01), 0.0)
    assert found.pairs == (50 - lag) * 20
    assert information(values, read, lag=lag + 1).bits[0] < 0.05


def test_pairs_with_a_lag_end_where_their_sequences_do():
    lengths, read, values = symbols(8, 30, seed=4) + 1, symbols(3, 8, 30), random(8, 30, 2)
    found = information(values, read, lengths, lag=2)
    assert found.pairs == int((lengths - 2).clamp(min=0).sum())
    values[torch.arange(8).unsqueeze(-1) >= lengths] = math.nan
    assert information(values, read, lengths, lag=2) == found


def test_shuffles_keep_sequences_whole_and_their_order_not():
    """Three sequences, laid in a circle: two orders, each from any step on."""
    orders, starts = set(), set()
    for mixed in module._shuffled(np.arange(9), np.array([2, 5, 9]), 50, np.random.default_rng(0)):
        begin = int(np.flatnonzero(mixed == 0)[0])
        orders.add(tuple(np.roll(mixed, -begin).tolist()))
        starts.add(begin)
    assert orders == {tuple(range(9)), (0, 1, 5, 6, 7, 8, 2, 3, 4)}
    assert starts == set(range(9))


def test_labels_are_told_by_the_last_valid_step():
    labels, lengths = symbols(2, 200), symbols(5, 200, seed=3) + 1
    values = random(6, 200, 1)
    values[lengths - 1, torch.arange(200), 0] = labels.float()
    assert information(values, labels, lengths).bits[0] == pytest.approx(1.0, abs=0.02)
    assert information(values, labels).bits[0] < 0.5


def test_steps_beyond_the_end_do_not_count():
    lengths, read, values = symbols(8, 30, seed=4) + 1, symbols(3, 8, 30), random(8, 30, 2)
    beyond = torch.arange(8).unsqueeze(-1) >= lengths
    found = information(values, read, lengths)
    assert found.pairs == int(lengths.sum())
    others, otherwise = values.clone(), read.clone()
    others[beyond], otherwise[beyond] = math.nan, 7
    assert information(others, otherwise, lengths) == found


@given(
    seed=st.integers(0, 999),
    count=st.integers(1, 5),
    bins=st.integers(2, 12),
    change=st.sampled_from([torch.exp, torch.sigmoid, lambda value: 3 * value - 1]),
)
def test_only_the_order_of_values_counts(seed, count, bins, change):
    values, read = random(12, 9, 2, seed=seed, dtype=torch.float64).mul(8).round(), symbols(count, 12, 9, seed=seed)
    found = information(values, read, bins=bins, shuffles=3)
    assert information(change(values), read, bins=bins, shuffles=3) == found
    assert all(0 <= bits <= found.entropy + 1e-9 for bits in found.bits)


def test_two_values_stay_apart_however_rare_one_is():
    labels = torch.tensor([0] * 990 + [1] * 10)
    found = information(one_step(labels.tolist(), (1 - labels).tolist()), labels, bins=2)
    assert found.bits == pytest.approx((found.entropy,) * 2)


def test_chance_passes_the_threshold_about_once_in_twenty():
    """Of 100 data sets of 10 units that know nothing, counted by whether any unit passes."""
    passed = [
        bool(information(random(1, 80, 10, seed=seed), symbols(2, 80, seed=seed + 500), shuffles=60).informative)
        for seed in range(100)
    ]
    assert 0 < sum(passed) <= 12


def test_slow_units_do_not_pass_for_related_to_slow_symbols():
    """Random walks, whose every pair of steps taken as one of its own would have them all seem to know."""
    generator = torch.Generator().manual_seed(0)
    walks = torch.randn(400, 12, 10, generator=generator).cumsum(0)
    slow = (torch.randn(400, 12, generator=generator).cumsum(0) > 0).long()
    found = information(walks, slow)
    assert max(found.bits) > 0.02
    assert found.informative == ()
    alone = information(walks[:, :1], slow[:, :1])
    assert max(alone.bits) > 0.1
    assert alone.informative == ()


def test_of_many_pairs_whole_sequences_are_drawn(monkeypatch):
    read = symbols(2, 10, 40)
    values = read.float().unsqueeze(-1)
    monkeypatch.setattr(module, "MOST_PAIRS", 95)
    found = information(values, read)
    assert (found.pairs, found.informative) == (95, (0,))
    assert information(values, read) == found


def test_units_are_told_in_the_order_of_what_they_tell():
    assert Information((0.1, 0.5, 0.3, 0.05), threshold=0.08, entropy=1.0, pairs=9).informative == (1, 2, 0)


@pytest.mark.parametrize("options", [{"lag": -1}, {"bins": 1}, {"shuffles": 0}])
def test_options_that_cannot_be(options):
    with pytest.raises(OptionError, match="Give"):
        information(random(4, 3, 2), symbols(2, 4, 3), **options)


def test_labels_have_no_lag():
    with pytest.raises(OptionError, match="0 for labels"):
        information(random(4, 3, 2), symbols(2, 3), lag=1)


def test_symbols_and_values_that_cannot_be():
    with pytest.raises(ShapeError, match=r"\(3,\), or one a step, \(4, 3\)"):
        information(random(4, 3, 2), symbols(2, 4))
    with pytest.raises(ShapeError, match="whole numbers"):
        information(random(4, 3, 2), random(4, 3))
    with pytest.raises(ShapeError, match="more than 4 steps"):
        information(random(4, 3, 2), symbols(2, 4, 3), lag=4)
    with pytest.raises(DataError, match="diverged"):
        information(torch.full((4, 3, 2), math.nan), symbols(2, 4, 3))
