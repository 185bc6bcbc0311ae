from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data.vocabulary import RESERVED, TokenSequences, Vocabulary
from gatelab.errors import DataError

TEXTS = [["b", "a", "b"], ["c", "a", "d", "b"]]


def test_words_by_frequency_then_appearance():
    assert Vocabulary.of(TEXTS).words == (*RESERVED, "b", "a", "c", "d")
    assert Vocabulary.of(TEXTS, size=5).words == (*RESERVED, "b", "a")
    assert Vocabulary.of(TEXTS, fewest=2, reserved=()).words == ("b", "a")
    assert Vocabulary.of([["<pad>", "x"]]).words == (*RESERVED, "x")


def test_encoding_as_keras_does():
    vocabulary = Vocabulary.of(TEXTS, size=5)
    assert vocabulary.encode(["a", "d", "b"], start=True) == [1, 4, 2, 3]
    assert vocabulary.encode([]) == []
    assert vocabulary.decode([1, 4, 2, 3]) == ["<start>", "a", "<unknown>", "b"]
    assert repr(vocabulary) == "Vocabulary of 5 words: '<pad>', '<start>', '<unknown>', 'b', 'a'"


def test_words_that_nothing_stands_for():
    vocabulary = Vocabulary.of(["hello"], reserved=())
    with pytest.raises(DataError, match=r"no word 'z'\.\nReserve <unknown>"):
        vocabulary.encode("zoo", start=True)
    with pytest.raises(DataError, match=r"no word '<start>'\.\nReserve <start>"):
        vocabulary.encode("hell", start=True)


@given(st.lists(st.lists(st.text("abcdef", max_size=2), max_size=8), max_size=8), st.integers(3, 12))
def test_any_vocabulary(texts, size):
    vocabulary = Vocabulary.of(texts, size=size)
    counts = Counter(token for text in texts for token in text)
    frequencies = [counts[word] for word in vocabulary.words[3:]]
    assert frequencies == sorted(counts.values(), reverse=True)[: size - 3]
    for text in texts:
        known = [token if token in vocabulary.index else "<unknown>" for token in text]
        assert vocabulary.decode(vocabulary.encode(text)) == known


def padded(sequence, steps, where, keep):
    """Pads one sequence as slowly and plainly as can be."""
    kept = sequence[:steps] if keep == "first" else sequence[max(len(sequence) - steps, 0) :]
    zeros = [0] * (steps - len(kept))
    return zeros + kept if where == "front" else kept + zeros


sequences = st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=5)


@given(sequences, st.none() | st.integers(1, 8), st.sampled_from(["front", "end"]), st.sampled_from(["first", "last"]))
def test_padding(lists, length, where, keep):
    tokens, lengths = TokenSequences.of(lists).pad(torch.arange(len(lists)), length, where, keep)
    steps = length or max(1, *map(len, lists))
    assert tokens.T.tolist() == [padded(sequence, steps, where, keep) for sequence in lists]
    assert lengths.tolist() == [max(1, min(len(sequence), steps)) for sequence in lists]
    assert tokens.dtype == lengths.dtype == torch.long


@given(sequences, st.integers(0, 7), st.sampled_from(["first", "last"]))
def test_cutting(lists, at_most, keep):
    cut = TokenSequences.of(lists).cut(at_most, keep)
    expected = TokenSequences.of([padded(one, min(len(one), at_most), "end", keep) for one in lists])
    assert torch.equal(cut.values, expected.values) and torch.equal(cut.starts, expected.starts)


def test_rows_of_any_shape():
    lists = [[1], [2, 3], [], [4, 5, 6]]
    kept = TokenSequences.of(lists)
    assert (len(kept), kept.lengths.tolist(), kept.values.dtype) == (4, [1, 2, 0, 3], torch.int32)
    rows = torch.tensor([[3, 1, 3], [2, 0, 1]])
    tokens, lengths = kept.pad(rows, where="front")
    assert tokens.shape == (3, 2, 3) and lengths.shape == (2, 3)
    for row in range(2):
        alone, alone_lengths = kept.pad(rows[row], length=3, where="front")
        assert torch.equal(tokens[:, row], alone) and torch.equal(lengths[row], alone_lengths)


def test_nothing_but_empty_sequences():
    tokens, lengths = TokenSequences.of([[], []]).pad(torch.tensor([0, 1, 1]))
    assert tokens.tolist() == [[0, 0, 0]] and lengths.tolist() == [1, 1, 1]
