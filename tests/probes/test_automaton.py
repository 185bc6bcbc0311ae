"""Machines out of states: hand-built ones come back, and so does the parity of a trained cell."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.errors import DataError, OptionError, ShapeError
from gatelab.probes import automaton as module
from gatelab.probes.automaton import UNKNOWN, Agreement, Automaton, as_automaton
from gatelab.training.fit import fit
from gatelab.training.replicas import load_replicas
from gatelab.training.settings import make_settings

PARITY = ((0, 1), (1, 0))


def words(kinds, steps, batch, seed=0):
    return torch.randint(kinds, (steps, batch), generator=torch.Generator().manual_seed(seed))


def parity(bits):
    return bits.cumsum(0) % 2


def noisy(places, deviation=0.1):
    """One unit at these places, (T, B), but for some noise."""
    noise = torch.randn(*places.shape, 1, generator=torch.Generator().manual_seed(9))
    return places.unsqueeze(-1) + deviation * noise


def followed(table, bits):
    """The states that a table goes through from state 0 on, (T, B)."""
    table, state, found = torch.as_tensor(table), torch.zeros(bits.shape[1], dtype=torch.long), []
    for own in bits:
        state = table[state, own]
        found.append(state)
    return torch.stack(found)


def test_noisy_states_of_parity_are_its_two_state_machine():
    bits = words(2, 20, 60)
    found = as_automaton(noisy(parity(bits)), bits, parity(bits))
    assert (found.table, found.answers, found.symbols, found.clusters) == (PARITY, (0, 1), (0, 1), 2)
    assert found.agreement == Agreement(1.0, 1.0, 1.0)


def test_one_state_may_have_several_places():
    """A saw-tooth: odd lies at 0, and even at -1 or 1, as the last bit was."""
    bits = words(2, 20, 60)
    states = noisy(torch.where(parity(bits) == 1, 0.0, 2.0 * bits - 1))
    found = as_automaton(states, bits, parity(bits))
    assert (found.table, found.answers, found.agreement.steps) == (PARITY, (0, 1), 1.0)


def test_states_that_behave_alike_are_merged():
    """Parity with two states for even, 0 and 2, two for odd, one that is never reached, and a start of its own."""
    table = np.array([[2, 1], [3, 2], [0, 3], [1, 0], [4, 4], [0, 3]])
    merged, answers = module._merged(table, np.array([0, 1, 0, 1, 1, UNKNOWN]))
    assert (merged.tolist(), answers.tolist()) == ([[0, 1], [1, 0]], [0, 1])


def test_merged_states_know_what_one_of_them_has_seen():
    """Of even, only the start has ever seen a 1."""
    merged, answers = module._merged(np.array([[0, UNKNOWN], [1, 0], [0, 1]]), np.array([0, 1, UNKNOWN]))
    assert (merged.tolist(), answers.tolist()) == ([[0, 1], [1, 0]], [0, 1])


def smallest(table, answers):
    """How many classes of states Moore's refinement comes to, for states that are reached from 0."""
    reached = {0}
    while new := {state for own in reached for state in table[own]} - reached:
        reached |= new
    classes = {state: (answers[state],) for state in reached}
    while True:
        finer = {state: (classes[state], *(classes[following] for following in table[state])) for state in reached}
        if len(set(finer.values())) == len(set(classes.values())):
            return len(set(classes.values()))
        names = {value: (place,) for place, value in enumerate(sorted(set(finer.values()), key=str))}
        classes = {state: names[value] for state, value in finer.items()}


def test_states_of_one_answer_are_told_apart_by_where_they_go():
    """Counting to three, and asked only whether it is at 0."""
    bits = words(2, 30, 60)
    count = bits.cumsum(0) % 3
    found = as_automaton(noisy(count), bits, (count == 0).long())
    assert found.table == ((0, 1), (1, 2), (2, 0))
    assert found.answers == (1, 0, 0)
    assert found.agreement.steps == 1.0


@st.composite
def machines(draw):
    states, kinds = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    row = st.lists(st.integers(0, states - 1), min_size=kinds, max_size=kinds)
    return draw(st.lists(row, min_size=states, max_size=states)), draw(
        st.lists(st.integers(0, 1), min_size=states, max_size=states)
    )


@given(machines())
def test_a_complete_machine_becomes_the_smallest(machine):
    table, answers = machine
    merged, known = module._merged(np.array([*table, table[0]]), np.array([*answers, answers[0]]))
    assert len(merged) == smallest(table, answers)
    read = words(len(table[0]), 9, 20)
    assert known[followed(merged, read)].tolist() == torch.tensor(answers)[followed(table, read)].tolist()


@given(machines(), st.integers(0, 99))
def test_any_machine_with_a_unit_for_each_state_comes_back(machine, seed):
    """No larger than it was, and as good on words that it was not made from."""
    table, answers = machine
    read, others = words(len(table[0]), 12, 80, seed), words(len(table[0]), 12, 80, seed + 100)
    path = followed(table, read)
    states = torch.nn.functional.one_hot(path, len(table)) + 0.02 * torch.rand(*path.shape, len(table))
    found = as_automaton(states, read, torch.tensor(answers)[path])
    assert found.agreement.steps >= module.ENOUGH
    assert len(found.table) <= len(table)
    assert found.compare(others, torch.tensor(answers)[followed(table, others)]).steps >= 0.95


def test_what_was_never_seen_is_a_dash_and_stops_the_machine():
    """After a 1 always comes a 0, and the answer is the last bit."""
    bits = words(2, 20, 40)
    bits[1:] *= 1 - bits[:-1]
    bits = torch.where((bits == 1) & (bits.roll(1, 0) == 1) & (torch.arange(20).unsqueeze(-1) > 0), 0, bits)
    found = as_automaton(noisy(bits), bits, bits)
    assert found.table == ((0, 1), (0, UNKNOWN))
    assert found.rows() == (("state", "0", "1", "answer"), ("0", "0", "1", "0"), ("1", "0", "-", "1"))
    assert found.run(torch.tensor([[1, 0, 0], [1, 7, 1], [0, 0, 0]])).T.tolist() == [
        [1, -1, -1],
        [0, -1, -1],
        [0, 1, 0],
    ]


def test_a_start_that_is_like_no_other_state_stays_one():
    """Only the first bit counts, and nothing is ever answered before it."""
    bits = words(2, 6, 40)
    first = bits[:1].expand(6, -1)
    found = as_automaton(noisy(first), bits, first)
    assert found.answers[0] == UNKNOWN
    assert found.table == ((1, 2), (1, 1), (2, 2))
    assert found.answers[1:] == (0, 1)


def test_an_answer_that_never_changes_needs_one_state():
    bits = words(2, 9, 20)
    found = as_automaton(noisy(parity(bits)), bits, torch.full_like(bits, 3))
    assert (found.table, found.answers) == (((0, 0),), (3,))


@pytest.mark.parametrize("answers", [None, torch.zeros(9, 20, dtype=torch.long)])
def test_states_that_never_change_are_one_cluster(answers):
    found = as_automaton(torch.full((9, 20, 3), 0.5), words(2, 9, 20), answers)
    assert (found.clusters, found.table, found.agreement.steps) == (1, ((0, 0),), 1.0)


def test_a_model_that_contradicts_its_states_gets_the_best_there_is():
    """The state is always the same, but the answer is the parity: no cut can help, and no error comes."""
    bits = words(2, 9, 20)
    found = as_automaton(torch.full((9, 20, 1), 0.5), bits, parity(bits))
    assert found.agreement.steps == 1.0  # Of each answer the states are one cluster, whatever they are.
    found = as_automaton(torch.full((9, 20, 1), 0.5), bits, words(2, 9, 20, seed=5))
    assert found.agreement.steps < 0.8


def test_without_answers_the_clusters_stand_for_them():
    bits = words(2, 20, 60)
    found = as_automaton(noisy(parity(bits)), bits)
    assert (found.table, set(found.answers)) == (PARITY, {0, 1})
    assert found.agreement == Agreement(1.0, 1.0, 1.0)


def test_a_smaller_machine_is_taken_where_none_is_right():
    """One answer in twenty is wrong by chance, which no state explains."""
    bits = words(2, 20, 60)
    wrong = (torch.rand(20, 60, generator=torch.Generator().manual_seed(2)) < 0.05).long()
    found = as_automaton(noisy(parity(bits)), bits, parity(bits) ^ wrong)
    assert (found.table, found.answers) == (PARITY, (0, 1))
    assert found.agreement.steps == pytest.approx(1 - float(wrong.float().mean()))


def test_a_little_more_agreement_is_not_worth_more_states(monkeypatch):
    """A last symbol is answered by the last bit, which nothing else needs; besides, some answers are wrong by chance.

    Without the last bit half of the last answers are wrong, which is one step in 120.
    """
    bits = words(2, 60, 200)
    chance = (torch.rand(60, 200, generator=torch.Generator().manual_seed(2)) < 0.006).long()
    states, answers = torch.stack([parity(bits), bits], dim=-1).float(), parity(bits) ^ chance
    answers[-1] = bits[-2]
    bits[-1] = 2
    small = as_automaton(states, bits, answers)
    monkeypatch.setattr(module, "SLACK", 0.0)
    large = as_automaton(states, bits, answers)
    assert len(small.table) < len(large.table)
    assert large.agreement.steps < module.ENOUGH
    assert 0 < large.agreement.steps - small.agreement.steps < 0.01


def test_agreement_counts_steps_ends_and_whole_sequences():
    machine = Automaton((0, 1), PARITY, (0, 1), 2, Agreement(1.0, 1.0, 1.0))
    bits, lengths = words(2, 4, 5), torch.tensor([4, 4, 2, 1, 4])
    answers = parity(bits)
    assert machine.compare(bits, answers, lengths) == Agreement(1.0, 1.0, 1.0)
    answers[3, 0] ^= 1  # An end,
    answers[1, 1] ^= 1  # a step on the way,
    answers[2, 2] ^= 1  # and one beyond the end.
    found = machine.compare(bits, answers, lengths)
    assert (found.steps, found.ends, found.sequences) == (13 / 15, 4 / 5, 3 / 5)
    assert machine.run(bits, lengths)[:, 3].tolist() == [int(bits[0, 3]), *[UNKNOWN] * 3]


def test_steps_beyond_the_end_do_not_count():
    bits, lengths = words(2, 20, 60), words(20, 1, 60, seed=3)[0] + 1
    states, answers = noisy(parity(bits)), parity(bits)
    found = as_automaton(states, bits, answers, lengths)
    beyond = torch.arange(20).unsqueeze(-1) >= lengths
    states[beyond], bits[beyond], answers[beyond] = math.nan, 9, -5
    assert as_automaton(states, bits, answers, lengths) == found
    assert (found.table, found.symbols) == (PARITY, (0, 1))


def test_it_prints_as_its_table():
    machine = Automaton((0, 10), ((0, 1), (UNKNOWN, 0)), (UNKNOWN, 12), 3, Agreement(0.98765, 1.0, 0.5))
    assert str(machine).splitlines() == [
        "state  0  10  answer",
        "    0  0   1       -",
        "    1  -   0      12",
        "2 states of 3 clusters, from 0 on; agrees with the model at 98.77% of steps and 100.00% of ends.",
    ]


def test_the_same_seed_gives_the_same_machine():
    read = words(2, 20, 60)
    states = torch.rand(20, 60, 3, generator=torch.Generator().manual_seed(1))
    answers = (states.sum(-1) > 1.5).long()
    assert as_automaton(states, read, answers) == as_automaton(states, read, answers)


def test_at_most_so_many_clusters():
    bits = words(2, 30, 60)
    count = bits.cumsum(0) % 6
    zero = (count == 0).long()
    assert as_automaton(noisy(count), bits, zero, most=4).clusters <= 4
    assert as_automaton(noisy(count), bits, zero, most=4).agreement.steps < 0.99
    assert len(as_automaton(noisy(count), bits, zero).table) == 6
    assert as_automaton(noisy(count), bits, count, most=1).clusters == 6


def test_a_trained_parity_cell_is_the_two_state_machine():
    settings = make_settings("parity", "fo", hidden_size=1, seeds=(0,), steps=200)
    fitted = fit(settings)
    assert fitted.run.results[0].end == "goal"
    model = load_replicas(settings, fitted.weights).eval()

    def of_the_model(bits):
        with torch.no_grad():
            outputs, _ = model.recurrent(bits.float().unsqueeze(-1))
        return outputs[0], (model.head(outputs)[0, ..., 0] > 0).long()

    bits, longer = words(2, 30, 100), words(2, 100, 200, seed=1)
    states, answers = of_the_model(bits)
    found = as_automaton(states, bits, answers)
    assert (found.table, found.answers) == (PARITY, (0, 1))
    assert found.agreement.steps == 1.0
    assert found.compare(longer, of_the_model(longer)[1]).steps > 0.99
    assert as_automaton(states, bits).agreement.steps > 0.99


@pytest.mark.parametrize(
    ("symbols", "answers", "options", "error", "says"),
    [
        (words(2, 4, 3).float(), None, {}, ShapeError, "torch.float32"),
        (words(2, 4, 2), None, {}, ShapeError, r"\(4, 3\)"),
        (words(2, 4, 3), words(2, 1, 3)[0], {}, ShapeError, "The answers are"),
        (words(2, 4, 3), torch.rand(4, 3), {}, ShapeError, "The answers are"),
        (words(2, 4, 3), words(2, 4, 3) - 1, {}, OptionError, "from 0 on"),
        (words(2, 4, 3), None, {"most": 0}, OptionError, "most is 0"),
    ],
)
def test_what_cannot_be(symbols, answers, options, error, says):
    with pytest.raises(error, match=says):
        as_automaton(torch.rand(4, 3, 2), symbols, answers, **options)


def test_more_kinds_than_a_table_can_show():
    with pytest.raises(OptionError, match="200 kinds of symbols"):
        as_automaton(torch.rand(200, 1, 2), torch.arange(200).unsqueeze(1))
    with pytest.raises(OptionError, match="200 kinds of answers"):
        as_automaton(torch.rand(200, 1, 2), words(2, 200, 1), torch.arange(200).unsqueeze(1))


def test_a_diverged_model_is_named():
    with pytest.raises(DataError, match="diverged"):
        as_automaton(torch.full((4, 3, 2), math.nan), words(2, 4, 3))


def test_nothing_is_run_on_no_symbols():
    machine = Automaton((0, 1), PARITY, (0, 1), 2, Agreement(1.0, 1.0, 1.0))
    with pytest.raises(ShapeError, match=r"\(T, B\)"):
        machine.run(torch.zeros(0, 3, dtype=torch.long))
