"""Whole training beside Keras's, and seeds at once beside one."""

import pytest
import torch

from gatelab.bench import training
from gatelab.bench.conditions import Conditions
from gatelab.errors import DataError
from gatelab.training.settings import make_settings


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A few texts of one's own in place of the film reviews."""
    rows = [f"{'fine' if k % 2 else 'dull'} film {k},{'good' if k % 2 else 'bad'}" for k in range(40)]
    (tmp_path / "own.csv").write_text("\n".join(["text,label", *rows]))
    options = {"csv": str(tmp_path / "own.csv"), "vectors": "learned", "dimensions": 3, "length": 5, "padding": "front"}
    settings = make_settings("sentiment", "lstm", 4, (0,), epochs=2, batch_size=8, clip=1.0, options=options)
    monkeypatch.setattr(training, "_small", lambda: settings)
    return settings


def measure():
    return training.measure_training(Conditions("cpu", torch.get_num_threads(), 0.01), lambda words, share: None)


def test_seeds_go_on_for_as_long_as_they_are_measured(small):
    epoch, digits, parity = measure().rows
    assert [row.at for row in (epoch, digits, parity)] == ["imdb-small", "digits", "parity"]
    for row in (digits, parity):
        assert row.verdict.value == pytest.approx(10 * row.numbers["other"] / row.numbers["ours"])
        assert row.verdict.at_least == 5.0


def test_an_epoch_is_measured_where_keras_is_not_installed(small, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(training, "import_module", missing)
    epoch = measure().rows[0]
    assert epoch.numbers["ours"] > 0
    assert (epoch.numbers["other"], epoch.verdict.holds) == (None, None)
    assert "keras" in epoch.verdict.why_not


def test_data_that_are_not_at_hand_are_the_reason(monkeypatch):
    def nothing():
        raise DataError("'imdb' could not be downloaded.\nTry again.")

    monkeypatch.setattr(training, "_small", nothing)
    epoch, *others = measure().rows
    assert epoch.verdict.why_not == "gatelab: 'imdb' could not be downloaded."
    assert all(row.verdict.value for row in others)


def test_keras_takes_the_same_texts(small):
    pytest.importorskip("keras")
    epoch = measure().rows[0]
    assert epoch.verdict.value > 0
