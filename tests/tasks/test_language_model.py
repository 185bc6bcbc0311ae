"""Language models: the course along a text, whole-text scores by hand, and learning."""

import math

import pytest
import torch

from gatelab.data.vocabulary import UNKNOWN
from gatelab.errors import DataError, OptionError
from gatelab.tasks import open_problem
from gatelab.tasks.corpora import read_text
from gatelab.tasks.language_model import LanguageModelOptions, nats_a_symbol, nats_by_frequency
from gatelab.tasks.losses import cross_entropies, mean_cross_entropy
from gatelab.tasks.tracks import Tracks
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings

CYCLE = "the cat sat.\n"


@pytest.fixture
def text(tmp_path):
    """The path of a text that goes round and round."""
    path = tmp_path / "cats.txt"
    path.write_text(CYCLE * 200)
    return str(path)


def settings_for(text, cell="lstm", hidden_size=6, seeds=(0, 1), steps=6, options=None, **choices):
    options = {"text": text, "length": 7, "size": 4} | (options or {})
    usual = {"batch_size": 5, "learning_rate": 0.02, "validate_every": 3, "schedule": "constant", "output_dropout": 0.0}
    return make_settings("language-model", cell, hidden_size, seeds, steps=steps, options=options, **usual | choices)


def parameters_alike(ours, theirs):
    for name, weights in ours.items():
        torch.testing.assert_close(weights, theirs[name], rtol=2e-4, atol=2e-5)


# The course.


def test_a_batch_goes_on_where_the_one_before_ended():
    course = Tracks([3, 8], torch.arange(1000), 10, 16)
    assert course.epoch == 1000 // 10 // 16
    before = course.batch()
    assert before.x.shape == before.target.shape == (2, 16, 10)
    assert not before.goes_on
    for _ in range(course.epoch - 1):
        batch = course.batch()
        assert batch.goes_on
        assert torch.equal(batch.x[:, 0], before.target[:, -1])
        before = batch
    assert not course.batch().goes_on


def test_what_is_asked_is_the_next_symbol_and_nothing_is_read_twice():
    course, read = Tracks([3, 8], torch.arange(1000), 10, 16), []
    for _ in range(course.epoch):
        batch = course.batch()
        assert torch.equal((batch.x + 1) % 1000, batch.target)
        read.append(batch.x.flatten(1))
    for row in torch.cat(read, dim=1):
        assert len(row.unique()) == len(row) == course.epoch * 160


def test_epochs_and_replicas_begin_at_different_places():
    course = Tracks([3, 8], torch.arange(1000), 10, 50)
    first = [course.batch().x[:, 0, 0].tolist() for _ in range(2 * course.epoch)][:: course.epoch]
    assert len({place for epoch in first for place in epoch}) == 4
    assert course.stage() == "epoch 2"


def test_a_replica_sees_what_its_seed_sees_alone_even_when_another_leaves():
    together, alone = Tracks([3, 1, 4], torch.arange(99), 4, 5), Tracks([4], torch.arange(99), 4, 5)
    for step in range(11):
        if step == 6:
            together.keep(torch.tensor([0, 2]))
        assert torch.equal(together.batch().x[-1], alone.batch().x[0])


@pytest.mark.parametrize("taken", [1, 4, 5])
def test_a_restored_course_goes_on_with_the_same_batches(taken):
    course, again = Tracks([3, 1], torch.arange(99), 4, 5), Tracks([9], torch.arange(99), 4, 5)
    for _ in range(taken):
        course.batch()
    again.restore({name: tensor.clone() for name, tensor in course.state().items()})
    assert again.stage() == course.stage()
    for _ in range(6):
        ours, theirs = course.batch(), again.batch()
        assert torch.equal(ours.x, theirs.x)
        assert ours.goes_on == theirs.goes_on


def test_a_text_too_short_for_the_batch_is_refused():
    with pytest.raises(DataError, match=r"9 symbols, too few for a batch of 5\.\nTake smaller"):
        Tracks([0], torch.arange(9), 5, 10)


# Scores.


class Counter:
    """Stands for a model: it knows the next symbol only after having read this many since its state was new."""

    def __init__(self, symbols, after):
        self.symbols, self.after = symbols, after

    def run(self, x, lengths=None, state=None):
        read = (0 if state is None else state) + torch.arange(1, len(x) + 1)
        sure = 50.0 * (read >= self.after).view(-1, 1, 1)
        logits = sure * torch.nn.functional.one_hot((x + 1) % self.symbols, self.symbols)
        return logits.expand(2, *logits.shape), read[-1]


@pytest.mark.parametrize("length", [2, 11, 51, 52, 99, 101, 5003])
@pytest.mark.parametrize("along", [1, 20])
@pytest.mark.parametrize("at_once", [1, 7 * 50 * 5, 2**22])
def test_every_symbol_but_the_first_counts_once(monkeypatch, length, at_once, along):
    """Each costs log 5 where the model is new, at the beginning of up to 50 places, and nothing later."""
    monkeypatch.setattr("gatelab.tasks.language_model.LOGITS_AT_ONCE", at_once)
    monkeypatch.setattr("gatelab.tasks.language_model.READ_ALONG", along)
    text, count = torch.arange(length) % 5, length - 1
    steps = -(-count // max(1, min(50, count // along)))
    unsure = sum(place % steps < 2 for place in range(count))
    found = nats_a_symbol(Counter(5, after=3), text, 5)
    assert found.tolist() == pytest.approx([unsure * math.log(5) / count] * 2, rel=1e-4, abs=1e-6)


def test_the_loss_is_the_mean_over_all_steps():
    logits = torch.zeros(2, 3, 2, 2)
    logits[1, 0, 1, 0] = math.log(3.0)
    target = torch.zeros(2, 3, 2, dtype=torch.long)
    expected = [math.log(2), (5 * math.log(2) + math.log(4 / 3)) / 6]
    assert mean_cross_entropy(logits, target).tolist() == pytest.approx(expected)
    assert cross_entropies(logits, target)[1, 0].tolist() == pytest.approx([math.log(2), math.log(4 / 3)])


def test_the_baseline_of_frequencies():
    train, test = torch.tensor([0, 0, 0, 1]), torch.tensor([2, 0, 1])
    assert nats_by_frequency(test, train, 3) == pytest.approx(-(math.log(4 / 7) + math.log(2 / 7)) / 2)


def test_scores_are_one_number_in_three_units(text):
    settings = settings_for(text)
    for result in fit(settings).run.results:
        scores = result.scores
        assert scores["bits"] == pytest.approx(scores["nats"] / math.log(2), rel=1e-4)
        assert scores["perplexity"] == pytest.approx(math.exp(scores["nats"]), rel=1e-4)
    problem = open_problem("language-model", settings.options)
    assert problem.baselines["all alike"]["perplexity"] == pytest.approx(len(set(CYCLE)))


# The text.


def test_a_file_is_divided_into_three(text):
    found = read_text(text, "characters", test_share=0.05)
    assert [len(part) for part in (found.train, found.valid, found.test)] == [2210, 260, 130]
    whole = torch.cat([found.train, found.valid, found.test]).tolist()
    assert "".join(found.vocabulary.decode(whole)) == CYCLE * 200


def test_without_a_test_the_validation_text_is_scored(text):
    found = read_text(text, "characters")
    assert found.test is None
    assert found.tested is found.valid
    assert found.about() == "2,340 characters to learn from, 260 to choose by, the same in the test; 9 different ones."


def test_symbols_that_training_lacks_are_unknown(text):
    found = read_text(text, "characters", train=3, test_share=0.05)
    assert found.vocabulary.words == (UNKNOWN, "t", "h", "e")
    assert found.train.tolist() == [1, 2, 3]
    assert (found.valid == 0).sum() == 20 * (len(CYCLE) - 5)


def test_words_and_a_limit_of_them(text):
    every, few = read_text(text, "words"), read_text(text, "words", words=3)
    assert set(every.vocabulary.words) == {"the", "cat", "sat.", "<eos>"}
    assert few.vocabulary.words == (UNKNOWN, "the", "cat")


def test_the_model_keeps_what_a_text_is_read_with(text):
    keeps = open_problem("language-model", settings_for(text).options).keeps
    assert (keeps["kind"], keeps["units"]) == ("text", "characters")
    assert set(keeps["symbols"]) == set(CYCLE)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"text": "tiny-shakespear"}, r"neither a file nor the name of a text\.\nDid you mean 'tiny-shakespeare'"),
        ({"length": 0}, "length is 0"),
        ({"units": "letters"}, "units is 'letters'"),
        ({"test": 0.9}, "test is 0.9"),
        ({"sizes": 3}, "no key 'sizes'.\nDid you mean 'size'"),
    ],
)
def test_bad_options(text, options, says):
    with pytest.raises(OptionError, match=says):
        settings_for(text, options=options)


def test_another_text_in_the_file_is_another_run(text, tmp_path):
    first = settings_for(text)
    (tmp_path / "cats.txt").write_text(CYCLE * 300)
    assert settings_for(text).identity != first.identity
    with pytest.raises(OptionError, match=r"cats.txt is not that of the digest(.|\n)*Bring back"):
        fit(first)


@pytest.mark.parametrize(("content", "says"), [("", "too few"), ("abc", "too few to split|and needs two")])
def test_a_text_that_is_too_short(tmp_path, content, says):
    (tmp_path / "short.txt").write_text(content)
    with pytest.raises(DataError, match=says):
        open_problem("language-model", LanguageModelOptions(text=str(tmp_path / "short.txt")).model_dump(mode="json"))


# Training.


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"num_layers": 2, "dropout": 0.3, "clip": 0.5},
        {"tied": True, "options": {"size": 6}, "variational": True, "input_dropout": 0.3, "output_dropout": 0.3},
    ],
    ids=["plain", "layers", "tied"],
)
def test_a_replica_is_its_seed_alone(text, choices):
    together = fit(settings_for(text, **choices))
    for replica, seed in enumerate((0, 1)):
        alone = fit(settings_for(text, seeds=(seed,), **choices))
        parameters_alike({name: weights[replica] for name, weights in together.weights.items()},
                         {name: weights[0] for name, weights in alone.weights.items()})  # fmt: skip
        ours, theirs = together.run.results[replica], alone.run.results[0]
        assert ours.scores == pytest.approx(theirs.scores, rel=1e-3)
        assert [look.step for look in ours.looks] == [look.step for look in theirs.looks] == [3, 6]


def test_states_are_carried_through_an_epoch_and_no_further(text):
    """With steps too small to change anything they are those of the whole stretch, read at once."""
    settings = settings_for(text, options={"length": 3, "train": 50}, learning_rate=1e-12, steps=5)
    training = Training(settings)
    course = training.problem.course(settings.seeds, 5)
    read = [course.batch().x for _ in range(4)]
    assert course.epoch == 3
    for x in (read[0], torch.cat(read[:2], dim=1), torch.cat(read[:3], dim=1), read[3]):
        training.step()
        with torch.no_grad():
            _, state = training.model.run(x)
        torch.testing.assert_close(training.carried.c, state.c)


@pytest.mark.parametrize("kill", [2, 3, 5])
def test_a_killed_run_ends_with_the_same_bits(text, kill):
    settings = settings_for(text, options={"train": 140}, dropout=0.2, num_layers=2, steps=9)
    whole, cut = Training(settings), Training(settings)
    while not whole.over:
        whole.step()
    for _ in range(kill):
        cut.step()
    cut = Training.restore(settings, cut.checkpoint(1.0))
    while not cut.over:
        cut.step()
    assert all(torch.equal(cut.kept[name], weights) for name, weights in whole.kept.items())
    assert cut.results() == whole.results()


def test_it_learns_what_needs_memory(text):
    """After "t" comes "h" or "." or a space, as the letters before it say: alone it leaves 0.3 nats."""
    settings = settings_for(text, hidden_size=24, seeds=(0,), steps=250, options={"length": 26}, validate_every=250)
    scores = fit(settings).run.results[0].scores
    baseline = open_problem("language-model", settings.options).baselines["by frequency"]["nats"]
    assert scores["nats"] < 0.15 < 1.5 < baseline


def test_tiny_shakespeare(needs_data):
    needs_data("tiny-shakespeare")
    found = open_problem("language-model", LanguageModelOptions().model_dump(mode="json"))
    assert found.output_size == 65
    assert found.inputs.size == 64
    assert found.facts == (
        "1,003,854 characters to learn from, 111,540 to choose by, the same in the test; 65 different ones.",
    )
    assert found.baselines["by frequency"]["nats"] == pytest.approx(3.34, abs=0.02)


@pytest.mark.slow
def test_penn_treebank(needs_data):
    needs_data("ptb/train", "ptb/valid", "ptb/test")
    found = open_problem("language-model", LanguageModelOptions(text="ptb").model_dump(mode="json"))
    assert (found.output_size, found.keeps["units"]) == (10_000, "words")
    assert UNKNOWN not in found.keeps["symbols"]
    assert 600 < found.baselines["by frequency"]["perplexity"] < 800
    assert found.facts == (
        "929,589 words to learn from, 73,760 to choose by, 82,430 in the test; 10,000 different ones.",
    )


@pytest.mark.slow
def test_shakespeare_is_learned(needs_data):
    needs_data("tiny-shakespeare")
    settings = make_settings("language-model", "lstm", 64, (0,), steps=300, batch_size=32, options={"length": 64})
    assert fit(settings).run.results[0].scores["nats"] < 2.2
