"""The best weights so far, of each replica apart."""

import pytest
import torch

from gatelab.files import read_tensors, write_tensors
from gatelab.training.chosen import Chosen


def offer(chosen, step, values, best="highest"):
    """Offers weights that say at which step they were."""
    rows = len(values)
    chosen.offer(step, torch.tensor(values), best, {"a": torch.full((rows, 2), float(step)), "b": torch.ones(rows)})


def steps_of(chosen):
    assert torch.equal(chosen.weights["a"][:, 0], chosen.steps.float()), "the weights are those of the step"
    return chosen.steps.tolist()


@pytest.mark.parametrize(("best", "expected"), [("highest", [3, 1]), ("lowest", [2, 3])])
def test_each_replica_keeps_its_own_best(best, expected):
    chosen = Chosen(2)
    for step, values in ((1, [5.0, 9.0]), (2, [4.0, 7.0]), (3, [6.0, 6.0])):
        offer(chosen, step, values, best)
    assert steps_of(chosen) == expected


def test_of_equals_the_first_stays_and_patience_counts_on():
    chosen = Chosen(1)
    for step in (1, 2, 3):
        offer(chosen, step, [5.0])
    assert (steps_of(chosen), chosen.waited.tolist()) == ([1], [2])
    offer(chosen, 4, [5.5])
    assert (steps_of(chosen), chosen.waited.tolist()) == ([4], [0])


def test_what_is_not_a_number_is_never_the_best():
    chosen, nan = Chosen(2), float("nan")
    offer(chosen, 1, [nan, 2.0])
    assert chosen.waited.tolist() == [1, 0]
    offer(chosen, 2, [1.0, nan])
    offer(chosen, 3, [nan, 3.0])
    assert (steps_of(chosen), chosen.values.tolist()) == ([2, 3], [1.0, 3.0])


@pytest.mark.parametrize("best", ["highest", "lowest"])
def test_an_infinite_score_is_no_first_best(best):
    chosen = Chosen(2)
    offer(chosen, 1, [float("inf"), float("-inf")], best)
    offer(chosen, 2, [1.0, 1.0], best)
    assert steps_of(chosen) == [2, 2]


def test_the_weights_are_copies():
    chosen, weights = Chosen(1), {"a": torch.zeros(1, 2)}
    chosen.offer(1, torch.tensor([1.0]), "highest", weights)
    weights["a"].fill_(7.0)
    assert not chosen.weights["a"].any()


def test_who_leaves_takes_only_its_own():
    chosen = Chosen(3)
    offer(chosen, 1, [1.0, 2.0, 3.0])
    offer(chosen, 2, [0.0, 3.0, 0.0])
    chosen.keep(torch.tensor([1, 2]))
    assert (steps_of(chosen), chosen.values.tolist(), chosen.waited.tolist()) == ([2, 1], [3.0, 3.0], [0, 1])


def test_it_comes_back_from_a_file(tmp_path):
    chosen, again = Chosen(2), Chosen(2)
    offer(chosen, 1, [1.0, float("nan")])
    write_tensors(tmp_path / "chosen", chosen.state(), {})
    again.restore(read_tensors(tmp_path / "chosen").tensors)
    for one in (chosen, again):
        offer(one, 2, [1.0, 4.0])
    assert (steps_of(again), again.waited.tolist()) == (steps_of(chosen), chosen.waited.tolist())
    assert again.weights.keys() == chosen.weights.keys()
