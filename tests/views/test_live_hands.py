"""What a person may write for a model is read as it is meant, or refused in words."""

import pytest
import torch

from gatelab.errors import OptionError
from gatelab.tasks.mnist import as_sequences
from gatelab.views.examples import Examples
from gatelab.views.live.inputs import HANDS
from gatelab.views.live.pictures import read_picture, write_picture
from gatelab.views.live.values import read_numbers, write_numbers

FORECAST = {
    "columns": ["level", "load"],
    "target": "load",
    "mean": [1.0, 10.0],
    "deviation": [2.0, 5.0],
    "past": 4,
    "ahead": 2,
    "quantiles": [0.1, 0.5, 0.9],
    "relative": True,
}


def test_pictures_are_written_as_they_are_read():
    points = torch.arange(64).view(8, 8) % 17 / 16
    assert torch.equal(read_picture(write_picture(points), 8), points)
    assert read_picture("0g\n8", 3).tolist() == [[0, 1, 0], [0.5, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("text", "cause"), [("0z", "'z'"), ("0" * 4, "larger than 3"), ("0\n" * 4, "larger than 3")])
def test_pictures_that_cannot_be_read(text, cause):
    with pytest.raises(OptionError, match=cause):
        read_picture(text, 3)


@pytest.mark.parametrize("order", ["rows", "pixels", "permuted"])
def test_pictures_come_back_in_any_order_of_points(order):
    picture = (torch.arange(28 * 28).view(1, 28, 28) % 17 / 16).float()
    hand = HANDS["mnist"]({"order": order, "scale": False, "dataset": "fashion-mnist"}, {})
    x = as_sequences(picture * 255, order).transpose(0, 1)
    labels = (("",) * len(x),)
    text = hand.write(Examples(x, "rows", labels, None, ("a", "b")), 0)
    assert torch.allclose(hand.read(text).examples.x, x)


def test_numbers_are_written_as_they_are_read():
    values = torch.tensor([[1.5, -2.0], [300.0, 0.25]])
    assert torch.equal(read_numbers(write_numbers(values), 2), values)
    assert read_numbers(" 1;2,\n3 ", 1).flatten().tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("1, two", "^'two' is no number"),
        ("1, -x-", "^'-x-'"),
        ("", "no number"),
        ("1e99", "infinite"),
        ("nan", "none"),
        ("1 2 3", "fill"),
    ],
)
def test_numbers_that_cannot_be_read(text, cause):
    with pytest.raises(OptionError, match=cause):
        read_numbers(text, 2)


def test_a_series_is_read_relative_to_its_last_values_and_answered_in_its_own_units():
    hand = HANDS["series"]({}, FORECAST)
    typed = hand.read("3, 20\n1, 15\n5, 25")
    assert typed.examples.x[:, 0].tolist() == [[-1, -1], [-2, -2], [0, 0]]
    assert (typed.scale, typed.offset) == (5, 25)
    assert typed.examples.answers[1] == "in 1, 50 %"
    assert (hand.target, hand.ahead, typed.examples.traced) == (1, 2, 1)
    assert hand.read(hand.blank).examples.x.abs().max() == 0


def test_numbers_far_from_zero_keep_their_digits():
    hand = HANDS["series"]({}, FORECAST | {"mean": [1.0, 101325.0], "deviation": [0.02, 120.0]})
    text = "1.0251, 101325.37\n0.98, 101207.05"
    typed = hand.read(text)
    assert hand.write(typed.examples, 0) == text
    assert typed.examples.labels[0] == ("1.0251, 101325", "0.9800, 101207")
    assert typed.examples.x[0, 0, 1].item() == pytest.approx(118.32 / 120)
    assert hand.decimals == 1


def test_texts_name_the_words_that_are_unknown():
    reading = {"vocabulary": ["<pad>", "<start>", "<unknown>", "a", "film"], "style": "letters", "start": True}
    reading |= {"length": 4, "keep": "last", "padding": "front"}
    hand = HANDS["sentiment"]({}, {"names": ["-", "+"], "reading": reading})
    typed = hand.read("A zebra film, a film")
    assert typed.examples.labels[0] == ("<unknown>", "film", "a", "film")
    unknown = "Not in the model's vocabulary, so read as unknown: 'zebra'."
    assert typed.notes == (unknown, "Of 6 words the model reads 4.")
    again = hand.read(hand.write(typed.examples, 0))
    assert torch.equal(again.examples.x, typed.examples.x)
    with pytest.raises(OptionError, match="no word"):
        hand.read("?!")


def test_passages_come_back_with_what_cannot_be_seen():
    hand = HANDS["language-model"]({}, {"units": "characters", "symbols": ["a", " ", "\n"]})
    assert hand.write(hand.read("a \na").examples, 0) == "a \na"
    with pytest.raises(OptionError, match="'b'"):
        hand.read("ab")
