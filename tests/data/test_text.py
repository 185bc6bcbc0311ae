import csv
import gzip
import io
import tarfile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data.text import STYLES, corpus, imdb, read_labelled_csv, tokens
from gatelab.errors import DataError, OptionError

REVIEWS = {
    ("train", "neg", 0, 3): 'Bad.\r\nVery "bad", indeed.<br /><br />Don\'t.',
    ("train", "neg", 10, 1): "Bad again",
    ("train", "neg", 9, 1): "Bad once more",
    ("train", "pos", 1, 9): "Très bon\n",
    ("test", "pos", 2, 10): "",
    ("test", "neg", 2, 4): "So so",
}
UNLABELLED = {("train", "unsup", 0, 0): "Who knows"}
SENTIMENT = {"neg": "negative", "pos": "positive"}


def file_of(split, kind, number, rating):
    return f"aclImdb/{split}/{kind}/{number}_{rating}.txt"


def write_folder(folder, reviews):
    for key, text in {**reviews, **UNLABELLED}.items():
        path = folder / file_of(*key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def write_archive(folder, reviews):
    with tarfile.open(folder / "aclImdb_v1.tar.gz", "w:gz") as archive:
        for key, text in {**UNLABELLED, **reviews}.items():
            member = tarfile.TarInfo(file_of(*key))
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def csv_of(reviews):
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(("split", "sentiment", "id", "rating", "review"))
    writer.writerows((split, SENTIMENT[kind], *rest, text) for (split, kind, *rest), text in reviews.items())
    return table.getvalue().encode()


def write_csv(folder, reviews):
    (folder / "imdb").mkdir()
    (folder / "imdb" / "imdb_reviews.csv").write_bytes(csv_of(reviews))


def write_gzipped(folder, reviews):
    (folder / "imdb").mkdir()
    (folder / "imdb" / "imdb_reviews.csv.gz").write_bytes(gzip.compress(csv_of(reviews)))


FORMS = (write_folder, write_archive, write_csv, write_gzipped)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GATELAB_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("write", FORMS)
def test_imdb_is_the_same_from_every_form(folder, write):
    write(folder, REVIEWS)
    train, test = imdb()
    texts = {(key[0], key[1], key[2]): text for key, text in REVIEWS.items()}
    wanted = [("train", "neg", 0), ("train", "neg", 9), ("train", "neg", 10), ("train", "pos", 1)]
    assert train.texts == tuple(texts[key] for key in wanted)
    assert train.labels.tolist() == [0, 0, 0, 1] and train.labels.dtype == torch.long
    assert test.texts == ("So so", "")
    assert test.labels.tolist() == [0, 1]
    assert (test.names, test.empty, test.duplicates) == (("negative", "positive"), 1, 0)


@pytest.mark.parametrize("write", FORMS)
def test_imdb_without_a_class(folder, write):
    write(folder, {key: text for key, text in REVIEWS.items() if key[:2] != ("train", "pos")})
    with pytest.raises(DataError, match="has no positive train reviews"):
        imdb()


def test_a_truncated_archive_of_reviews(folder):
    write_archive(folder, REVIEWS)
    path = folder / "aclImdb_v1.tar.gz"
    whole = path.read_bytes()
    for end in (0, 5, len(whole) // 2, len(whole) * 3 // 4):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match="is broken or ends too early"):
            imdb()


def test_a_review_in_another_encoding(folder):
    write_folder(folder, REVIEWS)
    path = folder / file_of("train", "pos", 1, 9)
    path.write_bytes("Très".encode("latin-1"))
    with pytest.raises(DataError, match=r"1_9\.txt is not UTF-8 at offset 2"):
        imdb()


def test_a_csv_of_reviews_with_an_unknown_split(folder):
    write_csv(folder, {**REVIEWS, ("dev", "pos", 3, 9): "?"})
    with pytest.raises(DataError, match=r"dev, positive, 3\.\nExpected split train or test"):
        imdb()


def test_the_real_reviews(needs_data):
    needs_data("imdb")
    train, test = imdb()
    for part in (train, test):
        assert len(part.texts) == 25_000 and part.labels.bincount().tolist() == [12_500, 12_500]
        assert part.empty == 0
    assert len(set(train.texts) | set(test.texts)) == 49_582


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_labelled_table(tmp_path):
    path = table(tmp_path / "mails.csv", "id,mail,kind", '1,"buy, now",spam', "2,hello,ham", "3,,ham", "4,hello,ham")
    reviews = read_labelled_csv(path, "mail", "kind")
    assert reviews.texts == ("buy, now", "hello", "", "hello")
    assert reviews.names == ("ham", "spam")
    assert reviews.labels.tolist() == [1, 0, 0, 0]
    assert (reviews.empty, reviews.duplicates) == (1, 1)


def test_labels_that_are_numbers_are_in_their_order(tmp_path):
    path = table(tmp_path / "a.csv", "text,stars", "a,10", "b,9", "c, -1")
    assert read_labelled_csv(path, "text", "stars").names == ("-1", "9", "10")
    path = table(tmp_path / "a.csv", "text,stars", "a,10", "b,9", "c,nan")
    assert read_labelled_csv(path, "text", "stars").names == ("10", "9", "nan")


def test_a_long_text(tmp_path):
    path = table(tmp_path / "a.csv", "text,label", f"{'a' * 200_000},x", "b,y")
    assert len(read_labelled_csv(path, "text", "label").texts[0]) == 200_000


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["text,label"], r"has a header and no rows"),
        (["text,label", "a,x", "b,x"], r"one class only, 'x'"),
        (["text,label", "a,x", "b,"], r"line 3: no label in the column 'label'"),
        (["test,label", "a,x"], r"no column 'text', but test, label\.\nDid you mean 'test'\?"),
    ],
)
def test_tables_that_teach_nothing(tmp_path, lines, words):
    with pytest.raises(DataError, match=words):
        read_labelled_csv(table(tmp_path / "a.csv", *lines), "text", "label")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("keras", ["don't", "panic", "br", "it's", "3", "00", "čaj"]),
        ("letters", ["don", "t", "panic", "it", "s", "aj"]),
        ("report-2018", ["dont", "panic", "its300aj"]),
        ("words", ["Don't", "PANIC!<br", "/>It's", "<3.00", "čaj"]),
    ],
)
def test_styles_of_tokens(style, expected):
    assert tokens("Don't PANIC!<br />It's\t<3.00\nčaj ", style) == expected


@given(st.text())
def test_characters_are_the_text(text):
    assert "".join(tokens(text, "characters")) == text


@pytest.mark.parametrize("style", ["keras", "letters", "report-2018", "words"])
@given(text=st.text() | st.text("aZ<br />.,'\n\t "))
def test_tokens_of_tokens_are_the_tokens(style, text):
    once = tokens(text, style)
    assert all(once) and tokens(" ".join(once), style) == once


def test_an_unknown_style():
    with pytest.raises(OptionError, match=r"no style of tokens 'kera'\.\nDid you mean 'keras'\?"):
        tokens("text", "kera")
    assert set(STYLES) == {"keras", "letters", "report-2018", "words", "characters"}


def test_a_corpus_from_any_file(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_text("a b\nc  d e\n")
    characters = corpus(path)
    assert (characters.train, characters.valid, characters.test) == ("a b\nc  d ", "e\n", "")
    words = corpus(path, units="words")
    assert words.train == ("a", "b", "<eos>", "c", "d", "e") and words.valid == ("<eos>",)
    with pytest.raises(OptionError, match=r"no units 'word'\.\nDid you mean 'words'\?"):
        corpus(path, units="word")


@pytest.mark.parametrize("text", ["", "x"])
def test_a_corpus_that_is_too_short(tmp_path, text):
    (tmp_path / "short.txt").write_text(text)
    with pytest.raises(DataError, match=f"has {len(text)} characters, too few to split"):
        corpus(tmp_path / "short.txt")


def test_shakespeare(needs_data):
    needs_data("tiny-shakespeare")
    found = corpus("tiny-shakespeare")
    assert (len(found.train), len(found.valid), len(found.test)) == (1_003_854, 111_540, 0)
    assert len(set(found.train)) == 65


def test_penn_treebank(needs_data):
    needs_data("ptb/train", "ptb/valid", "ptb/test")
    found = corpus("ptb")
    assert (len(found.train), len(found.valid), len(found.test)) == (929_589, 73_760, 82_430)
    assert len(set(found.train)) == 10_000
    assert set(found.train) >= {*found.valid, *found.test}
