import gzip
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data.reading import opened, rows
from gatelab.errors import DataError

TEXT = "one\r\ntwo, drei, četiri\n"


def read(path, member=""):
    with opened(path, member) as text:
        return text.read()


def written(path, content):
    path.write_bytes(content)
    return path


def test_plain_gzipped_and_zipped(tmp_path):
    assert read(written(tmp_path / "plain.txt", TEXT.encode())) == TEXT
    assert read(written(tmp_path / "marked.txt", TEXT.encode("utf-8-sig"))) == TEXT
    assert read(written(tmp_path / "small.txt.gz", gzip.compress(TEXT.encode()))) == TEXT
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("a.txt", TEXT)
    assert read(tmp_path / "many.zip", "a.txt") == TEXT
    with pytest.raises(DataError, match=r"has no b\.txt in it"):
        read(tmp_path / "many.zip", "b.txt")


@pytest.mark.parametrize("cut", [5, 200, -9, -4])
def test_a_truncated_archive(tmp_path, cut):
    packed = gzip.compress(bytes(range(128)) * 100 + TEXT.encode(), mtime=0)
    with pytest.raises(DataError, match=r"is broken or ends too early: .*\n.*again\."):
        read(written(tmp_path / "cut.txt.gz", packed[:cut]))


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_no_archive_at_all(tmp_path, suffix):
    with pytest.raises(DataError, match="is broken or ends too early"):
        read(written(tmp_path / f"text{suffix}", b"plain text"), "member")


@pytest.mark.parametrize("before", [0, 10, 100_000])
def test_the_byte_that_is_not_utf8_is_named(tmp_path, before):
    content = b"x" * before + b"\xff\xfe" + b"y" * 10
    for path in (
        written(tmp_path / "text.txt", content),
        written(tmp_path / "text.txt.gz", gzip.compress(content)),
    ):
        with pytest.raises(DataError, match=f"byte 0xff at offset {before:,}\\.\nSave it as UTF-8"):
            read(path)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "nothing.txt", tmp_path / "nothing.txt.gz", tmp_path / "nothing.zip", tmp_path):
        with pytest.raises(DataError, match="can't be opened"):
            read(path)


def test_errors_of_others_pass(tmp_path):
    path = written(tmp_path / "text.txt", b"text")
    with pytest.raises(KeyError), opened(path):
        raise KeyError("mine")


def test_rows_are_the_chosen_columns_with_their_lines(tmp_path):
    path = written(tmp_path / "a.csv", b'a,b,c\n1,"x\ny",3\n\n4,"say ""hi""",6\n')
    assert list(rows(path, ("c", "b"))) == [(3, ("3", "x\ny")), (5, ("6", 'say "hi"'))]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_separators_and_white_space_in_names(tmp_path, separator, start, pack):
    lines = [(" a ", '"b, or; c"', "", ""), ("1", "2", "", "")]
    content = pack((start + "\n".join(map(separator.join, lines))).encode())
    path = written(tmp_path / ("a.csv" if pack is bytes else "a.csv.gz"), content)
    assert [row for _, row in rows(path, ("b, or; c", "a"))] == [("2", "1")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"txt,label, txt\na,b,c\n", r"more than one column 'txt'\.\nGive each column a name of its own"),
        (b"", r"is empty\.\nIt needs a header"),
        (b"text,label\na,b\n", r"no column 'txt', but text, label\.\nDid you mean 'text'\?"),
        (b"txt,label\na,b\n1\n", r"line 3: 1 fields, and the header has 2"),
        (b'txt,label\n"a"b,c\n', r"line 2: .*\nA quote inside"),
        (b'txt,label\n"a,c\nd,e\n', r"line 3: .*\nA quote inside"),
        (b"txt,label\na,b\nc,\0\n", r"line 3: a NUL byte"),
        ("txt,label\na,b\n".encode("utf-16"), r"byte 0xff at offset 0"),
    ],
)
def test_broken_tables(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        list(rows(written(tmp_path / "a.csv", content), ("txt", "label")))


@given(st.binary(max_size=60) | st.text('ab,"\n\r\0é', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = written(tmp_path_factory.getbasetemp() / "any.csv", b"a,b\n" + content)
    try:
        found = list(rows(path, ("a", "b")))
    except DataError as error:
        assert str(path) in str(error) and "\n" in str(error)
    else:
        assert all(len(row) == 2 for _, row in found)
