"""Files of series with classes: right values, or errors that say where and what to do."""

import gzip
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data.series import japanese_vowels, read_labelled, read_ts, read_tsv, standardised
from gatelab.errors import DataError

HEAD = "# about\n@problemName some\n@timeStamps false\n@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n"
UNIVARIATE = "@univariate true\n@classLabel true a b\n@data\n"


@pytest.fixture
def written(tmp_path):
    """Writes a text into a file of this name and gives its path."""

    def write(text, name="some.ts"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_ts(written):
    found = read_ts(written(HEAD + "1,2,3:4,5,6:b\n\n7:8:a\n"))
    assert [one.tolist() for one in found.values] == [[[1, 4], [2, 5], [3, 6]], [[7, 8]]]
    assert found.values[0].dtype == torch.float32
    assert (found.labels.tolist(), found.names, found.filled, found.channels) == ([1, 0], ("a", "b"), 0, 2)


def test_gzipped_ts_with_windows_line_ends(written):
    content = gzip.compress((HEAD + "1:2:a\n").replace("\n", "\r\n").encode())
    assert read_ts(written(content, "some.ts.gz")).values[0].tolist() == [[1, 2]]


def test_padding_comes_after_the_end(written):
    values, lengths = read_ts(written(HEAD + "1,2,3:4,5,6:b\n7:8:a\n")).padded()
    assert values.shape == (3, 2, 2)
    assert lengths.tolist() == [3, 1]
    assert values[:, 1].tolist() == [[7, 8], [0, 0], [0, 0]]


def test_missing_values_are_filled_from_their_neighbours_and_counted(written):
    found = read_ts(written(UNIVARIATE + "?,1,?,NaN,4,?:a\n5,6:b\n"))
    assert found.values[0].flatten().tolist() == [1, 1, 2, 3, 4, 4]
    assert found.filled == 4


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
SERIES = st.tuples(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=5), st.sampled_from("ab"))


@given(st.lists(SERIES, min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path_factory, series):
    lines = [
        ":".join(",".join(map(repr, channel)) for channel in zip(*steps, strict=True)) + f":{label}"
        for steps, label in series
    ]
    path = tmp_path_factory.getbasetemp() / "round.ts"
    path.write_text(HEAD + "\n".join(lines))
    found = read_ts(path)
    assert [list(map(tuple, one.tolist())) for one in found.values] == [steps for steps, _ in series]
    assert [found.names[label] for label in found.labels] == [label for _, label in series]


KEYS = st.lists(st.sampled_from([*HEAD.splitlines(keepends=True), "@equalLength true\n", "@\n", "x\n"]), max_size=9)


@given(
    st.one_of(KEYS.map("".join), st.just(HEAD), st.just(UNIVARIATE)), st.text("1-.e9,:?ab #@\n\t\0naif_", max_size=30)
)
def test_any_text_is_series_or_a_data_error(tmp_path_factory, head, rest):
    for name, read in (("any.ts", read_ts), ("any.tsv", read_tsv)):
        path = tmp_path_factory.getbasetemp() / name
        path.write_text(head + rest)
        try:
            found = read(path)
        except DataError as error:
            assert name in str(error) and "\n" in str(error)
        else:
            assert len(found.values) == len(found.labels) >= 1
            assert all(len(one) and one.shape[1] == found.channels and one.isfinite().all() for one in found.values)
            assert found.labels.max() < len(found.names)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no line @data"),
        (HEAD, "has no series"),
        ("1,2:a\n", "line 1: neither a key nor @data"),
        (HEAD.replace("@timeStamps false", "@timeStamps true"), "has timestamps"),
        (HEAD.replace("true a b", "false"), "has no classes"),
        (HEAD + "1:2:a\n1,2:3:b\n", r"line 9: channels of \[2, 1\] values"),
        (HEAD + "1:2:a\n1:b\n", "line 9: 1 channels where there should be 2"),
        (UNIVARIATE + "1:2:a\n", "line 4: 2 channels where there should be 1"),
        (HEAD + "1:2:c\n", "line 8: the class 'c' is not declared"),
        (HEAD + "1,2\n", "line 8: a series without a class"),
        (HEAD + "1:2:\n", "line 8: a series without a class"),
        (HEAD + "1,:2,3:a\n", "line 8: '' is no number"),
        (HEAD + "1:1e39:a\n", "line 8: '1e39' is no number of float32"),
        (HEAD + "1,2:?,NaN:a\n", "line 8: channel 2 has no values"),
        ("@equalLength true\n" + UNIVARIATE + "1,2:a\n1:b\n", "equalLength true, and has series of 1 to 2 steps"),
        (b"@data \xff\n", "not UTF-8"),
    ],
)
def test_broken_ts_files_say_where(written, text, said):
    with pytest.raises(DataError, match=f"some.ts.*{said}"):
        read_ts(written(text))


@pytest.mark.parametrize("separator", ["\t", ","])
def test_tsv(written, separator):
    rows = (("2", "1", "2", "3"), ("10", "4", "NaN", "6"), ("2.0", "7", "8", "NaN"))
    found = read_tsv(written("\n".join(separator.join(row) for row in rows), "some.tsv"))
    assert [one.flatten().tolist() for one in found.values] == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert (found.names, found.labels.tolist(), found.filled) == (("2", "10"), [0, 1, 0], 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no series"),
        ("a\t1\t2\nb\t1\n", "line 2: 2 cells where the first line has 3"),
        ("a\t1\tx\n", "line 1: 'x' is no number"),
        ("a\tNaN\tNaN\n", "line 1: channel 1 has no values"),
        ("\t1\t2\n", "line 1: a series without a class"),
    ],
)
def test_broken_tsv_files_say_where(written, text, said):
    with pytest.raises(DataError, match=f"some.tsv.*{said}"):
        read_tsv(written(text, "some.tsv"))


def test_both_parts_have_the_names_of_the_training(written):
    train, test = written("b\t1\na\t2\nc\t3\n", "train.tsv"), written("c\t1\nb\t2\n", "test.tsv")
    first, second = read_labelled(train, test)
    assert first.names == second.names == ("a", "b", "c")
    assert (first.labels.tolist(), second.labels.tolist()) == ([1, 0, 2], [2, 1])


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (HEAD + "1:2:a\n3:4:a\n", HEAD + "1:2:a\n", "train.ts has the class 'a' only"),
        (
            UNIVARIATE.replace("a b", "a b c") + "1:a\n2:b\n",
            UNIVARIATE.replace("a b", "a c") + "1:c\n",
            "has the class 'c'",
        ),
        (HEAD + "1:2:a\n3:4:b\n", UNIVARIATE + "1:a\n", "test.ts has 1 channels and train.ts 2"),
    ],
)
def test_parts_that_do_not_fit_each_other(written, train, test, said):
    with pytest.raises(DataError, match=said):
        read_labelled(written(train, "train.ts"), written(test, "test.ts"))


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"should end in .ts, .tsv"):
        read_labelled(tmp_path / "train.arff", tmp_path / "test.arff")


def test_standardised_by_the_training_alone(written):
    first, second = standardised(
        *read_labelled(written("a\t1\t3\nb\t5\t7\n", "train.tsv"), written("a\t4\t9\n", "test.tsv"))
    )
    deviation = math.sqrt(5)
    assert torch.cat(first.values).flatten().tolist() == pytest.approx([value / deviation for value in (-3, -1, 1, 3)])
    assert second.values[0].flatten().tolist() == pytest.approx([0, 5 / deviation])


def test_japanese_vowels(needs_data):
    needs_data("japanese-vowels/train", "japanese-vowels/test")
    train, test = japanese_vowels()
    lengths = torch.cat([part.padded()[1] for part in (train, test)])
    assert (len(train.values), len(test.values), train.channels, test.channels) == (270, 370, 12, 12)
    assert (lengths.min(), lengths.max()) == (7, 29)
    assert train.labels.bincount().tolist() == [30] * 9
    assert test.labels.bincount().tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert train.filled == test.filled == 0
