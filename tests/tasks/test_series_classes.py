"""Classes of series from files: ragged batches, identities that follow the content, and Japanese Vowels."""

import math

import pytest
import torch

from gatelab.errors import DataError, OptionError
from gatelab.files import read_tensors, write_tensors
from gatelab.tasks import open_problem
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings

HEAD = "@univariate false\n@dimensions 2\n@classLabel true slow fast\n@data\n"


def line(number, rate, length):
    """One series of two channels."""
    steps = [number + rate * step for step in range(length)]
    channels = (",".join(f"{f(step):.4f}" for step in steps) for f in (math.sin, math.cos))
    return ":".join([*channels, "slow" if rate < 1 else "fast"])


def text(count, first=0):
    return HEAD + "\n".join(line(k, (0.3, 1.5)[k % 2], 4 + k % 5) for k in range(first, first + count)) + "\n"


@pytest.fixture
def files(tmp_path):
    """Options that name two files of ragged series."""
    paths = {part: tmp_path / f"some_{part.upper()}.ts" for part in ("train", "test")}
    paths["train"].write_text(text(30))
    paths["test"].write_text(text(20, first=100))
    return {part: str(path) for part, path in paths.items()}


def settings_for(options, seeds=(0, 1), **choices):
    usual = {"hidden_size": 3, "epochs": 2, "batch_size": 8, "options": options}
    return make_settings("series-classes", "lstm", seeds=seeds, **{**usual, **choices})


def opened(settings):
    return open_problem(settings.task, settings.options)


def test_a_batch_is_as_long_as_its_longest_series_and_standardised(files):
    problem = opened(settings_for(files))
    batch = problem.course([0], 30).batch()
    assert batch.x.shape == (1, 8, 30, 2)
    inside = torch.arange(8).view(8, 1) < batch.lengths[0]
    assert not batch.x[0][~inside].any()
    values = batch.x[0][inside]
    torch.testing.assert_close(values.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.std(0, correction=0), torch.ones(2))
    short = problem.course([0], 1)
    lengths = [(one.x.shape[1], one.lengths.item()) for one in (short.batch() for _ in range(30))]
    assert all(steps == length for steps, length in lengths)
    assert {length for _, length in lengths} == {4, 5, 6, 7, 8}


def test_scores_are_of_the_test_and_the_baseline_says_one_class(files):
    problem = opened(settings_for(files))

    def knows_slow(x, lengths):
        return torch.tensor([1.0, 0.0]).expand(1, x.shape[-2], 2)

    assert problem.test(knows_slow)["accuracy"].tolist() == [50.0]
    assert problem.baselines["most frequent class"]["accuracy"] == 50.0
    assert problem.classes.names == ("slow", "fast")
    assert problem.facts == (
        "30 series to learn from, 0 to choose weights on, 20 for the test.",
        "2 classes, 2 channels, 4 to 8 steps.",
    )


def test_validation_is_taken_by_class_and_never_learned_from(files):
    problem, asked = opened(settings_for(files | {"validation": 0.2})), []

    def model(x, lengths):
        asked.append(x)
        return torch.tensor([1.0, 0.0]).expand(1, x.shape[-2], 2)

    assert problem.validation.score(model).tolist() == [50.0]
    batch = problem.course([0], 24).batch()
    assert (asked[0].shape[-2], problem.course([0], 24).epoch) == (6, 1)
    firsts = [tuple(one[0].tolist()) for part in (asked[0], batch.x[0]) for one in part.transpose(0, 1)]
    assert len(set(firsts)) == 30


def test_a_run_is_another_one_when_the_files_change(files):
    before, again = settings_for(files), settings_for(files)
    assert before.identity == again.identity
    with open(files["test"], "a") as file:
        file.write(line(7, 0.3, 5))
    assert settings_for(files).identity != before.identity
    with pytest.raises(OptionError, match=r"is not that of the digest(.|\n)*Bring back"):
        open_problem("series-classes", before.options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": None}, r"only one file, .*some_TRAIN\.ts\.\nGive both"),
        ({"train": "nowhere.ts"}, r"nowhere\.ts can't be read \(No such file"),
        ({"validation": 0.8}, "validation is 0.8"),
        ({"dataset": "vowels"}, "dataset is 'vowels'"),
        ({"digest": "abc"}, "is not that of the digest abc"),
    ],
)
def test_bad_options_are_named(files, change, message):
    with pytest.raises(OptionError, match=message):
        settings_for(files | change)


def test_a_broken_file_is_named_with_its_line(files):
    with open(files["train"], "a") as file:
        file.write("1,2:3:slow\n")
    with pytest.raises(DataError, match=r"some_TRAIN\.ts, line 35: channels of \[2, 1\] values"):
        opened(settings_for(files))


def test_tsv_files(tmp_path):
    for name, count in (("a_TRAIN.tsv", 6), ("a_TEST.tsv", 4)):
        rows = [f"{k % 2}\t{k}\t{k + 1}\t{'NaN' if k == 1 else k}" for k in range(count)]
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    options = {part: str(tmp_path / f"a_{part.upper()}.tsv") for part in ("train", "test")}
    batch = opened(settings_for(options)).course([0], 6).batch()
    assert batch.x.shape == (1, 3, 6, 1)
    assert sorted(batch.lengths[0].tolist()) == [2, 3, 3, 3, 3, 3]


def test_a_replica_is_its_seed_alone(files):
    """Though sequences are padded to the longest of all replicas."""
    together = fit(settings_for(files))
    for replica, seed in enumerate((0, 1)):
        alone = fit(settings_for(files, (seed,)))
        for name, weights in together.weights.items():
            assert torch.equal(weights[replica], alone.weights[name][0]), name


def test_a_restored_training_ends_with_the_same_bits(files, tmp_path):
    settings = settings_for(files | {"validation": 0.2}, output_dropout=0.3, bidirectional=True)
    training = Training(settings)
    for _ in range(4):
        training.step()
    part = training.checkpoint(0.0)
    write_tensors(tmp_path / "checkpoint", part.tensors, part.facts)
    again = Training.restore(settings, read_tensors(tmp_path / "checkpoint"))
    for one in (training, again):
        while not one.over:
            one.step()
    assert training.results() == again.results()
    assert all(torch.equal(tensor, again.kept[name]) for name, tensor in training.kept.items())


def test_it_is_learned(files):
    for result in fit(settings_for(files, hidden_size=16, epochs=60, learning_rate=0.02)).run.results:
        assert result.scores["accuracy"] > 85


@pytest.mark.slow
def test_japanese_vowels(needs_data):
    needs_data("japanese-vowels/train", "japanese-vowels/test")
    run = fit(make_settings("series-classes", "lstm", seeds=(0, 1, 2, 3, 4))).run
    assert sorted(result.scores["accuracy"] for result in run.results)[2] >= 97
