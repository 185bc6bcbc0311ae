import gzip
import zipfile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data import vectors as module
from gatelab.data.text import imdb, tokens
from gatelab.data.vectors import coverage, glove, read_vectors, table_for
from gatelab.data.vocabulary import Vocabulary
from gatelab.errors import DataError

LINES = "the 0.5 -1 2e-1\n, 1 2 3\ncafé -0.25 0 7\n"
TABLE = torch.tensor([[0.5, -1, 0.2], [1, 2, 3], [-0.25, 0, 7]])


@pytest.fixture
def path(tmp_path):
    (tmp_path / "vectors.txt").write_text(LINES)
    return tmp_path / "vectors.txt"


def test_plain_gzipped_and_zipped(path):
    packed = path.with_suffix(".txt.gz")
    packed.write_bytes(gzip.compress(LINES.encode()))
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("v.txt", LINES)
    for found in (read_vectors(path, 3), read_vectors(packed, 3), read_vectors(archive, 3, member="v.txt")):
        assert found.words == ("the", ",", "café") and found.duplicates == 0
        assert torch.equal(found.table, TABLE)


def test_only_the_words_that_are_wanted(path):
    for words in (["café", "nowhere", "the"], {"café", "the"}):
        found = read_vectors(path, 3, words)
        assert found.words == ("the", "café") and torch.equal(found.table, TABLE[[0, 2]])
    with pytest.raises(DataError, match="no vector of a word that is wanted"):
        read_vectors(path, 3, ["nowhere"])


@pytest.mark.parametrize("block", [1, 2, 10])
def test_the_first_of_duplicates_wins(path, monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    path.write_text(LINES + "the 9 9 9\n, 9 9 9\nnew 4 5 6\nthe 8 8 8\n")
    found = read_vectors(path, 3)
    assert found.words == ("the", ",", "café", "new") and found.duplicates == 3
    assert torch.equal(found.table, torch.cat([TABLE, torch.tensor([[4.0, 5, 6]])]))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("short 1 2", "line 4: 2 values, expected 3"),
        ("long 1 2 3 4", "line 4: 4 values, expected 3"),
        ("alone", "line 4: 0 values, expected 3"),
        ("broken 1 2 x", "line 4: not 3 finite numbers"),
        ("broken 1 2 nan", "line 4: not 3 finite numbers"),
        ("broken 1 2 1e99", "line 4: not 3 finite numbers"),
        ("gap 1  2", "line 4: not 3 finite numbers"),
        ("tab 1\t2 3 4\nfew 5 6 ", "line 4: not 3 finite numbers"),
    ],
)
def test_broken_lines_are_named(path, line, words):
    path.write_text(f"{LINES}{line}\nlast 1 2 3\n")
    with pytest.raises(DataError, match=words):
        read_vectors(path, 3)


def test_an_empty_file(path):
    path.write_text("")
    with pytest.raises(DataError, match="no vector"):
        read_vectors(path, 3)


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr)
pieces = st.lists(numbers | st.sampled_from(["x", "", "1 2", "\t", "nan", "٣"]), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.sampled_from("abcd"), pieces), min_size=1, max_size=5))
def test_any_file_is_read_exactly_or_refused(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text("".join(f"{word} {' '.join(values)}\n" for word, values in lines))
    try:
        found = read_vectors(path, 2)
    except DataError as error:
        assert str(path) in str(error)
        return
    first = {}
    for line in path.read_text().splitlines():
        word, *values = line.split(" ")
        first.setdefault(word, torch.tensor([float(value) for value in values]))
    assert found.words == tuple(first) and torch.equal(found.table, torch.stack(list(first.values())))


def test_the_table_of_a_vocabulary(path):
    vectors = read_vectors(path, 3)
    vocabulary = Vocabulary.of([["café", "tea", "the", "milk"]])
    table = table_for(vocabulary, vectors, seed=1)
    pad, start, unknown, cafe, tea, the, milk = table
    assert table.dtype == torch.float32 and not pad.any()
    assert torch.equal(cafe, TABLE[2]) and torch.equal(the, TABLE[0])
    for other in (start, tea, milk):
        assert torch.equal(other, unknown)
    assert unknown.all() and not torch.equal(unknown, table_for(vocabulary, vectors, seed=2)[2])
    assert torch.equal(table, table_for(vocabulary, vectors, seed=1))


def test_the_share_of_tokens_with_a_vector(path):
    vectors = read_vectors(path, 3)
    assert coverage([["the", "tea"], ["the", "café"]], vectors) == 0.75
    assert coverage([["tea"]], vectors) == 0
    with pytest.raises(DataError, match="no tokens"):
        coverage([[], []], vectors)


def test_glove_knows_the_words_of_the_reviews(needs_data):
    needs_data("imdb", "glove/50")
    vectors = glove(50)
    assert vectors.table.shape == (len(vectors.words), 50) and vectors.duplicates == 0
    assert vectors.words[:2] == ("the", ",") and vectors.table[0, :2].tolist() == pytest.approx([0.418, 0.24968])
    sample = imdb()[0].texts[::25]
    assert 0.995 < coverage((tokens(text, "letters") for text in sample), vectors) < 0.998


@pytest.mark.slow
def test_the_published_coverage(needs_data):
    needs_data("imdb", "glove/50")
    texts = [tokens(text, "letters") for part in imdb() for text in part.texts]
    vectors = glove(50)
    types = {token for text in texts for token in text}
    assert len(types) == 99_426 and len(types & vectors.index.keys()) == 74_311
    assert round(coverage(texts, vectors), 3) == 0.996
