"""Sentiment: what is read of a text, in which part it is, and that it is learned."""

import csv
import json
import math
import random
import re

import pytest
import torch

from gatelab import tasks
from gatelab.data.text import Reviews
from gatelab.data.vectors import Vectors
from gatelab.data.vocabulary import UNKNOWN, Vocabulary
from gatelab.errors import DataError, OptionError
from gatelab.files import read_tensors
from gatelab.nn.saving import MODEL, load
from gatelab.tasks import open_problem, read_options, sentiment
from gatelab.tasks.sentiment import SENTIMENT
from gatelab.tasks.texts import Reading, divide, fewer
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings

GOOD, BAD, PLAIN = ("fine", "lovely", "warm"), ("dull", "loud", "cheap"), ("the", "film", "was", "and", "a", "plot")
LEARNED = {"vectors": "learned", "dimensions": 4}


def a_text(words, chance):
    return " ".join(chance.choice((*words, *PLAIN)) for _ in range(chance.randint(3, 12))) + f" {words[0]}"


def some_reviews(count, classes=(BAD, GOOD), seed=0):
    chance = random.Random(seed)
    labels = [number % len(classes) for number in range(count)]
    texts = tuple(a_text(classes[label], chance) for label in labels)
    return Reviews(texts, torch.tensor(labels), ("negative", "positive", "plain")[: len(classes)])


def write_csv(path, reviews):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("label", "text"))
        writer.writerows(zip((reviews.names[label] for label in reviews.labels), reviews.texts, strict=True))
    return {**LEARNED, "csv": str(path)}


@pytest.fixture
def two_classes(tmp_path):
    """The options that read a small CSV file."""
    return write_csv(tmp_path / "two.csv", some_reviews(300))


@pytest.fixture
def three_classes(tmp_path):
    return write_csv(tmp_path / "three.csv", some_reviews(300, (BAD, GOOD, PLAIN)))


@pytest.fixture
def films(monkeypatch):
    """A small IMDB and a small GloVe, which lacks the word "plot"."""
    words = (*GOOD, *BAD, *PLAIN[:-1], "unheard")
    table = torch.randn(len(words), 50, generator=torch.Generator().manual_seed(0))
    train, test = some_reviews(200), some_reviews(60, seed=1)
    monkeypatch.setattr(sentiment, "imdb", lambda: (train, test))
    monkeypatch.setattr(sentiment, "glove", lambda size, wanted: Vectors(words, table))
    tasks._open.cache_clear()  # Else later tests would find these films again.
    yield train, test
    tasks._open.cache_clear()


def opened(options):
    """The problem, made anew each time."""
    return SENTIMENT.open(read_options(SENTIMENT, options))


def settings_for(options, seeds=(0, 1), cell="f", **choices):
    return make_settings("sentiment", cell, 4, seeds, **{"batch_size": 16, "options": options, **choices})


@pytest.mark.parametrize("padding", ["front", "end", "none"])
def test_shapes(two_classes, padding):
    problem = opened({**two_classes, "padding": padding, "length": 10})
    batch = problem.course([3, 1], 16).batch()
    assert (batch.x.shape[0], batch.x.shape[2], batch.x.dtype) == (2, 16, torch.long)
    assert batch.target.shape == (2, 16)
    assert (batch.lengths is not None) == (padding == "none")
    assert batch.x.shape[1] == (batch.lengths.max() if padding == "none" else 10)
    answers = torch.zeros(2, 16, problem.output_size)
    assert problem.loss(answers, batch.target).tolist() == pytest.approx([math.log(2)] * 2)
    assert problem.score(answers, batch.target).shape == (2,)


def test_three_classes_have_an_answer_each(three_classes):
    problem = opened(three_classes)
    assert problem.output_size == 3
    batch = problem.course([0], 16).batch()
    answers = torch.nn.functional.one_hot(batch.target, 3) * 30.0
    assert problem.loss(answers, batch.target).item() == pytest.approx(0, abs=1e-6)
    assert problem.score(answers, batch.target).tolist() == [100.0]


READING = Reading(Vocabulary.of([["a", "b", "c"]]), "letters", False, 2, "last", "front")
A, B, C = 3, 4, 5


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, [[0, A], [B, C]]),
        ({"keep": "first"}, [[0, A], [A, B]]),
        ({"padding": "end"}, [[A, 0], [B, C]]),
        ({"padding": "none", "length": 3}, [[A, 0, 0], [A, B, C]]),
        ({"start": True, "length": 3}, [[0, 1, A], [A, B, C]]),
        ({"style": "keras"}, [[0, A], [B, C]]),
    ],
)
def test_what_is_read_of_a_text(choices, expected):
    reading = Reading(**{**vars(READING), **choices})
    sequences = reading.cut(reading.encode(["A!", "a <br /> b c" if reading.style == "letters" else "a b c"]))
    x, lengths = reading.pad(sequences, torch.tensor([[0, 1]]))
    assert x[0].T.tolist() == expected
    if reading.padding == "none":
        assert lengths.tolist() == [[1, 3]]
    else:
        assert lengths is None


def test_a_way_of_reading_survives_a_file():
    again = Reading.of(json.loads(json.dumps(READING.kept())))
    assert again == READING


def test_equal_texts_come_into_one_part():
    reviews = Reviews(("same", "other", "a", "b") * 10 + ("same",) * 2, torch.tensor([0, 1] * 21), ("no", "yes"))
    parts = divide(reviews, {"train": 0.5, "test": 0.5})
    assert sum(len(part.texts) for part in parts.values()) == 42
    assert not set(parts["train"].texts) & set(parts["test"].texts)


def test_fewer_have_the_classes_in_their_proportion():
    taken = fewer(some_reviews(100), 20)
    assert taken.labels.bincount().tolist() == [10, 10]
    assert fewer(taken, 20) is taken
    assert fewer(taken, 500) is taken


def test_parts_of_the_films(films):
    train, test = films
    parts = sentiment.read_parts(read_options(SENTIMENT, {"validation": 0.25, "test": 20}))
    assert set(parts["train"].texts) | set(parts["validation"].texts) == set(train.texts)
    assert not set(parts["train"].texts) & set(parts["validation"].texts)
    assert parts["test"].labels.bincount().tolist() == [10, 10]
    assert set(parts["test"].texts) <= set(test.texts)
    assert set(sentiment.read_parts(read_options(SENTIMENT, {"validation": 0}))) == {"train", "test"}


@pytest.mark.parametrize("fine_tuned", [True, False])
def test_glove_has_the_words_of_the_training_that_have_a_vector(films, fine_tuned):
    problem = opened({"fine_tuned": fine_tuned})
    words = problem.keeps["reading"]["vocabulary"]
    assert words[:3] == ["<pad>", "<start>", UNKNOWN]
    assert set(words[3:]) == {*GOOD, *BAD, *PLAIN} - {"plot"}
    assert problem.inputs.vectors.shape == (len(words), 50)
    assert not problem.inputs.vectors[0].any()
    assert problem.inputs.learned is fine_tuned
    assert len(opened({"words": 6}).keeps["reading"]["vocabulary"]) == 6


def test_words_of_the_validation_are_not_learned(two_classes):
    options = read_options(SENTIMENT, {**two_classes, "validation": 0.5})
    rare = Reviews(tuple(f"word{'abcdefghij'[number % 10]} {number}" for number in range(10)),
                   torch.tensor([0, 1] * 5), ("no", "yes"))  # fmt: skip
    parts = divide(rare, {"train": 0.5, "validation": 0.5})
    words = sentiment.find_words(parts["train"].texts, options)[0].words
    assert set(words[3:]) == {text.split()[0] for text in parts["train"].texts}


def test_the_assignment_has_76051_parameters(two_classes):
    """5,000 vectors of 15 numbers, an LSTM of ten units with one bias a gate, and one logit."""
    problem = opened({**two_classes, "dimensions": 15})
    assert problem.output_size == 1
    settings = make_settings("sentiment", "lstm", 10, options={**two_classes, "dimensions": 15}, epochs=1)
    found = sum(weights[0].numel() for weights in Training(settings).kept.values())
    assert found + (5000 - problem.inputs.count) * 15 == 76_051


def judged(problem, guess):
    """The test of a model that answers `guess` of each text's tokens, (T, B) to (R, B, 1)."""
    return problem.test(lambda x, lengths=None: guess(x))


@pytest.mark.parametrize("padding", ["front", "none"])
def test_the_test_by_hand(two_classes, padding, monkeypatch):
    monkeypatch.setattr(sentiment, "JUDGED", 7)
    problem = opened({**two_classes, "padding": padding})
    number = {word: place for place, word in enumerate(problem.keeps["reading"]["vocabulary"])}

    def guess(x):
        good = (x == number[GOOD[0]]).any(0).float().unsqueeze(-1)
        sure = 60 * good - 30
        return torch.stack([sure, -sure, torch.zeros_like(sure)])

    scores = judged(problem, guess)
    share = problem.baselines["most frequent class"]["accuracy"]
    assert scores["accuracy"].tolist() == pytest.approx([100, 0, share])
    assert scores["loss"].tolist() == pytest.approx([0, 30, math.log(2)], abs=1e-4)


def test_the_classes_of_a_report(two_classes):
    problem = opened(two_classes)
    logits, labels = problem.classes.answers(lambda x, lengths=None: x.float().sum(0)[None, :, None])
    assert problem.classes.names == ("negative", "positive")
    assert logits.shape == (1, len(labels), 2)
    accuracy = judged(problem, lambda x: x.float().sum(0)[None, :, None])["accuracy"]
    assert 100 * (logits.argmax(-1) == labels).float().mean().item() == pytest.approx(accuracy.item())


def test_facts_count_what_they_say(tmp_path):
    reviews = some_reviews(100)
    reviews = Reviews((*reviews.texts[:98], "", ""), reviews.labels, reviews.names)
    facts = " ".join(opened({**write_csv(tmp_path / "some.csv", reviews), "length": 4, "validation": 0}).facts)
    counts = [int(count) for count in re.match(r"Texts: (\d+) to learn from, (\d+) for the test\.", facts).groups()]
    assert sum(counts) == 100
    assert "; 0 of the test are also in another part" in facts
    assert "2 texts have no token" in facts


def test_texts_without_a_token_are_refused(tmp_path):
    numbers = Reviews(tuple(map(str, range(60))), torch.tensor([0, 1] * 30), ("no", "yes"))
    options = write_csv(tmp_path / "numbers.csv", numbers)
    with pytest.raises(DataError, match=r"token in the style 'letters'\.\nTake -o style=keras or -o style=report-2018"):
        opened(options)
    assert "nan" not in " ".join(opened({**options, "style": "keras"}).facts)
    with pytest.raises(DataError, match=r"\nGive texts that are not empty"):
        sentiment.find_words(["", ""], read_options(SENTIMENT, options))


def test_a_part_without_a_token_has_a_dash():
    reviews = {"train": some_reviews(4), "test": Reviews(("1", "2"), torch.tensor([0, 1]), ("no", "yes"))}
    full = {part: READING.encode(own.texts) for part, own in reviews.items()}
    assert "- for the test" in " ".join(sentiment.describe(reviews, full, READING))


@pytest.mark.parametrize("padding", ["front", "none"])
@pytest.mark.parametrize("vectors", [LEARNED, {}])
def test_a_replica_is_its_seed_alone(films, padding, vectors):
    options = {**vectors, "padding": padding, "length": 8}
    together = fit(settings_for(options, seeds=(0, 1), steps=12))
    alone = fit(settings_for(options, seeds=(1,), steps=12))
    for name, weights in alone.weights.items():
        torch.testing.assert_close(together.weights[name][1], weights[0], rtol=2e-4, atol=2e-5)
    ours, theirs = together.run.results[1], alone.run.results[0]
    assert ours.scores["loss"] == pytest.approx(theirs.scores["loss"], rel=1e-3)


def test_a_resumed_training_has_the_same_bits(two_classes):
    settings = settings_for(two_classes, cell="lstm", epochs=2, input_dropout=0.1)
    whole, cut = Training(settings), Training(settings)
    for _ in range(9):
        cut.step()
    again = Training.restore(settings, cut.checkpoint(0.0))
    for training in (whole, again):
        while not training.over:
            training.step()
    assert again.results() == whole.results()
    assert all(torch.equal(tensor, whole.kept[name]) for name, tensor in again.kept.items())


@pytest.mark.parametrize("classes", ["two_classes", "three_classes"])
def test_it_is_learned(classes, request):
    options = request.getfixturevalue(classes)
    run = fit(settings_for(options, epochs=12, learning_rate=0.03)).run
    for result in run.results:
        assert result.scores["accuracy"] > 90
    assert run.baselines["most frequent class"]["accuracy"] < 60


def test_a_text_can_be_judged_from_the_folder_of_a_run(two_classes, tmp_path):
    fit(settings_for(two_classes, seeds=(5,), epochs=12, learning_rate=0.03), tmp_path / "run")
    keeps = read_tensors(tmp_path / "run" / MODEL).facts["keeps"]
    reading, model = Reading.of(keeps["reading"]), load(tmp_path / "run")
    sequences = reading.cut(reading.encode(["A LOVELY, warm film!", "the plot was cheap and dull"]))
    with torch.no_grad():
        logits = model(*reading.pad(sequences, torch.tensor([0, 1])))
    assert [keeps["names"][int(logit > 0)] for logit in logits] == ["positive", "negative"]


def test_a_run_follows_the_content_of_its_file(two_classes, tmp_path):
    before = settings_for(two_classes, steps=1)
    assert len(before.options["digest"]) == 16
    write_csv(tmp_path / "two.csv", some_reviews(300, seed=2))
    assert settings_for(two_classes, steps=1).identity != before.identity
    with pytest.raises(OptionError, match=r"two\.csv is not that of the digest(.|\n)*Bring back"):
        open_problem("sentiment", before.options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dimensions": 60}, r"GloVe has no vectors of 60 dimensions\.\nThere are: 50, 100"),
        ({"vectors": "learned", "fine_tuned": True}, r"Only GloVe's vectors can be fine-tuned\.\nLeave"),
        ({"csv": "nowhere.csv"}, r"nowhere\.csv can't be read \(No such file.*\)\.\nGive"),
        ({"padding": "back"}, r"padding is 'back'\.\n.*'front', 'end' or 'none'"),
        ({"pading": "none"}, r"There is no key 'pading'\.\nDid you mean 'padding'"),
        ({"words": 3}, "words is 3"),
        ({"validation": 0.9}, "validation is 0.9"),
    ],
)
def test_options_that_can_not_be(options, message):
    with pytest.raises(OptionError, match=rf"An option of the task sentiment: {message}"):
        read_options(SENTIMENT, options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\n", r"has a header and no rows\.\n"),
        ("words,label\nfine,good\n", r"has no column 'text'.*\n"),
        ("text,label\nfine,good\nwarm,good\n", r"has one class only, 'good'\.\n"),
        ("text,label\nfine,good\ndull,bad\nwarm,\n", r"line 4: no label"),
        ("text,label\nfine,good\ndull,bad\n", r"bad\.csv: 2 rows; the part 'test' gets none\.\n"),
        ("text,label\n" + "fine,good\n" * 50 + "dull,bad\n", r"bad\.csv: 51 rows, but only 2 different ones; the part"),
    ],
)
def test_files_that_can_not_be(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        opened({"csv": str(path), **LEARNED})


@pytest.mark.slow
def test_the_film_reviews(needs_data):
    needs_data("imdb", "glove/50")
    problem = opened({})
    facts = "\n".join(problem.facts)
    assert "Texts: 22,500 to learn from, 2,500 to choose weights by, 25,000 for the test." in facts
    assert "123 of the test are also in another part" in facts
    assert "99.6 % to learn from" in facts
    assert problem.inputs.vectors.isfinite().all()
    assert problem.baselines == {"most frequent class": {"accuracy": 50.0}}
