"""Files in MNIST's form: right arrays, or errors that say what is wrong."""

import gzip
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data.images import images, read_idx
from gatelab.errors import DataError


def idx(array, code=8):
    """The bytes of an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def family(tmp_path, monkeypatch):
    """A folder of data with two small images and their labels for each part."""
    monkeypatch.setenv("GATELAB_DATA", str(tmp_path))
    images.cache_clear()
    (tmp_path / "mnist").mkdir()
    for part in ("train", "t10k"):
        (tmp_path / f"mnist/{part}-images-idx3-ubyte").write_bytes(idx(np.full((2, 28, 28), 7)))
        (tmp_path / f"mnist/{part}-labels-idx1-ubyte").write_bytes(idx(np.array([3, 9])))
    yield tmp_path / "mnist"
    images.cache_clear()


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.data())
def test_what_is_written_is_read(tmp_path_factory, shape, zipped, data):
    content = data.draw(st.binary(min_size=math.prod(shape), max_size=math.prod(shape)))
    array = np.frombuffer(content, np.uint8).reshape(shape)
    path = tmp_path_factory.getbasetemp() / "array"
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    assert torch.equal(read_idx(path), torch.from_numpy(array.copy()))


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda rest: b"\0\0\x08" + rest)), st.booleans())
def test_any_bytes_are_an_array_or_a_data_error(tmp_path_factory, content, zipped):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(gzip.compress(content)[: 10 + len(content)] if zipped else content)
    try:
        array = read_idx(path)
    except DataError as error:
        assert str(error).count("\n") == 1
    else:
        assert idx(array.numpy()) in (content, gzip.decompress(path.read_bytes()) if zipped else content)


WHOLE = idx(np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with nothing"),
        (b"P5 28", "begins with 50 35 20 32"),
        (WHOLE[:7], "cut off after 7 bytes, within its head of 12"),
        (WHOLE[:-1], r"is cut off: its dimensions \(2, 3\) need 6 values, and it has 5"),
        (WHOLE + b"!", "is too long: .* need 6 values, and it has 7"),
        (idx(np.arange(6), code=13), "holds float32"),
        (idx(np.zeros((0, 28, 28))), r"is empty: its dimensions are \(0, 28, 28\)"),
        (gzip.compress(WHOLE)[:-9], "cannot be read"),
    ],
)
def test_broken_files_say_what_was_found(tmp_path, content, said):
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"images-idx3-ubyte.gz .*{said}|images-idx3-ubyte.gz {said}"):
        read_idx(path)


def test_a_family_is_read_once(family):
    found = images("mnist")
    assert found.train.shape == found.test.shape == (2, 28, 28)
    assert found.train.dtype == torch.uint8 and found.train_labels.dtype == torch.long
    assert found.test_labels.tolist() == [3, 9]
    assert images("mnist") is found


@pytest.mark.parametrize("labels", [np.array([3]), np.array([3, 10]), np.array([[3, 9]])])
def test_labels_must_fit_the_images(family, labels):
    (family / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(DataError, match=r"train files of mnist hold images \(2, 28, 28\) and labels"):
        images("mnist")


def test_another_name_offers_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'fashion-mnist'"):
        images("fashion_mnist")


def test_mnist(needs_data):
    needs_data("mnist/train-images", "mnist/train-labels", "mnist/test-images", "mnist/test-labels")
    found = images("mnist")
    assert found.train.shape == (60_000, 28, 28)
    assert found.test.shape == (10_000, 28, 28)
    assert found.train_labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert found.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
