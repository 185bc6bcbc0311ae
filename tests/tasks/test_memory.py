"""Copying, adding and temporal order: sequences, scores and goals by hand."""

import math

import pytest
import torch

from gatelab.errors import OptionError
from gatelab.files import read_tensors, write_tensors
from gatelab.tasks import adding, copying, open_problem, temporal_order
from gatelab.tasks.base import Batch
from gatelab.tasks.fresh import CHECK_EVERY, Fresh, fixed_sequences, whole
from gatelab.tasks.parts import answers_in_parts
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings

ALMOST_ONE = 1 - 2**-24
"""The largest number that torch draws."""
SMALL = {"copying": {"delay": 2}, "adding": {"length": 6}, "temporal-order": {"scale": 0.1}}
memory_tasks = pytest.mark.parametrize("task", SMALL)


def settings_for(task, seeds=(0, 1), steps=12, **choices):
    return make_settings(task, "lstm", 3, seeds, options=SMALL[task], steps=steps, batch_size=8, **choices)


def drawn(count, size=2000):
    return torch.rand(1, size, count, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("below", [1, 2, 8, 11, 25, 100, 999, 2**16])
def test_whole_numbers_stay_below(below):
    assert whole(torch.tensor([0.0, ALMOST_ONE]), below).tolist() == [0, below - 1]


def test_whole_numbers_are_even():
    counts = torch.bincount(whole(drawn(1, 70_000).flatten(), 7), minlength=7)
    # Six degrees of freedom, over 27.9 once in 10,000 times.
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 27.9


def test_copying_sequences():
    batch = copying.make_sequences(torch.arange(10).view(1, 1, 10) % 8 / 8, delay=3)
    shown = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]
    assert batch.x.shape == (1, 23, 1, 10)
    assert torch.equal(batch.x.sum(-1), torch.ones(1, 23, 1))
    blank, marker = copying.BLANK, copying.MARKER
    assert batch.x[0, :, 0].argmax(-1).tolist() == [*shown, blank, blank, marker, *[blank] * 10]
    assert batch.target[0, :, 0].tolist() == [*[blank] * 13, *shown]


def test_symbols_recalled_are_counted_after_the_marker_only():
    target = copying.make_sequences(torch.zeros(1, 2, 10), delay=3).target.expand(2, -1, -1)
    logits = torch.zeros(2, 23, 2, 9)
    logits[0, -10:, 0, 0] = 1.0  # The first replica knows one sequence,
    logits[1, :-10, :, 8] = logits[1, -5:, :, 0] = logits[1, -10:-5, :, 3] = 1.0  # the second the later half of each.
    logits[0, -10:, 1, 5] = 1.0
    assert copying.recalled(logits, target).tolist() == [50.0, 50.0]


def test_who_has_no_memory_does_as_the_baseline():
    problem = open_problem("copying", {"delay": 5})

    def blanks_then_anything(x, lengths=None):
        logits = torch.zeros(1, *x.shape[-3:-1], 9)
        logits[..., :-10, :, 8] = 100.0
        logits[..., -10:, :, 8] = -100.0
        return logits

    scores, known = problem.test(blanks_then_anything), problem.baselines["no memory"]
    assert scores["loss"].item() == pytest.approx(known["loss"]) == pytest.approx(10 * math.log(8) / 25)
    # All symbols are as likely, and the first of equals is answered: 10,240 of them, four deviations.
    assert scores["symbols"].item() == pytest.approx(known["symbols"], abs=400 * math.sqrt(1 / 8 * 7 / 8 / 10_240))


def test_adding_sequences():
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, ALMOST_ONE]).view(1, 1, 7)
    batch = adding.make_sequences(shares)
    assert batch.x[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert batch.x[0, :, 0, 1].tolist() == [0, 1, 0, 0, 1]
    assert batch.target.flatten().tolist() == pytest.approx([0.7])


@pytest.mark.parametrize("length", [2, 3, 50, 51])
def test_each_half_has_one_marker_and_all_places_are_taken(length):
    markers = adding.make_sequences(drawn(length + 2)).x[0, ..., 1]
    half = length // 2
    assert torch.equal(markers[:half].sum(0), torch.ones(2000))
    assert torch.equal(markers[half:].sum(0), torch.ones(2000))
    assert (markers.sum(1) > 0).all()


def test_the_score_of_adding_by_hand_and_its_baseline():
    target = torch.tensor([1.0, 1.0, 1.0, 1.0]).view(1, 4, 1)
    answers = torch.tensor([[1.0, 1.079, 0.9, 2.0], [1.0, 1.0, 0.921, 0.93]]).unsqueeze(-1)
    assert adding.close(answers, target).tolist() == [50.0, 100.0]
    problem = open_problem("adding", {"length": 10})
    scores, known = problem.test(lambda x, lengths=None: torch.ones(1, x.shape[-2], 1)), problem.baselines["always 1"]
    # Four deviations: the squared error of one sequence has sqrt(1/15 - 1/36) = 0.2, a share of 15.4 % has 0.37.
    assert scores["mse"].item() == pytest.approx(known["mse"], abs=4 * 0.2 / math.sqrt(adding.TESTED))
    assert scores["right"].item() == pytest.approx(known["right"], abs=4 * 100 * 0.37 / math.sqrt(adding.TESTED))


def test_temporal_order_is_as_in_the_paper():
    lengths, first, second = temporal_order.spans(1.0)
    assert (lengths, first, second) == (range(100, 111), range(10, 21), range(50, 61))
    batch = temporal_order.make_sequences(drawn(115), scale=1.0)
    assert batch.x.shape == (1, 110, 2000, 8)
    assert sorted(set(batch.lengths.flatten().tolist())) == [*lengths]
    x, ends = batch.x[0].transpose(0, 1), batch.lengths[0]
    assert torch.equal(x.sum((1, 2)), ends.float())
    symbols = x.argmax(-1)
    assert (symbols[:, 0] == temporal_order.BEGIN).all()
    assert (symbols.gather(1, (ends - 1).unsqueeze(1)) == temporal_order.END).all()
    assert ((x[..., 6] + x[..., 7]).sum(1) == 2).all()
    relevant = x[..., 4] + x[..., 5]
    assert torch.equal(relevant.sum(1), torch.full((2000,), 2.0))
    for span in (first, second):
        assert torch.equal(relevant[:, span.start : span.stop].sum(1), torch.ones(2000))
        assert (relevant[:, span.start : span.stop].sum(0) > 0).all()


def test_the_class_is_the_order_of_the_two():
    for number, name in enumerate(temporal_order.CLASSES):
        kinds = [0.5 * "XY".index(letter) for letter in name]
        batch = temporal_order.make_sequences(torch.tensor([*[0.3] * 11, 0.0, 0.0, 0.0, *kinds]).view(1, 1, -1), 0.1)
        shown = ["abcdXYEB"[place] for place in batch.x[0, : batch.lengths.item(), 0].argmax(-1).tolist()]
        assert [symbol for symbol in shown if symbol in "XY"] == list(name)
        assert batch.target.item() == number


def test_an_unsure_answer_is_not_right():
    logits = torch.tensor([0.8, 0.1, 0.05, 0.05]).log().expand(1, 2, 4), torch.tensor([0.6, 0.4, 0, 0]).log()
    assert temporal_order.right(logits[0], torch.tensor([[0, 1]])).tolist() == [50.0]
    assert temporal_order.right(logits[1].expand(1, 2, 4), torch.tensor([[0, 0]])).tolist() == [0.0]


def test_the_goal_is_looked_at_every_so_many_steps_on_fresh_sequences():
    asked = []

    def model(x, lengths=None):
        asked.append(x)
        return x[0].mean(0).expand(2, -1, -1)

    make = lambda shares: Batch(shares.unsqueeze(1), shares)  # noqa: E731
    course = Fresh([0, 1], 4, 3, make, 5, lambda answers, target: torch.tensor([False, True]))
    batch = course.batch()
    assert course.finished(CHECK_EVERY - 1, batch, model) == [False, False]
    assert not asked
    assert course.finished(CHECK_EVERY, batch, model) == [False, True]
    assert asked[0].shape == (2, 1, 5, 3)
    assert not torch.isin(asked[0], batch.x).any()


def test_parts_give_what_the_whole_gives(monkeypatch):
    monkeypatch.setattr("gatelab.tasks.parts.STEPS_AT_A_TIME", 20)
    sizes, lengths = [], torch.randint(1, 7, (2, 10))

    def model(x, lengths):
        sizes.append(x.shape[-2])
        return (x * (torch.arange(6).view(6, 1) < lengths.unsqueeze(-2)).unsqueeze(-1)).sum(-3)

    x = torch.rand(2, 6, 10, 4)
    found = answers_in_parts(model, x, lengths)
    assert sizes == [3, 3, 3, 1]
    torch.testing.assert_close(found, model(x, lengths))


def test_the_test_is_the_same_each_time():
    first, again = (fixed_sequences(adding.make_sequences, 8, 5, "a test") for _ in range(2))
    assert first.x.shape == (6, 5, 2)
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, fixed_sequences(adding.make_sequences, 8, 5, "another test").x)


@memory_tasks
def test_a_replica_is_its_seed_alone(task):
    together = fit(settings_for(task))
    for replica, seed in enumerate((0, 1)):
        alone = fit(settings_for(task, (seed,)))
        for name, weights in together.weights.items():
            assert torch.equal(weights[replica], alone.weights[name][0]), name


@memory_tasks
def test_a_restored_training_ends_with_the_same_bits(task, monkeypatch, tmp_path):
    monkeypatch.setattr("gatelab.tasks.fresh.CHECK_EVERY", 3)
    training = Training(settings_for(task))
    for _ in range(7):
        training.step()
    part = training.checkpoint(0.0)
    write_tensors(tmp_path / "checkpoint", part.tensors, part.facts)
    again = Training.restore(settings_for(task), read_tensors(tmp_path / "checkpoint"))
    for one in (training, again):
        while not one.over:
            one.step()
    assert training.results() == again.results()
    assert all(torch.equal(tensor, again.kept[name]) for name, tensor in training.kept.items())


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("copying", {"delay": 0}, "delay is 0"),
        ("adding", {"length": 1}, "length is 1"),
        ("temporal-order", {"scale": 1000}, "scale is 1000"),
        ("adding", {"lenght": 9}, "no key 'lenght'(.|\n)*'length'"),
    ],
)
def test_bad_options_are_named(task, options, message):
    with pytest.raises(OptionError, match=message):
        make_settings(task, "lstm", 3, options=options)


@pytest.mark.parametrize(
    ("task", "options", "measure", "least"),
    [
        # A guess has 12.5, 15.4 and 25 percent.
        ("copying", {"delay": 1}, "symbols", 20),
        ("adding", {"length": 4}, "right", 60),
        ("temporal-order", {"scale": 0.1}, "accuracy", 90),
    ],
)
def test_short_ones_are_learned(task, options, measure, least):
    settings = make_settings(task, "lstm", 16, (0, 1), options=options, steps=400, learning_rate=0.02, batch_size=32)
    for result in fit(settings).run.results:
        assert result.scores[measure] > least
