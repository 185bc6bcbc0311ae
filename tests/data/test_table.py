"""CSV files: right columns, or errors that say where and what to do."""

import csv
import gzip
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data.table import airline, etth1, number, read_csv, temperatures
from gatelab.errors import DataError

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@pytest.fixture
def table(tmp_path):
    """Writes a file and reads it."""

    def read(content, name="some.csv"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return read_csv(tmp_path / name)

    return read


@given(st.lists(st.tuples(CELLS, st.floats(allow_infinity=False)), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_what_is_written_is_read(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "value"), ("not a number", "0"), *rows])
    found = read_csv(path)
    assert found.columns["text"].tolist() == ["not a number", *(text for text, _ in rows)]
    assert np.array_equal(found.columns["value"], [0.0, *(value for _, value in rows)], equal_nan=True)


@given(st.one_of(st.binary(max_size=60), st.text('ab1,;\t"\r\n \0.?', max_size=60).map(str.encode)))
def test_any_bytes_are_a_table_or_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        found = read_csv(path)
    except DataError as error:
        assert "any.csv" in str(error) and "\n" in str(error)
    else:
        assert {len(column) for column in found.columns.values()} == {len(found.lines)}
        assert len(found.lines) >= 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\r\n"])
def test_separators_quotes_and_marks(table, delimiter, start):
    rows = (('"Month, or day"', "Passengers"), ('"a ""b"""', "1.5"), ("", "-2e3"))
    found = table(start + "\r\n".join(delimiter.join(row) for row in rows))
    assert found.columns["Month, or day"].tolist() == ['a "b"', ""]
    assert found.numbers("Passengers").tolist() == [1.5, -2000.0]
    assert found.numeric == ("Passengers",)


def test_gzipped(table):
    assert table(gzip.compress(b"a\n1\n"), "a.csv.gz").numbers("a").tolist() == [1.0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "holds only a line of names"),
        ("a,b\n1,2\n\n3\n", r"line 4: 1 cells where the line of names has 2"),
        ("a,b\n1,2,3\n", r"line 2: 3 cells where the line of names has 2"),
        ("a,b, a\n1,2,3\n", "more than one column 'a'"),
        (b"a,b\n1,\xff\n", "not UTF-8"),
        ("a,b\n1,2\n3,\0\n", "line 3: a NUL byte"),
        ('a,b\n1,2\n"3,4\n5,6\n', "line 3: the row that begins here cannot be read"),
        ('a,b\n"1"2,3\n', "line 2: the row that begins here cannot be read"),
    ],
)
def test_broken_files_say_where(table, content, said):
    with pytest.raises(DataError, match=f"some.csv.*{said}"):
        table(content)


def test_lines_count_what_is_in_quotes(table):
    found = table('note,value\n"two\nlines",1\n\nx,oops\n')
    assert found.lines == (2, 5)
    with pytest.raises(DataError, match="line 5: 'oops' in column 'value' is no number"):
        found.numbers("value")


def test_missing_values_are_counted(table):
    found = table("a,b\n1,2\n,3\nNaN,4\ninf,5\n")
    with pytest.raises(DataError, match=r"3 of the 4 values of column 'a' are missing or infinite, .* on line 3"):
        found.numbers("a")
    assert found.numbers("b").tolist() == [2, 3, 4, 5]


def test_a_missing_column_offers_the_nearest(table):
    with pytest.raises(DataError, match=r"no column 'passenger'.\nDid you mean 'passengers'"):
        table("month,passengers\n1,2\n").numbers("passenger")


@pytest.mark.parametrize("cell", ["1_000", "1,5", "0x10", "one", "1949-01"])
def test_what_is_no_number(cell):
    assert number(cell) is None


def test_what_is_a_number():
    assert [number(cell) for cell in (" 1 ", "-2.5e1", "+.5")] == [1.0, -25.0, 0.5]
    assert all(math.isnan(number(cell)) for cell in ("", "NA", "?", "nan"))


def test_the_known_tables(needs_data):
    needs_data("ett/ETTh1", "airline-passengers", "daily-min-temperatures")
    ett = etth1()
    assert ett.numeric == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert ett.columns["date"][[0, -1]].tolist() == ["2016-07-01 00:00:00", "2018-06-26 19:00:00"]
    assert len(ett.numbers("OT")) == 17_420
    passengers, coldest = airline().numbers("Passengers"), temperatures().numbers("Temp")
    assert (len(passengers), passengers.min(), passengers.max()) == (144, 104, 622)
    assert (len(coldest), coldest.min(), coldest.max()) == (3650, 0.0, 26.3)
