"""Files that are whole or not there."""

import errno
import os

import pytest
import torch
from safetensors.torch import save

from gatelab.errors import StoreError
from gatelab.files import read_tensors, write_atomically, write_tensors

ONE = {"a": torch.ones(2)}


def test_tensors_and_facts_come_back_with_the_same_bits(tmp_path):
    tensors = {
        "weights/a": torch.randn(3, 4),
        "state": torch.Generator().get_state(),
        "step": torch.tensor(5.0),
        "view": torch.arange(12.0).view(3, 4).T,
        "wrong": torch.tensor([torch.nan, -torch.inf]),
    }
    facts = {"step": 3, "curve": [[1, 0.1, None]], "name": "é"}
    write_tensors(tmp_path / "a.safetensors", tensors, facts)
    again = read_tensors(tmp_path / "a.safetensors")
    assert again.facts == facts
    assert again.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == again.tensors[name].dtype
        assert torch.equal(tensor.nan_to_num(), again.tensors[name].nan_to_num())


def test_tensors_that_share_memory_can_be_written(tmp_path):
    whole = torch.randn(4)
    write_tensors(tmp_path / "a", {"a": whole, "b": whole, "c": whole[1:]}, {})
    assert torch.equal(read_tensors(tmp_path / "a").tensors["c"], whole[1:])


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch, broken):
    path = tmp_path / "run.json"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(StoreError, match=r"run\.json can't be written \(No space left on device\)"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"can't be written(.|\n)*--out"):
        write_atomically(tmp_path / "file" / "run.json", b"")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\x80\x04garbage",
        b"\xff" * 100,
        save({"a": torch.ones(2)}),
        save({"a": torch.ones(2)}, {"facts": "{"}),
    ],
    ids=["empty", "short", "garbage", "huge header", "no facts", "broken facts"],
)
def test_what_is_not_ours_is_one_clear_error(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"model\.safetensors can't be read"):
        read_tensors(path)


def test_a_missing_file_is_one_too(tmp_path):
    with pytest.raises(StoreError, match="can't be read"):
        read_tensors(tmp_path / "none")
